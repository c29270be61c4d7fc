package uring

import (
	"math/bits"

	"c1000k/comet"

	"github.com/pawelgaczynski/giouring"
	"golang.org/x/sys/unix"
)

// An accept into a full table of direct descriptors takes a connection from
// the backlog and then cuts it off. So nothing is accepted that cannot be
// held, and there are two ways to accept:
//
// Streaming is one multishot accept a listener. Between two looks of the loop
// it takes no more connections than completions fit the queue, and one more a
// listener: each run of it ends when the queue is full. Where the ring has at
// least so many free slots it is safe. Unless the kernel's work waits for an
// enter, it goes on while the loop looks, until the cancel is submitted: so it
// needs twice as many, and a look whenever the queue has been emptied.
//
// Guarded is a poll of the listener and then single accepts, as many as slots
// are free, which do not wait. A listener that has nothing waiting holds no
// slot back, and one that waits for a slot holds no connection.
//
// A streaming accept wakes one loop of those that wait on the same listener,
// the first that armed it. With more than one loop each gives up its place
// after a number of connections and stands at the end again. A loop that has
// streamed and is full has the others look at the backlog: connections that
// came at once have woken it alone, more of them than it had room for.

const (
	// turnsPlace is the number of connections after which a streaming accept
	// gives up its place before other loops.
	turnsPlace = 32
	// maxSingles is the number of single accepts outstanding of one listener.
	maxSingles = 1 << placeBits
	// acceptRetryNS is how long a listener rests after an error that no free
	// slot mends, such as the system's limit of open files, and a loop before it
	// tries again to make a ring that could not be made.
	acceptRetryNS = 100e6
	// spareSlots is the part of a ring's table that must be free for accepting
	// to return to the ring where another ring could be added.
	spareSlots = 8
)

type acceptMode uint8

const (
	modeIdle      acceptMode = iota // nothing armed
	modeWatching                    // guarded: the poll is armed
	modeReady                       // guarded: connections are waiting
	modeStreaming                   // the multishot accept is armed
	modeEnding                      // it is being cancelled
	modeResting                     // until retryAt
	modeDead                        // the listener is no listener
)

// acceptor is a loop's view of one listener.
type acceptor struct {
	fd      int
	door    comet.Door
	mode    acceptMode
	starved bool // it waits for a free slot
	roused  bool // it has streamed, so arrivals may have woken no other loop
	gen     uint16
	ring    *ring  // streaming: where to
	taken   int    // since it was armed
	out     uint32 // the places of the single accepts that are outstanding
	burst   int    // singles of the next time
	retryAt int64
}

// A single accept's aux is its record of the peer's address, above its place among
// those of its listener that are outstanding: so each has a user data of its own.
const placeBits = 5

func place(aux uint32) uint32  { return aux & (1<<placeBits - 1) }
func record(aux uint32) uint32 { return aux >> placeBits }

// single takes a place for a single accept, and returns its user data.
func (a *acceptor) single(record, number uint32) userData {
	p := uint32(bits.TrailingZeros32(^a.out))
	a.out |= 1 << p
	return tag(reqAcceptOne, a.gen, record<<placeBits|p, number)
}

// done gives the place of a single accept back.
func (a *acceptor) done(u userData) { a.out &^= 1 << place(u.aux()) }

func (l *loop) listen(listeners []comet.Listener) {
	for _, li := range listeners {
		if li.Door == comet.DoorAdmin && l.index != 0 {
			continue
		}
		l.acceptors = append(l.acceptors, acceptor{fd: li.FD, door: li.Door, burst: 1})
	}
}

// room is the number of r's slots that a door may fill.
func (l *loop) room(r *ring, door comet.Door) int {
	n := r.free - r.singles - r.untold
	if door == comet.DoorFront && r.index == 0 {
		n -= max(l.reserve-l.adminHeld, 0)
	}
	return n
}

// mayStream says that a multishot accept into r cannot overrun its table.
func (l *loop) mayStream(r *ring) bool {
	most := len(r.cqes) + len(l.acceptors)
	if !l.deferred {
		most *= 2
	}
	return !l.e.opts.SingleAccept && l.room(r, comet.DoorFront) >= most
}

// endStreams ends the streaming accepts that could now overrun r's table.
func (l *loop) endStreams(r *ring) {
	for i := range l.acceptors {
		if a := &l.acceptors[i]; a.mode == modeStreaming && a.ring == r && !l.mayStream(r) {
			l.endStream(a, uint32(i))
		}
	}
}

