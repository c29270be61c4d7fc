package comet

import (
	"fmt"
	"strings"
	"testing"

	"c1000k/comet/arena"
)

// TestSeveralCost proves what several channels cost while they are held, that
// one costs nothing, and that all of it comes back.
func TestSeveralCost(t *testing.T) {
	e := newRigs(t, 1, 10, nil)[0]
	e.poll(0, "/sub?cname=a&seq=1")
	e.settle()
	if n := e.stat("loop_block_bytes"); n != 0 {
		t.Errorf("a poll of one channel takes %d bytes beside its record", n)
	}
	e.poll(1, "/sub?cname=a&seq=1&cname=b&seq=1&cname=c&seq=1")
	e.poll(2, "/stream?cname=b&seq=1&cname=a&seq=1")
	e.settle()
	if n := e.stat("loop_block_bytes"); n != 5*32 {
		t.Errorf("five channels of two connections take %d bytes, not 32 each", n)
	}
	if held, subscribers := e.stat("connections_polling")+e.stat("connections_streaming"), e.stat("subscribers"); held != 3 || subscribers != 6 {
		t.Errorf("%d connections and %d subscribers are held, not 3 and 6", held, subscribers)
	}
	e.push("b", "x")
	e.settle()
	e.has(1, `{"type":"data","cname":"b","seq":1,"content":"x"}`)
	e.has(2, `{"type":"data","cname":"b","seq":1,"content":"x"}`)
	e.l.Hangup(e.now, 2)
	e.settle()
	if held, subscribers, bytes := e.stat("connections_polling")+e.stat("connections_streaming"), e.stat("subscribers"), e.stat("loop_block_bytes"); held != 1 || subscribers != 1 || bytes != 0 {
		t.Errorf("in the end %d connections, %d subscribers and %d bytes are held, not 1, 1 and 0", held, subscribers, bytes)
	}
}

// TestSeveralBit proves that a subscriber that is one of several is never taken
// for a connection: the handles of its size leave the bit alone.
func TestSeveralBit(t *testing.T) {
	if x := arena.NewBlocks(1 << 20).Alloc(subscriptionBytes); x == 0 || x&severalBit != 0 {
		t.Errorf("the handle of a subscription's block is %#x", x)
	}
}

// TestSeveralCloseBeforeMessage proves that a stream which is told that one of
// its channels was closed is not looked at for another's message that is behind
// the close in the inbox, and in no history.
func TestSeveralCloseBeforeMessage(t *testing.T) {
	e := newRigs(t, 1, 10, func(c *Config) { c.ChannelBufferSize = 0 })[0]
	e.poll(1, "/stream?cname=a&seq=1&cname=b&seq=1")
	e.settle()
	e.ask(5, "/close?cname=a")
	e.push("b", "x")
	e.settle()
	e.has(1, `"type":"close","cname":"a"`, `{"type":"data","cname":"b","seq":1,"content":"x"}`)
	if e.closed[1] {
		t.Error("the stream was closed")
	}
}

// TestSeveralOrder proves that what waits for the send of a stream of several
// channels is one list, in the order in which it came, and that what finds no
// room there is looked for on its own channel alone.
func TestSeveralOrder(t *testing.T) {
	e := newRigs(t, 1, 10, func(c *Config) { c.ChannelBufferSize = maxPending })[0]
	e.slow = true
	e.poll(1, "/sse?cname=a&seq=1&cname=b&seq=1")
	e.drain()
	e.finish(1)
	begin := len(e.out[1])
	want := ""
	for i := range maxPending + 4 { // the first is on its way, the last three find no room
		name := []string{"a", "b"}[i%2]
		e.push(name, fmt.Sprint(i))
		e.settle()
	}
	e.finishAll(1)
	frame := func(id, name string, i int) {
		text := fmt.Sprintf("id: %s\ndata: {\"type\":\"data\",\"cname\":%q,\"seq\":%d,\"content\":\"%d\"}\n\n", id, name, i/2+1, i)
		want += fmt.Sprintf("%x\r\n%s\r\n", len(text), text)
	}
	for i := range maxPending + 1 {
		frame(fmt.Sprintf("%d,%d", i/2+1, (i+1)/2), []string{"a", "b"}[i%2], i)
	}
	// Then channel by channel.
	const n = maxPending/2 + 1
	frame(fmt.Sprintf("%d,%d", n+1, n-1), "a", 2*n)
	frame(fmt.Sprintf("%d,%d", n+1, n), "b", 2*n-1)
	frame(fmt.Sprintf("%d,%d", n+1, n+1), "b", 2*n+1)
	if got := e.out[1][begin:]; got != want {
		t.Errorf("got\n%q, want\n%q", got, want)
	}
}

