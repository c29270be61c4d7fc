package uring

import (
	"testing"

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
	for until := a.retryAt + acceptRetryNS; a.mode == modeResting && b.l.now < until; {
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
		t.Error("still resting, long after its time")
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
	for range arrivals {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		if err := unix.Connect(fd, b.front); err != nil {
			t.Fatal(err)
		}
	}
	accepts := func() uint64 { return b.l.count.n[cAccepts] + other.count.n[cAccepts] }
	for range 1_000 {
		if accepts() == arrivals {
			break
		}
		both()
	}
	if accepts() != arrivals || b.l.count.n[cAccepts] != small-reserve {
		t.Errorf("%d and %d connections accepted, want %d and %d", b.l.count.n[cAccepts], other.count.n[cAccepts], small-reserve, arrivals-small+reserve)
	}
}
