package enginetest

import (
	"strings"
	"testing"
	"time"

	"c1000k/comet"
)

// three are the pushes that fill a channel with m1, m2, m3.
func three(channel string) []string { return pushes(channel, "m1", "m2", "m3") }

func pushes(channel string, contents ...string) (paths []string) {
	for _, c := range contents {
		paths = append(paths, "/push?cname="+channel+"&content="+c)
	}
	return paths
}

// replies are the front door's replies that concern neither the sequence table
// nor a refusal.
var replies = []exchange{
	{
		name: "no seq", row: "no seq on a fresh channel",
		send: get("/sub?cname=a"), want: polled(nextSeq("a", 1) + "\n"),
	}, {
		name: "held and pushed", row: "held, then a push",
		send: sub("b", 1), held: "b", then: pushes("b", "hello"),
		want: polled(data("b", 1, "hello") + "\n"),
	}, {
		name: "held and pushed by poll",
		send: get("/poll?cname=bp&seq=1"), held: "bp", then: pushes("bp", "hello"),
		want: polled(data("bp", 1, "hello") + "\n"),
	}, {
		name: "held with callback", row: "held with cb, then a push",
		send: get("/sub?cname=b2&seq=1&cb=f"), held: "b2", then: pushes("b2", "hello"),
		want: polled(wrapped("f", data("b2", 1, "hello"))),
	}, {
		name: "callback with dots",
		send: get("/sub?cname=b2d&seq=1&cb=a.b.$_c9"), held: "b2d", then: pushes("b2d", "x"),
		want: polled(wrapped("a.b.$_c9", data("b2d", 1, "x"))),
	}, {
		name: "next_seq with callback",
		send: get("/sub?cname=b2n&cb=f"), want: polled(wrapped("f", nextSeq("b2n", 1))),
	}, {
		name: "held and published",
		send: sub("bq", 1), held: "bq", then: []string{`/pub?cname=bq&content=a%5Cn`},
		want: polled(data("bq", 1, `a\n`) + "\n"),
	}, {
		name: "held and broadcast", row: "held, then a broadcast",
		send: get("/poll?cname=b3&seq=1"), held: "b3", then: []string{"/broadcast?content=all"},
		want: polled(broadcasted("b3", 1, "all")),
	}, {
		name: "held and broadcast with callback",
		send: get("/poll?cname=b3c&seq=1&cb=f"), held: "b3c", then: []string{"/broadcast?content=all"},
		want: polled(wrapped("f", broadcasted("b3c", 1, "all"))),
	}, {
		name: "replay from 2 of 3", row: "replay from 2 of 3",
		before: three("r2"), send: sub("r2", 2),
		want: polled(array(data("r2", 2, "m2"), data("r2", 3, "m3"))),
	}, {
		name: "replay of one", row: "replay of one",
		before: three("r3"), send: sub("r3", 3), want: polled(array(data("r3", 3, "m3"))),
	}, {
		name: "replay with callback", row: "replay, cb",
		before: three("r4"), send: get("/sub?cname=r4&seq=3&cb=f"),
		want: polled(wrapped("f", array(data("r4", 3, "m3")))),
	}, {
		name: "junk after digits", row: "junk after digits",
		before: three("r5"), send: get("/sub?cname=r5&seq=3x"), want: polled(array(data("r5", 3, "m3"))),
	}, {
		name: "capitals", row: "parameter names in capitals",
		before: three("r6"), send: get("/sub?CNAME=r6&SEQ=3"), want: polled(array(data("r6", 3, "m3"))),
	}, {
		// Ours differs on purpose: the parameter is ignored and the rest counts.
		name: "parameter without =", row: "one parameter without =",
		before: three("r7"), send: get("/sub?x&cname=r7&seq=3"), want: polled(array(data("r7", 3, "m3"))),
	}, {
		name:   "unknown parameters",
		before: three("r8"), send: get("/sub?_=1700000000&cname=r8&&seq=3&z=%20"), want: polled(array(data("r8", 3, "m3"))),
	}, {
		name: "empty query", row: "empty query",
		send: get("/sub"), want: polled(nextSeq("", 1) + "\n"),
	}, {
		name: "empty name is held",
		send: get("/sub?seq=1"), heldAtAll: true, then: []string{"/push?content=x"},
		want: polled(data("", 1, "x") + "\n"),
	}, {
		name: "HTTP/1.0", row: "HTTP/1.0 replay",
		before: three("o1"), send: "GET /sub?cname=o1&seq=3 HTTP/1.0\r\n\r\n",
		want: polled10(array(data("o1", 3, "m3"))), closes: true,
	}, {
		// Ours differs on purpose: it announces no length and closes.
		name: "HTTP/1.0 keep-alive", row: "HTTP/1.0 keep-alive replay",
		before: three("o2"), send: "GET /sub?cname=o2&seq=3 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
		want: polled10(array(data("o2", 3, "m3"))), closes: true,
	}, {
		name: "HTTP/1.0 held",
		send: "GET /sub?cname=o3&seq=1 HTTP/1.0\r\n\r\n", held: "o3", then: pushes("o3", "late"),
		want: polled10(data("o3", 1, "late") + "\n"), closes: true,
	}, {
		name: "Connection close", row: "Connection: close",
		before: three("k1"), send: "GET /sub?cname=k1&seq=3 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
		want: polledAndClosed(array(data("k1", 3, "m3"))), closes: true,
	}, {
		name: "Connection close while held",
		send: "GET /sub?cname=k2&seq=1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", held: "k2", then: pushes("k2", "x"),
		want: polledAndClosed(data("k2", 1, "x") + "\n"), closes: true,
	}, {
		// Ours differs on purpose: all that JSON requires is escaped.
		name: "content escaping", row: "its delivery",
		before: []string{"/push?cname=esc&content=%22%5C%0A%09%3C%01%00%C3%A9%FF"}, send: sub("esc", 1),
		want: polled(array(data("esc", 1, `\"\\\n\t<\u0001\u0000é\ufffd`))),
	}, {
		// Ours differs on purpose: names are escaped too.
		name: "name escaping", row: "name escaping",
		send: get("/sub?cname=%22q%3C"), want: polled(nextSeq(`\"q<`, 1) + "\n"),
	}, {
		name: "name with a plus",
		send: get("/sub?cname=a+b%2B"), want: polled(nextSeq("a b+", 1) + "\n"),
	}, {
		name: "ping", row: "ping", // an hour is the suite's polling timeout
		send: get("/ping"), want: frontBare("200 OK", "icomet_cb({\"type\":\"ping\",\"sub_timeout\":3600});\n"),
	}, {
		name: "ping with callback", row: "ping with cb",
		send: get("/ping?cb=g"), want: frontBare("200 OK", "g({\"type\":\"ping\",\"sub_timeout\":3600});\n"),
	}, {
		name: "token that nobody asks for",
		send: get("/sub?cname=tk&token=wrong"), want: polled(nextSeq("tk", 1) + "\n"),
	}, {
		name: "subscribing made the channel", door: comet.DoorAdmin,
		send: get("/check?cname=tk"), want: adminReply(typeHTML, "{\"tk\": 1}\n"),
	}, {
		name: "longest name",
		send: get("/sub?cname=" + longName), want: polled(nextSeq(longName, 1) + "\n"),
	},
}

