package epoll

import (
	"sync"
	"sync/atomic"
	"time"
)

// quantum is how long a loop with more to do goes on, at the least, while others wait for
// a place: it finishes the turn in which that is over. To change over costs some
// microseconds.
const quantum = 200 * time.Microsecond

// share lets as many loops run at a time as there are processors, where there are more
// loops: those of tables of their own, or as many as were asked for.
//
// Left to the kernel, a loop that has much to do keeps its processor for a tick, 4 ms in
// many kernels, and each turn is preceded by a choice among all loops. Left to the Go
// scheduler, with a right to run for each processor, it keeps that right for 10 ms, so
// that a ping to one of six busy loops took 30 ms at the 99th percentile. Here a loop
// goes on for a quantum and the rest of a turn, and then those that wait go first, in the order in which they
// came.
//
// A loop has its place from when it comes out of a wait until it goes into the next, and
// with it waits for nobody who needs one to go on. Its methods may be called from any
// thread.
type share struct {
	mu      sync.Mutex
	free    int          // places that nobody has
	queue   []*place     // those that wait, the first to come first; empty while any is free
	waiting atomic.Int32 // how many those are, to be read without mu
}

// place is what a loop waits with for its turn: 1 when it has come. The wait is the
// kernel's and not a channel's, so that the thread keeps its right to run Go code
// meanwhile, and none has to be found for it.
type place struct{ granted atomic.Uint32 }

// newShare is for so many loops, of which so many run at a time; nil, which shares
// nothing, if that is all of them.
func newShare(loops, running int) *share {
	if loops <= running {
		return nil
	}
	return &share{free: running, queue: make([]*place, 0, loops)}
}

// take waits with p until there is a place, and says whether it had to.
func (s *share) take(p *place) (waited bool) {
	s.mu.Lock()
	if s.free > 0 {
		s.free--
		s.mu.Unlock()
		return false
	}
	p.granted.Store(0)
	s.queue = append(s.queue, p)
	s.waiting.Add(1)
	s.mu.Unlock()
	for p.granted.Load() == 0 {
		futexWait(&p.granted, 0)
	}
	return true
}

// give gives the place to who has waited longest.
func (s *share) give() {
	s.mu.Lock()
	if len(s.queue) == 0 {
		s.free++
		s.mu.Unlock()
		return
	}
	next := s.queue[0]
	s.queue = append(s.queue[:0], s.queue[1:]...)
	s.waiting.Add(-1)
	s.mu.Unlock()
	next.granted.Store(1)
	futexWake(&next.granted)
}

// wanted says whether others wait for a place.
func (s *share) wanted() bool { return s.waiting.Load() > 0 }
