package uring

import (
	"testing"
	"time"

	"c1000k/comet"

	"golang.org/x/sys/unix"
)

// TestRestEndsUnderLoad proves that a listener which rests after an error is
// armed again by a loop that never comes to sleep.
func TestRestEndsUnderLoad(t *testing.T) {
	b := newBench(t, Options{})
	b.step()
	for i := range b.l.acceptors {
		if a := &b.l.acceptors[i]; a.door == comet.DoorAdmin {
			b.l.acceptFailed(a, -int32(unix.ENFILE))
		}
	}
	a := &b.l.acceptors[1]
	if a.mode != modeResting {
		t.Fatalf("mode %d after an error", a.mode)
	}
	b.l.admitDirty = true
	waits := b.l.count.n[cWaits]
	// The turn after its time sees to it, however late that turn is.
	for due := false; a.mode == modeResting && !due; {
		due = b.l.now >= a.retryAt
		for range fewPending + 1 { // with so many the loop does not sleep
			e := b.l.entry(b.l.rings[0])
			e.PrepareNop()
		}
		b.l.pass()
	}
	if n := b.l.count.n[cWaits] - waits; n != 0 {
		t.Fatalf("the loop waited %d times", n)
	}
	if a.mode == modeResting {
		t.Error("still resting, after a turn past its time")
	}
}

// TestFullLoopHandsOver proves that connections which woke only a loop that
// then had no room for them are accepted by another loop that has, though
// nothing more arrives to wake it.
func TestFullLoopHandsOver(t *testing.T) {
	const small, large, reserve, arrivals = 9, 100, 1, 20
	b := newBench(t, Options{EngineOptions: comet.EngineOptions{MaxConns: small, AdminReserve: reserve}, CQEntries: 4, SQEntries: 4})
	b.e.rotate = true
	front := comet.Listener{Door: comet.DoorFront, FD: b.l.acceptors[0].fd, Addr: "a test"}
	if err := b.e.addLoop(1, large, 0, []comet.Listener{front}); err != nil {
		t.Fatal(err)
	}
	other := b.e.loops[1]
	if err := other.begin(); err != nil {
		t.Fatal(err)
	}
	other.now = b.e.clock()
	t.Cleanup(func() {
		other.end()
		other.free()
		unix.Close(other.wakeFD)
	})
	both := func() {
		b.step()
		other.wake()
		other.pass()
	}
	for range 3 {
		both() // the small loop stands first
	}
	for _, l := range b.e.loops {
		if m := l.acceptors[0].mode; m != modeStreaming {
			t.Fatalf("loop %d is in mode %d", l.index, m)
		}
	}
	b.connect(arrivals, b.front)
	accepts := func() uint64 { return b.l.count.n[cAccepts] + other.count.n[cAccepts] }
	for end := time.Now().Add(patience); accepts() < arrivals && time.Now().Before(end); {
		both()
	}
	if accepts() != arrivals || b.l.count.n[cAccepts] != small-reserve {
		t.Errorf("%d and %d connections accepted, want %d and %d", b.l.count.n[cAccepts], other.count.n[cAccepts], small-reserve, arrivals-small+reserve)
	}
}

// connect has n clients in a listener's backlog, before they are accepted.
func (b *bench) connect(n int, to *unix.SockaddrInet4) (fds []int) {
	b.t.Helper()
	for range n {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			b.t.Fatal(err)
		}
		b.t.Cleanup(func() { unix.Close(fd) })
		if err := unix.Connect(fd, to); err != nil {
			b.t.Fatal(err)
		}
		fds = append(fds, fd)
	}
	return fds
}

