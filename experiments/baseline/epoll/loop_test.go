package epoll

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"c1000k/comet"
	"c1000k/comet/doors"
	"c1000k/experiments/fdtable"
)

// eachKind runs a test on loops that share a table, on loops with tables of their
// own, and level-triggered. connections must be more than fit in the small table.
func eachKind(t *testing.T, run func(t *testing.T, o Options)) {
	t.Run("shared", func(t *testing.T) { run(t, Options{EngineOptions: comet.EngineOptions{Loops: 2, MaxConns: 400}}) })
	t.Run("own", func(t *testing.T) {
		needTables(t)
		run(t, Options{EngineOptions: comet.EngineOptions{MaxConns: 400, TableLimit: 100}})
	})
	t.Run("level", func(t *testing.T) {
		run(t, Options{EngineOptions: comet.EngineOptions{Loops: 2, MaxConns: 400}, LevelTriggered: true})
	})
}

// needTables skips a test where a thread may have no table of its own.
func needTables(t *testing.T) {
	t.Helper()
	if err := fdtable.Probe(); err != nil {
		t.Skip("skipped: ", err)
	}
}

// Requests are answered, on several loops, and the clients' leaving is noticed,
// reported once and followed by a close.
func TestEcho(t *testing.T) {
	eachKind(t, func(t *testing.T, o Options) {
		r := start(t, &testCores{}, o)
		const clients = 200
		for i := range clients {
			c := r.dial()
			exchange(t, c, fmt.Sprintf("echo %d", i), fmt.Sprintf("echo %d", i))
			exchange(t, c, "e2", "e2")
			c.Close()
		}
		eventually(t, "all to be closed", func() bool { return r.cores.sum(closes) == clients })
		if n := r.cores.sum(hangups); n != clients {
			t.Errorf("%d hang-ups of %d clients", n, clients)
		}
		if n := r.stat("stale_events"); n != 0 {
			t.Errorf("%d events for connections that were gone", n)
		}
	})
}

// 300 clients knock at once at one table of 50, and at two: nobody is reset,
// each is served in its turn as others leave, and while the table is full the
// loops do not spin.
func TestFullTableResetsNobody(t *testing.T) {
	for _, test := range []struct {
		name string
		o    comet.EngineOptions
	}{
		{"shared", comet.EngineOptions{Loops: 1, MaxConns: 50, TableLimit: 50, AdminReserve: 1}},
		{"shared, two loops", comet.EngineOptions{Loops: 2, MaxConns: 50, TableLimit: 50, AdminReserve: 1}},
		{"own", comet.EngineOptions{MaxConns: 100, TableLimit: 50, AdminReserve: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.o.MaxConns > test.o.TableLimit {
				needTables(t)
			}
			r := start(t, &testCores{}, Options{EngineOptions: test.o})
			const clients = 300
			held := test.o.MaxConns - 1
			conns := make([]*net.TCPConn, clients)
			for i := range conns {
				conns[i] = r.dial()
			}
			eventually(t, "the table to be full", func() bool { return r.cores.sum(opens) == int64(held) })
			before := r.stat("waits") + r.stat("polls")
			time.Sleep(100 * time.Millisecond)
			if spun := r.stat("waits") + r.stat("polls") - before; spun > 10 {
				t.Errorf("%d turns in 100 ms with a full table and nothing to do", spun)
			}
			var served sync.WaitGroup
			var failed atomic.Int64
			for i, c := range conns {
				served.Go(func() {
					want := fmt.Sprintf("e%d", i)
					got := make([]byte, len(want))
					_, err := io.WriteString(c, want)
					if err == nil {
						_, err = io.ReadFull(c, got)
					}
					if err != nil || string(got) != want {
						failed.Add(1)
						t.Errorf("client %d: %q, %v", i, got, err)
					}
					c.Close()
				})
			}
			served.Wait()
			eventually(t, "all to be closed", func() bool { return r.cores.sum(closes) == clients })
			if n := r.cores.sum(opens); n != clients {
				t.Errorf("%d connections were opened for %d clients", n, clients)
			}
		})
	}
}

