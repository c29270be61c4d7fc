package load

import (
	"strings"
	"testing"
)

// streamHeadBytes begins a stream's reply.
const streamHeadBytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

// streamChunk is a message of the stream, as one chunk.
func streamChunk(kind string, seq int) string {
	return strings.TrimSuffix(fakeChunk(fakeObject(kind, "c0000002", seq, "x")+"\n"), "0\r\n\r\n")
}

// testStream is a reactor of streams with one that waits at slot 2.
func testStream(t *testing.T) (r *reactor, peer int) {
	r = testReactor(t)
	r.gen.opts.Stream = true
	return r, r.hang(t, 2)
}

// TestStreamRequest proves that a stream asks once, at its own path.
func TestStreamRequest(t *testing.T) {
	r, _ := testStream(t)
	want := "GET /stream?cname=c0000002&seq=1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
	if got := string(r.pollRequest(2, &r.records[2])); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestStreamSplitAtEveryByte proves that a stream is understood wherever it is cut,
// that each of its messages counts once, that nothing is sent for them and that no
// buffer is kept.
func TestStreamSplitAtEveryByte(t *testing.T) {
	reply := streamHeadBytes + streamChunk("data", 1) + streamChunk("noop", 4) + streamChunk("data", 2) + streamChunk("data", 3)
	r, peer := testStream(t)
	c := &r.records[2]
	for cut := 0; cut < len(reply); cut++ {
		c.begin(firstSeq)
		c.flags = 0
		before := r.gen.sum()
		for _, piece := range []string{reply[:cut], reply[cut:]} {
			if !r.consume(2, c, []byte(piece), 0) {
				t.Fatalf("cut at %d: refused", cut)
			}
		}
		counts := r.gen.sum().since(before).counts()
		if counts.Messages != 3 || counts.Held != 1 || !counts.Clean() || c.next != 4 {
			t.Fatalf("cut at %d: %+v, %+v", cut, counts, c)
		}
		if got := polled(t, peer); got != "" || c.borrow != 0 {
			t.Fatalf("cut at %d: sent %q, buffer %d", cut, got, c.borrow)
		}
	}
}

// TestBadStreams proves that what no stream is ends the connection, and that
// numbers skipped and repeated are found.
func TestBadStreams(t *testing.T) {
	one := streamChunk("data", 1)
	for name, test := range map[string]struct {
		reply string
		dead  bool
		count func(Counts) int64
	}{
		"a number skipped":  {streamHeadBytes + one + streamChunk("data", 3), false, func(c Counts) int64 { return c.Lost }},
		"a number repeated": {streamHeadBytes + one + one, false, func(c Counts) int64 { return c.Repeated }},
		"its end":           {streamHeadBytes + one + "0\r\n\r\n", true, func(c Counts) int64 { return c.BadReplies }},
		"an array":          {streamHeadBytes + strings.TrimSuffix(fakeChunk("["+fakeObject("data", "c0000002", 1, "x")+"]\n"), "0\r\n\r\n"), true, func(c Counts) int64 { return c.BadReplies }},
		"no line":           {streamHeadBytes + strings.TrimSuffix(fakeChunk(fakeObject("data", "c0000002", 1, "x")), "0\r\n\r\n"), true, func(c Counts) int64 { return c.BadReplies }},
		"a chunk's end":     {streamHeadBytes + strings.TrimSuffix(one, "\r\n") + "xx", true, func(c Counts) int64 { return c.BadReplies }},
		"a length":          {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true, func(c Counts) int64 { return c.BadReplies }},
		"refused":           {streamHeadBytes + streamChunk("429", 0), true, func(c Counts) int64 { return c.RefusedPolls }},
	} {
		r, _ := testStream(t)
		c := &r.records[2]
		alive := r.consume(2, c, []byte(test.reply), 0)
		if counts := r.gen.sum().counts(); alive == test.dead || test.count(counts) != 1 || counts.Clean() {
			t.Errorf("%s: alive %v, %+v", name, alive, counts)
		}
	}
}
