package enginetest

import (
	"strings"
	"testing"

	"c1000k/comet"
)

// reset closes a connection with a reset.
func (c *client) reset() error {
	if err := c.conn.SetLinger(0); err != nil {
		return err
	}
	return c.conn.Close()
}

// testHalfClose proves that a client that closes its half has left: it is no
// subscriber any more and its connection ends, even where it had sent a
// further request or half of one.
func testHalfClose(t *testing.T, f Factory) {
	s := newServer(t, f, setup{receiveBuffer: 16 << 10})
	for _, x := range []struct{ name, channel, after string }{
		{"Idle", "h1", ""},
		{"WithAHalfRequest", "h2", "GET /sub"},
		{"WithAFurtherRequest", "h3", get("/sub?cname=h3")},
	} {
		subtest(t, x.name, func(t *testing.T) {
			c := s.mustDial(comet.DoorFront)
			c.mustSend(t, sub(x.channel, 1))
			s.waitSubscribers(x.channel, 1)
			c.mustSend(t, x.after)
			if err := c.conn.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			s.waitSubscribers(x.channel, 0)
			if rest, err := c.reply(); rest != "" || err == nil {
				t.Fatalf("got %q, %v after leaving", rest, err)
			}
		})
	}
	subtest(t, "BeforeARequest", func(t *testing.T) {
		c := s.mustDial(comet.DoorFront)
		if err := c.conn.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		c.mustEnd(t)
	})
}

// testHalfCloseAfterRequests proves that who asks and closes its half at once, as
// some tools do, reads every reply whole: what was carried out is answered.
func testHalfCloseAfterRequests(t *testing.T, f Factory) {
	const depth = 5
	s := newServer(t, f, setup{})
	for _, x := range []struct {
		name, request, reply string
		door                 comet.Door
		times                int
	}{
		{"Ping", get("/ping?cb=f"), frontBare("200 OK", `f({"type":"ping","sub_timeout":3600});`+"\n"), comet.DoorFront, 1},
		{"Poll", get("/sub?cname=hp"), polled(nextSeq("hp", 1) + "\n"), comet.DoorFront, 1},
		{"Push", get("/push?cname=ha&content=x"), pushed, comet.DoorAdmin, 1},
		{"Pushes", get("/push?cname=hb&content=x"), pushed, comet.DoorAdmin, depth},
	} {
		subtest(t, x.name, func(t *testing.T) {
			for i := range scaled(100) {
				c, err := s.dial(x.door)
				if err != nil {
					t.Fatal(err)
				}
				c.mustSend(t, strings.Repeat(x.request, x.times))
				if err := c.conn.CloseWrite(); err != nil {
					t.Fatal(err)
				}
				for n := range x.times {
					if err := c.expect(x.reply); err != nil {
						t.Fatalf("time %d, reply %d: %v", i, n, err)
					}
				}
				c.mustEnd(t)
				c.conn.Close()
			}
			if x.times == depth { // each was carried out, and once
				s.mustDial(comet.DoorFront).mustAsk(t, sub("hb", 0), polled(nextSeq("hb", depth*scaled(100)+1)+"\n"))
			}
		})
	}
}

// testReset proves that a client that resets has left, held or not, and also
// where reading it had been stopped: a hang-up is watched for all the same.
func testReset(t *testing.T, f Factory) {
	const kernelBytes = 32 << 10
	s := newServer(t, f, setup{receiveBuffer: kernelBytes})
	subtest(t, "Held", func(t *testing.T) {
		held := s.hold(50, func(i int) string { return "r1" })
		for _, c := range held {
			if err := c.reset(); err != nil {
				t.Fatal(err)
			}
		}
		s.waitSubscribers("r1", 0)
	})
	subtest(t, "Flooding", func(t *testing.T) {
		c := s.hold(1, func(int) string { return "r2" })[0]
		if err := c.conn.SetWriteBuffer(kernelBytes); err != nil {
			t.Fatal(err)
		}
		if _, err := fill(c, strings.Repeat("x", 4096)); err != nil {
			t.Fatal(err)
		}
		if n := s.subscribers("r2"); n != 1 {
			t.Fatalf("%d subscribers, want 1", n)
		}
		if err := c.reset(); err != nil {
			t.Fatal(err)
		}
		s.waitSubscribers("r2", 0)
	})
	subtest(t, "InARequest", func(t *testing.T) {
		for i := range 20 {
			c := s.mustDial(comet.DoorFront)
			request := sub("r3", 1)
			c.mustSend(t, request[:i*len(request)/20])
			if err := c.reset(); err != nil {
				t.Fatal(err)
			}
		}
		s.mustCall("/check?cname=r3")
		s.waitSubscribers("r3", 0)
	})
}

// testLeaveDuringSend proves that a client that goes away in the middle of a
// long reply disturbs nobody: the others on its channel get theirs, and the
// memory of the reply is not given back too early, which bytes would show.
func testLeaveDuringSend(t *testing.T, f Factory) {
	const kernelBytes = 4 << 10
	s := newServer(t, f, setup{sendBuffer: kernelBytes})
	content := strings.Repeat("0123456789abcdef", 256)
	for range 10 {
		s.mustCall("/push?cname=big&content=" + content)
	}
	var objects []string
	for n := 1; n <= 10; n++ {
		objects = append(objects, data("big", n, content))
	}
	want := polled(array(objects...))
	for i := range 20 {
		leaver, err := s.dialSmall(kernelBytes)
		if err != nil {
			t.Fatal(err)
		}
		leaver.mustSend(t, sub("big", 1))
		if _, err := leaver.in.Peek(1); err != nil {
			t.Fatal(err)
		}
		stayer := s.mustDial(comet.DoorFront)
		stayer.mustSend(t, sub("big", 1))
		if i%2 == 0 {
			err = leaver.reset()
		} else {
			err = leaver.conn.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		stayer.mustExpect(t, want)
		if err := stayer.reset(); err != nil {
			t.Fatal(err)
		}
	}
}
