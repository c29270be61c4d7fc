package uring

import (
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestPartialSendsWhileReadingEarly proves that reading ends of sends early,
// while the core's actions are carried out, may itself fill the submission
// queue, and so read further ends, without any completion being read twice.
func TestPartialSendsWhileReadingEarly(t *testing.T) {
	const (
		conns      = 6 // with the two fillers they fill the completion queue
		first      = 1 // bytes that are said to have gone
		whole      = 10
		nopResult  = 1 // flag of a no-operation: the length is its result (Linux 6.10)
		sqEntries  = 2
		cqEntries  = 8
		fillerOp   = request(15) // nobody's: counted as stale
		recordedAt = 1024        // of the loop's page: past what it uses
	)
	b := newBench(t, Options{SQEntries: sqEntries, CQEntries: cqEntries})
	if !b.e.features.dontWait {
		t.Skip("the kernel's no-operation cannot be given a result before Linux 6.10")
	}
	r := b.l.rings[0]
	var fds [conns]int
	for i := range fds {
		fds[i] = b.dial(b.front)
		defer unix.Close(fds[i])
	}
	b.until("quiet", r.quiet)
	text := b.l.waitMem.b[recordedAt : recordedAt+whole]
	copy(text, "0123456789")
	for slot := range uint32(conns) {
		i := b.l.sends.take()
		s := &b.l.sends.rec[i]
		s.iov[0] = ioVector{uint64(uintptr(unsafe.Pointer(&text[0]))), whole}
		s.sent, s.total, s.first, s.count, s.token = 0, whole, 0, 1, ^uint16(0)
		b.l.sendIndex[r.conn(slot)] = i
		r.state[slot] |= fSend
		e := b.l.entry(r)
		e.PrepareNop()
		e.Len, e.OpcodeFlags = first, nopResult
		e.UserData = uint64(r.tag(reqSend, slot, i))
	}
	sends, stale := b.l.count.n[cSends], b.l.count.n[cStale]
	b.l.acting = true
	fillers := uint64(0)
	for b.l.count.n[cPartialSends] == 0 {
		e := b.l.entry(r)
		e.PrepareNop()
		e.UserData = uint64(tag(fillerOp, 0, 0, 0))
		fillers++
	}
	b.l.acting = false
	b.until("the ends of all sends", func() bool { return b.l.sends.used == 0 })
	b.until("quiet", r.quiet)
	if n := b.l.count.n[cPartialSends]; n != conns {
		t.Errorf("%d partial sends, want %d", n, conns)
	}
	if n := b.l.count.n[cSends] - sends; n != conns {
		t.Errorf("%d sends ended, want %d", n, conns)
	}
	if n := b.l.count.n[cStale] - stale; n != fillers {
		t.Errorf("%d stale completions, want the %d fillers", n, fillers)
	}
	var in [2 * whole]byte
	for i, fd := range fds {
		if n, err := unix.Read(fd, in[:]); err != nil || string(in[:n]) != string(text[first:]) {
			t.Errorf("connection %d got %q, %v", i, in[:max(n, 0)], err)
		}
	}
}

// TestSlowReadersTakeNoThreads proves that long replies to readers that are slow
// wait in the ring: a send that waits for room very often the kernel would give to
// a thread of its own, which blocks in it, one for each reader.
func TestSlowReadersTakeNoThreads(t *testing.T) {
	const readers = 4
	before := kernelThreads(t, "iou-wrk-") // those of other rings rest for some seconds
	b := newBench(t, Options{})
	b.slowReaders(readers, func() {
		for thread := range kernelThreads(t, "iou-wrk-") {
			if !before[thread] {
				t.Fatalf("%s is a thread of the kernel's, by %d sends that wait", thread, b.l.sends.used)
			}
		}
	})
}

// slowReaders has replies of more than a megabyte go to readers that take a
// kilobyte of each in a turn, with each turn whatever else is to be done.
func (b *bench) slowReaders(readers int, each func()) {
	const messages, atOnce = 3, 1024
	b.t.Helper()
	b.pushLong(messages)
	var in [4096]byte
	fds := b.dialAll(readers)
	b.askEach(fds, askLongRequest)
	sends := b.l.count.n[cSends]
	for total := 0; total < readers*messages*longBytes; b.step() {
		for _, fd := range fds {
			if n, err := unix.Read(fd, in[:atOnce]); err == nil {
				total += n
			} else if err != unix.EAGAIN {
				b.t.Fatal(err)
			}
		}
		each()
	}
	b.until("the rest of the replies", func() bool {
		for _, fd := range fds {
			_, _ = unix.Read(fd, in[:])
		}
		return b.l.sends.used == 0
	})
	if n := b.l.count.n[cSends] - sends; n != uint64(readers) {
		b.t.Errorf("%d sends for %d replies", n, readers)
	}
}

// askLongRequest is answered with what pushLong has pushed.
var askLongRequest = []byte("GET /sub?cname=long&seq=1 HTTP/1.1\r\nHost: h\r\n\r\n")

// longBytes is the length of a long content.
const longBytes = 400_000

// pushLong pushes n messages that are long.
func (b *bench) pushLong(n int) {
	b.t.Helper()
	admin := b.dial(b.admin)
	defer unix.Close(admin)
	body := "cname=long&content=" + strings.Repeat("x", longBytes)
	push := fmt.Sprintf("POST /push HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	var in [1024]byte
	for range n {
		for rest := []byte(push); len(rest) > 0; b.step() {
			if n, err := unix.Write(admin, rest); err == nil {
				rest = rest[n:]
			}
		}
		b.answer(admin, in[:])
	}
}
