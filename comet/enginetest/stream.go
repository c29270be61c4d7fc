package enginetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"c1000k/comet"
)

// The streams as recorded.

func headOf(contentType string) string {
	return strings.Replace(subscribeHead, "application/json", contentType, 1)
}

var (
	streamHead = subscribeHead + keptTail
	frameHead  = headOf("text/html") + keptTail
	eventsHead = headOf("text/event-stream") + keptTail
)

// lines is a chunk an object.
func lines(objects ...string) string {
	var b strings.Builder
	for _, o := range objects {
		fmt.Fprintf(&b, "%x\r\n%s\n\r\n", len(o)+1, o)
	}
	return b.String()
}

// script is an object in an iframe.
func script(object string) string {
	return lines("<script>parent.icomet_cb(" + object + ");</script>")
}

// noID is for an event that has no id.
const noID = -1

// event is an object as an EventSource gets it, with its id if it has one.
// Ours differs on purpose: icomet gives none.
func event(id int, object string) string {
	text := "data: " + object + "\n"
	if id != noID {
		text = fmt.Sprintf("id: %d\n", id) + text
	}
	return lines(text)
}

// retry begins a stream of events.
var retry = lines("retry: 3000\n")

// end is the last chunk.
const end = "0\r\n\r\n"

// broadcastLines is a broadcast in a stream.
func broadcastLines(name string, seq int, content string) string {
	return lines(object("broadcast", name, seq, content), nextSeq(name, seq+1))
}

