package epoll

import (
	"io"
	"net"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"c1000k/comet"
	"c1000k/comet/doors"
	timerslack "c1000k/comet/slack"
)

// collect runs the collector. It has a name of its own so that a profile of a
// test tells it from the runtime's.
func collect() { runtime.GC() }

// Stop closes the clients' connections, leaves no descriptor in any table and no
// loop's thread, and may be called again.
func TestStopLeavesNothing(t *testing.T) {
	eachKind(t, func(t *testing.T, o Options) {
		// The first engine makes what the runtime keeps, its poller.
		for range 3 {
			listeners, closer, err := doors.Listen("127.0.0.1:0", comet.DoorFront, 0)
			if err != nil {
				t.Fatal(err)
			}
			before := descriptors(t)
			// The loops' own threads: the runtime starts others when it likes, and
			// keeps them.
			var mu sync.Mutex
			loops := map[int]bool{}
			cores := &testCores{t: t, onTurn: func() {
				mu.Lock()
				defer mu.Unlock()
				loops[unix.Gettid()] = true
			}}
			e, err := newEngine(o, cores.newLoop)
			if err != nil {
				t.Fatal(err)
			}
			if err := e.Start(listeners); err != nil {
				t.Fatal(err)
			}
			r := &rig{t: t, engine: e, cores: cores, addr: listeners[0].Addr}
			var conns []*net.TCPConn
			for range 150 {
				c := r.dial()
				exchange(t, c, "e", "e")
				conns = append(conns, c)
			}
			eventually(t, "every loop to take a turn on a thread of its own", func() bool {
				mu.Lock()
				defer mu.Unlock()
				return len(loops) == len(cores.list)
			})
			e.Stop()
			e.Stop()
			for i, c := range conns {
				if rest, err := io.ReadAll(c); len(rest) != 0 || err != nil {
					t.Fatalf("client %d after Stop: %q, %v, want the end", i, rest, err)
				}
				c.Close()
			}
			eventually(t, "the loops' threads to end", func() bool {
				return !slices.ContainsFunc(threadsOf(t), func(tid int) bool { return loops[tid] })
			})
			eventually(t, "descriptors to go", func() bool { return descriptors(t) <= before })
			if err := closer.Close(); err != nil {
				t.Errorf("the listeners did not stay open: %v", err)
			}
		}
	})
}

// Stop before Start, and Start after it or twice, do no harm.
func TestStartAndStopOutOfOrder(t *testing.T) {
	cores := &testCores{t: t}
	e, err := newEngine(Options{EngineOptions: comet.EngineOptions{MaxConns: 10}}, cores.newLoop)
	if err != nil {
		t.Fatal(err)
	}
	e.Stop()
	if err := e.Start(nil); err == nil {
		t.Error("a stopped engine starts")
	}
	r := start(t, &testCores{}, Options{EngineOptions: comet.EngineOptions{MaxConns: 10}})
	if err := r.engine.Start(nil); err == nil {
		t.Error("an engine starts twice")
	}
}

