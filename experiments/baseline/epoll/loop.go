package epoll

import (
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"c1000k/comet"
	"c1000k/comet/arena"
	"c1000k/comet/pace"
	timerslack "c1000k/comet/slack"
)

const (
	// eventBatch is the most events of one wait: enough that a wait costs little of
	// what they do, and few enough that a turn, which others wait for where loops
	// share the processors, is well below a millisecond.
	eventBatch = 128
	// readBufferBytes is the most that one read takes: a whole request line
	// with its headers. The core keeps what a client sends ahead of its reply
	// until it says stop, so this bounds what a hostile one can have kept.
	readBufferBytes = 8 << 10
	// discardBytes is how much unread input a close throws away.
	discardBytes = 64 << 10
	// starvedRetry is the pause of a loop that found no free descriptor though
	// its own count allows one. The table is shared then, and whoever took the
	// descriptor may give it back unseen.
	starvedRetry = 100 * time.Millisecond
	// lull is how long a loop that is loaded, or has just accepted, lets events
	// come together before it looks again. It is what a minimum wait is to
	// io_uring: without it each of them ends a sleep of its own.
	lull = 200 * time.Microsecond
)

// loop is one event loop: one locked thread, one epoll descriptor, one loop of
// the core. All but the fields marked shared belong to its thread.
type loop struct {
	number int
	level  bool // connections are level-triggered
	core   comet.Core
	clock  clock
	gate   *gate        // shared
	share  *share       // shared; nil where all run at a time
	stop   *atomic.Bool // shared
	paused *atomic.Bool // shared: nothing more is accepted
	wakes  []int        // the eventfd of each loop, open in every table

	epfd   int
	slots  *slots
	waiter waiter
	events [eventBatch]unix.EpollEvent
	buffer []byte
	again  []event // connections to be read without a new event

	vector  vector
	gather  []byte // where the pieces of a short message are put together
	partial map[comet.Conn]*rest

	accepted bool  // connections in this turn
	place    place // among the loops that run
	since    int64 // it has had it, as the clock has it
	pace     pace.Pace

	listeners acceptor
	peer      peerAddress // of the publisher accepted last
	counters  counters    // shared as counters says
}

// clock turns the monotonic clock into the core's time: the wall clock read
// once, then what has passed since. It never goes back.
type clock struct{ start time.Time }

// now is in nanoseconds since the Unix epoch.
func (c clock) now() int64 { return c.start.UnixNano() + int64(time.Since(c.start)) }

// event is what an epoll set reports, unpacked: which connection of which
// generation, or which listener.
type event struct {
	index      uint32
	generation uint32
}

// The kind of an event stands above its generation in the second half of the 64
// bits that epoll keeps for us; the index is the first half.
const (
	kindShift = generationBits
	kindConn  = iota - 1
	kindListener
	kindWake
)

// watch adds fd to the loop's set. What it costs a connection is counted by the
// caller, since listeners go in and out.
func (l *loop) watch(fd int, events uint32, kind int, index, generation uint32) unix.Errno {
	e := unix.EpollEvent{Events: events, Fd: int32(index), Pad: int32(uint32(kind)<<kindShift | generation)}
	return control(l.epfd, unix.EPOLL_CTL_ADD, fd, &e)
}

// open makes what the loop needs in its own table; it is called on its thread.
// On an error nothing is left.
func (l *loop) open() error {
	var err error
	if l.epfd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("epoll: loop %d: epoll_create1: %w", l.number, err)
	}
	l.waiter.nanoseconds = hasNanoseconds(l.epfd)
	// Edge-triggered, an eventfd is never read: each write is an edge.
	if errno := l.watch(l.wakes[l.number], unix.EPOLLIN|unix.EPOLLET, kindWake, 0, 0); errno != 0 {
		closeDescriptor(l.epfd)
		return fmt.Errorf("epoll: loop %d: watching its eventfd: %w", l.number, errno)
	}
	if l.buffer, err = arena.Map(readBufferBytes); err != nil {
		closeDescriptor(l.epfd)
		return fmt.Errorf("epoll: loop %d: read buffer: %w", l.number, err)
	}
	l.gather = make([]byte, 0, gatherBytes)
	l.partial = map[comet.Conn]*rest{}
	l.pace = pace.New(1)
	return nil
}

// run is the loop. It returns when stop is set, with every connection closed.
func (l *loop) run() {
	timerslack.Loop()
	l.take()
	now := l.clock.now()
	l.enter()
	l.listenAdmin()
	timeout, slept := l.turn(now, 0)
	for {
		n, errno := l.await(timeout, slept)
		l.accepted = false
		if errno == unix.EINTR { // an empty turn
			l.counters.now[statInterrupted]++
		} else if errno != 0 {
			panic(fmt.Sprintf("epoll: loop %d: waiting on descriptor %d: %v", l.number, l.epfd, errno))
		}
		if l.stop.Load() {
			break
		}
		now = l.clock.now()
		l.pace.Wait()
		l.pace.Took(n)
		l.dispatch(now, n)
		l.pace.Judge(now, l.core.Answered())
		timeout, slept = l.turn(now, n)
	}
	l.closeAll()
	l.give()
}

