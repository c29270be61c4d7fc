package enginetest

import (
	"strings"
	"testing"
	"time"

	"c1000k/comet"
)

// lists admits publishers at 127.0.0.1 and takes the word of the proxy at
// 127.0.0.3, whose client must be 10.1.2.3.
type lists struct{}

func (lists) Admits(p comet.Peer) (publishes, proxy bool) {
	mapped := [12]byte{10: 0xff, 11: 0xff}
	v4 := [12]byte(p[:12]) == mapped
	return v4 && p[12] == 127 && p[15] == 1, v4 && p[12] == 127 && p[15] == 3
}

func (lists) Forwarded(list []byte) bool { return string(list) == "10.1.2.3" }

// dialAdminFrom connects to the admin door from an address of the loopback net.
func (s *server) dialAdminFrom(t *testing.T, from string) *client {
	t.Helper()
	c, err := s.dialFrom(comet.DoorAdmin, 0, from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.conn.Close() })
	return c
}

// testAccess proves that publishers are admitted by their address, or by that
// of the client for which a trusted proxy speaks; that nobody else is believed
// about where it comes from; and that a new list counts for new connections.
func testAccess(t *testing.T, f Factory) {
	s := newServer(t, f, setup{})
	s.svc.SetAccess(lists{})
	forwarded := func(by string) string {
		return "GET /push?cname=x&content=x HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: " + by + "\r\n\r\n"
	}
	denied := strings.Replace(adminBare("403 Forbidden", ""), "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1)
	for _, x := range []struct{ name, from, send, want string }{
		{"listed", "127.0.0.1", get("/push?cname=x&content=x"), pushed},
		{"not listed", "127.0.0.2", get("/push?cname=x&content=x"), denied},
		{"not listed, another path", "127.0.0.2", get("/info"), denied},
		{"not listed, and says it is a proxy", "127.0.0.2", forwarded("10.1.2.3"), denied},
		{"listed, and says it is a proxy", "127.0.0.1", forwarded("10.9.9.9"), pushed},
		{"proxy for one listed", "127.0.0.3", forwarded("10.1.2.3"), pushed},
		{"proxy for one not listed", "127.0.0.3", forwarded("10.1.2.4"), denied},
		{"proxy that names nobody", "127.0.0.3", get("/push?cname=x&content=x"), denied},
	} {
		subtest(t, x.name, func(t *testing.T) {
			c := s.dialAdminFrom(t, x.from)
			c.mustAsk(t, x.send, x.want)
			if x.want == denied {
				c.mustEnd(t)
			} else {
				c.mustAsk(t, x.send, x.want)
			}
		})
	}
	// Many at once, as their addresses must not be mixed up.
	if err := together(scaled(200), func(i int) error {
		from, want := "127.0.0.1", pushed
		if i%2 == 1 {
			from, want = "127.0.0.2", denied
		}
		c, err := s.dialFrom(comet.DoorAdmin, 0, from)
		if err != nil {
			return err
		}
		defer c.conn.Close()
		return c.ask(get("/push?cname=x&content=x"), want)
	}); err != nil {
		t.Fatal(err)
	}
	s.svc.SetAccess(nil)
	s.dialAdminFrom(t, "127.0.0.2").mustAsk(t, get("/push?cname=x&content=x"), pushed)
}

// testSecret proves that publishers without the secret are refused, and those
// with it are not, and that subscribers need none.
func testSecret(t *testing.T, f Factory) {
	s := newServer(t, f, setup{config: func(c *comet.Config) { c.AdminSecret = []byte("s3cret") }})
	ask := func(header string) string {
		t.Helper()
		c := s.mustDial(comet.DoorAdmin)
		reply, err := c.do("GET /push?cname=x&content=x HTTP/1.1\r\nHost: h\r\n" + header + "\r\n")
		if err != nil {
			t.Fatal(err)
		}
		return reply
	}
	for _, wrong := range []string{"", "Authorization: Bearer wrong\r\n", "Authorization: Bearer\r\n", "Authorization: Basic s3cret\r\n", "Authorization: Bearer s3crets\r\n"} {
		if got := ask(wrong); !strings.HasPrefix(got, "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\n") {
			t.Errorf("%q: %q", wrong, got)
		}
	}
	for _, right := range []string{"Authorization: Bearer s3cret\r\n", "authorization: bearer s3cret\r\n"} {
		if got := ask(right); got != pushed {
			t.Errorf("%q: %q", right, got)
		}
	}
	c := s.mustDial(comet.DoorFront)
	c.mustSend(t, sub("x", 1))
	want := polled(array(data("x", 1, "x"), data("x", 2, "x")))
	if err := c.expect(want); err != nil {
		t.Error(err)
	}
	if err := c.silent(time.Millisecond); err != nil {
		t.Error(err)
	}
}
