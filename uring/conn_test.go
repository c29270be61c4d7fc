package uring

import (
	"testing"

	"github.com/pawelgaczynski/giouring"
	"golang.org/x/sys/unix"
)

// TestEmptyReceiveWithBuffer proves that a receive which found nothing and yet
// took a buffer gives it back: the kernel may report such.
func TestEmptyReceiveWithBuffer(t *testing.T) {
	b := newBench(t, Options{})
	fd := b.dial(b.front)
	defer unix.Close(fd)
	b.until("quiet", b.l.rings[0].quiet)
	r := b.l.rings[0]
	for _, errno := range []unix.Errno{unix.EAGAIN, unix.EINTR, unix.ENOBUFS} {
		const slot, id = 0, 3
		r.state[slot] |= fRecv
		r.receiving++
		given := r.buf.tail
		b.l.complete(r, r.tag(reqRecv, slot, 0), -int32(errno), giouring.CQEFBuffer|id<<giouring.CQEBufferShift)
		if r.buf.tail != given+1 || r.buf.desc[given&r.buf.mask].Bid != id {
			t.Errorf("%v: %d buffers given back", errno, r.buf.tail-given)
		}
	}
}
