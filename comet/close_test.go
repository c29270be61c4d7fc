package comet

import (
	"fmt"
	"strings"
	"testing"
)

// ask makes an admin request on c, opened if it is not, and returns the reply.
func (e *rig) ask(c Conn, target string) string {
	if e.l.at(uint32(c)+1).state == stateFree {
		e.l.Open(e.now, c, DoorAdmin, Peer{})
	}
	n := len(e.out[c])
	e.get(c, target)
	e.drain()
	return e.out[c][n:]
}

// finishAll ends the sends of c, one after the other, until it has none.
func (e *rig) finishAll(c Conn) {
	e.t.Helper()
	for range 100 {
		if _, ok := e.open[c]; !ok {
			return
		}
		e.finish(c)
		e.settle()
	}
	e.t.Fatalf("connection %d has one send after the other", c)
}

// closesAfter closes channel c, of which connection 1 has not had all of so many
// messages, and wants it to have them and then the close.
func (e *rig) closesAfter(messages int) {
	e.t.Helper()
	e.ask(5, "/close?cname=c")
	e.settle()
	e.finishAll(1)
	for i := range messages {
		e.has(1, fmt.Sprintf(`"seq":%d,"content":"m%d-`, i+1, i))
	}
	e.has(1, `"type":"close"`)
}

// TestCloseAfterReplay proves that a stream in the middle of a long replay gets
// all of it before it is told that its channel was closed.
func TestCloseAfterReplay(t *testing.T) {
	const messages = 8
	e := newRigs(t, 1, 10, nil)[0]
	big := strings.Repeat("x", 300_000)
	for i := range messages {
		e.push("c", fmt.Sprintf("m%d-%s", i, big))
	}
	e.slow = true
	e.poll(1, "/stream?cname=c&seq=1")
	e.drain()
	e.closesAfter(messages)
	if n := e.stat("subscribers"); n != 0 {
		t.Errorf("%d are still held", n)
	}
}

// TestCloseAfterPending proves the same of messages that waited for a send, more
// of them than one block holds.
func TestCloseAfterPending(t *testing.T) {
	const messages = 8
	e := newRigs(t, 1, 10, nil)[0]
	big := strings.Repeat("x", 1_000_000)
	e.slow = true
	e.poll(1, "/stream?cname=c&seq=1")
	e.drain()
	for i := range messages {
		e.push("c", fmt.Sprintf("m%d-%s", i, big))
	}
	e.settle()
	e.closesAfter(messages)
}

// TestCloseAfterEarlyHead proves that a poll whose head is on its way, and whose
// message found the inbox full, gets the message and not the close.
func TestCloseAfterEarlyHead(t *testing.T) {
	e := newRigs(t, 1, 10, func(c *Config) { c.EarlyHead = true })[0]
	e.poll(0, "/sub?cname=other&seq=1")
	e.settle()
	e.slow = true
	e.poll(1, "/sub?cname=c&seq=1")
	e.drain()
	e.flood("other")
	e.push("c", "one") // found the inbox full
	e.turn()
	e.turn()
	v, _ := e.l.hub.Find([]byte("c"))
	v.Close(e.l.tick)
	v.Leave()
	e.settle()
	e.finish(1)
	e.settle()
	e.has(1, `"content":"one"`)
}

// TestCloseFreesPlace proves that a closed channel that nobody holds makes room
// for another at once.
func TestCloseFreesPlace(t *testing.T) {
	e := newRigs(t, 1, 10, func(c *Config) { c.Channels = 1 })[0]
	for range 3 {
		if got := e.ask(1, "/push?cname=c&content=x"); !strings.Contains(got, " 200 ") {
			t.Fatalf("push: %q", got)
		}
		if got := e.ask(1, "/close?cname=c"); !strings.Contains(got, "ok 2") {
			t.Fatalf("close: %q", got)
		}
	}
}

// TestSlowReaderPinsLittle proves that a stream that reads nothing does not keep
// so much memory of messages that others cannot publish.
func TestSlowReaderPinsLittle(t *testing.T) {
	e := newRigs(t, 1, 10, func(c *Config) { c.MaxMessageBytes = 64 << 20 })[0]
	e.slow = true
	e.poll(1, "/stream?cname=c&seq=1")
	e.drain()
	e.l.Open(e.now, 5, DoorAdmin, Peer{})
	big := strings.Repeat("x", 900_000)
	for i := range 250 {
		e.l.Data(e.now, 5, fmt.Appendf(nil, "POST /push?cname=c HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\ncontent=%s", len(big)+8, big))
		e.drain()
		e.finish(5)
		e.settle()
		if strings.Contains(e.out[5], " 503 ") {
			t.Fatalf("publishing was refused after %d messages of 900 kB, with a history of 10", i)
		}
	}
}

// TestSignOutlivesPolls proves that a channel lives for as long as it was signed
// for, though a subscriber came and left before, or was there already.
func TestSignOutlivesPolls(t *testing.T) {
	for name, signFirst := range map[string]bool{"signed, then polled": true, "polled, then signed": false} {
		e := newRigs(t, 1, 10, nil)[0]
		if signFirst {
			e.ask(5, "/sign?cname=c&expires=600")
		}
		e.poll(1, "/sub?cname=c&seq=1")
		e.settle()
		if !signFirst {
			e.ask(5, "/sign?cname=c&expires=600")
		}
		e.push("c", "x")
		e.settle()
		for _, x := range []struct {
			second int64
			there  bool
		}{{500, true}, {700, false}} {
			e.now = 1_700_000_000e9 + x.second*1e9
			e.settle()
			v, ok := e.l.hub.Find([]byte("c"))
			if ok {
				v.Leave()
			}
			if ok != x.there {
				t.Errorf("%s for 600 s: after %d s there: %v", name, x.second, ok)
			}
		}
	}
}

// TestZeroTokenKey proves that tokens are not made with a key that nobody drew.
func TestZeroTokenKey(t *testing.T) {
	c := DefaultConfig()
	c.Channels, c.TokenAuth = 10, true
	if _, err := NewService(c); err == nil {
		t.Error("a key of zeros is accepted")
	}
}

// TestMarkupInNames proves that a name cannot bring markup into what a browser
// takes for a page.
func TestMarkupInNames(t *testing.T) {
	const name = "%3C/script%3E%3Cscript%3Ealert(1)%3C/script%3E"
	e := newRigs(t, 1, 10, nil)[0]
	e.poll(0, "/iframe?cname="+name)
	e.settle()
	if strings.Contains(e.out[0], "</script><script>alert") {
		t.Errorf("iframe: %q", e.out[0])
	}
	for i, p := range []string{"/info", "/close", "/sign", "/check"} {
		if got := e.ask(Conn(i+1), p+"?cname="+name); strings.Contains(got, "<script>") {
			t.Errorf("%s: %q", p, got)
		}
	}
}