func (l *loop) endStream(a *acceptor, number uint32) {
	a.mode = modeEnding
	l.count.n[cAcceptMoved]++
	l.cancel(a.ring, tag(reqAccept, a.gen, 0, number))
}

// admit arms what may be armed. It runs in every turn after something changed:
// an accept, a freed slot, an ended request. The listeners that cannot stream
// come first, as their single accepts count in whether the others may.
func (l *loop) admit() {
	l.admitDirty = false
	l.chooseTarget()
	for _, streamers := range [...]bool{false, true} {
		for i := range l.acceptors {
			a := &l.acceptors[i]
			if streamers == (a.door == comet.DoorFront && a.out == 0) {
				l.admitTo(a, uint32(i))
			}
		}
	}
}

// admitTo takes the next step of one listener.
func (l *loop) admitTo(a *acceptor, number uint32) {
	if a.mode == modeResting {
		if l.now >= a.retryAt {
			a.mode = modeIdle
		} else {
			l.admitDirty = true // a loaded loop looks each turn, an idle one at the deadline
		}
	}
	switch a.mode {
	case modeStreaming:
		turned := l.e.rotate && a.taken >= turnsPlace
		if turned || l.e.paused.Load() || a.ring != l.target || !l.mayStream(a.ring) {
			l.endStream(a, number)
		}
	case modeIdle, modeReady:
		l.arm(a, number)
	}
}

// arm takes the next step of a listener with nothing armed.
func (l *loop) arm(a *acceptor, number uint32) {
	if l.e.paused.Load() {
		return // who comes waits in the backlog
	}
	if a.door == comet.DoorFront && a.out == 0 && l.mayStream(l.target) {
		a.mode, a.ring, a.taken = modeStreaming, l.target, 0
		a.starved, a.roused = false, true
		a.gen++
		e := l.entry(a.ring)
		a.ring.prepareAccept(e, a.fd, 0, 0)
		e.IoPrio = giouring.AcceptMultishot
		e.UserData = uint64(tag(reqAccept, a.gen, 0, number))
		return
	}
	r := l.rings[0]
	if a.door == comet.DoorFront {
		r = l.target
	}
	room := l.room(r, a.door)
	if room <= 0 {
		// Whoever waits here waits in the backlog. A freed slot comes back here.
		if !a.starved {
			a.starved = true
			l.count.n[cAcceptPaused]++
		}
		if a.roused {
			a.roused = false
			l.handOver()
		}
		return
	}
	a.starved = false
	if a.mode == modeReady {
		for n := min(room, a.burst-bits.OnesCount32(a.out)); n > 0; n-- {
			l.acceptOne(r, a, number)
		}
		return
	}
	a.mode = modeWatching
	a.gen++
	e := l.entry(l.rings[0])
	e.PreparePollAdd(a.fd, unix.POLLIN)
	e.UserData = uint64(tag(reqListen, a.gen, 0, number))
}

// handOver has the other loops look for connections that are waiting.
func (l *loop) handOver() {
	for _, other := range l.e.loops {
		if other != l {
			other.lookAgain.Store(true)
			l.count.n[cWakes]++
			other.wake()
		}
	}
}

// StopAccepting has whoever comes from now on wait in the backlog, and wakes
// every loop.
func (e *Engine) StopAccepting() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopping.Load() {
		return
	}
	e.paused.Store(true)
	for _, l := range e.loops {
		l.lookAgain.Store(true)
		l.wake()
	}
}

// lookForWaiting has streaming accepts stand again at the end, which begins
// with what is waiting. Guarded ones hear of every connection anyway.
func (l *loop) lookForWaiting() {
	for i := range l.acceptors {
		if a := &l.acceptors[i]; a.mode == modeStreaming {
			a.taken = turnsPlace
			l.admitDirty = true
		}
	}
}

// acceptOne asks for one connection that is waiting now.
func (l *loop) acceptOne(r *ring, a *acceptor, number uint32) {
	var record uint32
	var address uintptr
	var length uint64
	if a.door == comet.DoorAdmin {
		var ok bool
		if record, ok = l.peers.take(); !ok {
			return // those that are out come back here
		}
		address, length = l.peers.address(record)
	}
	u := a.single(record, number)
	r.singles++
	e := l.entry(r)
	r.prepareAccept(e, a.fd, address, length)
	e.UserData = uint64(u)
	if l.e.features.dontWait {
		e.IoPrio = acceptDontWait
	} else {
		l.cancel(r, u) // what it did not find at once it shall not wait for
	}
}

