package uring

import (
	"io"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"c1000k/comet"
	"c1000k/comet/doors"

	"golang.org/x/sys/unix"
)

// TestBare proves that a bare loop, also one of several rings, holds what it was
// told to, sends a message to each once, and reads what comes: with a poll and a
// receive, and with a multishot receive.
func TestBare(t *testing.T) {
	if err := Probe(); err != nil {
		t.Skipf("no io_uring here: %v", err)
	}
	for _, multishot := range []bool{false, true} {
		listeners, closer, err := doors.Listen("127.0.0.1:0", comet.DoorFront, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer closer.Close()
		const conns = 90
		var full atomic.Bool
		o := BareOptions{
			Connections: conns, Listeners: []int{listeners[0].FD}, Multishot: multishot, Rest: 100 * time.Microsecond,
			Table: defaultCQEntries + 1 + 40, // 40 a ring: three rings
			Full:  func() { full.Store(true) },
		}
		b, err := NewBare(o)
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error)
		go func() {
			runtime.LockOSThread()
			ended <- b.Run()
		}()
		b.Accept()
		var clients []net.Conn
		for range conns {
			c, err := net.Dial("tcp", listeners[0].Addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			io.WriteString(c, "first")
			clients = append(clients, c)
		}
		await(t, func() bool { return b.Held() == conns && b.Read() == conns && full.Load() })
		for round, message := range []string{"one", "and two"} {
			if err := b.Send([]byte(message)); err != nil {
				t.Fatal(err)
			}
			for i, c := range clients {
				got := make([]byte, len(message))
				if _, err := io.ReadFull(c, got); err != nil || string(got) != message {
					t.Fatalf("client %d: %q, %v", i, got, err)
				}
				io.WriteString(c, "next")
			}
			await(t, func() bool { return b.Read() == int64(conns*(2+round)) })
		}
		if b.Failed() != 0 {
			t.Errorf("%d sends failed", b.Failed())
		}
		b.Stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// TestBareCancelThatFindsNothing proves that a bare loop's accept which waits on, since
// its cancel came while the kernel was about to try it anew, is cancelled again, and
// that what is over is not.
func TestBareCancelThatFindsNothing(t *testing.T) {
	if err := Probe(); err != nil {
		t.Skipf("no io_uring here: %v", err)
	}
	runtime.LockOSThread() // which the ring belongs to
	defer runtime.UnlockOSThread()
	listeners, closer, err := doors.Listen("127.0.0.1:0", comet.DoorFront, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	b, err := NewBare(BareOptions{Connections: 1, Listeners: []int{listeners[0].FD}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.free()
	if err := b.addRing(); err != nil {
		t.Fatal(err)
	}
	r := b.rings[0]
	work := func() {
		t.Helper()
		if _, err := b.work(r); err != nil {
			t.Fatal(err)
		}
	}
	missed := func() {
		t.Helper()
		if err := b.complete(r, cancelOf(tag(reqAccept, 0, 0, 0)), -int32(unix.ENOENT), 0); err != nil {
			t.Fatal(err)
		}
	}
	work()
	if b.armed != 1 {
		t.Fatalf("%d accepts wait, want 1", b.armed)
	}
	b.full = true
	missed()
	await(t, func() bool {
		work()
		return b.armed == 0
	})
	missed()
	if n := r.pending(); n != 0 {
		t.Errorf("%d cancels of what is over", n)
	}
}

// await waits until something is so.
func await(t *testing.T, so func() bool) {
	t.Helper()
	for range 3000 {
		if so() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("it never came")
}