// TestSeveralWithoutMemory proves that a subscription of several channels for
// which there is no memory is in none of them, and that its connection is closed.
func TestSeveralWithoutMemory(t *testing.T) {
	for _, bytes := range []int64{0, 32, 2 * 32} { // not for both; for both, but not for the number of noops
		e := newRigs(t, 1, 10, nil)[0]
		e.l.blocks = arena.NewBlocks(bytes)
		e.poll(1, "/sub?cname=a&seq=1&cname=b&seq=1&noop=5")
		e.settle()
		if !e.closed[1] || e.stat("subscribers") != 0 || e.stat("connections_polling") != 0 || e.stat("loop_block_bytes") != 0 {
			t.Errorf("with %d bytes: closed %v, %d subscribers, %d bytes in use", bytes, e.closed[1], e.stat("subscribers"), e.stat("loop_block_bytes"))
		}
	}
}

// busyPair is a rig with a stream of the channels b and a whose every send is
// outstanding until finish.
func busyPair(t *testing.T, query string, set func(*Config)) *rig {
	e := newRigs(t, 1, 10, set)[0]
	e.slow = true
	e.poll(0, "/stream?"+query)
	e.settle()
	e.finish(0)
	return e
}

// comes sends on, with another message of a each time, until the stream has what.
func (e *rig) comes(what, content string) {
	e.t.Helper()
	const sends = 100
	for range sends {
		if strings.Contains(e.out[0], what) {
			return
		}
		e.out[0] = ""
		e.finish(0)
		e.drain()
		e.push("a", content)
		e.settle()
	}
	e.t.Errorf("%s did not come in %d sends", what, sends)
}

// TestSeveralNoneStarved proves that a channel which always has something waiting,
// or always more in its history than a reply brings, keeps no other channel of the
// stream from being told its close, or its message.
func TestSeveralNoneStarved(t *testing.T) {
	const query = "cname=b&seq=1&cname=a&seq=1"
	e := busyPair(t, query, nil)
	e.push("a", "x")
	e.settle()
	v, _ := e.l.hub.Find([]byte("b"))
	v.Close(e.l.tick)
	v.Leave()
	e.settle()
	e.push("a", "x")
	e.settle()
	e.comes(`"type":"close","cname":"b"`, "x")

	e = busyPair(t, query, func(c *Config) { c.ChannelBufferSize = 300 })
	for range maxPending + 1 { // the list is full
		e.push("a", "x")
		e.settle()
	}
	e.push("b", "at last")
	e.settle()
	e.comes("at last", "x")

	for _, query := range []string{query, "cname=a&seq=1&cname=b&seq=1"} {
		big := strings.Repeat("x", maxReplayBytes)
		e = busyPair(t, query, nil)
		for range 2 {
			e.push("a", big)
			e.settle()
		}
		e.push("b", "at last")
		e.push("a", big)
		e.settle()
		e.comes("at last", big)
	}

	e = busyPair(t, "cname=a&seq=1&cname=b&seq=1", nil)
	big := strings.Repeat("x", maxReplayBytes)
	e.poll(1, "/stream?cname=other&seq=1")
	e.settle()
	e.flood("other") // what comes now is in the histories alone
	for range 4 {    // so that there is always one more
		e.push("a", big)
	}
	e.push("b", "at last")
	e.settle()
	e.comes("at last", big)
}

// TestSeveralHugeNumber proves that an event's id is one that the server itself
// takes, also where a client asked for a number beyond all.
func TestSeveralHugeNumber(t *testing.T) {
	const target = "/sse?cname=x&seq=1&cname=y&seq=9223372036854775807"
	e := newRigs(t, 1, 10, nil)[0]
	e.push("x", "one")
	e.poll(0, target)
	e.settle()
	e.has(0, "id: 1,\n")
	e.l.Open(e.now, 1, DoorFront, Peer{})
	e.l.Data(e.now, 1, []byte("GET "+target+" HTTP/1.1\r\nHost: h\r\nLast-Event-ID: 1,\r\n\r\n"))
	e.settle()
	if strings.Contains(e.out[1], "one") {
		t.Errorf("x is said again: %q", e.out[1])
	}
}
