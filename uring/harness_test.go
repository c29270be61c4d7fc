package uring

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"c1000k/comet"

	"golang.org/x/sys/unix"
)

// smallBufferBytes is the size of socket buffers asked for on both ends, so
// that a few replies that are not read make a send wait.
const smallBufferBytes = 4096

// bench is one loop driven by hand, on the test's own locked thread, with a
// front and an admin listener.
type bench struct {
	t     testing.TB
	e     *Engine
	l     *loop
	front *unix.SockaddrInet4
	admin *unix.SockaddrInet4
}

// newBench makes the loop; its rings end with the test.
func newBench(t testing.TB, opts Options) *bench {
	t.Helper()
	cfg := comet.DefaultConfig()
	cfg.Channels = 1_000
	cfg.PollingTimeout = time.Hour
	svc, err := comet.NewService(cfg)
	if err != nil {
		t.Fatal(err)
	}
	opts.Loops = 1
	if opts.MaxConns == 0 {
		opts.MaxConns = 1_000
	}
	e, err := New(svc, opts)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, e: e}
	var listeners []comet.Listener
	for _, d := range []comet.Door{comet.DoorFront, comet.DoorAdmin} {
		fd, addr := listenTCP(t)
		listeners = append(listeners, comet.Listener{Door: d, FD: fd, Addr: "a test"})
		if d == comet.DoorFront {
			b.front = addr
		} else {
			b.admin = addr
		}
	}
	reserve, err := e.adminSlots(true)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.addLoop(0, e.opts.MaxConns, reserve, listeners); err != nil {
		t.Fatal(err)
	}
	for _, li := range listeners {
		if err := prepareListener(li); err != nil {
			t.Fatal(err)
		}
	}
	b.l = e.loops[0]
	runtime.LockOSThread()
	if err := b.l.begin(); err != nil {
		t.Fatal(err)
	}
	b.l.now = e.clock()
	t.Cleanup(func() {
		b.l.end()
		b.l.free()
		unix.Close(b.l.wakeFD)
		runtime.UnlockOSThread()
	})
	return b
}

// listenTCP listens on a free port of the loopback address.
func listenTCP(t testing.TB) (int, *unix.SockaddrInet4) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, smallBufferBytes); err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 128); err != nil {
		t.Fatal(err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fd, sa.(*unix.SockaddrInet4)
}

// step takes a turn, which a wake keeps from waiting long.
func (b *bench) step() {
	b.l.wake()
	b.l.pass()
}

// until takes turns until done.
func (b *bench) until(what string, done func() bool) {
	b.t.Helper()
	for range 10_000 {
		if done() {
			return
		}
		b.step()
	}
	b.t.Fatalf("%s: not within 10,000 turns", what)
}

// dial connects a client and has it accepted.
func (b *bench) dial(to *unix.SockaddrInet4) int {
	b.t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, smallBufferBytes); err != nil {
		b.t.Fatal(err)
	}
	if err := unix.Connect(fd, to); err != nil {
		b.t.Fatal(err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		b.t.Fatal(err)
	}
	had := b.l.count.n[cAccepts]
	b.until("accept", func() bool { return b.l.count.n[cAccepts] > had })
	return fd
}

// ask writes a request and takes turns until in has something.
func (b *bench) ask(fd int, request, in []byte) int {
	if _, err := unix.Write(fd, request); err != nil {
		b.t.Fatal(err)
	}
	return b.answer(fd, in)
}

// answer takes turns until fd has something to read.
func (b *bench) answer(fd int, in []byte) int {
	for range 1_000 {
		b.step()
		n, err := unix.Read(fd, in)
		if err == nil {
			return n
		}
		if err != unix.EAGAIN {
			b.t.Fatal(err)
		}
	}
	b.t.Fatal("no answer within 1,000 turns")
	return 0
}

// askWithin has all clients ask at the same time; each must have an answer within so
// many turns.
func (b *bench) askWithin(fds []int, turns int) {
	b.t.Helper()
	for _, fd := range fds {
		if _, err := unix.Write(fd, askRequest); err != nil {
			b.t.Fatal(err)
		}
	}
	for range turns {
		b.step()
	}
	in := make([]byte, 4096)
	for i, fd := range fds {
		if _, err := unix.Read(fd, in); err != nil {
			b.t.Fatalf("client %d of %d is not answered after %d turns: %v", i, len(fds), turns, err)
		}
	}
}

var (
	pushRequest = []byte("GET /push?cname=c&content=x HTTP/1.1\r\nHost: h\r\n\r\n")
	// askRequest is answered at once: a poll of a channel's next number.
	askRequest = []byte("GET /sub?cname=c HTTP/1.1\r\nHost: h\r\n\r\n")
)

// text says what a reply begins with.
func text(in []byte) string {
	line, _, _ := strings.Cut(string(in), "\r\n")
	return line
}
