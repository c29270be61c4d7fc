package enginetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"c1000k/comet"
)

// presenceHead begins the reply to /psub.
const presenceHead = "HTTP/1.1 200 OK\r\nServer: <server>\r\nTransfer-Encoding: chunked\r\nDate: <date>\r\nContent-Type: " + typeLatin + "\r\n\r\n"

// watch begins to read /psub.
func (s *server) watch(t *testing.T, query string) *client {
	t.Helper()
	c := s.mustDial(comet.DoorAdmin)
	c.mustSend(t, get("/psub"+query))
	if head, err := c.beginning(0); err != nil || head != presenceHead {
		t.Fatalf("head %q, %v, want %q", head, err, presenceHead)
	}
	return c
}

// line reads one chunk and returns it without its frame.
func (c *client) line() (string, error) {
	if err := c.patient(); err != nil {
		return "", err
	}
	var got strings.Builder
	size := 0
	if _, err := fmt.Fscanf(c.in, "%x\r\n", &size); err != nil {
		return "", err
	}
	for range size + len("\r\n") {
		b, err := c.in.ReadByte()
		if err != nil {
			return got.String(), err
		}
		got.WriteByte(b)
	}
	return strings.TrimSuffix(got.String(), "\n\r\n"), nil
}

func (c *client) mustLine(t *testing.T, want string) {
	t.Helper()
	if got, err := c.line(); err != nil || got != want {
		t.Fatalf("psub says %q, %v, want %q", got, err, want)
	}
}

// testPresence proves that whoever asks is told of channels that come and go,
// by whatever they come and go, with their names escaped, and of those there are,
// if it wants.
func testPresence(t *testing.T, f Factory) {
	s := newServer(t, f, setup{options: comet.EngineOptions{Loops: 2}})
	c := s.watch(t, "")
	s.mustCall("/push?cname=new1&content=x")
	c.mustLine(t, "1 new1")
	s.mustCall("/close?cname=new1")
	c.mustLine(t, "0 new1")
	s.mustDial(comet.DoorFront).mustAsk(t, sub("s5", 0), polled(nextSeq("s5", 1)+"\n"))
	c.mustLine(t, "1 s5")
	s.mustCall("/sign?cname=q%22%0Ay")
	c.mustLine(t, `1 q\"\ny`)
	s.mustCall("/push?cname=s5&content=again")
	second := s.watch(t, "?snapshot=1")
	seen := map[string]bool{}
	for range 2 {
		text, err := second.line()
		if err != nil {
			t.Fatal(err)
		}
		seen[text] = true
	}
	if !seen["1 s5"] || !seen[`1 q\"\ny`] {
		t.Errorf("the snapshot is %v", seen)
	}
	s.mustCall("/push?cname=last&content=x")
	c.mustLine(t, "1 last")
	second.mustLine(t, "1 last")
	if err := c.silent(5 * time.Millisecond); err != nil {
		t.Error(err)
	}
	c.conn.Close()
	s.mustCall("/push?cname=later&content=x")
	second.mustLine(t, "1 later")
	if n := s.subscribers(""); n != 0 {
		t.Errorf("%d subscribers, want none: psub is none", n)
	}
	old := s.mustDial(comet.DoorAdmin)
	old.mustSend(t, "GET /psub?snapshot=1 HTTP/1.0\r\n\r\n")
	if line, err := old.in.ReadString('\n'); err != nil || line != "HTTP/1.0 200 OK\r\n" {
		t.Errorf("psub by HTTP/1.0: %q, %v", line, err)
	}
}

// testPresenceAgain proves that a watcher is told again, every channel timeout, of a
// channel that lives, and of one whose time is over.
func testPresenceAgain(t *testing.T, f Factory) {
	t.Parallel()
	again := newServer(t, f, setup{config: func(c *comet.Config) { c.ChannelTimeout = time.Second; c.PollingTimeout = time.Hour }})
	a := again.watch(t, "")
	again.hold(1, func(int) string { return "kept" })
	a.mustLine(t, "1 kept")
	a.mustLine(t, "1 kept")
	a.mustLine(t, "1 kept")
	again.mustCall("/push?cname=short&content=x")
	for line := ""; line != "0 short"; {
		var err error
		if line, err = a.line(); err != nil {
			t.Fatalf("a channel that expired: %v", err)
		}
	}
}

// testPresenceOfMany proves that none of many channels is left out, in the log
// and in a snapshot.
func testPresenceOfMany(t *testing.T, f Factory) {
	n := scaled(2_000)
	s := newServer(t, f, setup{sendBuffer: 4 << 10, config: func(c *comet.Config) { c.Channels = n }})
	c := s.watch(t, "")
	read := make(chan error, 1)
	go func() {
		for i := range n {
			if got, err := c.line(); err != nil || got != fmt.Sprintf("1 c%d", i) {
				read <- fmt.Errorf("line %d: %q, %v", i, got, err)
				return
			}
		}
		read <- nil
	}()
	for i := range n {
		s.mustCall(fmt.Sprintf("/push?cname=c%d&content=x", i))
	}
	if err := <-read; err != nil {
		t.Fatal(err)
	}
	snapshot := s.watch(t, "?snapshot=1")
	seen := map[string]bool{}
	for range n {
		line, err := snapshot.line()
		if err != nil {
			t.Fatal(err)
		}
		seen[line] = true
	}
	if len(seen) != n {
		t.Errorf("the snapshot has %d channels, want %d", len(seen), n)
	}
}
