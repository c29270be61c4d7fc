package enginetest

import (
	"strconv"
	"strings"
	"testing"

	"c1000k/comet"
)

func decimal(n int) string { return strconv.Itoa(n) }

// post is a request with a form body.
func post(pathAndQuery, body string) string {
	return "POST " + pathAndQuery + " HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\n" +
		"Content-Length: " + decimal(len(body)) + "\r\n\r\n" + body
}

// adminReplies are the admin door's replies to publishers.
var adminReplies = []exchange{
	{
		name: "push", row: "push", door: comet.DoorAdmin,
		send: get("/push?cname=p&content=x"), want: pushed,
	}, {
		name: "push with callback", row: "push cb", door: comet.DoorAdmin,
		send: get("/push?cname=p&content=x&cb=k"), want: adminReply(typeScript, "k({\"type\":\"ok\"});\n"),
	}, {
		name: "push without content", door: comet.DoorAdmin,
		send: get("/push?cname=p0"), want: pushed,
	}, {
		name: "its delivery", before: nil,
		send: sub("p0", 1), want: polled(array(data("p0", 1, ""))),
	}, {
		name: "pub", row: "pub", door: comet.DoorAdmin,
		send: get("/pub?cname=p&content=x"), want: pushed,
	}, {
		// Ours differs on purpose: what is not the inside of a JSON string is refused.
		name: "pub of what is no JSON", door: comet.DoorAdmin,
		send: get("/pub?cname=pj&content=%22"), status: "HTTP/1.1 400 ",
	}, {
		name: "pub of what is no JSON left no channel", door: comet.DoorAdmin,
		send: get("/check?cname=pj"), want: adminReply(typeHTML, "{}\n"),
	}, {
		name: "content escaping", row: "content escaping", door: comet.DoorAdmin,
		send: get("/push?cname=esc&content=%22%5C%0A%09%3C%01"), want: pushed,
	}, {
		name: "push by form", row: "push by form", door: comet.DoorAdmin,
		send: post("/push?cname=zz", "cname=form&content=y1"), want: pushed,
	}, {
		name: "the form overrides the query", door: comet.DoorAdmin,
		send: get("/check?cname=zz"), want: adminReply(typeHTML, "{}\n"),
	}, {
		name: "what came by form",
		send: sub("form", 1), want: polled(array(data("form", 1, "y1"))),
	}, {
		name: "what the form does not say stands in the query", door: comet.DoorAdmin,
		send: post("/push?cname=form2", "content=a+b%26"), want: pushed,
	}, {
		name: "what came by both",
		send: sub("form2", 1), want: polled(array(data("form2", 1, "a b&"))),
	}, {
		name: "pub by form", door: comet.DoorAdmin,
		send: post("/pub", "cname=form3&content=%5Cu00e9"), want: pushed,
	}, {
		name: "what was published by form",
		send: sub("form3", 1), want: polled(array(data("form3", 1, `\u00e9`))),
	}, {
		name: "push by PUT", row: "push by PUT", door: comet.DoorAdmin,
		send: "PUT /push?cname=p&content=x HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
		want: adminBare("405 Invalid Method", ""),
	}, {
		name: "broadcast", row: "broadcast", door: comet.DoorAdmin,
		send: get("/broadcast?content=x"), want: adminBare("200 OK", "ok\n"),
	}, {
		// Ours differs on purpose: a broadcast may come by POST.
		name: "broadcast by POST", row: "broadcast by POST", door: comet.DoorAdmin,
		send: "POST /broadcast?content=x HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", want: adminBare("200 OK", "ok\n"),
	}, {
		name: "broadcast by PUT", door: comet.DoorAdmin,
		send: "PUT /broadcast?content=x HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
		want: adminBare("405 Invalid Method", ""),
	}, {
		name: "HTTP/1.0 push", row: "HTTP/1.0 push", door: comet.DoorAdmin,
		send:   "GET /push?cname=p2&content=x HTTP/1.0\r\n\r\n",
		want:   "HTTP/1.0 200 OK\r\nServer: <server>\r\nContent-Type: " + typeScript + "\r\n\r\n{\"type\":\"ok\"}\n",
		closes: true,
	}, {
		name: "push and close", door: comet.DoorAdmin,
		send: "GET /push?cname=p&content=x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
		want: strings.Replace(pushed, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1), closes: true,
	}, {
		name: "unknown admin path", row: "unknown admin path", door: comet.DoorAdmin,
		send: get("/nope"), want: strings.Replace(notFound, allowAll, "", 1) + pageOf("/nope"), closes: true,
	}, {
		name: "check by PUT", door: comet.DoorAdmin,
		send: "PUT /check?cname=form HTTP/1.1\r\nHost: h\r\n\r\n", want: adminReply(typeHTML, "{\"form\": 1}\n"),
	}, {
		name: "info by DELETE", door: comet.DoorAdmin,
		send: "DELETE /info?cname=form HTTP/1.1\r\nHost: h\r\n\r\n", want: adminReply(typeHTML, "{\"cname\": \"form\", \"subscribers\": 0}\n"),
	}, {
		name: "subscribe on the admin door", door: comet.DoorAdmin,
		send: sub("x", 1), status: "HTTP/1.1 404 ", closes: true,
	}, {
		name: "push on the front door",
		send: get("/push?cname=x&content=x"), status: "HTTP/1.1 404 ", closes: true,
	},
}

