package uring

import (
	"io"
	"os"
	"runtime/pprof"
	"testing"
	"time"

	"c1000k/comet/sim"

	"golang.org/x/sys/unix"
)

// fault is something that may go wrong between the engine and the kernel.
type fault struct {
	name     string
	counters []counter // each of them must move
	// provoke has the kernel do it, to a loop with queues and tables as small as it
	// takes, and proves that all goes on.
	provoke func(t *testing.T) *bench
	// core is what the core sees of it, which the simulator provokes and counts.
	core []sim.Fault
}

// faults are all that have a recovery: see the package's comment.
var faults = []fault{
	{"no provided buffer", []counter{cENOBUFS}, noBuffer, []sim.Fault{sim.ReceiveRefused}},
	{"no buffer and no data", []counter{cENOBUFS, cRecvEmpty}, noBufferNoData, []sim.Fault{sim.ReceiveRefused, sim.ReceiveEmpty}},
	{"completion queue overflow", []counter{cCQOverflow}, completionsOverflow, []sim.Fault{sim.EventsHeld}},
	{"submission queue full", []counter{cSQFull}, submissionsFull, []sim.Fault{sim.ToldWhileActing}},
	{"table full", []counter{cAcceptPaused}, tableFull, []sim.Fault{sim.TableFull}},
	{"multishot ended early", []counter{cRearms}, multishotEnds, []sim.Fault{sim.WatchEnded}},
	{"stale generation", []counter{cStale}, staleCompletions, []sim.Fault{sim.StaleSent}},
	{"close with armed requests", []counter{cCancels, cCloses}, closeWhileSending,
		[]sim.Fault{sim.ClosedSending, sim.ClosedUnread, sim.ClosedAsPeerLeft}},
	{"cancel too late", []counter{cCancelLate}, cancelRace, []sim.Fault{sim.CancelLate, sim.ClosedAsPeerLeft}},
	{"wait interrupted by a profile", []counter{cEINTR}, interrupted, []sim.Fault{sim.WaitInterrupted}},
	{"part of a send", []counter{cPartialSends}, partOfASend, []sim.Fault{sim.SendPartial}},
	{"send failed", []counter{cSends}, sendFails, []sim.Fault{sim.SendFailed}},
}

// TestFaults proves of each fault that it comes to pass on this kernel, is counted,
// and is over with: a client that comes then is served. And that the simulator has
// nothing which no fault of a kernel stands for. That it provokes each of its own is
// proved by its TestSeeds.
func TestFaults(t *testing.T) {
	var seen [sim.NumFaults]bool
	for _, f := range faults {
		if len(f.counters) == 0 || len(f.core) == 0 {
			t.Errorf("%s: no counter, or nothing that the core sees", f.name)
		}
		for _, c := range f.core {
			seen[c] = true
		}
		t.Run(f.name, func(t *testing.T) {
			b := f.provoke(t)
			for _, c := range f.counters {
				if b.l.count.n[c] == 0 {
					t.Errorf("%s is 0: it was not provoked", counterNames[c])
				}
			}
			fd := b.dial(b.front)
			defer unix.Close(fd)
			b.askAll([]int{fd})
			b.until("rest", func() bool { return b.l.rings[0].quiet() })
			if b.l.sends.used != 0 {
				t.Errorf("%d sends are left", b.l.sends.used)
			}
		})
	}
	for f, named := range seen {
		if !named {
			t.Errorf("no fault has the core see %v", sim.Fault(f))
		}
	}
}

// dialAll has n clients accepted.
func (b *bench) dialAll(n int) (fds []int) {
	b.t.Helper()
	for range n {
		fd := b.dial(b.front)
		b.t.Cleanup(func() { unix.Close(fd) })
		fds = append(fds, fd)
	}
	b.until("rest", func() bool { return b.l.rings[0].quiet() })
	return fds
}

// askAll has all clients ask before the loop takes a turn, and each be answered.
func (b *bench) askAll(fds []int) {
	b.t.Helper()
	b.askEach(fds, askRequest)
	b.answerAll(fds)
}