// chooseTarget keeps the front door's ring while it has room, or finds or
// makes another.
func (l *loop) chooseTarget() {
	if l.now >= l.ringRetryAt {
		l.ringRetryAt = 0
	}
	if l.room(l.target, comet.DoorFront) > 0 || l.target.singles > 0 {
		return
	}
	best := l.target
	for _, r := range l.rings {
		if l.room(r, comet.DoorFront) > l.room(best, comet.DoorFront) {
			best = r
		}
	}
	if l.room(best, comet.DoorFront) < max(1, l.slots/spareSlots) && len(l.rings)*l.slots < l.capacity && l.ringRetryAt == 0 {
		if err := l.addRing(); err != nil {
			// The loop goes on with the rings it has, and tries again after a
			// rest: nothing else may come that has it look.
			l.count.n[cAcceptErrors]++
			l.ringRetryAt = l.now + acceptRetryNS
		} else {
			best = l.rings[len(l.rings)-1]
		}
	}
	if best != l.target {
		l.target = best
		l.count.n[cAcceptMoved]++
	}
}

// completeAccept takes a completion of a listener's request.
func (l *loop) completeAccept(r *ring, u userData, res int32, flags uint32) {
	a := &l.acceptors[u.slot()]
	l.admitDirty = true
	switch u.op() {
	case reqListen:
		if u.gen() != a.gen || a.mode != modeWatching {
			l.count.n[cStale]++
			return
		}
		a.mode = modeReady
		if res < 0 {
			l.acceptFailed(a, res)
		}
	case reqAccept:
		// Streaming ended for any reason: begin anew with what is waiting.
		if flags&giouring.CQEFMore == 0 {
			if a.mode == modeStreaming {
				l.count.n[cRearms]++
			}
			a.mode = modeIdle
		}
		if res >= 0 {
			a.taken++
			l.accepted(r, res, a.door, comet.Peer{})
		} else {
			l.acceptFailed(a, res)
		}
	case reqAcceptOne:
		a.done(u)
		r.singles--
		var peer comet.Peer
		if a.door == comet.DoorAdmin {
			peer = l.peers.peer(record(u.aux()))
			l.peers.give(record(u.aux()))
		}
		if res >= 0 {
			if a.out == 0 {
				a.burst = min(2*a.burst, maxSingles)
			}
			l.accepted(r, res, a.door, peer)
			return
		}
		a.burst = 1
		l.acceptFailed(a, res)
	}
}

// acceptFailed decides what follows an accept or a poll that failed.
func (l *loop) acceptFailed(a *acceptor, res int32) {
	switch errno := -res; errno {
	case int32(unix.EAGAIN), int32(unix.ECANCELED):
		// Nothing was waiting (any more).
		if a.mode == modeReady {
			a.mode = modeIdle
		}
	case int32(unix.ECONNABORTED), int32(unix.EINTR), int32(unix.EPROTO):
		l.count.n[cAcceptErrors]++
	case int32(unix.EINVAL), int32(unix.EBADF), int32(unix.ENOTSOCK), int32(unix.EOPNOTSUPP):
		l.count.n[cAcceptErrors]++
		if a.mode != modeStreaming && a.mode != modeEnding {
			a.mode = modeDead
		}
	default:
		l.count.n[cAcceptErrors]++
		if a.mode != modeStreaming && a.mode != modeEnding {
			a.mode, a.retryAt = modeResting, l.now+acceptRetryNS
		}
	}
}

// admitDue says that listeners are to be looked at in this turn.
func (l *loop) admitDue() bool {
	return l.admitDirty || l.ringRetryAt != 0 && l.now >= l.ringRetryAt
}

// retryDeadline is the deadline of the loop's wait: the core's, or the end of
// a listener's rest, or of that before another ring is tried.
func (l *loop) retryDeadline(deadline int64) int64 {
	if l.ringRetryAt != 0 {
		deadline = min(deadline, l.ringRetryAt)
	}
	for i := range l.acceptors {
		if a := &l.acceptors[i]; a.mode == modeResting {
			deadline = min(deadline, a.retryAt)
		}
	}
	return deadline
}
