package comet

import (
	"fmt"
	"testing"
)

// bench is an engine without a kernel: what is sent is sent at once.
type bench struct {
	l    *Loop
	now  int64
	sent int
}

func newBench(b *testing.B, conns int, change func(c *Config)) *bench {
	cfg := DefaultConfig()
	cfg.Channels = conns
	if change != nil {
		change(&cfg)
	}
	s, err := NewService(cfg)
	if err != nil {
		b.Fatal(err)
	}
	l, err := s.NewLoop(conns + 1)
	if err != nil {
		b.Fatal(err)
	}
	return &bench{l: l, now: 1_700_000_000e9}
}

// turn takes turns until the loop would sleep.
func (e *bench) turn() {
	for ok := false; !ok; {
		e.l.Turn(e.now, 0)
		for a := e.l.Next(); a != nil; a = e.l.Next() {
			if a.Op == OpSend {
				e.sent++
				e.l.Sent(e.now, a.Conn, a.Token, len(a.Piece[0]), 0)
			}
		}
		_, ok = e.l.Sleep()
	}
	e.l.Awake()
}

// BenchmarkPushDeliverPoll is the core's share of one push to one channel, its
// delivery and the next poll, over 10,000 channels; it allocates nothing.
func BenchmarkPushDeliverPoll(b *testing.B) {
	const n = 10_000
	e := newBench(b, n, nil)
	e.l.Open(e.now, n, DoorAdmin, Peer{})
	pushes := make([][]byte, n)
	polls := make([][]byte, n)
	for c := range n {
		pushes[c] = fmt.Appendf(nil, "GET /push?cname=c%07d&content=%0100d HTTP/1.1\r\nHost: localhost\r\n\r\n", c, c)
		polls[c] = make([]byte, 0, 128)
		e.l.Open(e.now, Conn(c), DoorFront, Peer{})
		e.l.Data(e.now, Conn(c), appendPoll(nil, c, 1, ""))
	}
	e.turn()
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		c, round := i%n, i/n
		e.now += 10_000
		e.l.Data(e.now, n, pushes[c])
		e.turn()
		polls[c] = appendPoll(polls[c][:0], c, round+2, "")
		e.l.Data(e.now, Conn(c), polls[c])
		e.turn()
	}
	b.StopTimer()
	if e.sent != 2*b.N {
		b.Fatalf("%d replies to %d pushes and as many polls", e.sent, b.N)
	}
}

// BenchmarkFanOut is the core's share of a delivery and the next poll where
// 10,000 subscribers hold one channel; it allocates nothing.
func BenchmarkFanOut(b *testing.B) { benchmarkFanOut(b, newBench(b, fanOut, nil), "") }

// BenchmarkFanOutTokens is the same where each poll shows the channel's token: what is
// more is the making of the token again, to compare,
// and 39 bytes of the request.
func BenchmarkFanOutTokens(b *testing.B) {
	e := newBench(b, fanOut, func(c *Config) { c.TokenAuth, c.TokenKey = true, [16]byte{1} })
	benchmarkFanOut(b, e, "&token="+string(signed(b, e.l, e.l.svc.tickAt(e.now), "c0000000")))
}

// fanOut is how many subscribers there are.
const fanOut = 10_000

// benchmarkFanOut is with polls that end in token, which is none or a parameter.
func benchmarkFanOut(b *testing.B, e *bench, token string) {
	const n = fanOut
	e.l.Open(e.now, n, DoorAdmin, Peer{})
	push := []byte("GET /push?cname=c0000000&content=hello HTTP/1.1\r\nHost: localhost\r\n\r\n")
	next := make([]byte, 0, 128)
	for c := range n {
		e.l.Open(e.now, Conn(c), DoorFront, Peer{})
		e.l.Data(e.now, Conn(c), appendPoll(nil, 0, 1, token))
	}
	e.turn()
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if i%n == 0 {
			e.l.Data(e.now, n, push)
			e.turn()
			next = appendPoll(next[:0], 0, i/n+2, token)
		}
		e.now += 5_000
		e.l.Data(e.now, Conn(i%n), next)
	}
	b.StopTimer()
	if want := (b.N + n - 1) / n * (n + 1); e.sent != want {
		b.Fatalf("%d replies, not %d", e.sent, want)
	}
}

func appendPoll(dst []byte, channel, seq int, token string) []byte {
	return fmt.Appendf(dst, "GET /sub?cname=c%07d&seq=%d%s HTTP/1.1\r\nHost: localhost\r\n\r\n", channel, seq, token)
}
