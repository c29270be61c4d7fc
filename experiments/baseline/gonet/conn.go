package gonet

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"c1000k/comet"
)

// readBufferBytes is what one read takes. Every connection has such a buffer.
const readBufferBytes = 4 << 10

// discardBytes is the most unread input that is thrown away before a close.
const discardBytes = 64 << 10

// hangupEvents say that the peer will send no more.
const hangupEvents = unix.POLLRDHUP | unix.POLLHUP | unix.POLLERR

// stream is what net.TCPConn and net.UnixConn have in common.
type stream interface {
	net.Conn
	syscall.Conn
}

// longAgo is a deadline that ends a read or write at once.
var longAgo = time.Unix(1, 0)

// conn is a connection: a goroutine that reads, and one more for each send while
// it is outstanding. The fields after slot belong to the loop's lock.
type conn struct {
	loop   *loop
	stream stream
	index  comet.Conn
	slot   chan struct{} // where its token lies

	refs    int  // goroutines that use stream
	paused  bool // the core wants no input until OpResume
	left    bool // the peer sends no more, which the core is not told yet
	closing bool // OpClose came: the core hears nothing more but Closed
}

// read gives the core what comes until the peer leaves or the core closes.
func (c *conn) read() {
	l := c.loop
	buffer := make([]byte, readBufferBytes)
	for {
		n, err := c.stream.Read(buffer)
		l.engine.counters.reads.Add(1)
		now := l.enter()
		if n > 0 && !c.closing {
			c.paused = !l.core.Data(now, c.index, buffer[:n])
		}
		resumed := errors.Is(err, os.ErrDeadlineExceeded)
		if resumed {
			c.readOn()
		}
		if c.endRead(now, err != nil && !resumed) {
			return
		}
		if l.isPaused(c) && c.pause() {
			return
		}
	}
}

// polled asks the kernel, without waiting, which of events are true of fd.
func polled(fd uintptr, events int16) int16 {
	set := []unix.PollFd{{Fd: int32(fd), Events: events}}
	if n, err := unix.Poll(set, 0); n < 1 || err != nil {
		return 0
	}
	return set[0].Revents
}

// readOn takes back the deadline by which resume ended a wait, or else it would
// end the next read too. A close's deadline stays. The lock is held.
func (c *conn) readOn() {
	if !c.closing {
		c.stream.SetReadDeadline(time.Time{})
	}
}

// isPaused asks under the lock.
func (l *loop) isPaused(c *conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return c.paused && !c.closing
}

// endRead leaves the loop, which the caller entered, and says whether reading is
// over: because the peer left, which the core is told, or because the core
// closed.
func (c *conn) endRead(now int64, left bool) bool {
	l := c.loop
	over := left || c.closing
	if over {
		c.left = left
		c.unref()
		c.hangup(now)
	}
	l.leave(now)
	return over
}

// hangup tells the core that the peer left, once nothing is being written: the
// core closes then, which would cut short a reply to one who asked and then
// closed its half. The lock is held.
func (c *conn) hangup(now int64) {
	if c.left && c.refs == 0 && !c.closing {
		c.left = false
		c.loop.core.Hangup(now, c.index)
	}
}

// pause waits until the core wants input again, or the peer leaves, whatever it
// has sent and nobody has read. It says whether reading is over.
func (c *conn) pause() bool {
	left := false
	raw, err := c.stream.SyscallConn()
	if err == nil {
		// The runtime's poller wakes this for each segment that comes, until
		// the window is full.
		err = raw.Read(func(fd uintptr) bool {
			left = polled(fd, unix.POLLRDHUP)&hangupEvents != 0
			return left
		})
	}
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		left = true
	}
	l := c.loop
	now := l.enter()
	if !left {
		c.readOn()
	}
	return c.endRead(now, left)
}

// resume ends a pause. The lock is held.
func (c *conn) resume() {
	if c.paused && !c.closing {
		c.paused = false
		c.stream.SetReadDeadline(longAgo)
	}
}

// send starts a goroutine for the core's pieces. The lock is held.
func (l *loop) send(a *comet.Action) {
	c := l.conns[a.Conn]
	if c.closing {
		return
	}
	token := a.Token
	pieces := make(net.Buffers, a.Pieces)
	copy(pieces, a.Piece[:a.Pieces])
	c.refs++
	l.engine.counters.sends.Add(1)
	l.engine.serving.Go(func() { c.write(pieces, token) })
}

// write sends pieces, as long as it takes, and tells the core.
func (c *conn) write(pieces net.Buffers, token uint16) {
	l := c.loop
	n, err := pieces.WriteTo(c.stream)
	if err != nil {
		l.engine.counters.sendErrors.Add(1)
	}
	now := l.enter()
	if !c.closing {
		l.core.Sent(now, c.index, token, int(n), number(err))
	}
	c.unref()
	left := c.left
	l.leave(now)
	if left {
		// Leaving may have begun the reply to what was asked behind this.
		now := l.enter()
		c.hangup(now)
		l.leave(now)
	}
}

// number is the system's number of an error, 0 for none.
func number(err error) int {
	var errno syscall.Errno
	switch {
	case err == nil:
		return 0
	case errors.As(err, &errno):
		return int(errno)
	default:
		return int(unix.EIO)
	}
}

// close gives up a connection: its goroutines are ended by a deadline, and the
// last of them closes it. The lock is held.
func (l *loop) close(c *conn) {
	c.closing = true
	c.stream.SetDeadline(longAgo)
	c.refs++
	c.unref()
}

// unref says that a goroutine needs the stream no more. The lock is held, and
// closing may wait for the runtime's poller, so that a goroutine does it.
func (c *conn) unref() {
	c.refs--
	if c.refs == 0 && c.closing {
		c.loop.engine.serving.Go(c.finish)
	}
}

// finish closes the stream, tells the core and gives the slot back.
func (c *conn) finish() {
	l := c.loop
	if raw, err := c.stream.SyscallConn(); err == nil {
		// Unread input would turn the close into a reset, which overtakes the
		// last reply at the client.
		raw.Control(func(fd uintptr) {
			unix.Syscall6(unix.SYS_RECVFROM, fd, 0, discardBytes, unix.MSG_TRUNC|unix.MSG_DONTWAIT, 0, 0)
		})
	}
	c.stream.Close()
	l.engine.counters.closes.Add(1)
	now := l.enter()
	l.conns[c.index] = nil
	l.free = append(l.free, c.index)
	if !l.over {
		l.core.Closed(now, c.index)
	}
	l.held.Add(-1)
	l.leave(now)
	<-c.slot
}