// streams are the streaming modes.
var streams = []exchange{
	{
		name: "stream", row: "stream: held, push, broadcast",
		send: get("/stream?cname=s&seq=1"), held: "s", then: append(pushes("s", "one"), "/broadcast?content=all"),
		want: streamHead + lines(data("s", 1, "one")) + broadcastLines("s", 2, "all"), chunks: 3,
	}, {
		name: "stream with replay", row: "stream: replay of 3",
		before: append(three("sr"), "/broadcast?content=all"), send: get("/stream?cname=sr&seq=1"),
		want: streamHead + lines(data("sr", 1, "m1"), data("sr", 2, "m2"), data("sr", 3, "m3")) + broadcastLines("sr", 4, "all"), chunks: 5,
	}, {
		name: "stream with replay and more", before: three("sm"), send: get("/stream?cname=sm&seq=3"), held: "sm",
		then: pushes("sm", "m4", "m5"),
		want: streamHead + lines(data("sm", 3, "m3"), data("sm", 4, "m4"), data("sm", 5, "m5")), chunks: 3,
	}, {
		name: "stream without seq", before: three("sn"), send: get("/stream?cname=sn"), held: "sn", then: pushes("sn", "m4"),
		want: streamHead + lines(nextSeq("sn", 4), data("sn", 4, "m4")), chunks: 2,
	}, {
		name: "stream from beyond", before: three("sb"), send: get("/stream?cname=sb&seq=9"), held: "sb", then: pushes("sb", "m4"),
		want: streamHead + lines(nextSeq("sb", 4), data("sb", 4, "m4")), chunks: 2,
	}, {
		name: "stream takes no callback", send: get("/stream?cname=sc&seq=1&cb=f"), held: "sc", then: pushes("sc", "x"),
		want: streamHead + lines(data("sc", 1, "x")), chunks: 1,
	}, {
		name: "stream with a callback that is none", send: get("/stream?cname=scn&seq=1&cb=a-b"), held: "scn", then: pushes("scn", "x"),
		want: streamHead + lines(data("scn", 1, "x")), chunks: 1,
	}, {
		name: "stream closed", row: "stream: close",
		send: get("/stream?cname=s6&seq=1"), held: "s6", then: []string{"/close?cname=s6"},
		want: streamHead + lines(object("close", "s6", 1, "")) + end,
	}, {
		name: "stream closed after a replay", before: three("s7"), send: get("/stream?cname=s7&seq=2"), held: "s7", then: []string{"/close?cname=s7"},
		want: streamHead + lines(data("s7", 2, "m2"), data("s7", 3, "m3"), object("close", "s7", 4, "")) + end,
	}, {
		name: "stream closed with Connection close",
		send: "GET /stream?cname=s8&seq=1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", held: "s8",
		then: []string{"/close?cname=s8"}, want: subscribeHead + closedTail + lines(object("close", "s8", 1, "")) + end, closes: true,
	}, {
		name: "stream of HTTP/1.0", send: "GET /stream?cname=s9&seq=1 HTTP/1.0\r\n\r\n", held: "s9",
		then: append(pushes("s9", "a", "b"), "/close?cname=s9"), closes: true,
		want: polled10(data("s9", 1, "a") + "\n" + data("s9", 2, "b") + "\n" + object("close", "s9", 3, "") + "\n"),
	}, {
		name: "iframe", row: "iframe: push",
		send: get("/iframe?cname=i&seq=1"), held: "i", then: pushes("i", "one"),
		want: frameHead + "<page>" + script(data("i", 1, "one")), chunks: 2,
	}, {
		name: "iframe closed", send: get("/iframe?cname=i2&seq=1"), held: "i2", then: []string{"/close?cname=i2"},
		want: frameHead + "<page>" + script(object("close", "i2", 1, "")) + end,
	}, {
		name: "events", row: "sse: push, broadcast",
		send: get("/sse?cname=e&seq=1"), held: "e", then: append(pushes("e", "one"), "/broadcast?content=all"),
		want: eventsHead + retry + event(1, data("e", 1, "one")) + event(2, object("broadcast", "e", 2, "all")) + event(noID, nextSeq("e", 3)), chunks: 4,
	}, {
		name: "events without seq", row: "sse: no seq",
		send: get("/sse?cname=e2"), want: eventsHead + retry + event(0, nextSeq("e2", 1)), chunks: 2,
	}, {
		name: "events from the last that was had", before: three("e3"),
		send: "GET /sse?cname=e3&seq=1 HTTP/1.1\r\nHost: h\r\nLast-Event-ID: 2\r\n\r\n",
		want: eventsHead + retry + event(3, data("e3", 3, "m3")), chunks: 2,
	}, {
		name: "events from an id that is none of ours", before: three("e4"),
		send: "GET /sse?cname=e4&seq=3 HTTP/1.1\r\nHost: h\r\nLast-Event-ID: x1\r\n\r\n",
		want: eventsHead + retry + event(3, data("e4", 3, "m3")), chunks: 2,
	}, {
		// The id is the last number that the client has had with it.
		name: "events after a jump", before: three("e5"),
		send: "GET /sse?cname=e5 HTTP/1.1\r\nHost: h\r\nLast-Event-ID: 57\r\n\r\n",
		want: eventsHead + retry + event(3, nextSeq("e5", 4)), chunks: 2,
	}, {
		// Nothing in a name or a content may end the element.
		name: "iframe with markup",
		send: get("/iframe?cname=%3C/script%3E&seq=1"), held: "%3C/script%3E", then: []string{"/push?cname=%3C/script%3E&content=%3C/script%3E%E2%80%A8"},
		want: frameHead + "<page>" + script(data(`\u003c/script>`, 1, `\u003c/script>\u2028`)), chunks: 2,
	}, {
		name: "POST on stream",
		send: "POST /stream?cname=r HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", want: frontBare("405 Method Not Allowed", ""),
	}, {
		// Ours differs on purpose: icomet knows no preflight.
		name: "preflight", row: "OPTIONS on sub",
		send: "OPTIONS /sub?cname=r HTTP/1.1\r\nHost: h\r\nOrigin: http://o\r\nAccess-Control-Request-Method: GET\r\n\r\n",
		want: preflight, method: "HEAD",
	}, {
		name: "preflight on events", send: "OPTIONS /sse HTTP/1.1\r\nHost: h\r\n\r\n", want: preflight, method: "HEAD",
	},
}

const preflight = "HTTP/1.1 204 No Content\r\n" + allowAll + "Access-Control-Allow-Methods: GET\r\n" +
	"Access-Control-Allow-Headers: Cache-Control, Last-Event-ID\r\nAccess-Control-Max-Age: 86400\r\nDate: <date>\r\n\r\n"

// testStreams proves that the streaming modes send the recorded bytes, or
// differ as protocol.md says.
func testStreams(t *testing.T, f Factory) {
	runExchanges(t, newServer(t, f, setup{}), early(streams))
}

