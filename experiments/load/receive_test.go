package load

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"c1000k/experiments/load/rawnet"
	"c1000k/experiments/load/replies"
)

// testReactor is a reactor without a thread, for the parts that need none.
func testReactor(t testing.TB) *reactor {
	t.Helper()
	g, err := New(Options{Host: "127.0.0.1", Port: 20000, Ports: 1, Connections: 10, Subscribers: 1, Reactors: 1, Openers: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.End)
	r := g.reactors[0]
	if r.poller, err = rawnet.NewPoller(1); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.poller.Close)
	r.records = make([]record, 10)
	r.buf = make([]byte, readBytes)
	return r
}

// hang makes slot a held connection whose other end is returned.
func (r *reactor) hang(t testing.TB, slot int) (peer int) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(pair[1]) })
	c := &r.records[slot]
	*c = record{fd: int32(pair[0]), channel: uint32(slot)}
	c.begin(firstSeq)
	r.hold(c)
	t.Cleanup(func() {
		if c.state != stateDead {
			unix.Close(pair[0])
		}
	})
	return pair[1]
}

// polled reads what the connection has sent.
func polled(t testing.TB, peer int) string {
	t.Helper()
	buf := make([]byte, 1024)
	n, err := unix.Read(peer, buf)
	if err != nil && err != unix.EAGAIN {
		t.Fatal(err)
	}
	return string(buf[:max(n, 0)])
}

