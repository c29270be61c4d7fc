package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"c1000k/experiments/load/replies"
)

// startGenerator makes a generator that ends with the test.
func startGenerator(t *testing.T, o Options) *Generator {
	t.Helper()
	g, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.End)
	return g
}

// open opens n connections and waits until the server has their polls.
func open(t *testing.T, g *Generator, s *fakeServer, n int) OpenResult {
	t.Helper()
	s.mutex.Lock()
	before := s.polls
	s.mutex.Unlock()
	r, err := g.Open(context.Background(), n, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.await("every poll reaches the server", func() bool { return s.polls-before >= int(r.Added) })
	return r
}

// awaitCounts fails the test if the counts do not come to fulfil a condition.
func awaitCounts(t *testing.T, g *Generator, what string, condition func(Counts) bool) Counts {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		c := g.Counts()
		if condition(c) {
			return c
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come about: %+v", what, c)
		}
	}
}

// The whole of it against a correct server, on each way to spread subscribers:
// every push and broadcast comes once, each connection polls again for the next
// number, and all is closed in the end.
func TestHoldPushBroadcastClose(t *testing.T) {
	for _, subscribers := range []int{1, 4, 0} {
		t.Run(fmt.Sprintf("subscribers=%d", subscribers), func(t *testing.T) {
			const n = 200
			s := startFake(t, 3, func(s *fakeServer) { s.history = 1000 })
			o := s.options(n)
			o.Subscribers, o.Reactors = subscribers, 3
			g := startGenerator(t, o)
			ctx := context.Background()
			open(t, g, s, n/2)
			if r := open(t, g, s, n); r.Added != n/2 || r.Opened != n || r.Counts.Held != n || r.Retries != 0 {
				t.Fatalf("second open: %+v", r)
			}
			channels := o.channels()
			if len(s.channels) != channels {
				t.Fatalf("the server has %d channels, want %d", len(s.channels), channels)
			}

			const pushes = 500
			p, err := g.Push(ctx, PushOptions{Count: pushes, Seed: 7, Admin: s.admin}, nil)
			if err != nil || !p.Clean() || p.Channels != channels || p.Accepted != pushes {
				t.Fatalf("push: %v %+v", err, p)
			}
			if want := int64(pushes * n / channels); p.Expected != want || p.Delivered != want || p.Latency.Samples != want {
				t.Fatalf("push to %d channels of %d subscribers delivered %d of %d, %d samples",
					channels, n/channels, p.Delivered, p.Expected, p.Latency.Samples)
			}
			b, err := g.Broadcast(ctx, BroadcastOptions{Count: 3, Admin: s.admin}, nil)
			if err != nil || !b.Clean() || len(b.Rounds) != 3 {
				t.Fatalf("broadcast: %v %+v", err, b)
			}
			for _, r := range b.Rounds {
				if r.Delivered != n || r.First <= 0 || r.Median < r.First*0.99 || r.Last < r.Median*0.99 {
					t.Errorf("round: %+v", r)
				}
			}
			c, err := g.CloseAll(ctx, nil)
			if err != nil || c.Closed != n || g.Counts().Held != 0 {
				t.Fatalf("close: %v %+v %+v", err, c, g.Counts())
			}
			s.await("the server sees every connection end", func() bool { return s.conns == 0 })
		})
	}
}

