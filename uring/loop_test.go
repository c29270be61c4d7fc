package uring

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	"github.com/pawelgaczynski/giouring"
	"golang.org/x/sys/unix"
)

// TestClosedWhileArmed proves that a connection which the core closes while
// its poll or its receive is armed ends on the wire at once, and that its slot is free again:
// a close of the descriptor alone would leave the socket open.
func TestClosedWhileArmed(t *testing.T) {
	eachReceive(t, closedWhileArmed)
}

func closedWhileArmed(t *testing.T, opts Options) {
	b := newBench(t, opts)
	free := b.l.rings[0].free
	fd := b.dial(b.front)
	defer unix.Close(fd)
	var in [1024]byte
	n := b.ask(fd, []byte("POST /sub HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"), in[:])
	if !strings.HasPrefix(text(in[:n]), "HTTP/1.1 405") {
		t.Fatalf("got %q", in[:n])
	}
	b.until("close", func() bool { return b.l.rings[0].free == free })
	for {
		n, err := unix.Read(fd, in[:])
		if err == unix.EAGAIN {
			b.step()
			continue
		}
		if err != nil {
			t.Fatalf("want the end of the stream, got %v", err)
		}
		if n == 0 {
			break
		}
	}
	if b.l.count.n[cCancels] != 1 || b.l.count.n[cStale] != 0 {
		t.Errorf("%d cancels, %d stale completions", b.l.count.n[cCancels], b.l.count.n[cStale])
	}
}

// TestEndWithAStalledSend proves that the engine's end takes a send that cannot
// go on from the kernel: the core may free the pieces afterwards.
func TestEndWithAStalledSend(t *testing.T) {
	eachReceive(t, endWithAStalledSend)
}

func endWithAStalledSend(t *testing.T, opts Options) {
	b := newBench(t, opts)
	b.stall()
	b.l.end()
	if b.l.sends.used != 0 || b.l.count.n[cCancels] == 0 {
		t.Errorf("%d sends left, %d cancels", b.l.sends.used, b.l.count.n[cCancels])
	}
}

// TestHotPathAllocatesNothing proves that neither a request with its reply nor
// a poll that is held, a push, its delivery and the next poll allocate.
func TestHotPathAllocatesNothing(t *testing.T) {
	eachReceive(t, hotPathAllocatesNothing)
}

func hotPathAllocatesNothing(t *testing.T, opts Options) {
	const warm, turns = 100, 200
	b := newBench(t, opts)
	sub, admin := b.dial(b.front), b.dial(b.admin)
	defer unix.Close(sub)
	defer unix.Close(admin)
	var in [1024]byte
	var poll []byte
	seq := int64(0)
	turn := func() {
		b.ask(sub, askRequest, in[:])
		seq++
		poll = strconv.AppendInt(append(poll[:0], "GET /sub?cname=c&seq="...), seq, 10)
		poll = append(poll, " HTTP/1.1\r\nHost: h\r\n\r\n"...)
		if _, err := unix.Write(sub, poll); err != nil {
			t.Fatal(err)
		}
		b.until("a held poll", func() bool { return b.e.svc.Subscribers() == 1 })
		b.ask(admin, pushRequest, in[:])
		n := b.answer(sub, in[:])
		if b.e.svc.Subscribers() != 0 || !bytes.Contains(in[:n], contentMember) {
			t.Fatalf("turn %d: not delivered: %q", seq, in[:n])
		}
	}
	for range warm {
		turn() // slices grow to their size
	}
	before := b.stat("delivered")
	if n := testing.AllocsPerRun(turns, turn); n != 0 {
		t.Errorf("%v allocations a turn", n)
	}
	// It is called once more, before what is counted.
	if n := b.stat("delivered") - before; n != turns+1 {
		t.Errorf("%d messages were delivered in %d turns", n, turns+1)
	}
	if n := b.stat("replayed"); n != 0 {
		t.Errorf("%d messages were replayed, so their polls were not held", n)
	}
}

// contentMember is of the reply that brings what pushRequest sends.
var contentMember = []byte(`"content":"x"`)

// stat is a counter of the core's, as of the end of the last turn.
func (b *bench) stat(name string) uint64 {
	b.t.Helper()
	for _, s := range b.e.svc.Stats() {
		if s.Name == name {
			return s.Value
		}
	}
	b.t.Fatalf("the core has no counter %q", name)
	return 0
}

// BenchmarkRequest is a request and its reply, with the client's system calls.
func BenchmarkRequest(b *testing.B) {
	for _, w := range receives {
		b.Run(w.name, func(b *testing.B) { benchmarkRequest(b, w.opts) })
	}
}

func benchmarkRequest(b *testing.B, opts Options) {
	h := newBench(b, opts)
	fd := h.dial(h.front)
	defer unix.Close(fd)
	var in [1024]byte
	h.ask(fd, askRequest, in[:])
	before := h.l.count.n
	b.ReportAllocs()
	for b.Loop() {
		h.ask(fd, askRequest, in[:])
	}
	b.ReportMetric(float64(h.l.count.n[cEnters]-before[cEnters])/float64(b.N), "enters/op")
}

// TestRingFootprint holds the memory of a ring with all of it touched.
func TestRingFootprint(t *testing.T) {
	eachReceive(t, ringFootprint)
}

func ringFootprint(t *testing.T, opts Options) {
	const (
		rings     = 20
		mostBytes = 200 << 10
		slots     = 100
	)
	opts.EngineOptions = optionsFor(rings+1, slots)
	b := newBench(t, opts)
	touch := func(r *ring) {
		for i := range r.sqes {
			r.sqes[i] = giouring.SubmissionQueueEntry{}
		}
		for i := range r.cqes {
			_ = r.cqes[i].UserData
		}
		for id := range r.buf.desc {
			clear(r.buf.data(uint16(id), r.buf.bytes))
		}
		clear(r.own.mem.b)
	}
	touch(b.l.rings[0])
	before := residentBytes(t)
	for range rings {
		if err := b.l.addRing(); err != nil {
			t.Fatal(err)
		}
		touch(b.l.rings[len(b.l.rings)-1])
	}
	each := (residentBytes(t) - before) / rings
	t.Logf("%d bytes a ring", each)
	if each > mostBytes {
		t.Errorf("%d bytes a ring, at most %d", each, mostBytes)
	}
}

// TestInputKeepsUp proves that all who ask at the same time are answered within a
// few turns, however many they are, though the kernel tells of 20 in one enter: who
// asks must not fall behind while each turn sends to others. Without collecting
// what is left it takes half as long again.
func TestInputKeepsUp(t *testing.T) {
	eachReceive(t, inputKeepsUp)
}

func inputKeepsUp(t *testing.T, opts Options) {
	// A turn reads from as many as there are buffers, 64.
	const clients, turns = 400, 400/defaultBuffers + 4
	b := newBench(t, opts)
	var fds []int
	for range clients {
		fd := b.dial(b.front)
		defer unix.Close(fd)
		fds = append(fds, fd)
	}
	b.step()
	b.askWithin(fds, turns)
	if b.l.count.n[cCollects] == 0 {
		t.Error("no enter collected what another had left")
	}
}
