package enginetest

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"c1000k/comet"
)

const (
	refused400 = "HTTP/1.1 400 Bad Request\r\n"
	// What fails before its version is known is answered in the older one.
	unread400 = "HTTP/1.0 400 Bad Request\r\n"
	notFound  = "HTTP/1.1 404 Not Found\r\n" + allowAll + "Content-Type: text/html\r\nConnection: close\r\nDate: <date>\r\nContent-Length: "
)

// pageOf is the end of a reply that does not know a URL: the rest of the length
// line, and the page.
func pageOf(url string) string {
	page := "<html><head><title>404 Not Found</title></head><body><h1>Not Found</h1>" +
		"<p>The requested URL " + url + " was not found on this server.</p></body></html>\n"
	return decimal(len(page)) + "\r\n\r\n" + page
}

// refusals are requests that nobody should have sent. The connection ends with
// the reply, but after a method that is not accepted, and on the admin door
// after a value that is not.
var refusals = []exchange{
	{
		name: "POST on sub", row: "POST on sub",
		send: "POST /sub?cname=r HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", want: frontBare("405 Method Not Allowed", ""),
	}, {
		name: "PUT on poll",
		send: "PUT /poll?cname=r HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", want: frontBare("405 Method Not Allowed", ""),
	}, {
		// What cannot be right is refused before its body, which is not read and
		// must not be taken for a request: the connection ends.
		name: "POST with a body on sub",
		send: post("/sub?cname=r", get("/sub?cname=smuggled")), want: frontClosed("405 Method Not Allowed"), closes: true,
	}, {
		name: "PUT with a body on poll",
		send: "PUT /poll?cname=r HTTP/1.1\r\nHost: h\r\nContent-Length: 45\r\n\r\n" + get("/sub?cname=smuggled"),
		want: frontClosed("405 Method Not Allowed"), closes: true,
	}, {
		name: "POST with chunks on events",
		send: "POST /sse?cname=r HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2d\r\n" + get("/sub?cname=smuggled") + "\r\n0\r\n\r\n",
		want: frontClosed("405 Method Not Allowed"), closes: true,
	}, {
		name: "what was in those bodies", door: comet.DoorAdmin,
		send: get("/check?cname=smuggled"), want: adminReply(typeHTML, "{}\n"),
	}, {
		name: "POST with a body on an unknown path", send: post("/nope", "x"), status: notFound, closes: true,
	}, {
		name: "GET with a body on sub",
		send: "GET /sub?cname=r HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx", status: "HTTP/1.1 413 ", closes: true,
	}, {
		name: "HEAD on sub", row: "HEAD on sub", method: "HEAD",
		send: "HEAD /sub?cname=r HTTP/1.1\r\nHost: h\r\n\r\n", want: "HTTP/1.1 405 Method Not Allowed\r\n" + allowAll + "Date: <date>\r\n\r\n",
	}, {
		name: "unknown path", row: "unknown path", send: get("/nope"), want: notFound + pageOf("/nope"), closes: true,
	}, {
		name: "unknown path with markup", send: get("/<b>'?x=%22\"&y"), want: notFound + pageOf("/&lt;b&gt;&#039;?x=%22&quot;&amp;y"), closes: true,
	},
	{name: "path below sub", send: get("/sub/"), status: notFound, closes: true},
	{name: "path in capitals", send: get("/SUB?cname=x"), status: notFound, closes: true},
	{
		// Ours differs on purpose: a callback that is no identifier is refused.
		name: "callback that is a script", send: get("/sub?cname=x&seq=1&cb=alert(1);f"), status: refused400, closes: true,
	},
	{name: "callback that starts with a digit", send: get("/sub?cname=x&seq=1&cb=1f"), status: refused400, closes: true},
	{name: "callback that ends with a dot", send: get("/sub?cname=x&seq=1&cb=f."), status: refused400, closes: true},
	{name: "callback on push", door: comet.DoorAdmin, send: get("/push?cname=x&content=x&cb=f("), status: refused400},
	{name: "name too long", send: get("/sub?cname=" + longName + "n"), status: refused400, closes: true},
	{name: "no version", send: "GET /sub?cname=x\r\n\r\n", status: unread400, closes: true},
	{name: "no target", send: "GET\r\n\r\n", status: unread400, closes: true},
	{name: "another version", send: "GET / HTTP/2.0\r\nHost: h\r\n\r\n", status: "HTTP/1.0 505 ", closes: true},
	{name: "no host", send: "GET /sub?cname=x HTTP/1.1\r\n\r\n", status: refused400, closes: true},
	{name: "two hosts", send: "GET /sub?cname=x HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n", status: refused400, closes: true},
	{name: "bare line feed", send: "GET /sub?cname=x HTTP/1.1\nHost: h\n\n", status: unread400, closes: true},
	{name: "bare carriage return", send: "GET /sub?cname=x HTTP/1.1\r\nHost: h\r\rX: y\r\n\r\n", status: refused400, closes: true},
	{name: "space before colon", send: "GET /sub?cname=x HTTP/1.1\r\nHost : h\r\n\r\n", status: refused400, closes: true},
	{name: "folded line", send: "GET /sub?cname=x HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n", status: refused400, closes: true},
	{name: "no colon", send: "GET /sub?cname=x HTTP/1.1\r\nHost: h\r\nA\r\n\r\n", status: refused400, closes: true},
	{name: "zero byte", send: "GET /sub?cname=x\x00 HTTP/1.1\r\nHost: h\r\n\r\n", status: unread400, closes: true},
	{name: "full URL", send: "GET http://h/sub?cname=x HTTP/1.1\r\nHost: h\r\n\r\n", status: unread400, closes: true},
	{name: "not HTTP", send: "\x16\x03\x01\x02\x00\x01\x00", status: unread400, closes: true},
	{
		name: "two lengths", door: comet.DoorAdmin,
		send:   "POST /push HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
		status: refused400, closes: true,
	}, {
		name: "negative length", door: comet.DoorAdmin,
		send: "POST /push HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", status: refused400, closes: true,
	}, {
		name: "length and chunks", door: comet.DoorAdmin,
		send:   "POST /push HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		status: refused400, closes: true,
	}, {
		name: "chunks", door: comet.DoorAdmin,
		send: "POST /push HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", status: "HTTP/1.1 411 ", closes: true,
	}, {
		name: "body too large", door: comet.DoorAdmin,
		send:   "POST /push HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\n",
		status: "HTTP/1.1 413 ", closes: true,
	},
}

