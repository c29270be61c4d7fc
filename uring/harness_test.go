package uring

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"c1000k/comet"

	"golang.org/x/sys/unix"
)

// patience is how long a test takes turns for what should come at once. A number of
// turns would do where the loop alone works; but what goes over the network, and what a
// thread of the kernel does, waits for processors that others have. It is only ever
// used up by a failure.
const patience = time.Minute

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
	for end := time.Now().Add(patience); !done(); b.step() {
		if time.Now().After(end) {
			b.t.Fatalf("%s: not within %v", what, patience)
		}
	}
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
	b.t.Helper()
	n, err := 0, error(unix.EAGAIN)
	b.until("an answer", func() bool {
		n, err = unix.Read(fd, in)
		return err != unix.EAGAIN
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}

// askWithin has all clients ask at the same time; each must have an answer within so
// many turns from when all requests have arrived.
func (b *bench) askWithin(fds []int, turns int) {
	b.t.Helper()
	b.askEach(fds, askRequest)
	arrived(b.t, fds)
	for range turns {
		b.step()
	}
	in := make([]byte, 4096)
	for i, fd := range fds {
		// What was sent may be under way still, though nobody takes a turn any more.
		err := error(unix.EAGAIN)
		for end := time.Now().Add(patience / 10); err == unix.EAGAIN && time.Now().Before(end); {
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 100)
			_, err = unix.Read(fd, in)
		}
		if err != nil {
			b.t.Fatalf("client %d of %d is not answered after %d turns: %v", i, len(fds), turns, err)
		}
	}
}

// arrived waits until what clients have written is at the other end: it has confirmed
// that.
func arrived(t testing.TB, fds []int) {
	t.Helper()
	end := time.Now().Add(patience)
	for _, fd := range fds {
		for {
			unconfirmed, err := unix.IoctlGetInt(fd, unix.TIOCOUTQ)
			if err != nil {
				t.Fatal(err)
			}
			if unconfirmed == 0 {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("%d bytes have not arrived in %v", unconfirmed, patience)
			}
			time.Sleep(time.Millisecond)
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
