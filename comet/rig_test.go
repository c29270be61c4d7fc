package comet

import (
	"fmt"
	"strings"
	"testing"

	"c1000k/comet/hub"
)

// rig is an engine without a kernel for one loop: it keeps what was sent, and
// a test decides when a send is over.
type rig struct {
	t    *testing.T
	l    *Loop
	now  int64
	out  map[Conn]string
	open map[Conn]uint16 // sends that are not over, by token
	last map[Conn]int    // their bytes
	// slow leaves sends outstanding until finish.
	slow    bool
	resumed map[Conn]int
	closed  map[Conn]bool
}

// newRigs makes a service and its loops of conns connections each.
func newRigs(t *testing.T, loops, conns int, change func(*Config)) []*rig {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Channels = 1024
	if change != nil {
		change(&cfg)
	}
	s, err := NewService(cfg)
	if err != nil {
		t.Fatal(err)
	}
	rigs := make([]*rig, loops)
	for i := range rigs {
		l, err := s.NewLoop(conns)
		if err != nil {
			t.Fatal(err)
		}
		rigs[i] = &rig{
			t: t, l: l, now: 1_700_000_000e9, out: map[Conn]string{}, open: map[Conn]uint16{},
			last: map[Conn]int{}, resumed: map[Conn]int{}, closed: map[Conn]bool{},
		}
	}
	return rigs
}

// drain carries the actions out.
func (e *rig) drain() {
	for a := e.l.Next(); a != nil; a = e.l.Next() {
		switch a.Op {
		case OpSend:
			c, token, n := a.Conn, a.Token, 0
			for _, p := range a.Piece[:a.Pieces] {
				e.out[c] += string(p)
				n += len(p)
			}
			e.open[c], e.last[c] = token, n
			if !e.slow {
				e.finish(c)
			}
		case OpResume:
			e.resumed[a.Conn]++
		case OpClose:
			e.closed[a.Conn] = true
			delete(e.open, a.Conn)
			e.l.Closed(e.now, a.Conn)
		}
	}
}

// finish ends the outstanding send of c.
func (e *rig) finish(c Conn) {
	token, ok := e.open[c]
	if !ok {
		e.t.Helper()
		e.t.Fatalf("connection %d has no send outstanding", c)
	}
	delete(e.open, c)
	e.l.Sent(e.now, c, token, e.last[c], 0)
}

// turn takes one turn and reports whether the loop would sleep then.
func (e *rig) turn() bool {
	e.l.Turn(e.now, 0)
	e.drain()
	_, ok := e.l.Sleep()
	e.l.Awake()
	return ok
}

// settle takes turns until the loop would sleep.
func (e *rig) settle() {
	e.t.Helper()
	for range 100_000 {
		if e.turn() {
			return
		}
	}
	e.t.Fatal("the loop never sleeps")
}

// get sends a request of HTTP/1.1.
func (e *rig) get(c Conn, target string) {
	e.l.Data(e.now, c, fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", target))
}

// poll opens c and holds a poll on it.
func (e *rig) poll(c Conn, target string) {
	e.l.Open(e.now, c, DoorFront, Peer{})
	e.get(c, target)
}

// has fails unless each of what was sent to c is there.
func (e *rig) has(c Conn, what ...string) {
	e.t.Helper()
	for _, w := range what {
		if strings.Count(e.out[c], w) != 1 {
			e.t.Errorf("connection %d got %d times %q: %q", c, strings.Count(e.out[c], w), w, e.out[c])
		}
	}
}

// stat is one of the service's counters.
func (e *rig) stat(name string) uint64 {
	e.t.Helper()
	for _, s := range e.l.svc.Stats() {
		if s.Name == name {
			return s.Value
		}
	}
	e.t.Fatalf("no counter %q", name)
	return 0
}

// flood fills the inbox of every loop that holds the channel, and one more.
func (e *rig) flood(cname string) {
	for range hub.InboxEntries + 1 {
		e.push(cname, "flood")
	}
}

// push publishes past the admin door, as another loop would.
func (e *rig) push(cname, content string) {
	e.t.Helper()
	h := e.l.svc.hub
	m, err := h.NewMessage([]byte(content), false)
	if err != nil {
		e.t.Fatal(err)
	}
	v, err := h.FindOrCreate([]byte(cname), e.l.tick)
	if err != nil {
		e.t.Fatal(err)
	}
	v.Publish(m, e.l.tick)
	v.Leave()
	h.Unref(m)
}

// ticked is a time by which n ticks of the timers have passed for certain.
func ticked(n int) int64 { return int64(n+1) << tickShift }