// testRefusals proves that what is malformed, unknown or not permitted gets a
// status that says so, and that the connection ends where nobody could know
// where the next request begins.
func testRefusals(t *testing.T, f Factory) {
	runExchanges(t, newServer(t, f, setup{}), refusals)
}

// testOversized proves that a request without end is refused while it is still
// being sent, on both doors: a line without end, and headers without end.
func testOversized(t *testing.T, f Factory) {
	s := newServer(t, f, setup{})
	for _, x := range []struct {
		name, start, more, status string
		door                      comet.Door
	}{
		{"Line", "GET /sub?cname=", "n", "HTTP/1.0 414 ", comet.DoorFront},
		{"Headers", "GET /sub?cname=x HTTP/1.1\r\nHost: h\r\n", "X-Filler: yyyyyy\r\n", "HTTP/1.1 431 ", comet.DoorFront},
		{"AdminLine", "GET /push?cname=", "n", "HTTP/1.0 414 ", comet.DoorAdmin},
		{"AdminHeaders", "GET /push?cname=x HTTP/1.1\r\nHost: h\r\n", "X-Filler: yyyyyy\r\n", "HTTP/1.1 431 ", comet.DoorAdmin},
	} {
		subtest(t, x.name, func(t *testing.T) {
			c, err := s.dial(x.door)
			if err != nil {
				t.Fatal(err)
			}
			defer c.conn.Close()
			c.mustSend(t, x.start)
			flood(t, c, strings.Repeat(x.more, 64))
			got, err := c.reply()
			if err != nil || !strings.HasPrefix(got, x.status) {
				t.Fatalf("got %q, %v, want %q...", got, err, x.status)
			}
		})
	}
}

// flood sends pieces one by one until something comes back. Each waits a
// little for an answer: a server that closes on bytes it has not read resets
// the connection, and the reply would be lost with it.
func flood(t *testing.T, c *client, piece string) {
	const most = 16 << 20
	for sent := 0; sent < most; sent += len(piece) {
		if err := c.send(piece); err != nil {
			return
		}
		if err := c.conn.SetReadDeadline(time.Now().Add(500 * time.Microsecond)); err != nil {
			t.Fatal(err)
		}
		_, err := c.in.Peek(1)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
	}
	if err := c.patient(); err != nil {
		t.Fatal(err)
	}
}

// testLastReply proves that who sends far too much at once still reads the whole
// refusal, and then the end: what the server leaves unread must not turn the
// close into a reset that overtakes the reply.
func testLastReply(t *testing.T, f Factory) {
	const bytes = 30_000
	s := newServer(t, f, setup{})
	for _, x := range []struct {
		name, request, status string
		door                  comet.Door
	}{
		{"Line", "GET /sub?cname=" + strings.Repeat("n", bytes), "HTTP/1.0 414 ", comet.DoorFront},
		{"Headers", "GET /sub?cname=x HTTP/1.1\r\nHost: h\r\n" + strings.Repeat("X-Filler: yyyyyy\r\n", bytes/18), "HTTP/1.1 431 ", comet.DoorFront},
		{"AdminHeaders", "GET /push?cname=x HTTP/1.1\r\nHost: h\r\n" + strings.Repeat("X-Filler: yyyyyy\r\n", bytes/18), "HTTP/1.1 431 ", comet.DoorAdmin},
		{
			"Body", "POST /push HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\n" + strings.Repeat("b", bytes),
			"HTTP/1.1 413 ", comet.DoorAdmin,
		},
		{
			"BodyOfSub", "POST /sub?cname=x HTTP/1.1\r\nHost: h\r\nContent-Length: 30000\r\n\r\n" + strings.Repeat("b", bytes),
			"HTTP/1.1 405 ", comet.DoorFront,
		},
	} {
		subtest(t, x.name, func(t *testing.T) {
			for i := range scaled(50) {
				c, err := s.dial(x.door)
				if err != nil {
					t.Fatal(err)
				}
				c.mustSend(t, x.request)
				got, err := c.reply()
				if err != nil || !strings.HasPrefix(got, x.status) {
					t.Fatalf("time %d: got %q, %v, want %q...", i, got, err, x.status)
				}
				c.mustEnd(t)
				c.conn.Close()
			}
		})
	}
}
