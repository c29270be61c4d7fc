package epoll

import (
	"golang.org/x/sys/unix"

	"c1000k/comet"
)

// gatherBytes is the longest message whose pieces are copied together and sent
// as one. Longer ones go as a vector.
const gatherBytes = 2048

// rest is what is left of a send that found no room. It is rare, and so lives in
// a map and on the Go heap; the pieces do not.
type rest struct {
	pieces [comet.MaxPieces][]byte
	count  int
	token  uint16
	sent   int
}

// send tries at once; only if the socket has no room does it wait for any.
func (l *loop) send(now int64, a *comet.Action) {
	c, token := a.Conn, a.Token
	pieces := a.Piece[:a.Pieces]
	total := 0
	for _, p := range pieces {
		total += len(p)
	}
	n, errno := l.write(l.slots.fd(c), pieces, total)
	switch {
	case errno != 0 && errno != unix.EAGAIN:
		l.core.Sent(now, c, token, 0, int(errno))
	case errno == 0 && n == total:
		l.core.Sent(now, c, token, n, 0)
	default:
		r := &rest{pieces: a.Piece, count: int(a.Pieces), token: token}
		if errno == 0 {
			r.took(n)
		}
		l.awaitRoom(now, c, r)
	}
}

// write sends pieces, total bytes in all, with one system call.
func (l *loop) write(fd int, pieces [][]byte, total int) (n int, errno unix.Errno) {
	l.counters.now[statWrites]++
	switch {
	case len(pieces) == 1:
		n, errno = send(fd, pieces[0])
	case total <= gatherBytes:
		whole := l.gather[:0]
		for _, p := range pieces {
			whole = append(whole, p...)
		}
		n, errno = send(fd, whole)
	default:
		n, errno = l.vector.send(fd, pieces)
	}
	if errno == unix.EAGAIN {
		l.counters.now[statWriteEagain]++
	}
	return n, errno
}

// awaitRoom keeps the rest of a send until the socket has room. EPOLLOUT stays
// asked for from then on: edge-triggered, it costs nothing while nobody is out
// of room. Changing what is watched looks at the socket anew, so that room made
// meanwhile is not missed.
func (l *loop) awaitRoom(now int64, c comet.Conn, r *rest) {
	l.counters.now[statPartialSends]++
	state := &l.slots.state[c]
	*state |= stateSending
	l.partial[c] = r
	if *state&stateWatched != 0 {
		return
	}
	*state |= stateWatched
	if errno := l.watchConn(unix.EPOLL_CTL_MOD, c); errno != 0 {
		*state &^= stateWatched
		l.endSend(now, c, r, errno)
	}
}

// continueSend sends what is left, as far as there is room.
func (l *loop) continueSend(now int64, c comet.Conn) {
	r := l.partial[c]
	pieces := r.pieces[:r.count]
	total := 0
	for _, p := range pieces {
		total += len(p)
	}
	n, errno := l.write(l.slots.fd(c), pieces, total)
	switch {
	case errno == unix.EAGAIN:
	case errno != 0:
		l.endSend(now, c, r, errno)
	default:
		if r.took(n); n == total {
			l.endSend(now, c, r, 0)
		}
	}
}

// endSend reports a send that had to be continued.
func (l *loop) endSend(now int64, c comet.Conn, r *rest, errno unix.Errno) {
	delete(l.partial, c)
	l.slots.state[c] &^= stateSending
	l.roomFound(c)
	l.core.Sent(now, c, r.token, r.sent, int(errno))
}

// took strikes out n bytes from the front.
func (r *rest) took(n int) {
	r.sent += n
	for r.count > 0 && n >= len(r.pieces[0]) {
		n -= len(r.pieces[0])
		r.count--
		copy(r.pieces[:], r.pieces[1:])
		r.pieces[comet.MaxPieces-1] = nil
	}
	if r.count > 0 {
		r.pieces[0] = r.pieces[0][n:]
	}
}