// A burst of clients over many ports, after which nobody comes any more, is
// accepted to the last one, although the loops stop and begin to listen all the
// while: what was meant for one that stopped is not lost.
func TestNobodyIsLeftInTheBacklog(t *testing.T) {
	const clients, ports = 1200, 20
	for round := range 5 {
		listeners, closer, err := doors.Listen(strings.Repeat("127.0.0.1:0,", ports-1)+"127.0.0.1:0", comet.DoorFront, 0)
		if err != nil {
			t.Fatal(err)
		}
		// Slow loops, so that many wait behind each listener.
		cores := &testCores{onTurn: func() { time.Sleep(time.Millisecond) }}
		r := startOn(t, cores, Options{EngineOptions: comet.EngineOptions{Loops: 4, MaxConns: 2 * clients}}, listeners)
		var conns []net.Conn
		for i := range clients {
			c, err := net.Dial("tcp", listeners[i%ports].Addr)
			if err != nil {
				t.Fatal(err)
			}
			conns = append(conns, c)
		}
		eventually(t, fmt.Sprintf("all to be accepted, round %d", round), func() bool { return cores.sum(opens) == clients })
		if r.stat("sweeps") == 0 {
			t.Log("no loop had to look for what was meant for another")
		}
		for _, c := range conns {
			c.Close()
		}
		r.engine.Stop()
		closer.Close()
	}
}

// A loop with a table of its own survives collections and timers on its own
// thread and on others, and no stray byte comes to a socket: neither to the
// core, which reports what it does not expect, nor to a silent client.
func TestCollectorAndTimersOnLoopThreads(t *testing.T) {
	eachKind(t, func(t *testing.T, o Options) {
		var fired atomic.Int64
		cores := &testCores{
			onTurn: func() {
				time.AfterFunc(time.Microsecond, func() { fired.Add(1) })
				time.Sleep(20 * time.Microsecond) // parks: the thread itself polls
				if rand.IntN(8) == 0 {
					collect()
				}
			},
			sleep: func(now int64) int64 { return now + int64(200*time.Microsecond) },
		}
		r := start(t, cores, o)
		var conns []*net.TCPConn
		for range 250 {
			c := r.dial()
			if _, err := c.Write([]byte("s")); err != nil {
				t.Fatal(err)
			}
			conns = append(conns, c)
		}
		for _, k := range cores.list {
			begin := k.turns.Load()
			eventually(t, "turns on every loop", func() bool { return k.turns.Load() > begin+100 })
		}
		for i, c := range conns {
			c.SetReadDeadline(time.Now().Add(time.Millisecond))
			var one [1]byte
			if n, err := c.Read(one[:]); n != 0 || !isTimeout(err) {
				t.Fatalf("silent client %d read %d bytes %v, %v", i, n, one, err)
			}
		}
		if fired.Load() == 0 {
			t.Error("no timer fired: nothing was tried")
		}
	})
}

func isTimeout(err error) bool {
	ne, ok := err.(net.Error)
	return ok && ne.Timeout()
}

// Messages far longer than the socket's buffer, here the smallest there is,
// arrive whole and in order, in many continued sends, and are reported once.
func TestPartialSends(t *testing.T) {
	eachKind(t, func(t *testing.T, o Options) {
		listeners, closer, err := doors.Listen("127.0.0.1:0", comet.DoorFront, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer closer.Close()
		if err := unix.SetsockoptInt(listeners[0].FD, unix.SOL_SOCKET, unix.SO_SNDBUF, 1); err != nil {
			t.Fatal(err)
		}
		cores := &testCores{}
		r := startOn(t, cores, o, listeners)
		var readers sync.WaitGroup
		const clients, messages = 8, 2
		for range clients {
			c := r.dial()
			readers.Go(func() {
				got := make([]byte, bigBytes)
				for range messages {
					if _, err := c.Write([]byte("b")); err != nil {
						t.Error(err)
					}
					if n, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, cores.list[0].big) {
						t.Errorf("%d bytes, %v; equal: %v", n, err, bytes.Equal(got, cores.list[0].big))
					}
				}
			})
		}
		readers.Wait()
		if n, writes := r.stat("partial_sends"), r.stat("writes"); n < clients*messages || writes < 4*n {
			t.Errorf("%d partial sends and %d writes: the buffer held too much", n, writes)
		}
		eventually(t, "all sends to be reported", func() bool {
			return cores.sum(func(c *testCore) *atomic.Int64 { return &c.sents }) == clients*messages
		})
	})
}

