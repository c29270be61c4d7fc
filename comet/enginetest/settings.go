package enginetest

import (
	"strings"
	"testing"

	"c1000k/comet"
)

// withOrigin are exchanges where pages of another origin may read the replies;
// without one the header is not there.
func withOrigin(origin string, table []exchange) []exchange {
	line := ""
	if origin != "" {
		line = "Access-Control-Allow-Origin: " + origin + "\r\n"
	}
	changed := make([]exchange, len(table))
	for i, x := range table {
		x.want = strings.Replace(x.want, allowAll, line, 1)
		changed[i] = x
	}
	return changed
}

// oneOrigin are replies of the front door, one of each kind, and of the admin
// door, which says nothing of origins.
var oneOrigin = []exchange{
	{name: "poll", send: get("/sub?cname=a"), want: polled(nextSeq("a", 1) + "\n")},
	{name: "ping", send: get("/ping"), want: frontBare("200 OK", "icomet_cb({\"type\":\"ping\",\"sub_timeout\":3600});\n")},
	{
		name: "stream", send: get("/stream?cname=a&seq=1"), held: "a", then: pushes("a", "x"),
		want: streamHead + lines(data("a", 1, "x")), chunks: 1, early: true,
	},
	{name: "wrong method", send: "PUT /sub HTTP/1.1\r\nHost: h\r\n\r\n", want: frontBare("405 Method Not Allowed", "")},
	{name: "push", door: comet.DoorAdmin, send: get("/push?cname=a&content=x"), want: pushed},
}

// testOrigin proves that the origin whose pages may read replies is the one set,
// in every reply of the front door, and that there may be none.
func testOrigin(t *testing.T, f Factory) {
	for _, x := range []struct{ name, origin string }{{"One", "https://app.example:8443"}, {"None", ""}} {
		subtest(t, x.name, func(t *testing.T) {
			s := newServer(t, f, setup{config: func(c *comet.Config) { c.CORSOrigin = x.origin }})
			runExchanges(t, s, withOrigin(x.origin, oneOrigin))
		})
	}
}

// historyBytes are asked for where the messages of a channel's history may have
// so many bytes that it keeps two of such contents, of the ten that it may count.
var historyBytes = []exchange{
	{
		name: "the newest that fit", before: pushes("hb", longContent, longContent, longContent, longContent), send: sub("hb", 1),
		want: polled(array(data("hb", 3, longContent), data("hb", 4, longContent))),
	},
	{
		name: "many small ones", before: pushes("hs", "1", "2", "3", "4", "5"), send: sub("hs", 1),
		want: polled(replayOf("hs", 1, 5)),
	},
	{
		name: "one that does not fit is kept", before: pushes("ho", "1", strings.Repeat(longContent, 4)), send: sub("ho", 1),
		want: polled(array(data("ho", 2, strings.Repeat(longContent, 4)))),
	},
}

var longContent = strings.Repeat("c", 1_000)

// testHistoryBytes proves that a history is bounded in bytes, too: the oldest
// messages go first, and the newest stays whatever it takes.
func testHistoryBytes(t *testing.T, f Factory) {
	s := newServer(t, f, setup{config: func(c *comet.Config) { c.ChannelBufferBytes = int64(2*len(longContent)) + 500 }})
	runExchanges(t, s, historyBytes)
}

// testStreamHead proves that a stream's head comes when it is accepted, before
// there is any message, in each mode.
func testStreamHead(t *testing.T, f Factory) {
	s := newServer(t, f, setup{})
	for _, x := range []struct {
		mode, want string
		chunks     int
	}{{"stream", streamHead, 0}, {"iframe", frameHead + "<page>", 1}, {"sse", eventsHead + retry, 1}} {
		c := s.mustDial(comet.DoorFront)
		c.mustSend(t, get("/"+x.mode+"?seq=1&cname="+x.mode))
		if got, err := c.beginning(x.chunks); err != nil || got != x.want {
			t.Errorf("%s: %q, %v, want %q", x.mode, got, err, x.want)
		}
		s.waitSubscribers(x.mode, 1)
	}
}
