package enginetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"c1000k/comet"
)

// shortTimeout is the timeout that a test waits for; all others are an hour. Who is
// not to time out has so long from its connect to its request, on a machine whose
// processors others have, too.
const shortTimeout = time.Second

// testTimeouts proves that no connection lives for ever that does nothing: one
// that never sends, one that stops in the middle of a header or of a body, one
// that is idle after its reply, on both doors, and one that does not read. Each
// is closed, by the timeout that is for it, and counted; who is held stays.
func testTimeouts(t *testing.T, f Factory) {
	t.Parallel()
	const kernelBytes = 4 << 10
	// More than the kernel takes for a client that does not read.
	content := strings.Repeat("0123456789abcdef", 64<<10)
	for _, x := range []struct {
		name    string
		set     func(*comet.Config)
		idlers  []idler
		counted string // the counter that counts each
	}{
		{
			"Header", func(c *comet.Config) { c.HeaderTimeout = shortTimeout },
			[]idler{
				{"", comet.DoorFront, ""}, {"", comet.DoorAdmin, ""},
				{"GET /sub?cna", comet.DoorFront, ""}, {"GET /sub?cname=x HTTP/1.1\r\nHost: h\r\n", comet.DoorFront, ""},
				{"POST /push?cname=x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab", comet.DoorAdmin, ""},
			}, "header_timeouts",
		}, {
			"Idle", func(c *comet.Config) { c.IdleTimeout = shortTimeout },
			[]idler{
				{get("/sub?cname=idle"), comet.DoorFront, polled(nextSeq("idle", 1) + "\n")},
				{get("/push?cname=pushed&content=x"), comet.DoorAdmin, pushed},
			}, "idle_timeouts",
		}, {
			"Stall", func(c *comet.Config) { c.StallTimeout = shortTimeout; c.MaxContentBytes = len(content) },
			[]idler{{sub("large", 1), comet.DoorFront, unread}}, "stall_timeouts",
		},
	} {
		subtest(t, x.name, func(t *testing.T) {
			s := newServer(t, f, setup{sendBuffer: kernelBytes, config: func(c *comet.Config) {
				c.HeaderTimeout, c.IdleTimeout, c.StallTimeout = time.Hour, time.Hour, time.Hour
				x.set(c)
			}})
			if x.name == "Stall" { // a push so large takes longer than a short timeout where processors are short
				s.mustDial(comet.DoorAdmin).mustAsk(t, post("/push", "cname=large&content="+content), pushed)
			}
			held := s.mustDial(comet.DoorFront)
			held.mustSend(t, sub("held", 1))
			if err := together(len(x.idlers), func(i int) error { return x.idlers[i].wait(t, s) }); err != nil {
				t.Fatal(err)
			}
			counted := func() (n uint64) {
				for _, st := range s.svc.Stats() {
					if st.Name == x.counted {
						n += st.Value
					}
				}
				return n
			}
			wait(t, func() bool { return counted() >= uint64(len(x.idlers)) }, func() string {
				return fmt.Sprintf("%d connections are to time out, %s is %d", len(x.idlers), x.counted, counted())
			})
			// Publishers idle, too: this one is new.
			s.mustDial(comet.DoorAdmin).mustAsk(t, get("/push?cname=held&content=x"), pushed)
			held.mustExpect(t, polled(data("held", 1, "x")+"\n"))
		})
	}
}

// idler is a client that sends something, gets a reply, or the beginning of one
// that it does not read, if it is promised any, and does nothing more.
type idler struct {
	send  string
	door  comet.Door
	reply string
}

// wait waits until the server has closed the connection, or for the beginning
// of what it does not read.
func (i idler) wait(t *testing.T, s *server) error {
	c, err := s.dial(i.door)
	if err != nil {
		return err
	}
	t.Cleanup(func() { c.conn.Close() })
	if err := c.send(i.send); err != nil {
		return err
	}
	if i.reply == unread {
		_, err := c.in.Peek(1)
		return err
	}
	if i.reply != "" {
		if err := c.expect(i.reply); err != nil {
			return err
		}
	}
	return c.end()
}

// unread is a reply so large that a client which does not read it stops it.
const unread = "unread"

// testChannelTimeout proves that a channel without subscribers is freed when
// its time is over, with its history; that it is not while somebody is held,
// however long; and that it is freed when that one has left.
func testChannelTimeout(t *testing.T, f Factory) {
	t.Parallel()
	const timeout = 200 * time.Millisecond
	s := newServer(t, f, setup{config: func(c *comet.Config) { c.ChannelTimeout = timeout }})
	exists := func(channel string) bool { return s.mustCall("/check?cname="+channel) != "{}\n" }
	held := s.hold(1, func(int) string { return "held" })[0]
	for range 3 { // more than the timeout in all
		s.mustCall("/push?cname=pushed&content=x")
		wait(t, func() bool { return !exists("pushed") }, func() string { return "a channel that nobody uses is still there" })
	}
	if !exists("held") {
		t.Error("a channel with a subscriber was freed")
	}
	s.mustDial(comet.DoorFront).mustAsk(t, sub("pushed", 0), polled(nextSeq("pushed", 1)+"\n"))
	if err := held.reset(); err != nil {
		t.Fatal(err)
	}
	wait(t, func() bool { return !exists("held") }, func() string { return "a channel whose subscriber left is still there" })
}
