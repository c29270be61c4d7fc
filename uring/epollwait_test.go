package uring

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestEpollWait proves that the wait for the epoll instance is armed again when it
// has ended without events, that an event of an earlier life of a slot is dropped
// and counted, and that the connection is served after both.
func TestEpollWait(t *testing.T) {
	b := newBench(t, Options{PlainFDs: true, EpollWait: true})
	fd := b.dial(b.front)
	defer unix.Close(fd)
	b.l.cancel(b.l.rings[0], tag(reqEpoll, 0, 0, 0))
	b.until("re-arm", func() bool { return b.l.count.n[cRearms] == 1 })

	const slot, life = 0, 1 << fGenShift
	state := &b.l.rings[0].state[slot]
	*state += life
	if _, err := unix.Write(fd, askRequest[:1]); err != nil {
		t.Fatal(err)
	}
	b.until("a stale event", func() bool { return b.l.count.n[cStale] == 1 })
	if n := b.l.count.n[cRecvs]; n != 0 {
		t.Errorf("%d receives for an earlier life", n)
	}
	*state -= life
	var in [1024]byte
	if n := b.ask(fd, askRequest[1:], in[:]); text(in[:n]) != "HTTP/1.1 200 OK" {
		t.Errorf("after a stale event: %q", in[:n])
	}
}

// TestNoPlaceInEpoll proves that a connection which the epoll instance has no room
// for is counted and hung up on, and closed by it.
func TestNoPlaceInEpoll(t *testing.T) {
	b := newBench(t, Options{PlainFDs: true, EpollWait: true})
	was := b.l.epoll.fd
	b.l.epoll.fd = -1 // an addition fails as it does without room
	fd := b.dial(b.front)
	defer unix.Close(fd)
	free := b.l.rings[0].free
	b.l.epoll.fd = was
	b.until("close", func() bool { return b.l.rings[0].free == free+1 || b.l.count.n[cCloses] == 1 })
	if n := b.l.count.n[cAcceptErrors]; n != 1 {
		t.Errorf("counted %d times", n)
	}
}