// TestSinglesBesideStreaming proves that single accepts at the admin door and
// a streaming accept that is armed in the same turn do not together overrun
// the table, which would cut clients off.
func TestSinglesBesideStreaming(t *testing.T) {
	const (
		entries = 16
		spare   = entries + 2 // just enough for streaming with two listeners
		slots   = spare + 2   // one of each door is held before
	)
	b := newBench(t, Options{EngineOptions: optionsFor(1, slots), SQEntries: entries, CQEntries: entries})
	defer unix.Close(b.dial(b.admin)) // the whole reserve
	defer unix.Close(b.dial(b.front))
	front, admin := &b.l.acceptors[0], &b.l.acceptors[1]
	if front.mode != modeStreaming {
		t.Fatalf("the front door is in mode %d", front.mode)
	}
	front.mode = modeEnding
	b.l.cancel(front.ring, tag(reqAccept, front.gen, 0, 0))
	for front.mode == modeEnding {
		b.step()
	}
	if r := b.l.rings[0]; front.mode != modeIdle || r.free != spare {
		t.Fatalf("the front door is in mode %d with %d slots free", front.mode, r.free)
	}
	fds := append(b.connect(spare, b.front), b.connect(entries, b.admin)...)
	admin.mode, admin.burst = modeReady, entries // as after a time of many
	admin.gen++
	b.until("a full table", func() bool { return b.l.count.n[cAccepts] == slots })
	for range 10 {
		b.step()
	}
	cut := 0
	for _, fd := range fds {
		var in [1]byte
		if _, _, err := unix.Recvfrom(fd, in[:], unix.MSG_DONTWAIT); err != unix.EAGAIN {
			cut++
		}
	}
	if n := b.l.count.n[cAcceptErrors]; cut != 0 || n != 0 {
		t.Errorf("%d clients cut off, %d accepts failed", cut, n)
	}
}

// TestRingThatCannotBeMade proves that a full loop which could not make its next
// ring, since the process had no descriptor for it, tries again though nothing
// else happens that would have it look: else who waits would wait until somebody
// leaves.
func TestRingThatCannotBeMade(t *testing.T) {
	const slots, rings = 8, 2
	b := newBench(t, Options{EngineOptions: optionsFor(rings, slots), SQEntries: 4, CQEntries: 4})
	b.connect(slots+1, b.front)
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
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 1, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	b.until("a ring that cannot be made", func() bool { return b.l.count.n[cAcceptErrors] > 0 })
	tries, began := b.l.count.n[cAcceptErrors], b.l.now
	for range 100 {
		b.step()
	}
	if n, rests := b.l.count.n[cAcceptErrors]-tries, (b.l.now-began)/acceptRetryNS+1; n > uint64(rests) {
		t.Errorf("%d tries in the time of %d", n, rests)
	}
	restore()
	want := b.l.count.n[cRings] + 1
	for range 3 { // the wait for the core's deadline, an hour, must be cut short
		if deadline := b.l.retryDeadline(comet.NoDeadline); b.l.count.n[cRings] < want && deadline == comet.NoDeadline {
			t.Fatal("the loop would sleep on, full, with room for a ring and somebody waiting")
		}
		b.l.pass()
	}
	b.until("all to be accepted", func() bool { return b.l.count.n[cAccepts] == slots+1 })
}

// TestCancelThatFindsNothing proves that an accept which waits on, since its cancel
// came while the kernel was about to try it anew, is cancelled again: else a single one
// holds the slot that it may fill, and a streaming one goes on.
func TestCancelThatFindsNothing(t *testing.T) {
	t.Run("single", func(t *testing.T) {
		b := newBench(t, Options{SingleAccept: true})
		b.step()
		a, r := &b.l.acceptors[0], b.l.rings[0]
		missed := func() userData {
			u := a.single(0, 0)
			r.singles++
			e := b.l.entry(r)
			r.prepareAccept(e, a.fd, 0, 0)
			e.UserData = uint64(u)
			return u
		}
		first, second := missed(), missed()
		b.step()
		if first == second || r.singles != 2 {
			t.Fatalf("%d accepts wait, %x and %x", r.singles, first, second)
		}
		b.l.complete(r, cancelOf(second), -int32(unix.ENOENT), 0)
		b.until("the second's end", func() bool { return r.singles == 1 })
		b.connect(1, b.front)
		b.until("the first's connection", func() bool { return r.singles == 0 && b.l.count.n[cAccepts] == 1 })
		cancels := b.l.count.n[cCancels]
		b.l.complete(r, cancelOf(first), -int32(unix.ENOENT), 0)
		if n := b.l.count.n[cCancels] - cancels; n != 0 {
			t.Errorf("%d cancels of what is over", n)
		}
	})
	t.Run("streaming", func(t *testing.T) {
		b := newBench(t, Options{SQEntries: 16, CQEntries: 16})
		b.step()
		a := &b.l.acceptors[0]
		if a.mode != modeStreaming {
			t.Fatalf("mode %d", a.mode)
		}
		a.mode = modeEnding
		b.l.complete(a.ring, cancelOf(tag(reqAccept, a.gen, 0, 0)), -int32(unix.ENOENT), 0)
		b.until("another", func() bool { return a.mode == modeStreaming })
		if n := b.l.count.n[cRearms]; n != 0 {
			t.Errorf("%d ended by themselves", n)
		}
	})
}