// A client that resets while a send is outstanding ends it with an error, or the
// close abandons it; either way the slot is free again and the loop lives.
func TestResets(t *testing.T) {
	eachKind(t, func(t *testing.T, o Options) {
		r := start(t, &testCores{}, o)
		const rounds = 300
		for i := range rounds {
			c := r.dial()
			c.SetLinger(0)
			switch i % 3 {
			case 0: // before a byte
			case 1:
				io.WriteString(c, "s")
			case 2: // in the middle of a message
				io.WriteString(c, "b")
				io.ReadFull(c, make([]byte, 100))
			}
			c.Close()
		}
		eventually(t, "all to be closed", func() bool {
			// One that was reset in the backlog is accepted and found closed.
			return r.cores.sum(closes) == r.cores.sum(opens) && r.cores.sum(opens)+int64(r.stat("accept_errors")) == rounds
		})
		exchange(t, r.dial(), "e", "e")
	})
}

// What came before a half-close is given to the core first, all of it, then the
// hang-up; here four read buffers and a bit.
func TestHalfClose(t *testing.T) {
	eachKind(t, func(t *testing.T, o Options) {
		var got atomic.Int64
		r := start(t, &testCores{bytes: func(_ comet.Conn, n int) { got.Add(int64(n)) }}, o)
		c := r.dial()
		message := strings.Repeat("s", 4*readBufferBytes+1)
		if _, err := io.WriteString(c, message); err != nil {
			t.Fatal(err)
		}
		c.CloseWrite()
		if rest, err := io.ReadAll(c); len(rest) != 0 || err != nil {
			t.Fatalf("after a half-close: %q, %v, want the end", rest, err)
		}
		if got.Load() != int64(len(message)) {
			t.Errorf("the core was given %d bytes of %d", got.Load(), len(message))
		}
	})
}

// A paused connection is not read (the core would say so), its client is stopped
// by the window, and after OpResume what was left with the kernel is read though
// no new edge comes.
func TestPauseAndResume(t *testing.T) {
	eachKind(t, func(t *testing.T, o Options) {
		cores := &testCores{sleep: func(now int64) int64 { return now + int64(time.Millisecond) }}
		r := start(t, cores, o)
		c := r.dial()
		io.WriteString(c, "p")
		eventually(t, "the pause", func() bool { return r.stat("reads") == 1 })
		// More than any window takes, but for what the client must take back.
		if err := c.SetWriteBuffer(4096); err != nil {
			t.Fatal(err)
		}
		c.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
		n, err := c.Write(bytes.Repeat([]byte("s"), 64<<20))
		if !isTimeout(err) {
			t.Fatalf("wrote %d bytes to a connection that nobody reads: %v", n, err)
		}
		if reads := r.stat("reads"); reads != 1 {
			t.Errorf("%d reads during a pause", reads-1)
		}
		cores.resume.Store(true)
		eventually(t, "what was left to be read", func() bool { return r.stat("reads") > 1 })
		c.SetWriteDeadline(time.Now().Add(patience))
		c.CloseWrite()
		if rest, err := io.ReadAll(c); len(rest) != 0 || err != nil {
			t.Errorf("after the end: %q, %v", rest, err)
		}
	})
}

