package comet

import (
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
	sweeper.l.Turn(sweeper.now)
	sweeper.drain()
	if deadline, ok := sweeper.l.Sleep(); !ok || deadline != NoDeadline {
		t.Fatalf("with nothing to do: %d, %v", deadline, ok)
	}
	other.l.Open(other.now, 0, DoorFront, Peer{})
	other.get(0, "/ping")
	other.get(0, "/sub?cname=x") // kept; answered at once, and the channel ages
	woken := false
	for range 10 {
		other.l.Turn(other.now)
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
			e.l.Turn(e.now)
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