// After closing, the same generator opens again, and a channel that has moved on
// meanwhile replays what was missed, from the number asked for.
func TestReopenReplays(t *testing.T) {
	s := startFake(t, 1, func(s *fakeServer) { s.history = 10 })
	g := startGenerator(t, s.options(2))
	open(t, g, s, 2)
	if _, err := g.CloseAll(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	s.await("the connections end", func() bool { return s.conns == 0 })
	for range 3 {
		s.ask("/push?cname=c0000001&content=x")
	}
	open(t, g, s, 2)
	c := awaitCounts(t, g, "the replay of three", func(c Counts) bool { return c.Messages == 3 })
	if !c.Clean() || c.Unrelated != 3 || c.Held != 2 {
		t.Fatalf("%+v", c)
	}
}

// Each fault of a server is found and counted under its own name: the checker
// can fail.
func TestFaultsAreCounted(t *testing.T) {
	message := func(name string, seq int, live string) string {
		m, _, err := replies.ParseMessage([]byte(strings.Trim(live, "[]\n")))
		if err != nil {
			t.Fatal(err)
		}
		return fakeObject("data", name, seq, string(m.Content))
	}
	for _, fault := range []struct {
		name string
		live func(name string, seq int, live string) string
		want func(Counts) bool
	}{
		{"lost", func(name string, seq int, live string) string {
			return message(name, seq+2, live) + "\n"
		}, func(c Counts) bool { return c.Lost == 2 && c.Repeated == 0 && c.OutOfOrder == 0 }},
		{"repeated", func(name string, seq int, live string) string {
			return "[" + message(name, seq, live) + "," + message(name, seq, live) + "]\n"
		}, func(c Counts) bool { return c.Repeated == 1 && c.Lost == 0 }},
		{"out of order", func(name string, seq int, live string) string {
			return "[" + message(name, seq+1, live) + "," + message(name, seq, live) + "]\n"
		}, func(c Counts) bool { return c.OutOfOrder == 1 && c.Lost == 0 && c.Repeated == 0 }},
		{"skipped by next_seq", func(name string, seq int, live string) string {
			return "[" + message(name, seq, live) + "," + fakeObject("next_seq", name, seq+3, "") + "]\n"
		}, func(c Counts) bool { return c.Lost == 2 }},
		{"another channel's", func(name string, seq int, live string) string {
			return message("c9999999", seq, live) + "\n"
		}, func(c Counts) bool { return c.Misdelivered == 1 }},
		{"not the protocol", func(name string, seq int, live string) string {
			return `{"type":"data"}`
		}, func(c Counts) bool { return c.BadReplies == 1 && c.Held == 0 }},
		{"two objects without an array", func(name string, seq int, live string) string {
			return message(name, seq, live) + message(name, seq+1, live) + "\n"
		}, func(c Counts) bool { return c.BadReplies == 1 }},
		{"an empty reply", func(string, int, string) string { return "\n" },
			func(c Counts) bool { return c.BadReplies == 1 }},
		{"a refusal", func(name string, seq int, live string) string {
			return fakeObject("429", name, 0, "Too many subscribers") + "\n"
		}, func(c Counts) bool { return c.RefusedPolls == 1 && c.Held == 0 }},
	} {
		t.Run(fault.name, func(t *testing.T) {
			s := startFake(t, 1, func(s *fakeServer) { s.live = fault.live })
			g := startGenerator(t, s.options(1))
			open(t, g, s, 1)
			s.ask("/push?cname=c0000000&content=x")
			c := awaitCounts(t, g, "the fault", fault.want)
			if fault.name != "a refusal" && c.Clean() {
				t.Fatalf("called clean: %+v", c)
			}
		})
	}
}

// A push that does not arrive is missing in the result, though nothing tells of
// it but its absence.
func TestPushMissing(t *testing.T) {
	const n = 20
	s := startFake(t, 1, func(s *fakeServer) {
		s.live = func(name string, _ int, live string) string {
			if name == "c0000003" {
				return ""
			}
			return live
		}
	})
	g := startGenerator(t, s.options(n))
	open(t, g, s, n)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		for g.Counts().Messages < n-1 {
			time.Sleep(time.Millisecond)
		}
		cancel() // instead of waiting until no progress is noticed
	}()
	p, err := g.Push(ctx, PushOptions{Count: n, Admin: s.admin}, nil)
	if !errors.Is(err, context.Canceled) || p.Missing != 1 || p.Delivered != n-1 || p.Clean() {
		t.Fatalf("%v %+v", err, p)
	}
}

