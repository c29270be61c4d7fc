package epoll

import (
	"golang.org/x/sys/unix"

	"c1000k/comet"
)

// acceptor is a loop's side of accepting: its listeners, what it may hold, and
// whether it listens just now. The admin door is on loop 0 alone.
type acceptor struct {
	front, admin []int // listening descriptors

	capacity int32 // the most connections, both doors together
	reserve  int32 // of these, kept for the admin door

	fronts, admins int32 // connections held

	listening, listeningAdmin bool
	// freed says that a connection was closed since makeRoom looked.
	freed bool
	// retryAt is when a loop that found no descriptor tries again, in the
	// core's time; comet.NoDeadline if it did not.
	retryAt int64
}

// left says that a connection was closed.
func (a *acceptor) left(admin bool) {
	a.freed = true
	if admin {
		a.admins--
	} else {
		a.fronts--
	}
}

// charge tells the gate what the loop holds. Admin connections count only past
// their reserve, which the gate's limit leaves out.
func (l *loop) charge() {
	a := &l.listeners
	l.gate.seats[l.number].charged.Store(a.fronts + max(0, a.admins-a.reserve))
}

// enter asks the gate and, if it agrees, listens at the front doors.
// EPOLLEXCLUSIVE lets a connection wake about one loop, not all. Level-triggered,
// a listener that was not emptied is reported again.
func (l *loop) enter() {
	a := &l.listeners
	if l.paused.Load() || a.listening || !l.gate.enter(l.number) {
		return
	}
	a.listening = true
	for i := range a.front {
		if !l.watchFront(i) {
			l.leave(true)
			return
		}
	}
}

// watchFront puts one listener of the front doors into the set.
func (l *loop) watchFront(i int) bool {
	return l.watch(l.listeners.front[i], unix.EPOLLIN|unix.EPOLLEXCLUSIVE, kindListener, uint32(i), 0) == 0
}

// leave stops listening at the front doors.
func (l *loop) leave(starved bool) {
	a := &l.listeners
	if !a.listening {
		return
	}
	l.counters.now[statAcceptPaused]++
	a.listening = false
	for _, fd := range a.front {
		control(l.epfd, unix.EPOLL_CTL_DEL, fd, nil)
	}
	if starved {
		a.retryAt = l.clock.now() + int64(starvedRetry)
	}
	l.gate.leave(l.number, starved)
}

// listenAdmin listens at the admin door while there is room.
func (l *loop) listenAdmin() {
	a := &l.listeners
	if l.paused.Load() || a.listeningAdmin || a.fronts+a.admins >= a.capacity {
		return
	}
	for i, fd := range a.admin {
		errno := l.watch(fd, unix.EPOLLIN, kindListener, uint32(len(a.front)+i), 0)
		if errno != 0 && errno != unix.EEXIST {
			a.retryAt = l.clock.now() + int64(starvedRetry)
			return
		}
	}
	a.listeningAdmin = true
}

// leaveAdmin stops listening at the admin door.
func (l *loop) leaveAdmin() {
	a := &l.listeners
	a.listeningAdmin = false
	for _, fd := range a.admin {
		control(l.epfd, unix.EPOLL_CTL_DEL, fd, nil)
	}
}

// makeRoom listens again where connections were closed, or where the pause of a
// loop without descriptors is over.
func (l *loop) makeRoom(now int64) {
	a := &l.listeners
	if !a.freed && now < a.retryAt {
		return
	}
	a.freed, a.retryAt = false, comet.NoDeadline
	if !a.listening {
		l.enter()
	}
	if !a.listeningAdmin && len(a.admin) > 0 {
		l.listenAdmin()
	}
}

// answer does what other loops asked for, or the engine.
func (l *loop) answer() {
	if l.paused.Load() {
		l.leave(false)
		if l.listeners.listeningAdmin {
			l.leaveAdmin()
		}
	}
	s := &l.gate.seats[l.number]
	if s.asked.Load() == 0 {
		return
	}
	asked := s.asked.Swap(0)
	if asked&askResume != 0 {
		l.enter()
	}
	if asked&askSweep != 0 && l.listeners.listening {
		l.sweep()
	}
}

