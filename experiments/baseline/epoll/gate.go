package epoll

import (
	"math"
	"sync"
	"sync/atomic"
)

// gate decides which loops accept from the front doors.
//
// All loops share one listening socket a port. Each has those sockets in its own
// epoll set with EPOLLEXCLUSIVE, so that a new connection wakes about one loop.
// Left to itself that serves the idle loop that stands first in the queue, again
// and again. The gate keeps the loops level instead: a loop that is ahead of the
// lowest by more than a slack takes the listeners out of its set until the
// others have caught up. The same step is taken by a loop that is full. A full
// loop never accepts: who comes waits in the backlog and is served as others
// leave.
//
// With more loops than processors only some, the members, accept at a time, and
// as one fills the emptiest of the others takes its place.
//
// A loop that stops listening may have been the only one woken for a connection.
// So it asks one that listens still to look at every listener once (askSweep);
// one that begins to listen is told of what waits by the kernel.
//
// The counts are exact, and are written by each loop for itself. What is decided
// from them under mu may be a moment old, which costs a turn too many and never
// more: whoever changes its own count looks again afterwards.
type gate struct {
	mu    sync.Mutex // of accepting, and of writing member, handicap and starved
	width int        // the most members
	seats []seat
	ring  func(i int) // wakes loop i
	// waiting counts the members that do not accept, so that the others know
	// without mu whether somebody waits for them to catch up.
	waiting atomic.Int32
}

// seat is what the gate knows of one loop.
type seat struct {
	charged   atomic.Int32 // connections that count against limit; written by the loop
	asked     atomic.Uint32
	limit     int32
	handicap  atomic.Int32 // added to charged when levels are compared; set on joining
	member    atomic.Bool
	accepting bool
	starved   atomic.Bool     // accept found no free descriptor; the loop says when that is over
	_         [cacheLine]byte // charged is written by its loop with each accept
}

// cacheLine is what two processors should not write to side by side, in bytes.
const cacheLine = 64

// What a loop is asked by another; it looks once a turn.
const (
	askResume uint32 = 1 << iota // listen again, if enter agrees
	askSweep                     // accept once from every listener
)

// The slack is how far a loop may be ahead of the lowest: a number for the
// start, and a part of the lowest, so that a million connections do not cost
// more steps than a thousand.
const (
	slackBase = 8
	slackPart = 8
)

// newGate makes a gate for loops with these limits, at most width of which
// accept at a time. The first ones begin as members.
func newGate(limits []int32, width int, ring func(int)) *gate {
	g := &gate{width: min(width, len(limits)), seats: make([]seat, len(limits)), ring: ring}
	for i := range g.seats {
		g.seats[i].limit = limits[i]
		g.seats[i].member.Store(i < g.width)
	}
	g.waiting.Store(int32(g.width))
	return g
}

// level is what is compared between loops.
func (s *seat) level() int32 { return s.charged.Load() + s.handicap.Load() }

// full says whether the loop can hold no more.
func (s *seat) full() bool { return s.charged.Load() >= s.limit }

// able says whether the loop could accept, were it level with the others.
func (s *seat) able() bool { return s.member.Load() && !s.full() && !s.starved.Load() }

// lowest is the level of the lowest loop that is able; false if none is.
func (g *gate) lowest() (int32, bool) {
	low, any := int32(math.MaxInt32), false
	for i := range g.seats {
		s := &g.seats[i]
		if s.able() {
			low, any = min(low, s.level()), true
		}
	}
	return low, any
}

// slack is how far above low a loop may go.
func slack(low int32) int32 { return slackBase + max(low, 0)/slackPart }

// room is how many connections loop i may accept now. Only loop i asks, without
// mu.
func (g *gate) room(i int) int {
	s := &g.seats[i]
	free := s.limit - s.charged.Load()
	if free <= 0 {
		return 0
	}
	low, any := g.lowest()
	if !any {
		return 0
	}
	return int(max(0, min(free, low+slack(low)-s.level())))
}

// mayListen says whether a loop may begin to listen where low is the lowest:
// half the slack, so that it does not stop again at once. The lowest always may.
func (s *seat) mayListen(low int32) bool { return s.able() && s.level() <= low+slack(low)/2 }

// enter is asked by loop i, which does not listen: if it says true the loop puts
// the listeners into its set.
func (g *gate) enter(i int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := &g.seats[i]
	s.starved.Store(false)
	g.fill()
	if low, _ := g.lowest(); s.accepting || !s.mayListen(low) {
		return false
	}
	s.accepting = true
	g.count()
	return true
}

// leave is said by loop i after it took the listeners out of its set, because
// room said 0 or, with starved, because no descriptor was free. It asks another
// to look at what may have been meant for i. Taking the listeners out takes a
// while, in which the others may have passed i and left as well: then i is asked
// back itself, or nobody would listen.
func (g *gate) leave(i int, starved bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := &g.seats[i]
	s.accepting = false
	s.starved.Store(starved)
	if s.full() && g.width < len(g.seats) {
		s.member.Store(false)
	}
	g.fill()
	g.count()
	if g.resume() {
		return // who begins to listen sees what waits
	}
	for j := range g.seats {
		if j != i && g.seats[j].accepting {
			g.ask(j, askSweep)
			return
		}
	}
}

// caughtUp is said by a loop that accepted: those that waited for it may listen
// again. It costs one load while nobody waits.
func (g *gate) caughtUp() {
	if g.waiting.Load() == 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.resume()
}

// resume asks those members to listen that may and do not. It says whether there
// are any. mu is held.
func (g *gate) resume() bool {
	any := false
	low, _ := g.lowest()
	for j := range g.seats {
		if !g.seats[j].accepting && g.seats[j].mayListen(low) {
			g.ask(j, askResume)
			any = true
		}
	}
	return any
}

// fill makes the emptiest of the others a member where one is missing. A new
// member is level with the lowest old one, or else those would wait until it had
// caught up with all that they hold. mu is held.
func (g *gate) fill() {
	members := 0
	for i := range g.seats {
		if g.seats[i].member.Load() {
			members++
		}
	}
	for ; members < g.width; members++ {
		best, most := -1, int32(0)
		for i := range g.seats {
			s := &g.seats[i]
			if free := s.limit - s.charged.Load(); !s.member.Load() && free > most {
				best, most = i, free
			}
		}
		if best < 0 {
			return
		}
		s := &g.seats[best]
		s.handicap.Store(0)
		if low, any := g.lowest(); any {
			s.handicap.Store(low - s.charged.Load())
		}
		s.member.Store(true)
	}
}

// count sets waiting. mu is held.
func (g *gate) count() {
	n := int32(0)
	for i := range g.seats {
		if g.seats[i].member.Load() && !g.seats[i].accepting {
			n++
		}
	}
	g.waiting.Store(n)
}

// ask leaves a request with loop j and wakes it. Without news it does not ring
// twice: a bit that still stands has rung already.
func (g *gate) ask(j int, what uint32) {
	if g.seats[j].asked.Or(what)&what == 0 {
		g.ring(j)
	}
}