// streamLimits are asked for with two held on many, which is its limit.
var streamLimits = []exchange{
	{
		name: "stream", row: "same, stream",
		send: get("/stream?cname=many&seq=1"), want: subscribeHead + inBandTail + lines(object("429", "many", 0, "Too many subscribers")) + end,
	}, {
		name: "events",
		send: get("/sse?cname=many&seq=1"),
		want: headOf("text/event-stream") + inBandTail + retry + event(noID, object("429", "many", 0, "Too many subscribers")) + end,
	},
}

// testStreamLimits proves that a full channel refuses a stream inside it.
func testStreamLimits(t *testing.T, f Factory) {
	s := newServer(t, f, setup{config: func(c *comet.Config) { c.MaxSubscribersPerChannel = 2 }})
	s.hold(2, func(int) string { return "many" })
	runExchanges(t, s, streamLimits)
}

// testStreamNoop proves that a stream is told, again and again, that there is
// nothing, with a number that counts up, and goes on.
func testStreamNoop(t *testing.T, f Factory) {
	t.Parallel()
	s := newServer(t, f, setup{config: func(c *comet.Config) { c.PollingTimeout = time.Second }})
	streams := []struct {
		query, want string
		c           *client
	}{
		{"/stream?cname=n1&seq=1", streamHead + lines(object("noop", "n1", 0, ""), object("noop", "n1", 1, "")), s.mustDial(comet.DoorFront)},
		{"/stream?cname=n2&seq=1&noop=7", streamHead + lines(object("noop", "n2", 7, ""), object("noop", "n2", 8, "")), s.mustDial(comet.DoorFront)},
	}
	for _, x := range streams {
		x.c.mustSend(t, get(x.query))
	}
	for _, x := range streams {
		got, err := x.c.beginning(2)
		if err != nil || got != x.want {
			t.Fatalf("%s gives\n%q, %v, want\n%q", x.query, got, err, x.want)
		}
	}
	s.mustCall("/push?cname=n1&content=x")
	s.waitSubscribers("n1", 1)
}

// testEarlyHead proves that with early heads a poll's head comes when it is
// held and its body with the message, in the same bytes together, also where
// the message comes while the head is on its way.
func testEarlyHead(t *testing.T, f Factory) {
	s := newServer(t, f, setup{config: func(c *comet.Config) { c.EarlyHead = true }})
	c := s.mustDial(comet.DoorFront)
	for i := 1; i <= 3; i++ {
		c.mustSend(t, sub("eh", i))
		head, err := c.beginning(0)
		if err != nil || head != streamHead {
			t.Fatalf("the head: %q, %v, want %q", head, err, streamHead)
		}
		content := decimal(i)
		s.mustCall("/push?cname=eh&content=" + content)
		want := chunked(data("eh", i, content) + "\n")
		var got strings.Builder
		for got.Len() < len(want) {
			b, err := c.in.ReadByte()
			if err != nil {
				t.Fatalf("the body: %q, %v", got.String(), err)
			}
			got.WriteByte(b)
		}
		if got.String() != want {
			t.Fatalf("the body: %q, want %q", got.String(), want)
		}
	}
	runExchanges(t, s, early(earlyHeads))
	// As fast as goes: some come while the head is being sent.
	for i := 1; i <= scaled(300); i++ {
		c.mustSend(t, sub("ehf", i))
		s.mustCall("/push?cname=ehf&content=x")
		got, err := c.reply()
		live, replayed := polled(data("ehf", i, "x")+"\n"), polled(array(data("ehf", i, "x")))
		if err != nil || got != live && got != replayed {
			t.Fatalf("message %d: %q, %v", i, got, err)
		}
	}
}

// earlyHeads are whole replies where heads go early: the same bytes.
var earlyHeads = []exchange{
	{
		name: "with callback", send: get("/sub?cname=ehc&seq=1&cb=f"), held: "ehc", then: pushes("ehc", "x"),
		want: polled(wrapped("f", data("ehc", 1, "x"))),
	}, {
		name: "close", send: sub("ehb", 1), held: "ehb", then: []string{"/close?cname=ehb"},
		want: polled(object("close", "ehb", 1, "") + "\n"),
	}, {
		name: "replay", before: three("ehr"), send: sub("ehr", 3), want: polled(array(data("ehr", 3, "m3"))),
	}, {
		name: "HTTP/1.0", send: "GET /sub?cname=eho&seq=1 HTTP/1.0\r\n\r\n", held: "eho", then: pushes("eho", "late"),
		want: polled10(data("eho", 1, "late") + "\n"), closes: true,
	},
}