func (b *bench) askEach(fds []int, request []byte) {
	b.t.Helper()
	for _, fd := range fds {
		if _, err := unix.Write(fd, request); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *bench) answerAll(fds []int) {
	b.t.Helper()
	var in [4096]byte
	for _, fd := range fds {
		if n := b.answer(fd, in[:]); text(in[:n]) != "HTTP/1.1 200 OK" {
			b.t.Fatalf("got %q", in[:n])
		}
	}
}

// noBuffer has more connections readable at a time than there are buffers.
func noBuffer(t *testing.T) *bench {
	b := newBench(t, Options{Buffers: 2, recvWindow: 64})
	b.askAll(b.dialAll(16))
	return b
}

// noBufferNoData has receives, of connections that have sent nothing, find no buffer,
// as another has taken it: they are read again, and find nothing. As many turns later
// nobody is read from any more.
func noBufferNoData(t *testing.T) *bench {
	b := newBench(t, Options{Buffers: 1, recvWindow: 64})
	fds := b.dialAll(8)
	r := b.l.rings[0]
	b.askEach(fds[:1], askRequest)
	b.until("the report of it", func() bool { return !r.queue.empty() }) // it stands first among those to be read from
	for slot := uint32(1); slot < uint32(len(fds)); slot++ {
		b.l.resume(r, slot)
	}
	b.answerAll(fds[:1])
	b.until("nothing to read", func() bool { return r.queue.empty() && r.quiet() })
	return b
}

// completionsOverflow has more completions at a time than the queue holds.
func completionsOverflow(t *testing.T) *bench {
	b := newBench(t, Options{SQEntries: 4, CQEntries: 4})
	b.askAll(b.dialAll(32))
	return b
}

// submissionsFull has a message for more connections than the queue holds
// submissions.
func submissionsFull(t *testing.T) *bench {
	b := newBench(t, Options{SQEntries: 2, CQEntries: 4})
	fds := b.dialAll(32)
	b.askEach(fds, []byte("GET /sub?cname=c&seq=1 HTTP/1.1\r\nHost: h\r\n\r\n"))
	b.until("all to be held", func() bool { return b.e.svc.Subscribers() == int64(len(fds)) })
	admin := b.dial(b.admin)
	defer unix.Close(admin)
	var in [4096]byte
	full := b.l.count.n[cSQFull]
	b.ask(admin, pushRequest, in[:])
	b.answerAll(fds)
	if b.l.count.n[cSQFull] == full {
		t.Error("the queue was never full of sends")
	}
	return b
}

// tableFull has more clients than the table holds, each of whom is served when another
// has left.
func tableFull(t *testing.T) *bench {
	const slots, clients = 8, 40
	b := newBench(t, Options{EngineOptions: optionsFor(1, slots)})
	free := b.l.rings[0].free
	fds := b.connect(clients, b.front)
	b.until("a full table", func() bool { return b.l.count.n[cAccepts] >= slots-1 })
	for range 100 {
		b.step()
	}
	if n := b.l.count.n[cAccepts]; n != slots-1 { // one is kept for the admin door
		t.Fatalf("%d accepted into a table of %d", n, slots)
	}
	for _, fd := range fds {
		if err := unix.SetNonblock(fd, true); err != nil {
			t.Fatal(err)
		}
		b.askAll([]int{fd})
		if err := unix.Shutdown(fd, unix.SHUT_WR); err != nil {
			t.Fatal(err)
		}
	}
	b.until("all to be closed", func() bool { return b.l.rings[0].free == free })
	if b.l.count.n[cAcceptErrors] != 0 {
		t.Errorf("%d accepts failed", b.l.count.n[cAcceptErrors])
	}
	return b
}

// multishotEnds has the kernel end each kind of multishot request: the poll of a
// connection, that of the loop's own eventfd, and the accept.
func multishotEnds(t *testing.T) *bench {
	b := newBench(t, Options{EngineOptions: optionsFor(1, 100), SQEntries: 8, CQEntries: 8})
	fds := b.dialAll(1)
	r, a := b.l.rings[0], &b.l.acceptors[0]
	for i, end := range []func() userData{
		func() userData { return r.tag(reqPoll, 0, 0) },
		func() userData { return tag(reqWake, 0, 0, 0) },
		func() userData { return tag(reqAccept, a.gen, 0, 0) },
	} {
		if a.mode != modeStreaming {
			t.Fatalf("the front door is in mode %d", a.mode)
		}
		rearms := b.l.count.n[cRearms]
		b.l.cancel(r, end())
		b.until("arming anew", func() bool { return b.l.count.n[cRearms] == rearms+1 })
		b.until("streaming", func() bool { return a.mode == modeStreaming })
		b.askAll(append(fds, b.dialAll(1)...))
		if b.l.count.n[cRearms] != rearms+1 {
			t.Errorf("request %d was armed %d times anew", i, b.l.count.n[cRearms]-rearms)
		}
	}
	return b
}

// staleCompletions has completions come which bear another generation than their
// slot's, of every kind: they are dropped, and the connection that holds the slot goes
// on.
func staleCompletions(t *testing.T) *bench {
	b := newBench(t, Options{})
	fds := b.dialAll(1)
	r := b.l.rings[0]
	gen := uint16(r.state[0] >> fGenShift)
	ops := []request{reqPoll, reqRecv, reqSend, reqClose}
	for _, op := range ops {
		e := b.l.entry(r)
		e.PrepareNop()
		e.UserData = uint64(tag(op, gen-1, 0, 0))
	}
	b.until("stale completions", func() bool { return b.l.count.n[cStale] == uint64(len(ops)) })
	b.askAll(fds)
	return b
}

// stall has a client leave a long reply unread, so that its send waits for room.
func (b *bench) stall() (fd int) {
	b.t.Helper()
	b.pushLong(1)
	fd = b.dialAll(1)[0]
	b.askEach([]int{fd}, askLongRequest)
	stalled := 0
	b.until("a stalled send", func() bool {
		if stalled++; b.l.sends.used == 0 {
			stalled = 0
		}
		return stalled == 100
	})
	return fd
}

// closeWhileSending has a client leave by a half-close, unread, while a send to it
// waits: poll and send are armed when the connection is closed. All of it ends, though
// the client goes on holding its end, and though the kernel is trying that send anew
// each time that it is to be cancelled: it does so 128 times where a socket says that
// it has room, and has none.
func closeWhileSending(t *testing.T) *bench {
	b := newBench(t, Options{})
	free := b.l.rings[0].free
	fd := b.stall()
	cancels := b.l.count.n[cCancels]
	if err := unix.Shutdown(fd, unix.SHUT_WR); err != nil {
		t.Fatal(err)
	}
	b.until("the close", func() bool { return b.l.rings[0].free == free })
	if n := b.l.count.n[cCancels] - cancels; n < 2 || b.l.sends.used != 0 {
		t.Errorf("%d cancels, want the poll's and the send's; %d sends left", n, b.l.sends.used)
	}
	return b
}

// cancelRace has what a close is to cancel end just before it: the kernel has said so,
// and the loop has not read it yet.
func cancelRace(t *testing.T) *bench {
	b := newBench(t, Options{})
	r := b.l.rings[0]
	free := r.free
	fd := b.dialAll(1)[0]
	if err := unix.Shutdown(fd, unix.SHUT_WR); err != nil {
		t.Fatal(err)
	}
	b.until("the close", func() bool {
		if r.state[0]&(fHungup|fPoll) == fHungup|fPoll { // the close comes with the next turn
			b.l.cancel(r, r.tag(reqPoll, 0, 0))
			b.l.enterNow(r)
		}
		return r.free == free
	})
	if b.l.count.n[cStale] != 0 {
		t.Errorf("%d completions came after the connection's end", b.l.count.n[cStale])
	}
	return b
}

// interrupted has a loop's waits end by the signal of a profile, which makes an empty
// turn and nothing else.
func interrupted(t *testing.T) *bench {
	b := newBench(t, Options{})
	fds := b.dialAll(1)
	if err := pprof.StartCPUProfile(io.Discard); err == nil { // else the tests are being profiled
		defer pprof.StopCPUProfile()
	}
	pid, tid := os.Getpid(), unix.Gettid()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for b.l.count.shown[cEINTR].Load() == 0 {
			_ = unix.Tgkill(pid, tid, unix.SIGPROF)
			time.Sleep(time.Millisecond)
		}
	}()
	for b.l.count.n[cEINTR] == 0 {
		b.l.pass() // nothing but the signal ends its wait
	}
	<-done
	b.askAll(fds)
	return b
}

// partOfASend has a reply go in parts, as its reader is slow.
func partOfASend(t *testing.T) *bench {
	b := newBench(t, Options{})
	b.slowReaders(1, func() {})
	return b
}

// sendFails has a client reset its connection while a send to it waits.
func sendFails(t *testing.T) *bench {
	b := newBench(t, Options{})
	free := b.l.rings[0].free
	fd := b.stall()
	sends := b.l.count.n[cSends]
	if err := unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
		t.Fatal(err)
	}
	other, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(other)
	// This closes the socket, and leaves the number to who will close it.
	if err := unix.Dup3(other, fd, unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	b.until("the close", func() bool { return b.l.rings[0].free == free })
	if n := b.l.count.n[cSends] - sends; n != 1 {
		t.Errorf("%d sends ended, want the one that failed", n)
	}
	return b
}
