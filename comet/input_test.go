package comet

import (
	"fmt"
	"strings"
	"testing"
)

// TestHeadHasNoBody proves that no reply to a HEAD has a body: the client would
// take it for the next reply.
func TestHeadHasNoBody(t *testing.T) {
	e := newRigs(t, 1, 20, nil)[0]
	c := Conn(0)
	for _, path := range []string{"/sub", "/poll", "/ping", "/ping?cb=f", "/ping?cb=-", "/sub?cb=-", "/nothing"} {
		e.l.Open(e.now, c, DoorFront, Peer{})
		e.l.Data(e.now, c, []byte("HEAD "+path+" HTTP/1.1\r\nHost: h\r\n\r\n"))
		e.settle()
		if _, body, ok := strings.Cut(e.out[c], "\r\n\r\n"); !ok || body != "" {
			t.Errorf("HEAD %s: %q", path, e.out[c])
		}
		c++
	}
	for _, path := range []string{"/info", "/check?cname=x", "/push?cname=x&content=y", "/broadcast", "/nothing", "/info?cb=-"} {
		e.l.Open(e.now, c, DoorAdmin, Peer{})
		e.l.Data(e.now, c, []byte("HEAD "+path+" HTTP/1.1\r\nHost: h\r\n\r\n"))
		e.settle()
		if _, body, ok := strings.Cut(e.out[c], "\r\n\r\n"); !ok || body != "" {
			t.Errorf("HEAD %s: %q", path, e.out[c])
		}
		c++
	}
}

// TestBodyLargerThanABlock proves that a body that fits into no block of the
// arena is refused by a reply, whatever the longest content is.
func TestBodyLargerThanABlock(t *testing.T) {
	e := newRigs(t, 1, 4, func(c *Config) { c.MaxContentBytes = MaxContentBytes })[0]
	for c, n := range []int{5 << 20, 7 << 20, 11 << 20} {
		c := Conn(c)
		e.l.Open(e.now, c, DoorAdmin, Peer{})
		e.l.Data(e.now, c, fmt.Appendf(nil, "POST /push HTTP/1.1\r\nHost: h\r\n"+
			"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n", n))
		piece := []byte(strings.Repeat("a", 1<<20))
		for sent := 0; sent < n && !e.closed[c] && e.out[c] == ""; sent += len(piece) {
			e.l.Data(e.now, c, piece)
			e.settle()
		}
		want := "HTTP/1.1 413 "
		if n == 5<<20 {
			want = "HTTP/1.1 200 " // nothing of it is a parameter
		}
		if !strings.HasPrefix(e.out[c], want) {
			t.Errorf("a body of %d bytes: %q", n, e.out[c])
		}
	}
}

// TestPausedReaderIsResumed proves that a client that pipelines without end is
// paused, resumed whenever its input was used, and loses no reply.
func TestPausedReaderIsResumed(t *testing.T) {
	for _, door := range []Door{DoorFront, DoorAdmin} {
		e := newRigs(t, 1, 4, nil)[0]
		e.slow = true
		e.l.Open(e.now, 0, door, Peer{})
		path := "/ping"
		if door == DoorAdmin {
			path = "/info"
		}
		one := "GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n"
		rest := strings.Repeat(one, 500)
		reading, resumed := true, 0
		for step := 0; ; step++ {
			if reading && len(rest) > 0 {
				n := min(97, len(rest)) // pieces that cut requests anywhere
				reading = e.l.Data(e.now, 0, []byte(rest[:n]))
				rest = rest[n:]
			} else if _, ok := e.open[0]; ok {
				e.finish(0)
			} else if e.resumed[0] > resumed {
				resumed, reading = e.resumed[0], true
			} else {
				break
			}
			if x := e.l.at(1).extra; x != 0 && e.l.extraAt(x).input > earlyBytes+97 {
				t.Fatalf("%d bytes are kept", e.l.extraAt(x).input)
			}
			e.settle()
		}
		if got := strings.Count(e.out[0], "HTTP/1.1 200 "); got != 500 || len(rest) != 0 {
			t.Errorf("door %d: %d replies, %d bytes not read", door, got, len(rest))
		}
		if resumed == 0 {
			t.Errorf("door %d: never paused", door)
		}
	}
}
