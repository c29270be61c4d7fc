package epoll

import (
	"io"
	"net"
	"os"
	"runtime/pprof"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"c1000k/comet"
	"c1000k/comet/doors"
	"c1000k/comet/sim"
)

// faults are what may go wrong between this engine and the kernel: each with its
// counter, what provokes it on this kernel and proves that all goes on, and what the
// core sees of it, which the simulator provokes and counts.
var faults = []struct {
	name    string
	counter string
	provoke func(t *testing.T) *rig
	core    []sim.Fault
}{
	{"table full", "accept_paused", tableFull, []sim.Fault{sim.TableFull}},
	{"stale generation", "stale_events", staleEvents, []sim.Fault{sim.StaleSent}},
	{"wait interrupted by a profile", "eintr", interrupted, []sim.Fault{sim.WaitInterrupted}},
	{"no room to send", "partial_sends", noRoom, []sim.Fault{sim.SendPartial}},
}

// TestFaults proves of each fault that it comes to pass, is counted, and is over with:
// a client that comes then is served.
func TestFaults(t *testing.T) {
	for _, f := range faults {
		if len(f.core) == 0 {
			t.Errorf("%s: nothing that the core sees", f.name)
		}
		t.Run(f.name, func(t *testing.T) {
			r := f.provoke(t)
			if r.stat(f.counter) == 0 {
				t.Errorf("%s is 0: it was not provoked", f.counter)
			}
			exchange(t, r.dial(), "e", "e")
		})
	}
}

// tableFull has more clients than the table holds, each of whom is served when another
// has left.
func tableFull(t *testing.T) *rig {
	const slots, clients = 8, 24
	r := start(t, &testCores{}, Options{EngineOptions: comet.EngineOptions{Loops: 1, MaxConns: slots, AdminReserve: 1}})
	var conns []*net.TCPConn
	for range clients {
		conns = append(conns, r.dial())
	}
	eventually(t, "the table to be full", func() bool { return r.cores.sum(opens) == slots-1 }) // one is kept for publishers
	for _, c := range conns {
		exchange(t, c, "e", "e")
		c.Close()
	}
	eventually(t, "all to be closed", func() bool { return r.cores.sum(closes) == clients })
	return r
}

// staleEvents has a socket outlive its close, as a copy of the descriptor table does
// while another thread makes one: what happens to it is reported with the generation
// of a connection that is gone, when the slot is another's.
func staleEvents(t *testing.T) *rig {
	r := start(t, &testCores{}, Options{EngineOptions: comet.EngineOptions{Loops: 1, MaxConns: 8, AdminReserve: 1}})
	old := r.dial()
	exchange(t, old, "e", "e")
	kept := dupServersEnd(t, old)
	defer unix.Close(kept)
	old.CloseWrite()
	eventually(t, "the close", func() bool { return r.cores.sum(closes) == 1 })
	next := r.dial()
	exchange(t, next, "e", "e")
	old.SetLinger(0)
	old.Close() // a reset: an event of the socket that lives on
	eventually(t, "the stale event", func() bool { return r.stat("stale_events") > 0 })
	exchange(t, next, "e", "e")
	return r
}

// dupServersEnd is another descriptor of the other end of a connection.
func dupServersEnd(t *testing.T, c *net.TCPConn) int {
	t.Helper()
	port := c.LocalAddr().(*net.TCPAddr).Port
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		if from, err := unix.Getpeername(fd); err != nil {
			continue
		} else if from, ok := from.(*unix.SockaddrInet4); !ok || from.Port != port {
			continue
		}
		kept, err := unix.Dup(fd)
		if err != nil {
			t.Fatal(err)
		}
		return kept
	}
	t.Fatal("the server's end of the connection is not in this table")
	return -1
}

// interrupted has a loop's waits end by the signal of a profile, which makes an empty
// turn and nothing else.
func interrupted(t *testing.T) *rig {
	r := start(t, &testCores{}, Options{EngineOptions: comet.EngineOptions{Loops: 1, MaxConns: 8, AdminReserve: 1}})
	c := r.dial()
	exchange(t, c, "e", "e")
	if err := pprof.StartCPUProfile(io.Discard); err == nil { // else the tests are being profiled
		defer pprof.StopCPUProfile()
	}
	pid := os.Getpid()
	eventually(t, "a wait to be interrupted", func() bool {
		for _, tid := range threadsOf(t) { // the loop's is one of them
			_ = unix.Tgkill(pid, tid, unix.SIGPROF)
		}
		time.Sleep(time.Millisecond)
		return r.stat("eintr") > 0
	})
	exchange(t, c, "e", "e")
	return r
}

// threadsOf are the threads of this process.
func threadsOf(t *testing.T) (tids []int) {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		tid, err := strconv.Atoi(task.Name())
		if err != nil {
			t.Fatal(err)
		}
		tids = append(tids, tid)
	}
	return tids
}

// noRoom has a message go to a client that reads it late.
func noRoom(t *testing.T) *rig {
	listeners, closer, err := doors.Listen("127.0.0.1:0", comet.DoorFront, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closer.Close() })
	if err := unix.SetsockoptInt(listeners[0].FD, unix.SOL_SOCKET, unix.SO_SNDBUF, 1); err != nil {
		t.Fatal(err)
	}
	r := startOn(t, &testCores{}, Options{EngineOptions: comet.EngineOptions{Loops: 1, MaxConns: 8, AdminReserve: 1}}, listeners)
	c := r.dial()
	if _, err := io.WriteString(c, "b"); err != nil {
		t.Fatal(err)
	}
	if n, err := io.CopyN(io.Discard, c, bigBytes); err != nil {
		t.Fatalf("%d bytes, %v", n, err)
	}
	eventually(t, "a wait for room", func() bool { return r.stat("partial_sends") > 0 })
	return r
}
