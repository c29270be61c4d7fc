package uring

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"c1000k/comet"

	"github.com/pawelgaczynski/giouring"
	"golang.org/x/sys/unix"
)

func optionsFor(rings, slots int) comet.EngineOptions {
	return comet.EngineOptions{Loops: 1, MaxConns: rings * slots, TableLimit: slots, AdminReserve: 1}
}

func residentBytes(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(b))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// TestRecordSizes holds the engine's part of the memory budget: a word a
// connection that is touched when it opens, another when it first sends, and a
// record for each send that is outstanding.
func TestRecordSizes(t *testing.T) {
	if n := unsafe.Sizeof(ring{}.state[:1][0]); n != 4 {
		t.Errorf("a connection's state is %d bytes, not 4", n)
	}
	if n := unsafe.Sizeof(sendRecord{}); n != 120 {
		t.Errorf("a send record is %d bytes, not 120", n)
	}
	if n := unsafe.Sizeof(msgHeader{}); n != unsafe.Sizeof(unix.Msghdr{}) {
		t.Errorf("a message header is %d bytes", n)
	}
	if n := unsafe.Sizeof(ioVector{}); n != unsafe.Sizeof(unix.Iovec{}) {
		t.Errorf("a piece is %d bytes", n)
	}
}

// TestUserData proves that what goes into user data comes out, at both ends of
// each field.
func TestUserData(t *testing.T) {
	for _, op := range []request{reqPoll, reqChild} {
		for _, gen := range []uint16{0, 1<<genBits - 1} {
			for _, aux := range []uint32{0, maxAux - 1} {
				for _, slot := range []uint32{0, maxSlots - 1} {
					u := tag(op, gen, aux, slot)
					if u.op() != op || u.gen() != gen || u.aux() != aux || u.slot() != slot {
						t.Errorf("%x: %d %d %d %d", u, u.op(), u.gen(), u.aux(), u.slot())
					}
				}
			}
		}
	}
}

// TestLargeBufferRing proves that the overlay's buffer ring is right past the
// 4,096 entries at which the library's own corrupts: each of 8,192 receives
// gets the byte that was next, in a buffer of its own.
func TestLargeBufferRing(t *testing.T) {
	const entries, bytes = 8192, 8
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var q queues
	if err := q.open(newSetup(64, 128, taskDeferred)); err != nil {
		t.Fatal(err)
	}
	defer q.close()
	var b buffers
	if err := b.open(&q, entries, bytes); err != nil {
		t.Fatal(err)
	}
	defer b.close()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	seen := make([]bool, entries)
	for i := range entries {
		if _, err := unix.Write(pair[1], []byte{byte(i), byte(i >> 8)}); err != nil {
			t.Fatal(err)
		}
		e := q.next()
		e.PrepareRecv(pair[0], 0, 0, 0)
		e.Flags, e.BufIG = giouring.SqeBufferSelect, bufferGroup
		if errno := q.enter(1, giouring.EnterGetEvents, nil); errno != 0 {
			t.Fatal(errno)
		}
		c := q.cqes[q.cqSeen&uint32(len(q.cqes)-1)]
		q.cqSeen++
		q.advance()
		id := uint16(c.Flags >> giouring.CQEBufferShift)
		if c.Res != 2 || c.Flags&giouring.CQEFBuffer == 0 || seen[id] {
			t.Fatalf("receive %d: result %d, flags %#x, buffer %d seen %v", i, c.Res, c.Flags, id, seen[id])
		}
		seen[id] = true
		if p := b.data(id, 2); p[0] != byte(i) || p[1] != byte(i>>8) {
			t.Fatalf("receive %d: %x in buffer %d", i, p, id)
		}
	}
}

