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
