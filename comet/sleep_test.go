package comet

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestSleepAfterLateRequest proves that a request that was taken while actions
// were carried out, because a send ended at once, is not slept over.
func TestSleepAfterLateRequest(t *testing.T) {
	e := newRigs(t, 1, 4, nil)[0]
	e.poll(0, "/sub?cname=x&seq=1")
	e.settle()
	e.l.Open(e.now, 1, DoorAdmin, Peer{})
	e.get(1, "/info")
	e.get(1, "/broadcast?content=all") // kept: the reply before it has not gone
	for range 100 {
		if e.turn() {
			break
		}
	}
	e.has(0, `"type":"broadcast"`)
}

// TestSweeperIsWoken proves that the loop that frees channels learns of one
// that began to age on another loop while actions were carried out there.
func TestSweeperIsWoken(t *testing.T) {
	rigs := newRigs(t, 2, 4, nil)
	sweeper, other := rigs[0], rigs[1]
	sweeper.l.Turn(sweeper.now, 0)
	sweeper.drain()
	if deadline, ok := sweeper.l.Sleep(); !ok || deadline != NoDeadline {
		t.Fatalf("with nothing to do: %d, %v", deadline, ok)
	}
	other.l.Open(other.now, 0, DoorFront, Peer{})
	other.get(0, "/ping")
	other.get(0, "/sub?cname=x") // kept; answered at once, and the channel ages
	woken := false
	for range 10 {
		other.l.Turn(other.now, 0)
		for a := other.l.Next(); a != nil; a = other.l.Next() {
			switch a.Op {
			case OpSend:
				other.l.Sent(other.now, a.Conn, a.Token, len(a.Piece[0]), 0)
			case OpWake:
				woken = woken || a.Conn == 0
			}
		}
		if _, ok := other.l.Sleep(); ok {
			break
		}
	}
	if !woken {
		t.Error("the sweeping loop sleeps on")
	}
}

// TestHeaderTimeoutAfterReply proves that a request that was begun while the
// reply before it was on its way must end within the header timeout.
func TestHeaderTimeoutAfterReply(t *testing.T) {
	e := newRigs(t, 1, 4, func(c *Config) {
		c.HeaderTimeout, c.IdleTimeout = 10*time.Second, time.Hour
	})[0]
	e.l.Open(e.now, 0, DoorFront, Peer{})
	e.l.Data(e.now, 0, []byte("GET /ping HTTP/1.1\r\nHost: h\r\n\r\nGET /pi"))
	e.settle()
	for range 20 {
		e.now += int64(time.Second)
		e.settle()
	}
	if !e.closed[0] || e.stat("header_timeouts") != 1 {
		t.Errorf("closed %v, %d header timeouts", e.closed[0], e.stat("header_timeouts"))
	}
}

// TestIdleTimeoutAfterCallback proves that a connection whose poll had a
// callback has the idle timeout after its reply, as any other.
func TestIdleTimeoutAfterCallback(t *testing.T) {
	e := newRigs(t, 1, 4, func(c *Config) {
		c.HeaderTimeout, c.IdleTimeout = 10*time.Second, 40*time.Second
	})[0]
	e.poll(0, "/sub?cname=x&seq=1&cb=f")
	e.push("x", "m")
	e.settle()
	for range 30 {
		e.now += int64(time.Second)
		e.settle()
	}
	if e.closed[0] {
		t.Error("closed before the idle timeout")
	}
	for range 12 {
		e.now += int64(time.Second)
		e.settle()
	}
	if !e.closed[0] || e.stat("idle_timeouts") != 1 {
		t.Errorf("closed %v, %d idle timeouts", e.closed[0], e.stat("idle_timeouts"))
	}
}