// When the shared table is full though the loops' own count is not, because the
// rest of the program took the descriptors, the loops do not spin, nobody is
// reset, and all are served once there is room.
func TestDescriptorsTakenByOthers(t *testing.T) {
	r := start(t, &testCores{}, Options{EngineOptions: comet.EngineOptions{Loops: 2, MaxConns: 400}})
	addr, err := net.ResolveTCPAddr("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	var clients []int
	for range 40 {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		clients = append(clients, fd)
	}
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	restore := func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
			t.Fatal(err)
		}
	}
	defer restore()
	// The limit is on the number of a new descriptor: ten more than this one.
	next, err := unix.Dup(0)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(next)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(next + 10), Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	for _, fd := range clients {
		if err := unix.Connect(fd, &unix.SockaddrInet4{Port: addr.Port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the loops to find no descriptor", func() bool { return r.stat("accept_refused") > 0 })
	before := r.stat("accept_refused") + r.stat("polls") + r.stat("waits")
	time.Sleep(500 * time.Millisecond)
	if tries := r.stat("accept_refused") + r.stat("polls") + r.stat("waits") - before; tries > 80 {
		t.Errorf("%d turns and refused accepts in half a second without descriptors", tries)
	}
	restore()
	for i, fd := range clients {
		if _, err := unix.Write(fd, []byte("e")); err != nil {
			t.Fatalf("client %d: %v", i, err)
		}
		var reply [1]byte
		if n, err := unix.Read(fd, reply[:]); n != 1 || err != nil {
			t.Fatalf("client %d: %d bytes, %v", i, n, err)
		}
	}
}

// Options that cannot be are refused with a message that says what to do.
func TestPlanRefuses(t *testing.T) {
	for _, test := range []struct {
		o    comet.EngineOptions
		says string
	}{
		{comet.EngineOptions{}, "room for a connection"},
		{comet.EngineOptions{MaxConns: -1}, "room for a connection"},
		{comet.EngineOptions{MaxConns: 10, Loops: -1}, "negative"},
		{comet.EngineOptions{MaxConns: 1000, Loops: 3, TableLimit: 50}, "ask for 20 loops"},
		{comet.EngineOptions{MaxConns: 10, Loops: 1, AdminReserve: 10}, "leave none"},
	} {
		_, err := newEngine(Options{EngineOptions: test.o}, nil)
		if err == nil {
			t.Errorf("%+v is accepted", test.o)
		} else if !strings.Contains(err.Error(), test.says) {
			t.Errorf("%+v: %q does not say %q", test.o, err, test.says)
		}
	}
}

// What a descriptor limit is too low for, with tables for the most loops there may
// be, is refused with how many connections are not too many.
func TestPlanRefusesMoreThanTheMostLoopsHold(t *testing.T) {
	needTables(t)
	const listeners = 101
	_, err := makePlan(comet.EngineOptions{MaxConns: 10_000, TableLimit: 100}, listeners)
	if err == nil {
		t.Fatal("10,000 connections in tables of 100 are accepted: more than 64 loops")
	}
	_, most, _ := strings.Cut(err.Error(), "What still works: up to ")
	most, _, _ = strings.Cut(most, " ")
	n, parseErr := strconv.Atoi(most)
	if parseErr != nil || n != 64*100 {
		t.Fatalf("%q does not say that %d connections work", err, 64*100)
	}
	p, err := makePlan(comet.EngineOptions{MaxConns: n, TableLimit: 100}, listeners)
	if err != nil || len(p.capacities) != 64 {
		t.Errorf("%d connections, which are said to work: %d loops, %v", n, len(p.capacities), err)
	}
	if _, err := makePlan(comet.EngineOptions{MaxConns: n + 1, TableLimit: 100}, listeners); err == nil {
		t.Errorf("%d connections work too", n+1)
	}
	for _, c := range []struct {
		limit, listeners, most int
		says                   string
	}{
		{150, 101, 0, "What still works: fewer ports, or a higher limit"},
		{64, 2, 0, "What still works: a higher limit"},
		{300, 2, 14_080, "What still works: up to 14080 connections, or a higher limit"},
	} {
		if text := tooMany(1000, c.limit, c.listeners, c.most).Error(); !strings.Contains(text, c.says) {
			t.Errorf("%+v: %q", c, text)
		}
	}
}

// The plan gives every connection that was asked for a place, no table more than
// it holds, and the admin door its slots.
func TestPlan(t *testing.T) {
	for _, test := range []struct {
		o            comet.EngineOptions
		listeners    int
		own          bool
		loops, width int // 0: do not care
	}{
		{comet.EngineOptions{MaxConns: 50, TableLimit: 50}, 2, false, 0, 0},
		{comet.EngineOptions{MaxConns: 50, TableLimit: 50, Loops: 7}, 2, false, 7, 7},
		{comet.EngineOptions{MaxConns: 51, TableLimit: 50}, 2, true, 2, 0},
		{comet.EngineOptions{MaxConns: 1000, TableLimit: 50}, 101, true, 20, min(20, timerslack.Processors())},
		{comet.EngineOptions{MaxConns: 1000, TableLimit: 50, Loops: 30}, 101, true, 30, 30},
		{comet.EngineOptions{MaxConns: 1, Loops: 1}, 1, false, 1, 1},
		{comet.EngineOptions{MaxConns: 67, AdminReserve: 64, Loops: 2}, 2, false, 2, 2},
		{comet.EngineOptions{MaxConns: 65, AdminReserve: 64, Loops: 2}, 2, false, 1, 1},
	} {
		p, err := makePlan(test.o, test.listeners)
		if err != nil {
			t.Errorf("%+v: %v", test.o, err)
			continue
		}
		sum := 0
		for i, n := range p.capacities {
			sum += int(n)
			if n < 1 || int(n) > p.tableLimit || int(n) > p.connLimit {
				t.Errorf("%+v: loop %d holds %d, a table %d, connections below %d", test.o, i, n, p.tableLimit, p.connLimit)
			}
		}
		if sum != test.o.MaxConns || p.own != test.own || (test.loops > 0 && len(p.capacities) != test.loops) ||
			(test.width > 0 && p.width != test.width) || p.reserve >= p.capacities[0] {
			t.Errorf("%+v with %d listeners: %+v", test.o, test.listeners, p)
		}
	}
}

// The admin door is served by loop 0 even when subscribers have filled all that
// they may.
func TestAdminReserve(t *testing.T) {
	cores := &testCores{t: t}
	front, closeFront, err := doors.Listen("127.0.0.1:0", comet.DoorFront, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer closeFront.Close()
	admin, closeAdmin, err := doors.Listen("127.0.0.1:0", comet.DoorAdmin, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAdmin.Close()
	e, err := newEngine(Options{EngineOptions: comet.EngineOptions{Loops: 2, MaxConns: 20, AdminReserve: 3}}, cores.newLoop)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(append(front, admin...)); err != nil {
		t.Fatal(err)
	}
	defer e.Stop()
	subscribers := &rig{t: t, engine: e, cores: cores, addr: front[0].Addr}
	publishers := &rig{t: t, engine: e, cores: cores, addr: admin[0].Addr}
	for range 30 {
		subscribers.dial()
	}
	eventually(t, "the front to be full", func() bool { return cores.sum(opens) == 17 })
	var conns []*net.TCPConn
	for range 3 {
		c := publishers.dial()
		exchange(t, c, "e", "e")
		conns = append(conns, c)
	}
	// A fourth waits until one leaves.
	fourth := publishers.dial()
	io.WriteString(fourth, "e")
	if cores.sum(opens) != 20 {
		t.Errorf("%d connections are open, want 20", cores.sum(opens))
	}
	conns[0].Close()
	expect(t, fourth, "e")
	// Its share of the 17 for subscribers, and the four publishers.
	if n := cores.list[0].opens.Load(); n != 9+4 {
		t.Errorf("loop 0 was given %d connections, want 13", n)
	}
}