// testAdmin proves that publishers get the recorded replies, and that what
// they send in a form arrives.
func testAdmin(t *testing.T, f Factory) {
	runExchanges(t, newServer(t, f, setup{}), adminReplies)
}

// infoReplies ask about a server on which r was pushed to and many is held twice.
var infoReplies = []exchange{
	{
		name: "info", row: "info", door: comet.DoorAdmin,
		send: get("/info"), want: adminReply(typeHTML, `{"version": "`+testVersion+`", "channels": 2, "subscribers": 2}`+"\n"),
	}, {
		name: "info of held", row: "info with held", door: comet.DoorAdmin,
		send: get("/info?cname=many"), want: adminReply(typeHTML, `{"cname": "many", "subscribers": 2}`+"\n"),
	}, {
		name: "info of one", row: "info of one", door: comet.DoorAdmin,
		send: get("/info?cname=r"), want: adminReply(typeHTML, `{"cname": "r", "subscribers": 0}`+"\n"),
	}, {
		name: "info of unknown", row: "info of unknown", door: comet.DoorAdmin,
		send: get("/info?cname=unknown2"), want: adminReply(typeHTML, `{"cname": "unknown2", "subscribers": 0}`+"\n"),
	}, {
		name: "check", row: "check", door: comet.DoorAdmin,
		send: get("/check?cname=r"), want: adminReply(typeHTML, `{"r": 1}`+"\n"),
	}, {
		name: "check unknown", row: "check unknown", door: comet.DoorAdmin,
		send: get("/check?cname=unknown3"), want: adminReply(typeHTML, "{}\n"),
	}, {
		name: "info by form", door: comet.DoorAdmin,
		send: post("/info", "cname=many"), want: adminReply(typeHTML, `{"cname": "many", "subscribers": 2}`+"\n"),
	}, {
		name: "asking makes no channel", door: comet.DoorAdmin,
		send: get("/info"), want: adminReply(typeHTML, `{"version": "`+testVersion+`", "channels": 2, "subscribers": 2}`+"\n"),
	},
}

// testInfo proves what the admin door says of channels and subscribers, and
// that a question changes nothing. The tables keep their connections by asking
// for a channel on the front door, which would: so these ask on admin alone.
func testInfo(t *testing.T, f Factory) {
	s := newServer(t, f, setup{})
	s.mustCall("/push?cname=r&content=x")
	s.hold(2, func(int) string { return "many" })
	runExchanges(t, s, infoReplies)
}

// limitReplies are asked for with two polls held on many, which is its limit.
var limitReplies = []exchange{
	{
		name: "too many subscribers", row: "too many subscribers (limit 2)",
		send: sub("many", 1), want: polledInBand(object("429", "many", 0, "Too many subscribers") + "\n"),
	}, {
		name: "too many subscribers with callback",
		send: get("/sub?cname=many&seq=1&cb=f"), want: polledInBand(wrapped("f", object("429", "many", 0, "Too many subscribers"))),
	}, {
		name: "another channel is not full",
		send: sub("few", 1), held: "few", then: pushes("few", "x"), want: polled(data("few", 1, "x") + "\n"),
	},
}

// noChannelReplies are asked for on a server without room for a channel.
var noChannelReplies = []exchange{
	{
		name: "too many channels",
		send: sub("c", 1), want: polledInBand(object("429", "c", 0, "Too many channels") + "\n"),
	}, {
		name: "push", row: "max_channels reached: push", door: comet.DoorAdmin,
		send: get("/push?cname=c&content=x"), want: adminBare("429 Too Many Channels", ""),
	}, {
		name: "broadcast to none", door: comet.DoorAdmin,
		send: get("/broadcast?content=x"), want: adminBare("200 OK", "ok\n"),
	}, {
		name: "info", door: comet.DoorAdmin,
		send: get("/info"), want: adminReply(typeHTML, `{"version": "`+testVersion+`", "channels": 0, "subscribers": 0}`+"\n"),
	},
}

// testLimits proves that a full channel and a full server refuse inside the
// reply, keep the connection, and refuse nothing else.
func testLimits(t *testing.T, f Factory) {
	s := newServer(t, f, setup{config: func(c *comet.Config) { c.MaxSubscribersPerChannel = 2 }})
	held := s.hold(2, func(int) string { return "many" })
	runExchanges(t, s, limitReplies)
	held[0].conn.Close()
	s.waitSubscribers("many", 1)
	c := s.mustDial(comet.DoorFront)
	c.mustSend(t, sub("many", 1))
	s.waitSubscribers("many", 2)

	subtest(t, "NoChannels", func(t *testing.T) {
		runExchanges(t, newServer(t, f, setup{config: func(c *comet.Config) { c.Channels = 0 }}), noChannelReplies)
	})
}