// take takes a place among the loops that run.
func (l *loop) take() {
	if l.share == nil {
		return
	}
	if l.share.take(&l.place) {
		l.counters.now[statShareWaits]++
	}
	l.since = l.clock.now()
}

// give gives it up.
func (l *loop) give() {
	if l.share != nil {
		l.share.give()
	}
}

// await waits for events, until timeoutNs have passed, without a place where it may
// sleep. A loop that does not wait, but has been at work for long, lets others go first.
// Where the core knows that the loop sleeps, slept, it is told of the end before the loop
// waits for a place: who has something for it would ring in vain else.
func (l *loop) await(timeoutNs int64, slept bool) (n int, errno unix.Errno) {
	if timeoutNs == 0 {
		if slept {
			l.core.Awake()
		}
		if l.share != nil && l.share.wanted() && l.clock.now()-l.since >= int64(quantum) {
			l.counters.now[statShareYields]++
			l.give()
			l.take()
		}
		l.counters.now[statPolls]++
		return l.waiter.wait(l.epfd, l.events[:], 0)
	}
	l.give()
	if l.accepted || l.pace.Loaded {
		pause(lull)
		l.counters.now[statLulls]++
		n, errno = l.waiter.wait(l.epfd, l.events[:], 0)
	}
	if n == 0 && errno == 0 {
		n, errno = l.waiter.wait(l.epfd, l.events[:], timeoutNs)
	}
	l.counters.now[statWaits]++
	if slept {
		l.core.Awake()
	}
	l.take()
	return n, errno
}

// dispatch hands n events to the core. Connections come before listeners: a
// slot is reused only after all events of the batch, and who is held is served
// before who knocks.
func (l *loop) dispatch(now int64, n int) {
	l.counters.now[statEvents] += uint64(n)
	knocks := false
	for i := range l.events[:n] {
		e := &l.events[i]
		switch uint32(e.Pad) >> kindShift {
		case kindConn:
			c, generation := comet.Conn(e.Fd), uint32(e.Pad)&generationMask
			if l.slots.is(c, generation) {
				l.ready(now, c, e.Events)
			} else {
				l.counters.now[statStale]++
			}
		case kindListener:
			knocks = true
		case kindWake:
			l.counters.now[statWakes]++
		}
	}
	if len(l.again) > 0 {
		l.readAgain(now)
	}
	l.answer()
	if knocks {
		l.acceptReady(now, l.events[:n])
	}
}

// turn lets the core work, carries out what it asks, and says how long the next
// wait may be and whether the core was told of it. It follows on n events.
func (l *loop) turn(now int64, n int) (timeoutNs int64, slept bool) {
	waiting := len(l.again)
	if n == len(l.events) {
		waiting += n // there are more, it is not known how many
	}
	l.core.Turn(now, waiting)
	for a := l.core.Next(); a != nil; a = l.core.Next() {
		l.carryOut(now, a)
	}
	l.makeRoom(now)
	l.counters.show()
	if len(l.again) > 0 {
		return 0, false
	}
	deadline, ok := l.core.Sleep()
	if !ok {
		return 0, false
	}
	deadline = min(deadline, l.listeners.retryAt)
	if deadline == comet.NoDeadline {
		return -1, true
	}
	// The turn may have been long: the clock is read anew.
	return max(0, deadline-l.clock.now()), true
}

// carryOut does one thing that the core asks. The action is invalid after the
// core is called.
func (l *loop) carryOut(now int64, a *comet.Action) {
	switch a.Op {
	case comet.OpSend:
		l.send(now, a)
	case comet.OpResume:
		l.resume(a.Conn)
	case comet.OpClose:
		l.close(now, a.Conn)
	case comet.OpWake:
		l.counters.now[statWakesSent]++
		ring(l.wakes[a.Conn])
	}
}

// close gives up a connection. Closing the only descriptor takes it out of the
// set as well.
func (l *loop) close(now int64, c comet.Conn) {
	fd, state := l.slots.fd(c), l.slots.state[c]
	if state&(stateEnded|stateRdhup) == 0 {
		// Unread input would turn the close into a reset, which overtakes the
		// last reply at the client.
		discard(fd, discardBytes)
	}
	if state&stateSending != 0 {
		delete(l.partial, c)
	}
	closeDescriptor(fd)
	l.slots.drop(c)
	l.listeners.left(state&stateAdmin != 0)
	l.charge()
	l.counters.now[statCloses]++
	l.core.Closed(now, c)
}

// closeAll ends what is left when the loop stops. The core is not told: it ends
// as well.
func (l *loop) closeAll() {
	for i := range l.slots.end() {
		if l.slots.state[i]&stateOpen != 0 {
			closeDescriptor(l.slots.fd(comet.Conn(i)))
		}
	}
	closeDescriptor(l.epfd)
	// As with slots.unmap, an error would be a bug of ours and harms nobody.
	_ = arena.Unmap(l.buffer)
	l.buffer = nil
	l.slots.unmap()
	l.counters.show()
}
