package enginetest

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"c1000k/comet"
)

// hold opens n connections that each wait for the first message of a channel,
// and returns when the server counts all of them.
func (s *server) hold(n int, channel func(i int) string) []*client {
	s.t.Helper()
	before := s.subscribers("")
	clients := make([]*client, n)
	for i := range clients {
		c, err := s.dialFrom(comet.DoorFront, i, "")
		if err != nil {
			s.t.Fatalf("client %d: %v", i, err)
		}
		s.t.Cleanup(func() { c.conn.Close() })
		c.mustSend(s.t, sub(channel(i), 1))
		clients[i] = c
	}
	s.waitSubscribers("", before+n)
	return clients
}

// testSplitEverywhere proves that a request means the same however it is cut:
// in two at every byte, and in single bytes. Between the parts the same loop
// answers another request, so that it has seen the first part alone.
func testSplitEverywhere(t *testing.T, f Factory) {
	s := newServer(t, f, setup{options: comet.EngineOptions{Loops: 1}})
	s.mustCall("/push?cname=cut&content=x")
	for _, x := range []struct {
		name, request, want string
		door                comet.Door
	}{
		{"Sub", get("/sub?cname=c%75t&seq=1&cb=f"), polled(wrapped("f", array(data("cut", 1, "x")))), comet.DoorFront},
		{"Form", post("/push?cname=a", "content=b%20c"), pushed, comet.DoorAdmin},
	} {
		subtest(t, x.name, func(t *testing.T) {
			c := s.mustDial(x.door)
			for i := 1; i < len(x.request); i++ {
				c.mustSend(t, x.request[:i])
				s.mustCall("/check?cname=cut")
				if err := c.ask(x.request[i:], x.want); err != nil {
					t.Fatalf("cut at byte %d: %v", i, err)
				}
			}
			for i := range len(x.request) {
				c.mustSend(t, x.request[i:i+1])
				if i%16 == 0 {
					s.mustCall("/check?cname=cut")
				}
			}
			c.mustExpect(t, x.want)
		})
	}
}

// testPipelined proves that requests sent without waiting are answered one by
// one and in order, also behind one that is held meanwhile, and on both doors.
func testPipelined(t *testing.T, f Factory) {
	s := newServer(t, f, setup{})
	subtest(t, "AtOnce", func(t *testing.T) {
		const depth = 100
		var requests, want strings.Builder
		for i := range depth {
			requests.WriteString(get("/sub?cname=pipe" + decimal(i)))
		}
		c := s.mustDial(comet.DoorFront)
		c.mustSend(t, requests.String())
		for i := range depth {
			want.Reset()
			want.WriteString(polled(nextSeq("pipe"+decimal(i), 1) + "\n"))
			c.mustExpect(t, want.String())
		}
	})
	subtest(t, "BehindAHeldOne", func(t *testing.T) {
		c := s.mustDial(comet.DoorFront)
		c.mustSend(t, sub("front", 1)+sub("middle", 1)+get("/sub?cname=back"))
		for _, channel := range []string{"front", "middle"} {
			s.waitSubscribers(channel, 1)
			if err := c.silent(5 * time.Millisecond); err != nil {
				t.Fatal(err)
			}
			s.mustCall("/push?cname=" + channel + "&content=x")
			c.mustExpect(t, polled(data(channel, 1, "x")+"\n"))
		}
		c.mustExpect(t, polled(nextSeq("back", 1)+"\n"))
	})
	subtest(t, "Admin", func(t *testing.T) {
		const depth = 50
		c := s.mustDial(comet.DoorAdmin)
		var requests strings.Builder
		for i := range depth {
			requests.WriteString(post("/push?cname=pa", "content="+decimal(i+1)))
		}
		c.mustSend(t, requests.String()+get("/check?cname=pa"))
		for range depth {
			c.mustExpect(t, pushed)
		}
		c.mustExpect(t, adminReply(typeHTML, `{"pa": 1}`+"\n"))
		d := s.mustDial(comet.DoorFront)
		d.mustAsk(t, sub("pa", 1), polled(replayOf("pa", depth-9, depth)))
	})
}

// testEarlyInput proves that what a held connection sends early is kept, read
// after its reply, and answered: a whole request, and the two halves of one.
func testEarlyInput(t *testing.T, f Factory) {
	s := newServer(t, f, setup{})
	c := s.mustDial(comet.DoorFront)
	next := get("/sub?cname=next")
	half := len(next) / 2
	c.mustSend(t, sub("early", 1))
	s.waitSubscribers("early", 1)
	c.mustSend(t, next[:half])
	if err := c.silent(5 * time.Millisecond); err != nil {
		t.Fatal(err)
	}
	s.mustCall("/push?cname=early&content=x")
	c.mustExpect(t, polled(data("early", 1, "x")+"\n"))
	c.mustAsk(t, next[half:], polled(nextSeq("next", 1)+"\n"))
}

// testEarlyFlood proves that a held connection that goes on sending is stopped
// by the TCP window and not buffered; that it is served all the same; and that
// once it is, every one of the requests it had sent meanwhile is read and
// answered, so that neither a byte nor the reading itself was lost.
func testEarlyFlood(t *testing.T, f Factory) {
	const kernelBytes = 64 << 10 // asked for on each side; the kernel doubles it
	s := newServer(t, f, setup{receiveBuffer: kernelBytes})
	c := s.mustDial(comet.DoorFront)
	if err := c.conn.SetWriteBuffer(kernelBytes); err != nil {
		t.Fatal(err)
	}
	c.mustSend(t, sub("flood", 1))
	s.waitSubscribers("flood", 1)

	request := get("/sub?cname=flooded")
	block := strings.Repeat(request, 64)
	sent, err := fill(c, block)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes went before the window was full", sent)
	if n := s.subscribers("flood"); n != 1 {
		t.Fatalf("%d subscribers after the flood, want the one that floods", n)
	}
	// The rest of a request that was cut where the window closed.
	done := make(chan error, 1)
	rest := (len(request) - sent%len(request)) % len(request)
	go func() { done <- c.send(request[len(request)-rest:]) }()
	s.mustCall("/push?cname=flood&content=x")
	c.mustExpect(t, polled(data("flood", 1, "x")+"\n"))
	want := polled(nextSeq("flooded", 1) + "\n")
	for i := range (sent + rest) / len(request) {
		if err := c.expect(want); err != nil {
			t.Fatalf("reply %d to the flood: %v", i, err)
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	c.mustKeep(t)
}

// fill writes blocks until the connection takes no more for a while, and
// returns how many bytes it took.
func fill(c *client, block string) (sent int, err error) {
	const (
		most  = 4 << 20 // all buffers of the kernel together are smaller by far
		quiet = 300 * time.Millisecond
	)
	defer c.patient()
	for sent < most {
		if err := c.conn.SetWriteDeadline(time.Now().Add(quiet)); err != nil {
			return sent, err
		}
		n, err := c.conn.Write([]byte(block)[sent%len(block):])
		sent += n
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return sent, nil
		}
		if err != nil {
			return sent, fmt.Errorf("after %d bytes: %w", sent, err)
		}
	}
	return sent, fmt.Errorf("%d bytes were taken and the window is still open", sent)
}