// TestSlotQueue proves that the queue gives out what was put in, in order,
// when it wraps, and begins at its start again when it is empty.
func TestSlotQueue(t *testing.T) {
	const slots = 5
	var q slotQueue
	if err := q.open(slots); err != nil {
		t.Fatal(err)
	}
	defer q.close()
	in, out := uint32(0), uint32(0)
	push := func() { q.push(in); in++ }
	pop := func() {
		if got := q.pop(); got != out {
			t.Fatalf("got %d, want %d", got, out)
		}
		out++
	}
	for range slots {
		push()
	}
	for range 3 * slots {
		pop()
		push()
	}
	for range slots {
		pop()
	}
	if !q.empty() || q.head != 0 {
		t.Errorf("head %d, tail %d after all was taken", q.head, q.tail)
	}
}

// TestSkip proves that a partial send goes on at the right byte, for every
// number of bytes sent and every cut of the message into pieces.
func TestSkip(t *testing.T) {
	message := []byte("abcdefg")
	for a := 1; a < len(message)-1; a++ {
		for b := a + 1; b < len(message); b++ {
			for n := range len(message) {
				s := sendRecord{count: 3, iov: [3]ioVector{{0, uint64(a)}, {uint64(a), uint64(b - a)}, {uint64(b), uint64(len(message) - b)}}}
				s.skip(uint64(n))
				var rest []byte
				for _, v := range s.iov[s.first:s.count] {
					rest = append(rest, message[v.base:v.base+v.len]...)
				}
				if !bytes.Equal(rest, message[n:]) {
					t.Fatalf("cut at %d and %d, %d sent: left %q", a, b, n, rest)
				}
			}
		}
	}
}

// TestProbe proves that this machine's kernel is taken for what it is, and
// that each refusal names its reason.
func TestProbe(t *testing.T) {
	if err := Probe(); err != nil {
		t.Errorf("probe: %v", err)
	}
	f := features{taskRun: taskDeferred}
	for _, c := range []struct {
		err  error
		want string
	}{
		{unix.ENOSYS, "no io_uring (Linux 6.1"},
		{unix.EINVAL, "lacks deferred task running"},
		{unix.ENOMEM, "ulimit -l"},
		{unix.EMFILE, "ulimit -n"},
	} {
		if got := refusal(c.err, f).Error(); !strings.Contains(got, c.want) || !strings.Contains(got, c.err.Error()) {
			t.Errorf("%v: %q", c.err, got)
		}
	}
	for _, c := range []struct{ sysctl, seccomp, want string }{
		{"2", "0", "io_uring_disabled = 2"},
		{"1", "0", "io_uring_group"},
		{"0", "2", "seccomp"},
		{"", "0", "security module"},
	} {
		if got := whyForbidden(c.sysctl, c.seccomp); !strings.Contains(got, c.want) {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// TestOptionsRefused proves that settings out of range are refused with their
// name, and that a server cannot be all reserve.
func TestOptionsRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		opts Options
	}{
		{"SQEntries", Options{SQEntries: 100}},
		{"CQEntries", Options{SQEntries: 64, CQEntries: 32}},
		{"Buffers", Options{Buffers: 1 << 16}},
		{"BufferBytes", Options{BufferBytes: -1}},
		{"buffers=own", Options{MultishotRecv: true, OwnBuffers: true}},
		{"Batch", Options{Batch: -1}},
		{"Loops", Options{EngineOptions: comet.EngineOptions{Loops: -1}}},
		{"table", Options{EngineOptions: comet.EngineOptions{TableLimit: 1 << 30}}},
	} {
		if _, err := New(nil, c.opts); err == nil || !strings.Contains(err.Error(), c.name) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	e := &Engine{limit: 100, opts: Options{EngineOptions: comet.EngineOptions{MaxConns: 50, AdminReserve: 50}}}
	if _, err := e.adminSlots(true); err == nil {
		t.Error("all slots were reserved")
	}
	if n, err := e.adminSlots(false); n != 0 || err != nil {
		t.Errorf("%d slots reserved for no admin door, %v", n, err)
	}
}