// Replies of every framing that the protocol has, and some that HTTP allows
// beyond it.
func sampleReplies() map[string]string {
	data := func(seq int) string { return fakeObject("data", "c0000002", seq, `say \"x\"\\`) }
	withLength := func(body string) string {
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
	return map[string]string{
		"live":        fakeHead + fakeChunk(data(1)+"\n"),
		"replay":      fakeHead + fakeChunk("["+data(1)+","+data(2)+"]\n"),
		"broadcast":   fakeHead + fakeChunk("["+fakeObject("broadcast", "c0000002", 1, "x")+","+fakeObject("next_seq", "c0000002", 2, "")+"]\n"),
		"noop":        fakeHead + fakeChunk(fakeObject("noop", "c0000002", 7, "")+"\n"),
		"two chunks":  fakeHead + "5\r\n" + data(1)[:5] + "\r\n" + fmt.Sprintf("%X\r\n", len(data(1))-4) + data(1)[5:] + "\n\r\n0\r\n\r\n",
		"by length":   withLength(data(1) + "\n"),
		"other cases": strings.Replace(fakeHead, "Transfer-Encoding: chunked", "transfer-encoding:Chunked", 1) + fakeChunk(data(1)+"\n"),
	}
}

// A reply is understood wherever it is cut: at every byte in two, and into single
// bytes. The buffer it borrowed is given back, and the next poll is sent once,
// when the last byte is there and not before.
func TestRepliesSplitAtEveryByte(t *testing.T) {
	for name, reply := range sampleReplies() {
		t.Run(name, func(t *testing.T) {
			r := testReactor(t)
			peer := r.hang(t, 2)
			c := &r.records[2]
			whole := func(cuts ...int) {
				c.begin(firstSeq)
				from := 0
				for _, cut := range append(cuts, len(reply)) {
					if got := polled(t, peer); from > 0 && got != "" {
						t.Fatalf("cut at %v: polled before the end: %q", cuts, got)
					}
					if !r.consume(2, c, []byte(reply[from:cut]), 0) {
						t.Fatalf("cut at %v: refused", cuts)
					}
					from = cut
				}
				want := fmt.Sprintf("GET /sub?cname=c0000002&seq=%d HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", c.next)
				if got := polled(t, peer); got != want {
					t.Fatalf("cut at %v: polled %q, want %q", cuts, got, want)
				}
				if c.borrow != 0 || len(r.unused) != len(r.borrowed) || c.flags&flagHead != 0 {
					t.Fatalf("cut at %v: left behind: %+v", cuts, c)
				}
			}
			whole()
			wantNext := c.next
			var each []int
			for cut := 1; cut < len(reply); cut++ {
				whole(cut)
				if c.next != wantNext {
					t.Fatalf("cut at %d: asks for %d, whole for %d", cut, c.next, wantNext)
				}
				each = append(each, cut)
			}
			whole(each...)
			if totals := r.gen.sum().counts(); !totals.Clean() {
				t.Fatalf("%+v", totals)
			}
		})
	}
}

// What is not the protocol ends the connection, wherever it is cut, and never
// counts as a message.
func TestBadReplies(t *testing.T) {
	object := fakeObject("data", "c0000002", 1, "x")
	for name, reply := range map[string]string{
		"not HTTP":             "HELO\r\n\r\n",
		"HTTP/1.0":             "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
		"status":               "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
		"no length":            "HTTP/1.1 200 OK\r\n\r\n",
		"length no number":     "HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\n",
		"length too large":     "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n",
		"chunk no number":      fakeHead + "zz\r\n",
		"chunk without number": fakeHead + "\r\n",
		"chunk too large":      fakeHead + "ffffffff\r\n",
		"chunk of many digits": fakeHead + "000000001\r\n",
		"chunk longer":         fakeHead + "3\r\n" + object + "\r\n0\r\n\r\n",
		"trailer":              fakeHead + fmt.Sprintf("%x\r\n%s\r\n0\r\nX: y\r\n\r\n", len(object), object),
		"head without end":     "HTTP/1.1 200 OK\r\n" + strings.Repeat("x", replies.MostHeadBytes),
		"key order":            fakeHead + fakeChunk(`{"cname":"c0000002","type":"data","seq":1,"content":"x"}`+"\n"),
		"unknown type":         fakeHead + fakeChunk(fakeObject("thing", "c0000002", 1, "x")+"\n"),
		"seq no number":        fakeHead + fakeChunk(strings.Replace(object, `:1,`, `:-1,`, 1)+"\n"),
		"seq too large":        fakeHead + fakeChunk(strings.Replace(object, `:1,`, `:4294967296,`, 1)+"\n"),
		"string without end":   fakeHead + fakeChunk(strings.Replace(object, `"x"`, `"x\"`, 1)+"\n"),
		"array without end":    fakeHead + fakeChunk("["+object+"\n"),
		"empty array":          fakeHead + fakeChunk("[]\n"),
		"trailing comma":       fakeHead + fakeChunk("["+object+",]\n"),
		"more than one reply":  strings.Repeat(fakeHead+fakeChunk(object+"\n"), 2),
	} {
		for _, piece := range []int{len(reply), 1} {
			r := testReactor(t)
			peer := r.hang(t, 2)
			c := &r.records[2]
			for rest := []byte(reply); len(rest) > 0 && c.state != stateDead; rest = rest[piece:] {
				r.consume(2, c, rest[:piece], 0)
			}
			totals := r.gen.sum()
			// In single bytes the second of two replies answers the next poll.
			if name == "more than one reply" && piece == 1 {
				if totals[cRepeated] != 1 {
					t.Errorf("%s in pieces of %d: %+v", name, piece, totals.counts())
				}
				continue
			}
			if c.state != stateDead || totals[cBadReplies] != 1 || totals[cHeld] != 0 || c.borrow != 0 {
				t.Errorf("%s in pieces of %d: %+v, %+v", name, piece, totals.counts(), c)
			}
			if n, err := unix.Read(peer, make([]byte, 1)); n != 0 || err != nil {
				t.Errorf("%s in pieces of %d: the connection is open: %d, %v", name, piece, n, err)
			}
		}
	}
}

// However a stream of bytes is cut, it is judged the same; nothing makes the
// parser read beyond its bytes.
func FuzzReply(f *testing.F) {
	for _, reply := range sampleReplies() {
		f.Add([]byte(reply), uint16(20))
	}
	f.Add([]byte(fakeHead+"ffffffff\r\n"), uint16(3))
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"), uint16(40))
	r := testReactor(f)
	f.Fuzz(func(t *testing.T, reply []byte, at uint16) {
		cut := int(at) % (len(reply) + 1)
		judge := func(pieces ...[]byte) (verdict string) {
			var c record
			var data []byte
			for _, piece := range pieces {
				data = append(data, piece...)
				body, size, err := r.parse(&c, &data)
				if err != nil {
					return "bad"
				}
				if size > 0 {
					return fmt.Sprintf("%q", body)
				}
			}
			return "partial"
		}
		whole, cutUp := judge(reply), judge(reply[:cut], reply[cut:])
		if whole != cutUp {
			t.Fatalf("whole: %s; cut at %d: %s", whole, cut, cutUp)
		}
		if m, rest, err := replies.ParseMessage(reply); err == nil && !bytes.HasSuffix(reply, rest) {
			t.Fatalf("%+v leaves %q, which is not the end of it", m, rest)
		}
	})
}

// A connection costs the 24 bytes that are promised.
func TestRecordSize(t *testing.T) {
	if size := unsafe.Sizeof(record{}); size > 24 {
		t.Fatalf("a record has %d bytes", size)
	}
}

// The numbers are judged as a model judges that remembers all of them: 10,000
// random walks of small steps, in both directions.
func TestTakeAgainstModel(t *testing.T) {
	for seed := range uint64(10_000) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var c record
		first := uint32(1 + rng.IntN(40))
		c.begin(first)
		next, seen := first, map[uint32]bool{}
		lost := 0
		for step := range 40 {
			seq := next + uint32(rng.IntN(7)) - 3
			if seq == 0 || seq > next+3 {
				continue
			}
			want, skips := inOrder, uint32(0)
			switch {
			case seq > next:
				want, skips = afterGap, seq-next
				lost += int(skips)
				next = seq + 1
			case seq == next:
				next++
			case seen[seq] || seq < first:
				want = repeated
			default:
				want = outOfOrder
				lost--
			}
			seen[seq] = true
			got, skipped := c.take(seq)
			if got != want || skipped != skips || c.next != next {
				t.Fatalf("seed %d, step %d: %d is %v, %d skipped, next %d; want %v, %d, %d",
					seed, step, seq, got, skipped, c.next, want, skips, next)
			}
		}
		missing := 0
		for n := first; n < next; n++ {
			if !seen[n] {
				missing++
			}
		}
		if lost != missing {
			t.Fatalf("seed %d: %d lost, %d missing", seed, lost, missing)
		}
	}
}

