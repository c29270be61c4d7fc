package epoll

import (
	"golang.org/x/sys/unix"

	"c1000k/comet"
)

// endEvents say that the peer will send no more. The kernel reports the last two
// whether asked or not.
const endEvents = unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR

// ready handles the events of an open connection.
func (l *loop) ready(now int64, c comet.Conn, events uint32) {
	state := &l.slots.state[c]
	if *state&stateSending != 0 && events&(unix.EPOLLOUT|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		l.continueSend(now, c)
	}
	if *state&stateEnded != 0 {
		l.mute(c, events)
		return
	}
	if events&endEvents != 0 {
		*state |= stateRdhup
	}
	switch {
	case *state&statePaused != 0:
		// What has come stays with the kernel until OpResume.
		if *state&stateRdhup != 0 {
			l.hangup(now, c)
		} else {
			l.mute(c, events)
		}
	case events&(unix.EPOLLIN|endEvents) != 0 && *state&stateQueued == 0:
		l.read(now, c)
	}
}

// read takes what has come, at most one buffer: the core may want a pause after
// that, and others wait. A short read has emptied the socket, and what comes
// later is a new edge, so no second read is needed to see EAGAIN.
func (l *loop) read(now int64, c comet.Conn) {
	l.counters.now[statReads]++
	n, errno := receive(l.slots.fd(c), l.buffer)
	state := &l.slots.state[c]
	switch {
	case errno == unix.EAGAIN:
		l.counters.now[statReadEagain]++
		if *state&stateRdhup != 0 {
			l.hangup(now, c)
		}
		return
	case errno != 0 || n == 0:
		l.hangup(now, c)
		return
	}
	more := l.core.Data(now, c, l.buffer[:n])
	if !more {
		*state |= statePaused
	}
	switch {
	case more && n == len(l.buffer):
		l.queue(c)
	case *state&stateRdhup != 0:
		// All that came before the end was given, or is not wanted.
		l.hangup(now, c)
	}
}

// hangup tells the core, once, that the peer has left.
func (l *loop) hangup(now int64, c comet.Conn) {
	l.slots.state[c] |= stateEnded
	l.core.Hangup(now, c)
}

// queue makes the loop read c in the next turn, which then comes without a wait.
func (l *loop) queue(c comet.Conn) {
	state := &l.slots.state[c]
	if *state&stateQueued == 0 {
		*state |= stateQueued
		l.again = append(l.again, event{index: uint32(c), generation: l.slots.generation(c)})
	}
}

// readAgain reads the connections that were queued before this turn.
func (l *loop) readAgain(now int64) {
	queued := len(l.again)
	for i := range queued {
		e := l.again[i]
		c := comet.Conn(e.index)
		if !l.slots.is(c, e.generation) {
			continue
		}
		l.slots.state[c] &^= stateQueued
		if l.slots.state[c]&(stateEnded|statePaused) == 0 {
			l.read(now, c)
		}
	}
	// read may have queued more behind them.
	l.again = append(l.again[:0], l.again[queued:]...)
}

// resume reads again after a pause. The core must not be called back from its
// own queue of actions, so the read itself comes with the next turn.
func (l *loop) resume(c comet.Conn) {
	state := &l.slots.state[c]
	*state &^= statePaused
	if *state&stateMuted != 0 && *state&stateEnded == 0 {
		*state &^= stateMuted
		l.watchConn(unix.EPOLL_CTL_MOD, c)
	}
	if *state&stateEnded == 0 {
		l.queue(c)
	}
}