// What the server's short history has dropped before a subscriber came back is
// lost, is missing in the result, and is not waited for.
func TestPushFasterThanHistory(t *testing.T) {
	s := startFake(t, 1, func(s *fakeServer) { s.history = 1 })
	o := s.options(1)
	o.Subscribers = 0
	g := startGenerator(t, o)
	open(t, g, s, 1)
	const pushes = 500
	p, err := g.Push(context.Background(), PushOptions{Count: pushes, Admin: s.admin}, nil)
	if err != nil || p.Delivered+p.Missing != pushes || p.Missing != p.Counts.Lost {
		t.Fatalf("%v %+v", err, p)
	}
}

// A push that the server refuses is not expected to arrive, and is not clean.
func TestPushRefused(t *testing.T) {
	s := startFake(t, 1, func(s *fakeServer) { s.pushStatus = 429 })
	g := startGenerator(t, s.options(5))
	open(t, g, s, 5)
	p, err := g.Push(context.Background(), PushOptions{Count: 5, Admin: s.admin}, nil)
	if err != nil || p.Refused != 5 || p.Expected != 0 || p.Clean() {
		t.Fatalf("%v %+v", err, p)
	}
}

// Messages of others, and those of an earlier push that come late, are told from
// the push's own.
func TestUnrelatedMessages(t *testing.T) {
	s := startFake(t, 1, nil)
	g := startGenerator(t, s.options(3))
	open(t, g, s, 3)
	s.ask("/push?cname=c0000001&content=x")
	awaitCounts(t, g, "the message", func(c Counts) bool { return c.Unrelated == 1 })
	// This server keeps no history: what is pushed before the next poll is lost.
	s.await("the poll after the message", func() bool { return s.polls == 4 })
	p, err := g.Push(context.Background(), PushOptions{Count: 3, Admin: s.admin}, nil)
	if err != nil || !p.Clean() || p.Counts.Unrelated != 0 || p.Delivered != 3 {
		t.Fatalf("%v %+v", err, p)
	}
}

// A server that answers at once is found out, and not polled without end.
func TestNotHeld(t *testing.T) {
	const n = 30
	s := startFake(t, 1, func(s *fakeServer) { s.atOnce = true })
	g := startGenerator(t, s.options(n))
	open(t, g, s, n)
	awaitCounts(t, g, "every answer", func(c Counts) bool { return c.NotHeld == n && c.Held == 0 })
	if c := g.Counts(); c.Polls != n || c.Resets != 0 {
		t.Fatalf("%+v", c)
	}
	if _, err := g.Push(context.Background(), PushOptions{Count: 1, Admin: s.admin}, nil); !errors.Is(err, errNothingHeld) {
		t.Fatalf("push without a held poll: %v", err)
	}
}

// Noop and close lead to the next poll; after a close the channel starts anew,
// and the jump back to its first number is followed.
func TestNoopAndClose(t *testing.T) {
	s := startFake(t, 1, nil)
	g := startGenerator(t, s.options(1))
	open(t, g, s, 1)
	s.ask("/object?cname=c0000000&type=noop")
	s.await("the poll after noop", func() bool { return s.polls == 2 && len(s.channels["c0000000"].waiting) == 1 })
	s.ask("/push?cname=c0000000&content=x")
	s.await("the poll after a message", func() bool { return s.polls == 3 && len(s.channels["c0000000"].waiting) == 1 })
	s.mutex.Lock()
	ch := s.channels["c0000000"]
	s.channels = map[string]*fakeChannel{}
	s.release(ch, fakeObject("close", "c0000000", ch.next, "")+"\n")
	s.mutex.Unlock()
	s.await("the poll of the new channel", func() bool {
		ch := s.channels["c0000000"]
		return s.polls == 5 && ch != nil && len(ch.waiting) == 1
	})
	c := g.Counts()
	if c.Noops != 1 || c.Closes != 1 || c.Jumps != 1 || c.Held != 1 || !c.Clean() {
		t.Fatalf("%+v", c)
	}
}