// A gap longer than is remembered does not make what follows it wrong.
func TestTakeLongGap(t *testing.T) {
	var c record
	c.begin(1)
	if v, skipped := c.take(100); v != afterGap || skipped != 99 {
		t.Fatalf("%v, %d", v, skipped)
	}
	if v, _ := c.take(100); v != repeated {
		t.Fatalf("the same again: %v", v)
	}
	if v, _ := c.take(99); v != outOfOrder {
		t.Fatalf("one of the gap: %v", v)
	}
	if v, _ := c.take(101); v != inOrder {
		t.Fatalf("the next: %v", v)
	}
}

// The draw depends on the seed alone, and repeats no channel before all have
// come.
func TestDraw(t *testing.T) {
	channels := make([]uint32, 50)
	for i := range channels {
		channels[i] = uint32(i * 3)
	}
	a, b, other := draw(channels, 120, 1), draw(channels, 120, 1), draw(channels, 120, 2)
	if fmt.Sprint(a) != fmt.Sprint(b) {
		t.Error("the same seed draws differently")
	}
	if fmt.Sprint(a) == fmt.Sprint(other) {
		t.Error("another seed draws the same")
	}
	for from := 0; from < len(a); from += len(channels) {
		seen := map[uint32]bool{}
		for _, channel := range a[from:min(from+len(channels), len(a))] {
			if seen[channel] || channel%3 != 0 {
				t.Fatalf("draw %d on: %d twice, or not among the channels", from, channel)
			}
			seen[channel] = true
		}
	}
}

// Layouts: each connection has one place, and the first n are spread as said.
func TestLayout(t *testing.T) {
	for _, l := range []layout{
		{reactors: 1, capacity: 100},
		{reactors: 3, capacity: 34},
		{reactors: 6, capacity: 17, own: true},
	} {
		for n := range 101 {
			seen := map[int]bool{}
			for r := range l.reactors {
				for slot := range l.share(r, n) {
					if slot >= l.capacity {
						t.Fatalf("%+v: reactor %d holds %d of %d", l, r, l.share(r, n), n)
					}
					seen[l.id(r, slot)] = true
				}
			}
			for id := range n {
				if !seen[id] {
					t.Fatalf("%+v: of %d connections, %d has no place", l, n, id)
				}
			}
			if len(seen) != n {
				t.Fatalf("%+v: %d places for %d connections", l, len(seen), n)
			}
		}
	}
}
