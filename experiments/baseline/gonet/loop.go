package gonet

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"c1000k/comet"
)

// clock turns the monotonic clock into the core's time: the wall clock read
// once, then what has passed since.
type clock struct{ start time.Time }

// now is in nanoseconds since the Unix epoch.
func (c clock) now() int64 { return c.start.UnixNano() + int64(time.Since(c.start)) }

// loop is a core loop and the lock that makes it single-threaded. Whoever has
// something to tell it enters, tells it, and leaves; leaving is a turn.
type loop struct {
	engine *Engine
	clock  clock
	held   atomic.Int32 // connections

	mu      sync.Mutex // of all below
	core    comet.Core
	asleep  bool // the core was told so
	over    bool // the engine stops: the core hears nothing more
	conns   []*conn
	free    []comet.Conn
	timer   *time.Timer
	timerAt int64 // when it fires, in the core's time
	wake    chan struct{}
}

// newLoop makes a loop; tick must be run beside it.
func newLoop(e *Engine, c comet.Core, clock clock) *loop {
	return &loop{
		engine: e, core: c, clock: clock,
		timer: time.NewTimer(0), timerAt: comet.NoDeadline,
		wake: make(chan struct{}, 1),
	}
}

// enter takes the lock and returns the time, read under it so that it does not
// go back.
func (l *loop) enter() (now int64) {
	l.mu.Lock()
	if l.asleep {
		l.asleep = false
		l.core.Awake()
	}
	return l.clock.now()
}

// leave takes the core's turns until it has nothing more to do before its
// deadline, sets the timer if that is earlier than before, and gives the lock
// back.
func (l *loop) leave(now int64) {
	defer l.mu.Unlock()
	for !l.over {
		l.engine.counters.turns.Add(1)
		l.core.Turn(now, 0) // each connection waits in its own goroutine: nothing is known of how many
		for a := l.core.Next(); a != nil; a = l.core.Next() {
			l.carryOut(a)
		}
		deadline, ok := l.core.Sleep()
		now = l.clock.now()
		if ok {
			l.asleep = true
			if deadline < l.timerAt {
				l.timerAt = deadline
				l.timer.Reset(time.Duration(max(0, deadline-now)))
			}
			return
		}
	}
}

// tick takes a turn when the deadline has come or another loop wakes this one,
// until the engine has ended.
func (l *loop) tick() {
	end := l.engine.endTimers
	for {
		select {
		case <-l.timer.C:
			l.engine.counters.ticks.Add(1)
		case <-l.wake:
		case <-end:
			l.timer.Stop()
			return
		}
		now := l.enter()
		l.timerAt = comet.NoDeadline
		l.leave(now)
	}
}

// carryOut does one thing that the core asks. The lock is held, so nothing here
// waits for a peer.
func (l *loop) carryOut(a *comet.Action) {
	switch a.Op {
	case comet.OpSend:
		l.send(a)
	case comet.OpResume:
		l.conns[a.Conn].resume()
	case comet.OpClose:
		l.close(l.conns[a.Conn])
	case comet.OpWake:
		l.engine.counters.wakes.Add(1)
		select {
		case l.engine.loops[a.Conn].wake <- struct{}{}:
		default: // it has been woken and has not looked yet
		}
	}
}

// open gives a connection an index, tells the core, and starts to read.
func (l *loop) open(nc net.Conn, door comet.Door, slot chan struct{}) {
	l.held.Add(1)
	now := l.enter()
	defer l.leave(now)
	c := &conn{loop: l, stream: nc.(stream), slot: slot, refs: 1}
	if n := len(l.free); n > 0 {
		c.index, l.free = l.free[n-1], l.free[:n-1]
		l.conns[c.index] = c
	} else {
		c.index = comet.Conn(len(l.conns))
		l.conns = append(l.conns, c)
	}
	l.core.Open(now, c.index, door, peerOf(nc, door))
	l.engine.serving.Go(c.read)
}

// peerOf is the address of a publisher.
func peerOf(nc net.Conn, door comet.Door) (p comet.Peer) {
	if a, ok := nc.RemoteAddr().(*net.TCPAddr); ok && door == comet.DoorAdmin {
		copy(p[:], a.IP.To16())
	}
	return p
}

// closeAll ends every connection: their reads and writes return at once, and the
// last to return closes. The core ends as well, and is told nothing.
func (l *loop) closeAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	for _, c := range l.conns {
		if c != nil && !c.closing {
			l.close(c)
		}
	}
}
