package load

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"c1000k/experiments/load/replies"
)

// nchanReactor is a reactor without a thread that speaks to nchan.
func nchanReactor(t testing.TB) *reactor {
	t.Helper()
	r := testReactor(t)
	r.gen.numbers = firstNumbers(len(r.records))
	r.positions = make([]position, len(r.records))
	return r
}

// nchanReply is a reply of nchan with further lines in its head.
func nchanReply(lines, body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Length: %d\r\nConnection: keep-alive\r\n%s\r\n%s", len(body), lines, body)
}

// TestNchanPolls proves that a poll has the position of the reply before it, as it
// came, wherever the reply was cut, and the first has none.
func TestNchanPolls(t *testing.T) {
	const start = "GET /sub?cname=c0000002 HTTP/1.1\r\nHost: 127.0.0.1\r\n"
	for _, test := range []struct{ head, poll string }{
		{"Etag: 1795884250:12\r\n", start + "If-None-Match: 1795884250:12\r\n\r\n"},
		{"Last-Modified: Sat, 28 Nov 2026 16:44:10 GMT\r\nEtag: 3\r\n",
			start + "If-Modified-Since: Sat, 28 Nov 2026 16:44:10 GMT\r\nIf-None-Match: 3\r\n\r\n"},
	} {
		r := nchanReactor(t)
		peer := r.hang(t, 2)
		c := &r.records[2]
		if got := string(r.pollRequest(2, c)); got != start+"\r\n" {
			t.Fatalf("the first poll: %q", got)
		}
		reply := func(seq int) string {
			return nchanReply(test.head, fakeObject("data", "c0000002", seq, "x")+"\n")
		}
		for cut := range len(reply(1)) {
			c.begin(firstSeq)
			r.positions[2] = position{}
			whole := reply(1)
			if cut > 0 && (!r.consume(2, c, []byte(whole[:cut]), 0) || polled(t, peer) != "") {
				t.Fatalf("cut at %d: refused, or polled before the end", cut)
			}
			if !r.consume(2, c, []byte(whole[cut:]), 0) {
				t.Fatalf("cut at %d: refused", cut)
			}
			if got := polled(t, peer); got != test.poll {
				t.Fatalf("cut at %d: polled %q, want %q", cut, got, test.poll)
			}
		}
		for _, seq := range []int{2, 2, 4, 3} {
			r.consume(2, c, []byte(reply(seq)), 0)
		}
		if n := r.gen.sum().counts(); n.Repeated != 1 || n.OutOfOrder != 1 || n.Lost != 0 || n.BadReplies != 0 {
			t.Errorf("numbers 2 2 4 3: %+v", n)
		}
	}
}

// TestNchanBadReplies proves that what the load cannot go on from ends the
// connection and is counted, in one piece and in single bytes, and that another's message is
// counted.
func TestNchanBadReplies(t *testing.T) {
	object := fakeObject("data", "c0000002", 1, "x") + "\n"
	good := nchanReply("Etag: 1\r\n", object)
	for name, reply := range map[string]string{
		"no position":     nchanReply("", object),
		"two positions":   nchanReply("Etag: 1\r\nEtag: 2\r\n", object),
		"long position":   nchanReply("Etag: "+strings.Repeat("1", 99)+"\r\n", object),
		"position's line": nchanReply("Etag: 1\n2\r\n", object),
		"not modified":    strings.Replace(good, "200 OK", "304 Not Modified", 1),
		"timeout":         strings.Replace(good, "200 OK", "408 Request Timeout", 1),
		"gone":            strings.Replace(good, "200 OK", "410 Gone", 1),
		"chunks":          fakeHead + fakeChunk(object),
		"another's":       nchanReply("Etag: 1\r\n", "hello"),
		"empty":           nchanReply("Etag: 1\r\n", ""),
		"no length":       strings.Replace(good, "Content-Length", "X-Length", 1),
	} {
		for _, piece := range []int{len(reply), 1} {
			r := nchanReactor(t)
			r.hang(t, 2)
			c := &r.records[2]
			for rest := []byte(reply); len(rest) > 0 && c.state != stateDead; rest = rest[min(piece, len(rest)):] {
				r.consume(2, c, rest[:min(piece, len(rest))], 0)
			}
			if n := r.gen.sum(); c.state != stateDead || n[cBadReplies] != 1 || n[cMessages] != 0 || c.borrow != 0 {
				t.Errorf("%s in pieces of %d: %+v, %+v", name, piece, n.counts(), c)
			}
		}
	}
	r := nchanReactor(t)
	r.hang(t, 3)
	r.consume(3, &r.records[3], []byte(good), 0)
	if n := r.gen.sum(); n[cMisdelivered] != 1 || n[cMessages] != 0 {
		t.Errorf("a message of another channel: %+v", n.counts())
	}
}

