package uring

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// receives are the ways to receive.
var receives = []struct {
	name string
	opts Options
}{
	{"Poll", Options{}},
	{"Multishot", Options{MultishotRecv: true}},
	{"OwnBuffers", Options{OwnBuffers: true}},
}

// eachReceive runs a test with each way to receive.
func eachReceive(t *testing.T, test func(*testing.T, Options)) {
	for _, w := range receives {
		t.Run(w.name, func(t *testing.T) { test(t, w.opts) })
	}
}

// holdRequest waits for the first message of a channel.
var holdRequest = []byte("GET /sub?cname=held&seq=1 HTTP/1.1\r\nHost: h\r\n\r\n")

// pausedBytes is more than the core takes from a held connection.
const pausedBytes = 2048

// paused is a client whose poll is held and who has gone on sending, until it was
// stopped and its receive had ended. Its slot is 0.
func (b *bench) paused() (fd int) {
	b.t.Helper()
	fd = b.dial(b.front)
	b.t.Cleanup(func() { unix.Close(fd) })
	early := strings.Repeat(string(askRequest), pausedBytes/len(askRequest))
	for _, p := range []string{string(holdRequest), early} {
		if _, err := unix.Write(fd, []byte(p)); err != nil {
			b.t.Fatal(err)
		}
		b.step()
	}
	st := &b.l.rings[0].state[0]
	b.until("a pause", func() bool { return *st&(fPaused|fRecv|fPoll) == fPaused|fPoll })
	return fd
}

// TestPausedIsNotRead proves that the multishot receive of a client that is not to
// be read from is ended, so that what it sends stays in the kernel, and that its
// leaving is heard of all the same.
func TestPausedIsNotRead(t *testing.T) {
	b := newBench(t, Options{MultishotRecv: true})
	fd := b.paused()
	free, recvs := b.l.rings[0].free, b.l.count.n[cRecvs]
	if _, err := unix.Write(fd, askRequest); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		b.step()
	}
	if n := b.l.count.n[cRecvs] - recvs; n != 0 {
		t.Errorf("%d receives while paused", n)
	}
	if err := unix.Shutdown(fd, unix.SHUT_WR); err != nil {
		t.Fatal(err)
	}
	b.until("the end of who left", func() bool { return b.l.rings[0].free == free+1 })
	if n := b.l.count.n[cStale]; n != 0 {
		t.Errorf("%d stale completions", n)
	}
}

// TestResumedReadsOn proves that a client that was stopped is read on when its poll
// has been answered, and that the watch for its leaving, which stays, neither ends
// it nor hides its end.
func TestResumedReadsOn(t *testing.T) {
	b := newBench(t, Options{MultishotRecv: true})
	fd := b.paused()
	admin := b.dial(b.admin)
	defer unix.Close(admin)
	free := b.l.rings[0].free
	var in [1 << 14]byte
	push := []byte(strings.Replace(string(pushRequest), "cname=c", "cname=held", 1))
	if n := b.ask(admin, push, in[:]); text(in[:n]) != "HTTP/1.1 200 OK" {
		t.Fatalf("the push: %q", in[:n])
	}
	var replies []byte // of which any may come in parts
	b.until("all replies", func() bool {
		if n, err := unix.Read(fd, in[:]); err == nil {
			replies = append(replies, in[:n]...)
		}
		return bytes.Count(replies, []byte("HTTP/1.1 200 OK")) == 1+pausedBytes/len(askRequest)
	})
	st := &b.l.rings[0].state[0]
	b.until("the receive", func() bool { return *st&(fPaused|fRecv|fPoll) == fRecv|fPoll })
	if n := b.ask(fd, askRequest, in[:]); text(in[:n]) != "HTTP/1.1 200 OK" {
		t.Errorf("after the resume: %q", in[:n])
	}
	if err := unix.Shutdown(fd, unix.SHUT_WR); err != nil {
		t.Fatal(err)
	}
	b.until("the end of who left", func() bool { return b.l.rings[0].free == free+1 })
}

// TestResumeOvertakesCancel proves that a receive whose cancel is on its way when
// the core wants more is armed again once it has ended.
func TestResumeOvertakesCancel(t *testing.T) {
	b := newBench(t, Options{MultishotRecv: true})
	fd := b.dial(b.front)
	defer unix.Close(fd)
	r := b.l.rings[0]
	const slot = 0
	for range 2 { // the second cancel may find what the first was for
		b.l.pause(r, slot)
		b.l.resume(r, slot)
	}
	b.until("re-arm", func() bool { return b.l.count.n[cRearms] == 1 && r.state[slot]&fRecv != 0 })
	b.until("quiet", r.quiet)
	if n := b.l.count.n[cRearms]; n != 1 || r.state[slot]&fRecv == 0 {
		t.Errorf("armed again %d times, state %#x", n, r.state[slot])
	}
	var in [1024]byte
	if n := b.ask(fd, askRequest, in[:]); text(in[:n]) != "HTTP/1.1 200 OK" {
		t.Errorf("after the resume: %q", in[:n])
	}
}

