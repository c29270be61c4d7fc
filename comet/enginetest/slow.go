package enginetest

import (
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"c1000k/comet"
)

// dialSmall connects with a receive buffer of about the given bytes, set
// before the connection is made so that its window is small from the start.
func (s *server) dialSmall(bytes int) (*client, error) {
	d := net.Dialer{
		Timeout: patience,
		Control: func(_, _ string, c syscall.RawConn) error {
			var err error
			if cerr := c.Control(func(fd uintptr) {
				err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, bytes)
			}); cerr != nil {
				return cerr
			}
			return err
		},
	}
	c, err := d.Dial("tcp4", s.fronts[0])
	if err != nil {
		return nil, err
	}
	return newClient(c)
}

// testSlowReader proves that a reply far larger than the buffers between
// server and client arrives whole although it goes in many partial sends, for
// live messages, replays and several clients at once; and that while some do
// not read, others are served.
func testSlowReader(t *testing.T, f Factory) {
	const (
		kernelBytes = 4 << 10
		readers     = 8
		messages    = 10
	)
	s := newServer(t, f, setup{sendBuffer: kernelBytes, options: comet.EngineOptions{Loops: 1}})
	content := strings.Repeat("the quick brown fox ", 300)
	pushed := "/push?cname=slow&content=" + strings.ReplaceAll(content, " ", "+")
	slow := make([]*client, readers)
	for i := range slow {
		c, err := s.dialSmall(kernelBytes)
		if err != nil {
			t.Fatal(err)
		}
		defer c.conn.Close()
		c.mustSend(t, sub("slow", 1))
		slow[i] = c
	}
	s.waitSubscribers("slow", readers)
	var objects []string
	for n := 1; n <= messages; n++ {
		s.mustCall(pushed)
		objects = append(objects, data("slow", n, content))
	}
	// Others are served while none of the slow ones has read a byte.
	quick := s.mustDial(comet.DoorFront)
	quick.mustAsk(t, sub("slow", messages), polled(array(objects[messages-1])))
	for i, c := range slow {
		if err := c.expectSlowly(polled(objects[0] + "\n")); err != nil {
			t.Fatalf("live message, reader %d: %v", i, err)
		}
		c.mustSend(t, sub("slow", 2))
	}
	for i, c := range slow {
		if err := c.expectSlowly(polled(array(objects[1:]...))); err != nil {
			t.Fatalf("replay, reader %d: %v", i, err)
		}
	}
}

// expectSlowly is expect with a rest between the first reads, so that the
// window closes and the server's send has to wait.
func (c *client) expectSlowly(want string) error {
	for i := range 5 {
		if _, err := c.in.Peek(64 * (i + 1)); err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return c.expect(want)
}

// testLargeContent proves that a request far larger than any buffer on its way
// is read to its end, and that what it brings goes out whole: to a poll that is
// held and as a replay.
func testLargeContent(t *testing.T, f Factory) {
	const contentBytes = 300_000
	s := newServer(t, f, setup{})
	held := s.hold(2, func(int) string { return "large" })
	content := strings.Repeat("0123456789", contentBytes/10)
	publisher := s.mustDial(comet.DoorAdmin)
	publisher.mustAsk(t, post("/push", "cname=large&content="+content), pushed)
	expectAll(t, held, func(int) string { return polled(data("large", 1, content) + "\n") })
	publisher.mustAsk(t, post("/push", "cname=large&content="+content), pushed)
	held[0].mustAsk(t, sub("large", 1), polled(array(data("large", 1, content), data("large", 2, content))))
	publisher.mustKeep(t)
}