// TestNoopWithinASecond proves that a noop comes after the polling timeout and
// within a further second, wherever in a tick the poll began.
func TestNoopWithinASecond(t *testing.T) {
	const conns = 2000
	for _, timeout := range []time.Duration{time.Second, 30 * time.Second, time.Minute} {
		e := newRigs(t, 1, conns, func(c *Config) { c.PollingTimeout = timeout })[0]
		began := map[Conn]int64{}
		for c := range Conn(conns) {
			e.now += 333_333 // a tick is 67 ms
			e.poll(c, "/sub?cname=x&seq=1")
			began[c] = e.now
		}
		for len(began) > 0 {
			e.l.Turn(e.now, 0)
			e.drain()
			for c := range e.out {
				if waited := e.now - began[c]; waited < int64(timeout) || waited > int64(timeout+time.Second) {
					t.Fatalf("a noop after %v, where the timeout is %v", time.Duration(waited), timeout)
				}
				delete(began, c)
				delete(e.out, c)
			}
			deadline, ok := e.l.Sleep()
			e.l.Awake()
			if ok {
				e.now = max(e.now, deadline)
			}
		}
	}
}

// TestHeldAreNotScanned proves that those who are held cost nothing until their
// time is over: with a thousand of them for an hour the loop wakes some times in
// all, not each second to look at them.
func TestHeldAreNotScanned(t *testing.T) {
	const conns, mostWakes = 1000, 16
	e := newRigs(t, 1, conns, func(c *Config) { c.PollingTimeout, c.ChannelTimeout = time.Hour, time.Hour })[0]
	for c := range Conn(conns) {
		e.poll(c, fmt.Sprintf("/sub?cname=c%d&seq=1", c))
	}
	e.settle()
	began, wakes := e.now, 0
	for len(e.out) == 0 {
		deadline, ok := e.l.Sleep()
		if wakes++; !ok || deadline <= e.now || wakes > mostWakes {
			t.Fatalf("woken %d times in %v, then until %d, %v", wakes, time.Duration(e.now-began), deadline, ok)
		}
		e.l.Awake()
		e.now = deadline
		e.l.Turn(e.now, 0)
		e.drain()
	}
	if slept := time.Duration(e.now - began); slept < time.Hour {
		t.Errorf("the first noop came after %v", slept)
	}
}

// TestNoopsAreSpread proves that those who came together do not all leave
// together: their noops fall into many parts of the second that there is.
func TestNoopsAreSpread(t *testing.T) {
	const conns, fewest = 500, 8
	e := newRigs(t, 1, conns, func(c *Config) { c.PollingTimeout = 10 * time.Second })[0]
	for c := range Conn(conns) {
		e.poll(c, "/sub?cname=x&seq=1")
	}
	e.settle()
	at := map[int64]int{}
	for len(e.out) < conns {
		before := len(e.out)
		e.l.Turn(e.now, 0)
		e.drain()
		if n := len(e.out) - before; n > 0 {
			at[e.now] += n
		}
		deadline, ok := e.l.Sleep()
		e.l.Awake()
		if ok {
			e.now = max(e.now, deadline)
		}
	}
	if len(at) < fewest {
		t.Errorf("%d noops at %d times, want at least %d: %v", conns, len(at), fewest, at)
	}
}

// TestBroadcastInSlices proves that a broadcast to many channels leaves the loop
// to others between its slices, and that its content is kept once.
func TestBroadcastInSlices(t *testing.T) {
	const channels, contentBytes = 5 * turnBroadcast, 10_000
	e := newRigs(t, 1, 4, func(c *Config) { c.Channels = channels })[0]
	for i := range channels {
		e.push(fmt.Sprint("c", i), "x")
	}
	before := e.stat("message_bytes")
	e.l.Open(e.now, 0, DoorAdmin, Peer{})
	e.l.Open(e.now, 1, DoorFront, Peer{})
	e.get(0, "/broadcast?content="+strings.Repeat("b", contentBytes/2))
	e.drain()
	slices := 0
	for ; !e.turn(); slices++ {
		delete(e.out, 1)
		e.get(1, "/ping")
		e.drain()
		e.has(1, `"type":"ping"`)
	}
	if slices < channels/turnBroadcast-1 {
		t.Errorf("a broadcast to %d channels took %d turns", channels, slices+1)
	}
	if grew := e.stat("message_bytes") - before; grew == 0 || grew > 2*contentBytes {
		t.Errorf("the messages' memory grew by %d bytes for one content of %d in %d channels", grew, contentBytes/2, channels)
	}
	for i := range channels {
		c := fmt.Sprint("c", i)
		if v, ok := e.l.svc.hub.Find([]byte(c)); !ok || v.Next() != 3 {
			t.Fatalf("channel %s did not get the broadcast", c)
		} else {
			v.Leave()
		}
	}
}