// TestOutOfBuffers proves that clients who ask at the same time are all answered,
// in a number of turns in proportion to theirs, by a ring with buffers for few of
// them: the rest are armed again and not forgotten, and none keeps the others out.
func TestOutOfBuffers(t *testing.T) {
	const clients, buffers, turns = 100, 2, 2 * 100 / 2
	b := newBench(t, Options{MultishotRecv: true, Buffers: buffers, BufferBytes: 64})
	var fds []int
	for range clients {
		fd := b.dial(b.front)
		defer unix.Close(fd)
		fds = append(fds, fd)
	}
	b.until("quiet", b.l.rings[0].quiet)
	b.askWithin(fds, turns)
	n := &b.l.count.n
	if n[cENOBUFS] == 0 || n[cRearms] < n[cENOBUFS] {
		t.Errorf("%d receives found no buffer, %d were armed again", n[cENOBUFS], n[cRearms])
	}
	b.until("quiet", b.l.rings[0].quiet)
	for slot := range uint32(clients) {
		if st := b.l.rings[0].state[slot]; st&(fOpen|fRecv) != fOpen|fRecv {
			t.Errorf("slot %d is in state %#x: its receive is not armed", slot, st)
		}
	}
}

// TestCollectsWhatFits proves that a turn which does not wait has the kernel
// collect no more than the buffers hold.
func TestCollectsWhatFits(t *testing.T) {
	const clients, buffers = 200, 64
	b := newBench(t, Options{MultishotRecv: true, Buffers: buffers})
	var fds []int
	for range clients {
		fd := b.dial(b.front)
		defer unix.Close(fd)
		fds = append(fds, fd)
	}
	r := b.l.rings[0]
	b.until("quiet", r.quiet)
	for _, fd := range fds {
		if _, err := unix.Write(fd, askRequest); err != nil {
			t.Fatal(err)
		}
	}
	b.l.enterSure(r)
	if r.ready() >= clients {
		t.Skip("this kernel tells all that it has in one enter")
	}
	b.l.enterNow(r)
	if n := r.ready(); n > buffers {
		t.Errorf("%d receives collected into %d buffers", n, buffers)
	}
}

// TestReceiveEndedEarly proves that a multishot receive that ends by itself, with
// what it brought or without, is armed again.
func TestReceiveEndedEarly(t *testing.T) {
	b := newBench(t, Options{MultishotRecv: true})
	fd := b.dial(b.front)
	defer unix.Close(fd)
	r := b.l.rings[0]
	var in [1024]byte
	for i, end := range []func(){
		func() { b.l.cancel(r, r.tag(reqRecv, 0, 0)) },
		func() {
			b.l.cancel(r, r.tag(reqRecv, 0, 0))
			for _, errno := range []unix.Errno{unix.EAGAIN, unix.EINTR, unix.ENOBUFS} {
				b.l.complete(r, r.tag(reqRecv, 0, 0), -int32(errno), 0)
			}
		},
	} {
		before := b.l.count.n[cRearms]
		end()
		b.until("re-arm", func() bool { return b.l.count.n[cRearms] > before && r.quiet() && r.state[0]&fRecv != 0 })
		if n := b.ask(fd, askRequest, in[:]); text(in[:n]) != "HTTP/1.1 200 OK" {
			t.Errorf("after end %d: %q", i, in[:n])
		}
	}
}

// TestOwnBuffers proves that each buffer is out once at most, whoever gives it back
// how often, and that none overlaps another.
func TestOwnBuffers(t *testing.T) {
	const n, bytes = 4, 16
	var b ownBuffers
	if err := b.open(n, bytes); err != nil {
		t.Fatal(err)
	}
	defer b.close()
	for range 2 {
		var seen [n]bool
		for range n {
			i := b.take()
			if seen[i] {
				t.Fatalf("buffer %d was given out twice", i)
			}
			seen[i] = true
			copy(b.data(i, bytes), fmt.Sprintf("%-16d", i))
		}
		for i := range uint32(n) {
			if got, want := string(b.data(i, bytes)), fmt.Sprintf("%-16d", i); got != want {
				t.Errorf("buffer %d holds %q", i, got)
			}
			if b.addr(i) != b.addr(0)+uintptr(i)*bytes {
				t.Errorf("buffer %d is at %x, the first at %x", i, b.addr(i), b.addr(0))
			}
			b.give(i)
			b.give(i)
		}
		if len(b.free) != n {
			t.Errorf("%d buffers are free of %d", len(b.free), n)
		}
	}
}

// TestMultishotJudged proves that a kernel without multishot receives is told from
// one that has them, and that the reason says what works.
func TestMultishotJudged(t *testing.T) {
	const more, buffer = 1 << 1, 1 << 0
	for _, c := range []struct {
		res   int32
		flags uint32
		want  string
	}{
		{1, more | buffer, ""},
		{-int32(unix.EINVAL), 0, "refuses a multishot receive (Linux 6.0"},
		{1, buffer, "ends with its first bytes"},
	} {
		err := judgeMultishotRecv(c.res, c.flags)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "recv=poll works")) {
			t.Errorf("%d, %#x: %v", c.res, c.flags, err)
		}
	}
}