// Leaving is noticed in a pause too: by a half-close, and by a reset.
func TestHangupWhilePaused(t *testing.T) {
	eachKind(t, func(t *testing.T, o Options) {
		r := start(t, &testCores{}, o)
		for i, leave := range []func(*net.TCPConn){
			func(c *net.TCPConn) { c.CloseWrite() },
			func(c *net.TCPConn) { c.SetLinger(0); c.Close() },
		} {
			c := r.dial()
			io.WriteString(c, "p")
			eventually(t, "the pause", func() bool { return r.stat("reads") == uint64(i+1) })
			io.WriteString(c, "more")
			leave(c)
			eventually(t, "the close", func() bool { return r.cores.sum(closes) == int64(i+1) })
		}
	})
}

// A reply sent just before a close arrives although the client had sent more
// than was read.
func TestLastReplyArrives(t *testing.T) {
	eachKind(t, func(t *testing.T, o Options) {
		r := start(t, &testCores{}, o)
		for range 50 {
			c := r.dial()
			io.WriteString(c, "q")
			if got, err := io.ReadAll(c); string(got) != "bye" || err != nil {
				t.Fatalf("%q, %v", got, err)
			}
		}
	})
}

// A loop wakes another that sleeps without a deadline, once, and that one serves
// its own connections.
func TestWake(t *testing.T) {
	cores := &testCores{}
	r := start(t, cores, Options{EngineOptions: comet.EngineOptions{Loops: 2, MaxConns: 400}})
	var conns []*net.TCPConn
	const clients = 120
	for range clients {
		c := r.dial()
		exchange(t, c, "e", "e")
		conns = append(conns, c)
	}
	held := [2]int64{cores.list[0].opens.Load(), cores.list[1].opens.Load()}
	if held[0] == 0 || held[1] == 0 {
		t.Fatalf("the loops hold %d of %d", held, clients)
	}
	sleeps := func() bool { return cores.list[0].sleeping.Load() && cores.list[1].sleeping.Load() }
	eventually(t, "both loops to sleep", sleeps)
	asked := r.stat("wakes")
	io.WriteString(conns[0], "w")
	eventually(t, "one loop's connections to be served", func() bool {
		woken := cores.sum(func(k *testCore) *atomic.Int64 { return &k.sents }) - clients
		return woken == held[0] || woken == held[1]
	})
	eventually(t, "both loops to sleep", sleeps)
	if sent, got := r.stat("wakes_sent"), r.stat("wakes")-asked; sent != 1 || got != 1 {
		t.Errorf("%d wakes were sent and %d heard, want 1", sent, got)
	}
}

// Without events a loop takes a turn when its deadline has come, not much
// before it and not in a spin.
func TestDeadline(t *testing.T) {
	for _, nanoseconds := range []bool{true, false} {
		t.Run(fmt.Sprintf("nanoseconds=%v", nanoseconds), func(t *testing.T) {
			w := waiter{nanoseconds: nanoseconds}
			epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(epfd)
			if nanoseconds && !hasNanoseconds(epfd) {
				t.Skip("skipped: the kernel has no epoll_pwait2")
			}
			const wait = 3*time.Millisecond + time.Microsecond
			begin := time.Now()
			for time.Since(begin) < wait {
				// An interrupted wait is empty and early, and is taken up again.
				if n, errno := w.wait(epfd, make([]unix.EpollEvent, 4), int64(wait-time.Since(begin))); n != 0 || errno != 0 && errno != unix.EINTR {
					t.Fatalf("%d events, %v", n, errno)
				}
			}
		})
	}
	cores := &testCores{}
	cores.sleep = func(now int64) int64 { return now + int64(10*time.Millisecond) }
	start(t, cores, Options{EngineOptions: comet.EngineOptions{Loops: 1, MaxConns: 10}})
	begin := time.Now()
	eventually(t, "ten turns", func() bool { return cores.list[0].turns.Load() >= 10 })
	if took := time.Since(begin); took < 50*time.Millisecond {
		t.Errorf("ten turns of 10 ms took %v", took)
	}
}
