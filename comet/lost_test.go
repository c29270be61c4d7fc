package comet

import (
	"fmt"
	"strings"
	"testing"
)

// TestLiveAfterLoss proves that a subscriber whose message found the inbox full
// gets that message first, though a later one comes by the inbox.
func TestLiveAfterLoss(t *testing.T) {
	e := newRigs(t, 1, 10, func(c *Config) { c.MaxMessageBytes = 1 << 30 })[0]
	e.poll(0, "/sub?cname=other&seq=1")
	e.poll(1, "/sub?cname=x&seq=1")
	e.poll(2, "/sub?cname=many&seq=1&cb=f")
	e.poll(3, "/sub?cname=many&seq=1")
	e.flood("other")
	e.push("x", "first")
	e.push("many", "eins")
	// The loop takes some entries: there is room again before it knows that it is behind.
	e.l.Turn(e.now, 0)
	e.drain()
	e.push("x", "second")
	e.push("many", "zwei")
	e.settle()
	e.has(1, `"seq":1,"content":"first"`)
	e.has(2, `"seq":1,"content":"eins"`)
	e.has(3, `"seq":1,"content":"eins"`)
	if n := e.stat("subscribers"); n != 0 {
		t.Errorf("%d are still held", n)
	}
}

// TestCatchUpEnds proves that a pass over all connections comes to its end
// though the loop falls behind again before it does.
func TestCatchUpEnds(t *testing.T) {
	const conns = 12_000
	e := newRigs(t, 1, conns, func(c *Config) {
		c.Channels = conns
		c.MaxMessageBytes = 1 << 30
	})[0]
	for c := range conns - 1 {
		e.poll(Conn(c), fmt.Sprintf("/sub?cname=c%d&seq=1", c))
	}
	e.poll(conns-1, "/sub?cname=last&seq=1")
	e.settle()
	e.flood("c0")
	e.push("last", "lost")
	for i := range 200 {
		// The inbox of a busy loop is never empty, and overflows again and again.
		if e.l.at(1).takes() {
			v, _ := e.l.hub.Find([]byte("c0"))
			next := v.Next()
			v.Leave()
			e.get(0, fmt.Sprintf("/sub?cname=c0&seq=%d", next))
			if e.l.at(1).state != stateHeld {
				t.Fatal("a poll for the next message is not held")
			}
		}
		for j := 0; e.l.inbox.Fulls() < uint64(i+3); j++ {
			if j > 10_000 {
				t.Fatal("the inbox never fills")
			}
			e.push("c0", "flood")
		}
		e.turn()
	}
	e.has(conns-1, `"content":"lost"`)
}

// TestWalkKeepsItsName proves that a message on its way to many subscribers
// keeps its channel's name when a noop of another channel comes in between.
func TestWalkKeepsItsName(t *testing.T) {
	const n = 3 * turnDeliveries
	e := newRigs(t, 1, n+1, nil)[0]
	e.poll(n, "/sub?cname=quiet&seq=1")
	e.now += ticked(30)
	for c := range n {
		e.poll(Conn(c), "/sub?cname=crowd&seq=1&cb=f")
	}
	e.settle()
	e.now += int64(e.l.svc.cfg.PollingTimeout) - ticked(12)
	e.l.at(n + 1).deadline = e.l.svc.tickAt(e.now) // its noop falls into the walk for certain
	e.l.wheel.Cancel(n + 1)
	e.l.wheel.Arm(n+1, e.l.at(n+1).deadline)
	e.push("crowd", "hello")
	e.settle()
	e.has(n, `"type":"noop","cname":"quiet"`)
	for c := range n {
		if !strings.Contains(e.out[Conn(c)], `{"type":"data","cname":"crowd","seq":1,"content":"hello"}`) {
			t.Fatalf("connection %d got %q", c, e.out[Conn(c)])
		}
	}
}
