package enginetest

import (
	"strings"
	"testing"
	"time"

	"c1000k/comet"
)

// testDrain proves that a server about to stop tells all whom it holds, in each
// mode, as it was told to; that idle connections end at once
// and that who is not told yet loses nothing; that nobody new is accepted, nor reset; and that in the end nobody is left.
func testDrain(t *testing.T, f Factory) {
	for _, x := range []struct {
		name string
		how  comet.Farewell
		kind string
		seq  int
	}{{"Noop", comet.FarewellNoop, "noop", 3}, {"Close", comet.FarewellClose, "close", 2}} {
		subtest(t, x.name, func(t *testing.T) {
			s := newServer(t, f, setup{options: comet.EngineOptions{Loops: 1}})
			s.mustCall("/push?cname=d&content=x")
			n := scaled(100)
			polls, streams := make([]*client, n), make([]*client, n)
			for i := range n {
				polls[i], streams[i] = s.mustDial(comet.DoorFront), s.mustDial(comet.DoorFront)
				polls[i].mustSend(t, get("/sub?cname=d&seq=2&noop=3"))
				streams[i].mustSend(t, get("/stream?cname=d&seq=2&noop=3"))
			}
			idle := s.mustDial(comet.DoorFront)
			idle.mustAsk(t, sub("d", 1), polled(array(data("d", 1, "x"))))
			watcher := s.watch(t, "")
			s.waitSubscribers("d", 2*n)
			s.svc.Drain(x.how)
			s.engine.StopAccepting()
			object := object(x.kind, "d", x.seq, "")
			expectAll(t, polls, func(int) string { return polledAndClosed(object + "\n") })
			expectAll(t, streams, func(int) string { return streamHead + lines(object) + end })
			for _, c := range append(polls, append(streams, idle, watcher)...) {
				c.mustEnd(t)
			}
			wait(t, func() bool { return s.svc.Connections() == 0 }, func() string { return "connections are left after a drain" })
			late, err := s.dial(comet.DoorFront)
			if err != nil {
				t.Fatalf("who comes during a drain: %v", err)
			}
			defer late.conn.Close()
			if err := late.send(sub("d", 0)); err != nil {
				t.Fatalf("who comes during a drain: %v", err)
			}
			if err := late.silent(20 * time.Millisecond); err != nil {
				t.Errorf("who comes during a drain: %v", err)
			}
		})
	}
	// A loop that is told while it has work of its own loses nothing.
	subtest(t, "WithMessages", func(t *testing.T) {
		s := newServer(t, f, setup{options: comet.EngineOptions{Loops: 2}})
		const messages = 20
		streams := make([]*client, scaled(100))
		for i := range streams {
			streams[i] = s.mustDial(comet.DoorFront)
			streams[i].mustSend(t, get("/stream?cname=dm&seq=1"))
		}
		s.waitSubscribers("dm", len(streams))
		var want strings.Builder
		want.WriteString(streamHead)
		for m := 1; m <= messages; m++ {
			s.mustCall("/push?cname=dm&content=x")
			want.WriteString(lines(data("dm", m, "x")))
		}
		s.svc.Drain(comet.FarewellClose)
		s.engine.StopAccepting()
		want.WriteString(lines(object("close", "dm", messages+1, "")) + end)
		expectAll(t, streams, func(int) string { return want.String() })
	})
}