// A head that comes when the poll is accepted costs no buffer, and the body that
// follows is understood.
func TestEarlyHead(t *testing.T) {
	const n = 50
	s := startFake(t, 1, func(s *fakeServer) { s.earlyHead, s.history = true, 10 })
	o := s.options(n)
	o.Reactors = 1
	g := startGenerator(t, o)
	open(t, g, s, n)
	awaitCounts(t, g, "every head", func(c Counts) bool { return c.Partials == n })
	if used := len(g.reactors[0].borrowed) - len(g.reactors[0].unused); used != 0 {
		t.Errorf("%d buffers are borrowed for heads", used)
	}
	for range 2 {
		b, err := g.Broadcast(context.Background(), BroadcastOptions{Count: 1, Admin: s.admin}, nil)
		if err != nil || !b.Clean() {
			t.Fatalf("%v %+v", err, b)
		}
	}
}

// Replies that come a byte at a time are put together, for all connections at
// the same time.
func TestDribble(t *testing.T) {
	const n = 20
	s := startFake(t, 1, func(s *fakeServer) { s.dribble, s.history = true, 10 })
	g := startGenerator(t, s.options(n))
	open(t, g, s, n)
	b, err := g.Broadcast(context.Background(), BroadcastOptions{Count: 2, Admin: s.admin}, nil)
	if err != nil || !b.Clean() {
		t.Fatalf("%v %+v", err, b)
	}
	if b.Counts.Partials == 0 {
		t.Error("no reply came in parts: the test proves nothing")
	}
}

// Connections that the server ends are counted, are not opened again, and the
// others go on.
func TestResets(t *testing.T) {
	const n = 10
	s := startFake(t, 2, nil)
	g := startGenerator(t, s.options(n))
	open(t, g, s, n)
	s.ask("/drop?cname=c0000004")
	s.ask("/drop?cname=c0000007")
	awaitCounts(t, g, "two ends", func(c Counts) bool { return c.Resets == 2 && c.Held == n-2 })
	p, err := g.Push(context.Background(), PushOptions{Count: n - 2, Admin: s.admin}, nil)
	if err != nil || !p.Clean() || p.Channels != n-2 || p.Delivered != n-2 {
		t.Fatalf("%v %+v", err, p)
	}
	if c := g.Counts(); c.Opened != n || c.Clean() {
		t.Fatalf("%+v", c)
	}
}

// A refused connect is tried again until the server is there.
func TestConnectRetries(t *testing.T) {
	const n = 20
	// Not a port that the kernel gives away: it might give it to one of these.
	s := &fakeServer{t: t}
	s.listen(1)
	address := s.listeners[0].Addr().String()
	s.listeners[0].Close()
	g := startGenerator(t, Options{Host: "127.0.0.1", Port: s.port, Ports: 1, Connections: n, Subscribers: 1, Openers: 1})
	go func() {
		for g.Counts().ConnectRefused < n {
			time.Sleep(time.Millisecond)
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { l.Close() })
	}()
	r, err := g.Open(context.Background(), n, 0, nil)
	if err != nil || r.Opened != n || r.Retries < n {
		t.Fatalf("%v %+v", err, r)
	}
}

// Without a server the load says so soon, with the ports, and can be told to try
// again.
func TestNoServer(t *testing.T) {
	g := startGenerator(t, Options{Host: "127.0.0.1", Port: 1, Ports: 2, Connections: 5, Subscribers: 1, Openers: 1})
	for range 2 {
		r, err := g.Open(context.Background(), 5, 0, nil)
		if err == nil || !strings.Contains(err.Error(), "refuses connections") || !strings.Contains(err.Error(), "ports 1 to 2") {
			t.Fatalf("%v %+v", err, r)
		}
		if r.Opened != 0 || r.Retries == 0 {
			t.Fatalf("%+v", r)
		}
	}
}