// sweep looks at all front listeners with one system call and, where somebody
// waits, takes the listener out of the set and puts it in again: only so does
// the set learn of those for whom another loop was woken.
func (l *loop) sweep() {
	l.counters.now[statSweeps]++
	front := l.listeners.front
	set := make([]unix.PollFd, len(front))
	for i, fd := range front {
		set[i] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
	}
	pollNow(set)
	for i, fd := range front {
		if set[i].Revents == 0 {
			continue
		}
		control(l.epfd, unix.EPOLL_CTL_DEL, fd, nil)
		if !l.watchFront(i) {
			l.leave(true)
			return
		}
	}
}

// acceptReady accepts from the listeners that events name, one connection each.
// An accept that finds nobody costs 4 us, because the kernel makes the socket
// first. Who else waits is reported by the next wait, which looks anew.
func (l *loop) acceptReady(now int64, events []unix.EpollEvent) {
	a := &l.listeners
	for i := range events {
		e := &events[i]
		if uint32(e.Pad)>>kindShift != kindListener {
			continue
		}
		if i := int(e.Fd); i < len(a.front) {
			l.acceptFront(now, a.front[i])
		} else {
			l.acceptAdmin(now, a.admin[i-len(a.front)])
		}
	}
	l.gate.caughtUp()
}

// acceptFront accepts one connection, if the loop still listens. Where the gate
// allows no more it stops listening.
func (l *loop) acceptFront(now int64, listener int) {
	if !l.listeners.listening {
		return
	}
	if l.gate.seats[l.number].full() { // publishers took slots since
		l.leave(false)
		return
	}
	errno := l.acceptOne(now, listener, false)
	switch {
	case errno != 0 && errno != unix.EAGAIN && !peersFault(errno):
		l.leave(true)
	case l.gate.room(l.number) <= 0:
		l.leave(false)
	}
}

// acceptAdmin accepts one connection by the admin door. When all slots are taken
// it stops listening.
func (l *loop) acceptAdmin(now int64, listener int) {
	a := &l.listeners
	if !a.listeningAdmin {
		return
	}
	if a.fronts+a.admins >= a.capacity {
		l.leaveAdmin()
		return
	}
	errno := l.acceptOne(now, listener, true)
	if errno != 0 && errno != unix.EAGAIN && !peersFault(errno) {
		l.leaveAdmin()
		a.retryAt = l.clock.now() + int64(starvedRetry)
	}
}

// peersFault says that accept failed for one who waited and left, or whose
// network failed: the next may be taken at once. After any other error, above
// all that there is no descriptor or no memory, trying again at once would spin.
func peersFault(errno unix.Errno) bool {
	switch errno {
	case unix.ECONNABORTED, unix.EPROTO, unix.EPERM, unix.ETIMEDOUT, unix.EOPNOTSUPP, unix.ENOPROTOOPT,
		unix.ENETDOWN, unix.ENETUNREACH, unix.EHOSTDOWN, unix.EHOSTUNREACH, unix.ENONET:
		return true
	}
	return false
}

// acceptOne accepts a connection, watches it and tells the core.
func (l *loop) acceptOne(now int64, listener int, admin bool) unix.Errno {
	var from *peerAddress
	if admin {
		from = &l.peer
	}
	fd, errno := accept(listener, from)
	switch {
	case errno == unix.EAGAIN:
		l.counters.now[statAcceptEagain]++
		return errno
	case peersFault(errno):
		l.counters.now[statAcceptErrors]++
		return errno
	case errno != 0:
		l.counters.now[statAcceptRefused]++
		return errno
	}
	c, ok := l.slots.take(fd)
	if !ok {
		// The table holds more than was counted at the start.
		closeDescriptor(fd)
		l.counters.now[statAcceptRefused]++
		return unix.EMFILE
	}
	door, peer := comet.DoorFront, comet.Peer{}
	if admin {
		door, peer = comet.DoorAdmin, from.peer()
		l.slots.state[c] |= stateAdmin
		l.listeners.admins++
	} else {
		l.listeners.fronts++
	}
	if errno := l.watchConn(unix.EPOLL_CTL_ADD, c); errno != 0 {
		closeDescriptor(fd)
		l.slots.drop(c)
		l.listeners.left(admin)
		l.counters.now[statAcceptRefused]++
		return errno
	}
	l.charge()
	l.counters.now[statAccepts]++
	l.accepted = l.accepted || !admin // a publisher waits for the answer
	l.core.Open(now, c, door, peer)
	return 0
}
