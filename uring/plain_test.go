package uring

import (
	"strings"
	"testing"

	"c1000k/comet"

	"golang.org/x/sys/unix"
)

// TestPlainSlots proves that slots for plain descriptors are handed out once each,
// the one freed last first, that a descriptor past them is closed and counted, and
// that memory is touched only as far as they were used.
func TestPlainSlots(t *testing.T) {
	const slots = 4
	var d descriptors
	if err := d.open(slots); err != nil {
		t.Fatal(err)
	}
	defer d.close()
	for i := range uint32(slots) {
		if slot, ok := d.take(int32(100 + i)); !ok || slot != i || d.fresh != i+1 {
			t.Fatalf("take %d: slot %d, %v, %d used", i, slot, ok, d.fresh)
		}
	}
	if _, ok := d.take(200); ok {
		t.Error("a fifth of four slots")
	}
	d.give(1)
	d.give(3)
	for _, want := range []uint32{3, 1} {
		if slot, ok := d.take(300); !ok || slot != want || d.at[slot] != 300 {
			t.Errorf("slot %d, %v, want %d", slot, ok, want)
		}
	}

	b := newBench(t, Options{PlainFDs: true})
	r := b.l.rings[0]
	r.fds.fresh = uint32(len(r.fds.at)) // none is left
	stray, err := unix.Dup(0)
	if err != nil {
		t.Fatal(err)
	}
	b.l.accepted(r, int32(stray), comet.DoorFront, comet.Peer{})
	if _, err := unix.FcntlInt(uintptr(stray), unix.F_GETFD, 0); err != unix.EBADF || b.l.count.n[cAcceptErrors] != 1 {
		t.Errorf("a descriptor without a slot: %v, counted %d times", err, b.l.count.n[cAcceptErrors])
	}
	r.fds.fresh = 0
}

// TestNoDescriptorLeft proves that an accept for which the process has no
// descriptor is counted, leaves the client in the backlog, and is tried again after
// a rest.
func TestNoDescriptorLeft(t *testing.T) {
	b := newBench(t, Options{PlainFDs: true, SingleAccept: true})
	b.step()
	fds := b.connect(1, b.front)
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	low := was
	low.Cur = 3
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	restored := false
	restore := func() {
		if !restored {
			restored = true
			if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
				t.Fatal(err)
			}
		}
	}
	defer restore()
	b.until("a failed accept", func() bool { return b.l.count.n[cAcceptErrors] > 0 })
	a := &b.l.acceptors[0]
	if a.mode != modeResting || b.l.count.n[cAccepts] != 0 {
		t.Fatalf("mode %d, %d accepted", a.mode, b.l.count.n[cAccepts])
	}
	restore()
	a.retryAt, b.l.admitDirty = 0, true
	b.until("the accept after it", func() bool { return b.l.count.n[cAccepts] == 1 })
	if err := unix.SetNonblock(fds[0], true); err != nil {
		t.Fatal(err)
	}
	var in [1024]byte
	if n := b.ask(fds[0], askRequest, in[:]); text(in[:n]) != "HTTP/1.1 200 OK" {
		t.Errorf("the client that waited: %q", in[:n])
	}
}

// TestPlainSizeRefused proves that more connections than the process may have
// descriptors are refused with the limit and the ways out, and that a size which is
// not asked for stays below it.
func TestPlainSizeRefused(t *testing.T) {
	_, err := New(nil, Options{PlainFDs: true, EngineOptions: comet.EngineOptions{MaxConns: maxSlots}})
	for _, want := range []string{"descriptor limit of", "fds=direct", "ulimit -n"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: want %q", err, want)
		}
	}
	e, err := New(nil, Options{PlainFDs: true, EngineOptions: comet.EngineOptions{Loops: 2}})
	if err != nil {
		t.Fatal(err)
	}
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	if n := e.opts.MaxConns; n < 1 || n+plainSpare > int(lim.Cur) {
		t.Errorf("%d connections by default, of %d descriptors", n, lim.Cur)
	}
}