// Rates are kept from above: opening and pushing take at least the time they
// must, and a push's times lie on its schedule.
func TestRates(t *testing.T) {
	const n, rate = 50, 500
	s := startFake(t, 1, nil)
	g := startGenerator(t, s.options(n))
	r, err := g.Open(context.Background(), n, rate, nil)
	if err != nil || r.Seconds < (n-2)/float64(rate) {
		t.Fatalf("%v %+v", err, r)
	}
	s.await("all polls", func() bool { return s.polls == n })
	p, err := g.Push(context.Background(), PushOptions{Count: n, Rate: rate, Admin: s.admin}, nil)
	if err != nil || !p.Clean() || p.Seconds < (n-1)/float64(rate) || p.RateSent > rate*1.01 {
		t.Fatalf("%v %+v", err, p)
	}
	if p.Latency.Max < p.Uncorrected.Max*0.99 {
		t.Errorf("from the intended time at most %.0f us, from the sending %.0f us", p.Latency.Max, p.Uncorrected.Max)
	}
}

// What cannot be is refused before anything is done.
func TestOptionsRefused(t *testing.T) {
	good := Options{Host: "127.0.0.1", Port: 20000, Ports: 1, Connections: 1, Openers: 1}
	for what, change := range map[string]func(*Options){
		"another machine":      func(o *Options) { o.Host = "192.0.2.1" },
		"a name":               func(o *Options) { o.Host = "example.org" },
		"a further machine":    func(o *Options) { o.Addresses = []string{"192.0.2.1"} },
		"IPv6":                 func(o *Options) { o.Host = "::1" },
		"no connection":        func(o *Options) { o.Connections = 0 },
		"too many":             func(o *Options) { o.Connections = MostConnections + 1 },
		"ports past the last":  func(o *Options) { o.Port, o.Ports = 65535, 2 },
		"no opener":            func(o *Options) { o.Openers = 0 },
		"negative subscribers": func(o *Options) { o.Subscribers = -1 },
	} {
		o := good
		change(&o)
		if g, err := New(o); err == nil {
			g.End()
			t.Errorf("%s was not refused", what)
		}
	}
	g := startGenerator(t, good)
	if _, err := g.Open(context.Background(), 2, 0, nil); err == nil {
		t.Error("more connections than the load was made for were not refused")
	}
	for _, door := range []string{"192.0.2.1:80", "127.0.0.1", "x"} {
		if _, err := adminAddress(door); err == nil {
			t.Errorf("the admin door %q was not refused", door)
		}
	}
}

// A latency says only the percentiles that have 100 samples beyond them, and its
// histogram can be read back.
func TestLatencyPercentiles(t *testing.T) {
	for _, c := range []struct {
		samples             int
		p50, p90, p99, p999 bool
	}{
		{199, false, false, false, false},
		{200, true, false, false, false},
		{1000, true, true, false, false},
		{10_000, true, true, true, false},
		{100_000, true, true, true, true},
	} {
		h := newHistogram()
		for i := range c.samples {
			h.RecordValue(int64(i+1) * 1000)
		}
		l := latency(h, 0)
		if (l.P50 != nil) != c.p50 || (l.P90 != nil) != c.p90 || (l.P99 != nil) != c.p99 || (l.P999 != nil) != c.p999 {
			t.Errorf("%d samples: %+v", c.samples, l)
		}
		if l.P50 != nil && (*l.P50 < 0.99*float64(c.samples)/2 || *l.P50 > 1.01*float64(c.samples)/2+1) {
			t.Errorf("%d samples: the median is %v us", c.samples, *l.P50)
		}
		back, err := hdrhistogram.Decode([]byte(l.HDR))
		if err != nil || back.TotalCount() != int64(c.samples) {
			t.Errorf("%d samples: read back: %v", c.samples, err)
		}
	}
}

// The ceiling's own messages are all right, and its figures hang together.
func TestCeiling(t *testing.T) {
	r, err := Ceiling(context.Background(), CeilingOptions{Connections: 50, Duration: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if r.Messages == 0 || !r.Counts.Clean() || r.Counts.Held != 50 || r.CPU <= 0 || r.ResponderCPU <= 0 || r.CoreRate <= 0 {
		t.Fatalf("%+v", r)
	}
}