// longName has the most bytes that a name may have.
var longName = strings.Repeat("n", 255)

// testReplies proves that the front door's replies are the recorded ones, or
// differ as protocol.md says.
func testReplies(t *testing.T, f Factory) {
	runExchanges(t, newServer(t, f, setup{}), replies)
}

// sequence is protocol.md's table of sequence numbers: S the client's, X the
// channel's next, B its history of ten.
var sequence = []exchange{
	{name: "S = 0", before: three("s1"), send: sub("s1", 0), want: polled(nextSeq("s1", 4) + "\n")},
	{name: "S absent", before: three("s2"), send: get("/sub?cname=s2"), want: polled(nextSeq("s2", 4) + "\n")},
	{name: "S junk", row: "junk seq", before: three("s3"), send: get("/sub?cname=s3&seq=zz"), want: polled(nextSeq("s3", 4) + "\n")},
	{name: "S > X", row: "seq beyond", before: three("s4"), send: sub("s4", 99), want: polled(nextSeq("s4", 4) + "\n")},
	{name: "S = X + 1", before: three("s5"), send: sub("s5", 5), want: polled(nextSeq("s5", 4) + "\n")},
	{name: "S > X of a fresh channel", send: sub("s6", 2), want: polled(nextSeq("s6", 1) + "\n")},
	{
		name: "S = X", before: three("s7"), send: sub("s7", 4), held: "s7", then: pushes("s7", "m4"),
		want: polled(data("s7", 4, "m4") + "\n"),
	},
	{name: "S < X", before: three("s8"), send: sub("s8", 1), want: polled(array(data("s8", 1, "m1"), data("s8", 2, "m2"), data("s8", 3, "m3")))},
	{name: "S < 0", row: "negative seq", before: three("s9"), send: sub("s9", -5), want: polled(array(data("s9", 1, "m1"), data("s9", 2, "m2"), data("s9", 3, "m3")))},
	{
		name:   "S older than B",
		before: pushes("s10", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15"),
		send:   sub("s10", 2), want: polled(replayOf("s10", 6, 15)),
	}, {
		name:   "B full and S its oldest",
		before: pushes("s11", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"),
		send:   sub("s11", 2), want: polled(replayOf("s11", 2, 11)),
	}, {
		name:   "replay with a broadcast",
		before: []string{"/push?cname=s12&content=one", "/broadcast?content=all", "/push?cname=s12&content=two"},
		send:   sub("s12", 1),
		want: polled(array(data("s12", 1, "one"), object("broadcast", "s12", 2, "all"), nextSeq("s12", 3),
			data("s12", 3, "two"))),
	}, {
		// The recorded order: the broadcast's own next_seq ends the array.
		name:   "replay that ends with a broadcast",
		before: []string{"/push?cname=s13&content=one", "/broadcast?content=all"},
		send:   sub("s13", 2), want: polled(array(object("broadcast", "s13", 2, "all"), nextSeq("s13", 3))),
	},
	{name: "S beyond 64 bits", before: three("s14"), send: get("/sub?cname=s14&seq=99999999999999999999"), want: polled(nextSeq("s14", 4) + "\n")},
}

// replayOf is the replay of messages from..to whose contents are their numbers.
func replayOf(channel string, from, to int) string {
	var objects []string
	for n := from; n <= to; n++ {
		objects = append(objects, data(channel, n, decimal(n)))
	}
	return array(objects...)
}

// testSequence proves every row of the sequence table where there is a history.
func testSequence(t *testing.T, f Factory) {
	s := newServer(t, f, setup{config: func(c *comet.Config) { c.ChannelBufferSize = 10 }})
	runExchanges(t, s, sequence)
}

// noHistory is the row of the sequence table for an empty B.
var noHistory = []exchange{
	{
		name: "S < X", before: three("h1"), send: sub("h1", 2), held: "h1", then: pushes("h1", "m4"),
		want: polled(data("h1", 4, "m4") + "\n"),
	}, {
		name: "S < X and a broadcast", before: three("h2"), send: sub("h2", 1), held: "h2", then: []string{"/broadcast?content=all"},
		want: polled(broadcasted("h2", 4, "all")),
	},
	{name: "S > X", before: three("h3"), send: sub("h3", 5), want: polled(nextSeq("h3", 4) + "\n")},
	{name: "S = 0", before: three("h4"), send: sub("h4", 0), want: polled(nextSeq("h4", 4) + "\n")},
	{
		name: "S = X", before: three("h5"), send: sub("h5", 4), held: "h5", then: pushes("h5", "m4"),
		want: polled(data("h5", 4, "m4") + "\n"),
	},
}

// testNoHistory proves the sequence table with a buffer of 0: the next live
// message goes out under its own number.
func testNoHistory(t *testing.T, f Factory) {
	s := newServer(t, f, setup{config: func(c *comet.Config) { c.ChannelBufferSize = 0 }})
	runExchanges(t, s, noHistory)
}

// noopAfter is the polling timeout of the tests that wait for it. The service
// adds a random part of a second to each.
const noopAfter = 200 * time.Millisecond

// testNoop proves that a held poll ends with a noop after the polling timeout,
// that it echoes the client's counter, and that the connection is kept.
func testNoop(t *testing.T, f Factory) {
	t.Parallel()
	s := newServer(t, f, setup{config: func(c *comet.Config) { c.PollingTimeout = noopAfter }})
	began := time.Now()
	c := s.mustDial(comet.DoorFront)
	c.mustAsk(t, get("/sub?cname=b5&seq=1&noop=7"), polled(object("noop", "b5", 7, "")+"\n"))
	if took := time.Since(began); took < noopAfter {
		t.Errorf("the noop came after %v, before the polling timeout", took)
	}
	c.mustAsk(t, get("/sub?cname=b5&seq=1&noop=8&cb=f"), polled(wrapped("f", object("noop", "b5", 8, ""))))
	c.mustAsk(t, get("/sub?cname=b5&seq=1&noop=-9"), polled(object("noop", "b5", -9, "")+"\n"))
	if n := s.subscribers("b5"); n != 0 {
		t.Errorf("%d subscribers after the noop, want 0", n)
	}
}

// testNoopOfMany proves that each of many held polls gets its noop, on several
// loops, though their noops are spread, and that a push afterwards finds the
// number unused by them.
func testNoopOfMany(t *testing.T, f Factory) {
	t.Parallel()
	const clients = 200
	s := newServer(t, f, setup{
		config:  func(c *comet.Config) { c.PollingTimeout = noopAfter },
		options: comet.EngineOptions{Loops: 2},
	})
	if err := together(clients, func(int) error {
		c, err := s.dial(comet.DoorFront)
		if err != nil {
			return err
		}
		defer c.conn.Close()
		return c.ask(sub("nm", 1), polled(object("noop", "nm", 0, "")+"\n"))
	}); err != nil {
		t.Fatal(err)
	}
	s.mustCall("/push?cname=nm&content=x")
	s.mustDial(comet.DoorFront).mustAsk(t, sub("nm", 1), polled(array(data("nm", 1, "x"))))
}
