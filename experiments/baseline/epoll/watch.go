package epoll

import (
	"golang.org/x/sys/unix"

	"c1000k/comet"
)

// connEvents is what a connection is watched for. EPOLLOUT joins only when a
// send finds no room: in the first ADD it would report each new connection at
// once, to no purpose.
const connEvents = unix.EPOLLIN | unix.EPOLLRDHUP

// wanted is what a connection in this state is watched for.
func (l *loop) wanted(state uint32) (events uint32) {
	switch {
	case state&stateMuted == 0:
		events = connEvents
	case state&stateEnded == 0:
		events = unix.EPOLLRDHUP // paused: nobody reads, but leaving is noticed
	}
	if state&stateWatched != 0 {
		events |= unix.EPOLLOUT
	}
	if !l.level {
		events |= unix.EPOLLET
	}
	return events
}

// watchConn adds a connection to the set, or changes what it is watched for, by
// its state. Each is one epoll_ctl; edge-triggered, most connections have one in
// their life.
func (l *loop) watchConn(op int, c comet.Conn) unix.Errno {
	l.counters.now[statConnControls]++
	e := unix.EpollEvent{
		Events: l.wanted(l.slots.state[c]),
		Fd:     int32(c),
		Pad:    int32(kindConn<<kindShift | l.slots.generation(c)),
	}
	return control(l.epfd, op, l.slots.fd(c), &e)
}

// mute asks no longer for input that was reported and is not taken.
// Level-triggered, it would be reported in each wait from now on; a connection that
// is closed before the next wait has no need of it, so this comes with the first
// report in vain. Edges come once and need nothing.
func (l *loop) mute(c comet.Conn, events uint32) {
	if !l.level || events&connEvents == 0 {
		return
	}
	l.slots.state[c] |= stateMuted
	l.watchConn(unix.EPOLL_CTL_MOD, c)
}

// roomFound asks no longer for room. Level-triggered, it would be reported in
// each wait from now on; edge-triggered, asking on costs nothing while nobody is
// out of room.
func (l *loop) roomFound(c comet.Conn) {
	state := &l.slots.state[c]
	if !l.level || *state&stateWatched == 0 {
		return
	}
	*state &^= stateWatched
	l.watchConn(unix.EPOLL_CTL_MOD, c)
}