// FuzzNchanReply proves that no reply of nchan, however it is cut, takes the load
// out of its way: the connection is dead, waits for more, or has polled again.
func FuzzNchanReply(f *testing.F) {
	good := nchanReply("Etag: 1\r\n", fakeObject("data", "c0000002", 1, "x")+"\n")
	f.Add([]byte(good), uint16(30))
	f.Add([]byte(fakeHead+fakeChunk("x")), uint16(3))
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), uint16(3))
	f.Fuzz(func(t *testing.T, reply []byte, at uint16) {
		r := nchanReactor(t)
		peer := r.hang(t, 2)
		c := &r.records[2]
		cut := int(at) % (len(reply) + 1)
		if cut == 0 || r.consume(2, c, reply[:cut], 0) {
			r.consume(2, c, reply[cut:], 0)
		}
		if n := r.gen.sum(); n[cBadReplies]+n[cHeld]+n[cNotHeld]+n[cRefusedPolls] != 1 {
			t.Fatalf("%+v", n.counts())
		}
		if c.state != stateDead && r.gen.sum()[cPolls] > 1 && polled(t, peer) == "" {
			t.Fatal("a poll is counted that was not sent")
		}
	})
}

// TestNchanPublishes proves what a push is to nchan, byte for byte, that each
// channel has numbers of its own, and which answers take it.
func TestNchanPublishes(t *testing.T) {
	g := nchanReactor(t).gen
	p := &pusher{gen: g, picks: []uint32{3, 7, 3}, op: g.begin(replies.Data, 3)}
	for i, want := range []struct {
		channel string
		seq     int
	}{{"c0000003", 1}, {"c0000007", 1}, {"c0000003", 2}} {
		body := fakeObject("data", want.channel, want.seq, string(p.op.appendContent(nil, i))) + "\n"
		text := fmt.Sprintf("POST /pub?cname=%s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\n\r\n%s",
			want.channel, len(body), body)
		if got := string(p.request([]byte("before "), i)); got != "before "+text {
			t.Errorf("push %d: %q, want %q", i, got, text)
		}
	}
	for status, taken := range map[int]bool{200: false, 201: true, 202: true, 403: false, 413: false, 507: false} {
		if g.accepts(status) != taken {
			t.Errorf("status %d", status)
		}
	}
	g.numbers = nil
	if !g.accepts(200) || g.accepts(201) {
		t.Error("of icomet 200 alone takes a push")
	}
}

// TestNchanRefuses proves that what nchan's protocol has not is refused with a
// reason.
func TestNchanRefuses(t *testing.T) {
	r := nchanReactor(t)
	r.hang(t, 0)
	ctx := context.Background()
	if _, err := r.gen.Broadcast(ctx, BroadcastOptions{Count: 1, Admin: "127.0.0.1:1"}, nil); !errors.Is(err, errNoBroadcast) {
		t.Error(err)
	}
	if _, err := r.gen.Push(ctx, PushOptions{Count: 2, Admin: "127.0.0.1:1"}, nil); !errors.Is(err, errOvertake) {
		t.Error(err)
	}
	if _, err := r.gen.Push(ctx, PushOptions{Count: 1, Admin: "127.0.0.1:1"}, nil); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("one message to the one that is held: %v", err)
	}
	o := Options{Host: "127.0.0.1", Port: 1, Ports: 1, Connections: 1, Openers: 1, Protocol: "gopher"}
	if _, err := New(o); err == nil || !strings.Contains(err.Error(), "gopher") {
		t.Error(err)
	}
}
