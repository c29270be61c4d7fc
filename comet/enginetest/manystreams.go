package enginetest

import (
	"strings"
	"testing"

	"c1000k/comet"
)

// testStreamFanOut proves that every message to one channel reaches each of its
// streams once and in order, whatever their mode, with polls among them, on
// several loops, and that a stream is held all the while.
func testStreamFanOut(t *testing.T, f Factory) {
	const messages = 50
	n := scaled(300)
	s := newServer(t, f, setup{options: comet.EngineOptions{Loops: 2}, config: func(c *comet.Config) { c.ChannelBufferSize = messages }})
	clients := make([]*client, n)
	for i := range clients {
		clients[i] = s.mustDial(comet.DoorFront)
		clients[i].mustSend(t, get([]string{"/stream", "/sse", "/iframe"}[i%3]+"?cname=sf&seq=1"))
	}
	s.waitSubscribers("sf", n)
	polls := s.hold(n/3, func(int) string { return "sf" })
	var stream, events, frames strings.Builder
	stream.WriteString(streamHead)
	events.WriteString(eventsHead + retry)
	frames.WriteString(frameHead + "<page>")
	for m := 1; m <= messages; m++ {
		s.mustCall("/push?cname=sf&content=m" + decimal(m))
		object := data("sf", m, "m"+decimal(m))
		stream.WriteString(lines(object))
		events.WriteString(event(m, object))
		frames.WriteString(script(object))
	}
	want := []string{stream.String(), events.String(), frames.String()}
	chunks := []int{messages, messages + 1, messages + 1}
	for i, c := range clients {
		if got, err := c.beginning(chunks[i%3]); err != nil || got != want[i%3] {
			t.Fatalf("client %d: %v\n%q, want\n%q", i, err, got, want[i%3])
		}
	}
	expectAll(t, polls, func(int) string { return polled(data("sf", 1, "m1") + "\n") })
	s.waitSubscribers("sf", n)
}

// testSlowStream proves that a stream whose client does not read is served from
// the history when it does; and that one which the history can serve no more
// is closed, with no message lost or repeated before that, while others go on.
func testSlowStream(t *testing.T, f Factory) {
	const kernelBytes = 4 << 10
	content := strings.Repeat("the quick brown fox ", 300)
	push := "/push?cname=slow&content=" + strings.ReplaceAll(content, " ", "+")
	open := func(t *testing.T, history int) (*server, *client, *client) {
		s := newServer(t, f, setup{
			sendBuffer: kernelBytes, options: comet.EngineOptions{Loops: 1},
			config: func(c *comet.Config) { c.ChannelBufferSize = history },
		})
		slow, err := s.dialSmall(kernelBytes)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { slow.conn.Close() })
		slow.mustSend(t, get("/stream?cname=slow&seq=1"))
		quick := s.mustDial(comet.DoorFront)
		quick.mustSend(t, get("/stream?cname=slow&seq=1"))
		s.waitSubscribers("slow", 2)
		return s, slow, quick
	}
	subtest(t, "CatchesUp", func(t *testing.T) {
		const messages = 600 // more than wait for one send
		s, slow, quick := open(t, messages)
		var want strings.Builder
		want.WriteString(streamHead)
		read := make(chan error, 1)
		go func() {
			_, err := quick.beginning(messages)
			read <- err
		}()
		for m := 1; m <= messages; m++ {
			s.mustCall(push)
			want.WriteString(lines(data("slow", m, content)))
		}
		if err := <-read; err != nil {
			t.Fatalf("the quick one: %v", err)
		}
		if got, err := slow.beginning(messages); err != nil || got != want.String() {
			t.Fatalf("the slow one: %v, %d bytes, want %d", err, len(got), want.Len())
		}
		s.waitSubscribers("slow", 2)
	})
	subtest(t, "Closed", func(t *testing.T) {
		const messages = 400
		s, slow, quick := open(t, 10)
		if _, err := quick.beginning(0); err != nil {
			t.Fatal(err)
		}
		for m := 1; m <= messages; m++ {
			s.mustCall(push)
			if got, err := quick.line(); err != nil || got != data("slow", m, content) {
				t.Fatalf("the quick one, message %d: %v, %.100q", m, err, got)
			}
		}
		// Whatever comes is in order and whole; then the connection ends.
		got, err := slow.beginning(messages)
		if err == nil {
			t.Fatal("a stream that missed messages was not closed")
		}
		body := strings.TrimPrefix(got, streamHead)
		for m := 1; ; m++ {
			rest, ok := strings.CutPrefix(body, lines(data("slow", m, content)))
			if !ok {
				if m < 3 || !strings.HasPrefix(lines(data("slow", m, content)), body) {
					t.Fatalf("message %d is out of order: %.100q", m, body)
				}
				break
			}
			body = rest
		}
		s.waitSubscribers("slow", 1)
	})
}
