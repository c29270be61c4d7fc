package enginetest

import (
	"strings"
	"testing"

	"c1000k/comet"
)

// closings are the replies to /close and /clear, and to those who were held.
var closings = []exchange{
	{
		name: "held and closed", row: "held, then close",
		send: get("/sub?cname=b4&seq=1"), held: "b4", then: []string{"/close?cname=b4"},
		want: polled(object("close", "b4", 1, "") + "\n"),
	}, {
		name: "held with callback and closed",
		send: get("/sub?cname=b5&seq=1&cb=f"), held: "b5", then: []string{"/close?cname=b5"},
		want: polled(wrapped("f", object("close", "b5", 1, ""))),
	}, {
		name: "clear", row: "clear", door: comet.DoorAdmin, before: append(three("p"), pushes("p", "m4")...),
		send: get("/clear?cname=p"), want: adminReply(typeHTML, "ok 5\n"),
	}, {
		name: "what is cleared is not replayed, and numbers go on",
		send: sub("p", 1), held: "p", then: pushes("p", "m5"), want: polled(data("p", 5, "m5") + "\n"),
	}, {
		name: "clear of an unknown one", row: "clear unknown", door: comet.DoorAdmin,
		send: get("/clear?cname=unknown1"), want: notConnected("unknown1"),
	}, {
		name: "close", row: "close", door: comet.DoorAdmin, before: append(three("q"), pushes("q", "m4")...),
		send: get("/close?cname=q"), want: adminReply(typeHTML, "ok 5\n"),
	}, {
		name: "close of an unknown one", row: "close unknown", door: comet.DoorAdmin,
		send: get("/close?cname=q"), want: notConnected("q"),
	}, {
		name: "clear by form", door: comet.DoorAdmin, before: three("cf"),
		send: post("/clear?cname=unknown2", "cname=cf"), want: adminReply(typeHTML, "ok 4\n"),
	}, {
		name: "close by PUT", door: comet.DoorAdmin, before: three("cp"),
		send: "PUT /close?cname=cp HTTP/1.1\r\nHost: h\r\n\r\n", want: adminReply(typeHTML, "ok 4\n"),
	}, {
		name: "a closed channel is not there", door: comet.DoorAdmin,
		send: get("/check?cname=q"), want: adminReply(typeHTML, "{}\n"),
	}, {
		name: "a closed channel's name begins anew",
		send: sub("q", 0), want: polled(nextSeq("q", 1) + "\n"),
	},
}

func notConnected(name string) string {
	return strings.Replace(adminReply(typeHTML, "channel["+name+"] not connected\n"), "200 OK", "404 Not Found", 1)
}

// testClose proves that a closed channel's subscribers are told and it is gone,
// and that a cleared one has lost its history alone.
func testClose(t *testing.T, f Factory) {
	runExchanges(t, newServer(t, f, setup{}), closings)
}

// testCloseOfMany proves that all subscribers of a channel learn that it was
// closed, in every mode and on every loop, after what was pushed before; that
// whoever comes by its name meanwhile comes to a new channel; and that the old
// one is freed.
func testCloseOfMany(t *testing.T, f Factory) {
	const rounds, messages = 3, 5
	subscribers := scaled(400)
	s := newServer(t, f, setup{options: comet.EngineOptions{Loops: 2}, config: func(c *comet.Config) { c.Channels = 4 }})
	for range rounds {
		polls := s.hold(subscribers/2, func(int) string { return "cm" })
		streams := make([]*client, subscribers/2)
		for i := range streams {
			streams[i] = s.mustDial(comet.DoorFront)
			streams[i].mustSend(t, get("/stream?cname=cm&seq=1"))
		}
		s.waitSubscribers("cm", subscribers)
		var want strings.Builder
		want.WriteString(streamHead)
		for n := 1; n <= messages; n++ {
			s.mustCall("/push?cname=cm&content=x")
			want.WriteString(lines(data("cm", n, "x")))
		}
		s.mustCall("/close?cname=cm")
		next := s.mustDial(comet.DoorFront)
		next.mustAsk(t, sub("cm", 0), polled(nextSeq("cm", 1)+"\n"))
		want.WriteString(lines(object("close", "cm", messages+1, "")) + end)
		expectAll(t, streams, func(int) string { return want.String() })
		expectAll(t, polls, func(int) string { return polled(data("cm", 1, "x") + "\n") })
		s.waitSubscribers("", 0)
		for _, c := range append(polls, streams...) {
			c.conn.Close()
		}
	}
	// The last round's successor is one; the closed ones make room for others.
	wait(t, func() bool {
		body, err := s.call("/push?cname=other&content=x")
		return err == nil && body == "{\"type\":\"ok\"}\n"
	}, func() string { return "closed channels keep their place" })
}
