package wire

import (
	"strconv"
	"strings"
	"testing"
)

func itoa(n int) string { return strconv.Itoa(n) }

// good requests, whole. Each is also tried at every split point.
var goodRequests = []string{
	"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
	"GET /sub?cname=b&seq=1 HTTP/1.1\r\nHost: h\r\n\r\n",
	"\r\n\r\nGET /sub HTTP/1.1\r\nHost:\r\n\r\n",
	"GET /sub HTTP/1.0\r\n\r\n",
	"GET /sub HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
	"GET /sub HTTP/1.1\r\nhost: [::1]:80\r\nconnection: foo , CLOSE\r\n\r\n",
	"GET /sub?a?b=%zz&\xc3\xa9 HTTP/1.1\r\nHOST: h\t \r\nX:\t\xff\r\nOrigin: http://o\r\nLast-Event-ID: 7\r\n\r\n",
	"POST /push HTTP/1.1\r\nHost: h\r\nContent-Type: Application/x-www-form-urlencoded ; charset=utf-8\r\nContent-Length: 9\r\nAuthorization: Bearer x\r\n\r\ncname=a\r\n",
	"PUT /%2f HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\ncontent-length: 1\r\n\r\n\n",
	"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
	"DELETE /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
	"M-SEARCH //h/x HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
}

// bad requests, with the status that answers them.
var badRequests = []struct {
	what    string
	request string
	status  int
}{
	{"bare LF", "GET / HTTP/1.1\nHost: h\n\n", 400},
	{"bare LF after a header", "GET / HTTP/1.1\r\nHost: h\n\r\n", 400},
	{"bare LF for the empty line", "GET / HTTP/1.1\r\nHost: h\r\n\n", 400},
	{"LF before the request", "\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"three empty lines before it", "\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"CR before the request", "\rGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"bare CR in the target", "GET /\r HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"bare CR in the version", "GET / HTTP/1.1\r\r\nHost: h\r\n\r\n", 400},
	{"bare CR in a header", "GET / HTTP/1.1\r\nHost: h\r\nX: a\rTransfer-Encoding: chunked\r\n\r\n", 400},
	{"CR CR LF", "GET / HTTP/1.1\r\nHost: h\r\nX: a\r\r\n\r\n", 400},
	{"NUL in the target", "GET /\x00 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"DEL in the target", "GET /\x7f HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"NUL in a value", "GET / HTTP/1.1\r\nHost: h\r\nX: a\x00b\r\n\r\n", 400},
	{"NUL in a name", "GET / HTTP/1.1\r\nHost: h\r\nX\x00: b\r\n\r\n", 400},
	{"DEL in a value", "GET / HTTP/1.1\r\nHost: h\r\nX: \x7f\r\n\r\n", 400},
	{"folded line", "GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n", 400},
	{"folded by a tab", "GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n\tb: c\r\n\r\n", 400},
	{"space before the first header", "GET / HTTP/1.1\r\n Host: h\r\n\r\n", 400},
	{"space before the colon", "GET / HTTP/1.1\r\nHost: h\r\nContent-Length : 1\r\n\r\na", 400},
	{"no colon", "GET / HTTP/1.1\r\nHost: h\r\nX\r\n\r\n", 400},
	{"no name", "GET / HTTP/1.1\r\nHost: h\r\n: x\r\n\r\n", 400},

	{"Content-Length and Transfer-Encoding", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
	{"the other way round", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n", 400},
	{"chunked", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", 411},
	{"chunked in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
	{"another coding", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
	{"two codings", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n", 501},
	{"an empty coding", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\r\n\r\n", 501},
	{"chunked twice", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 501},
	{"chunked, then another coding", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 501},
	{"almost chunked", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501},
	{"chunked behind a vertical tab", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n", 400},
	{"chunked behind a fold", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400},
	{"a space before the colon of a coding", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400},
	{"a coding behind a NUL", "POST / HTTP/1.1\r\nHost: h\r\nX: a\x00\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
	{"chunk extensions", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;a=\"b\"\r\nx\r\n0;c\r\n\r\n", 411},
	{"a chunk extension with a bare LF", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2;\nxx\r\n0\r\n\r\n", 411},
	{"trailers", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n0\r\nX: y\r\n\r\n", 411},
	{"both, and a second request within", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 35\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /close HTTP/1.1\r\nX: ", 400},
	{"two lengths", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400},
	{"two spellings of a length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 01\r\n\r\nab", 400},
	{"a list of lengths", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1, 1\r\n\r\nab", 400},
	{"lengths that differ, far apart", "POST / HTTP/1.1\r\nContent-Length: 0\r\nHost: h\r\nX: y\r\ncontent-length: 30\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"a length behind a fold", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n 1\r\n\r\na", 400},
	{"a length and a space", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1 0\r\n\r\na", 400},
	{"signed length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\na", 400},
	{"negative length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\na", 400},
	{"hexadecimal length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0x1\r\n\r\na", 400},
	{"no length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\n", 400},
	{"a length of 2^64", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 18446744073709551616\r\n\r\n", 413},
	{"a length one over the limit", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1048577\r\n\r\n", 413},

	{"no Host", "GET / HTTP/1.1\r\n\r\n", 400},
	{"two Hosts", "GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", 400},
	{"two Hosts in HTTP/1.0", "GET / HTTP/1.0\r\nHost: h\r\nHost: i\r\n\r\n", 400},
	{"a Host with a path", "GET / HTTP/1.1\r\nHost: h/x\r\n\r\n", 400},
	{"a Host with a space", "GET / HTTP/1.1\r\nHost: h i\r\n\r\n", 400},
	{"a Host with a user", "GET / HTTP/1.1\r\nHost: u@h\r\n\r\n", 400},

	{"absolute form", "GET http://h/sub HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"authority form", "CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"absolute form of another host", "GET http://other/sub HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"absolute form of another scheme", "GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"authority form with GET", "GET h:80 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"asterisk with GET", "GET * HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"no target", "GET  HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"two spaces", "GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"a space in the target", "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"a trailing space", "GET / HTTP/1.1 \r\nHost: h\r\n\r\n", 400},
	{"a tab for a space", "GET\t/ HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"a fragment", "GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"a bad escape in the path", "GET /%2 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"a query without a path", "GET ?a=b HTTP/1.1\r\nHost: h\r\n\r\n", 400},

	{"HTTP/0.9", "GET /\r\n\r\n", 400},
	{"a method alone", "GET\r\n\r\n", 400},
	{"no method", " / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
	{"HTTP/2.0", "GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505},
	{"HTTP/1.2", "GET / HTTP/1.2\r\nHost: h\r\n\r\n", 505},
	{"HTTP/0.9 by name", "GET / HTTP/0.9\r\n\r\n", 505},
	{"HTTP/11.1", "GET / HTTP/11.1\r\nHost: h\r\n\r\n", 400},
	{"HTTP/1", "GET / HTTP/1\r\nHost: h\r\n\r\n", 400},
	{"http/1.1", "GET / http/1.1\r\nHost: h\r\n\r\n", 400},
	{"a TLS handshake", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400},
	{"an endless method", strings.Repeat("A", 33), 501},
	{"an endless method with a bare LF", strings.Repeat("A", 40) + "\nGET / HTTP/1.1\r\n", 501},
	{"another expectation", "GET / HTTP/1.1\r\nHost: h\r\nExpect: tea\r\n\r\n", 417},
	{"an endless target", "GET /" + strings.Repeat("a", 8192), 414},
	{"an endless header", "GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("a", 8192), 431},
	{"endless headers", "GET / HTTP/1.1\r\nHost: h\r\n" + strings.Repeat("X: y\r\n", 2000), 431},
}

// TestParseFields proves what is read from each good request.
func TestParseFields(t *testing.T) {
	type want struct {
		method                   Method
		path, query, body        string
		minor                    uint8
		keepAlive, form          bool
		origin, eventID, authori string
	}
	wants := []want{
		{method: MethodGet, path: "/", minor: 1, keepAlive: true},
		{method: MethodGet, path: "/sub", query: "cname=b&seq=1", minor: 1, keepAlive: true},
		{method: MethodGet, path: "/sub", minor: 1, keepAlive: true},
		{method: MethodGet, path: "/sub"},
		{method: MethodGet, path: "/sub", keepAlive: true},
		{method: MethodGet, path: "/sub", minor: 1},
		{method: MethodGet, path: "/sub", query: "a?b=%zz&\xc3\xa9", minor: 1, keepAlive: true, origin: "http://o", eventID: "7"},
		{method: MethodPost, path: "/push", body: "cname=a\r\n", minor: 1, keepAlive: true, form: true, authori: "Bearer x"},
		{method: MethodPut, path: "/%2f", body: "\n", minor: 1, keepAlive: true},
		{method: MethodOptions, path: "*", minor: 1, keepAlive: true},
		{method: MethodDelete, path: "/x", body: "abc", minor: 1, keepAlive: true},
		{method: MethodOther, path: "//h/x", minor: 1, keepAlive: true},
	}
	if len(wants) != len(goodRequests) {
		t.Fatalf("%d expectations for %d requests", len(wants), len(goodRequests))
	}
	for i, w := range wants {
		var r Request
		n, err := Parse([]byte(goodRequests[i]), testLimits, &r)
		if n != len(goodRequests[i]) || err != nil {
			t.Errorf("%q: took %d, error %v", goodRequests[i], n, err)
			continue
		}
		got := want{r.Method, string(r.Path), string(r.Query), string(r.Body), r.Minor, r.KeepAlive, r.Form,
			string(r.Origin), string(r.LastEventID), string(r.Authorization)}
		if got != w {
			t.Errorf("%q:\ngot  %+v\nwant %+v", goodRequests[i], got, w)
		}
	}
}

// TestParseAbsentHeader proves that an absent header is nil and an empty one
// is not, and that of a repeated one the first counts.
func TestParseAbsentHeader(t *testing.T) {
	var r Request
	Parse([]byte("GET / HTTP/1.1\r\nHost: h\r\nOrigin:\r\nOrigin: b\r\nAuthorization: a\r\nAuthorization: b\r\n"+
		"Content-Type: text/plain\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n"), testLimits, &r)
	if r.Form {
		t.Error("the second Content-Type counts")
	}
	if r.LastEventID != nil {
		t.Errorf("Last-Event-ID %q, want nil", r.LastEventID)
	}
	if r.Origin == nil || len(r.Origin) != 0 {
		t.Errorf("Origin %#v, want empty and not nil", r.Origin)
	}
	if string(r.Authorization) != "a" {
		t.Errorf("Authorization %q, want the first", r.Authorization)
	}
}

// TestParseSplits proves that a request that comes in two pieces, cut
// anywhere, or with another one behind it, is the same request, and that Need
// never asks for more than there is.
func TestParseSplits(t *testing.T) {
	for _, s := range goodRequests {
		var whole Request
		if n, err := Parse([]byte(s), testLimits, &whole); n != len(s) || err != nil {
			t.Fatalf("%q: took %d, error %v", s, n, err)
		}
		for i := range len(s) {
			var r Request
			if n, err := Parse([]byte(s[:i]), testLimits, &r); n != 0 || err != nil {
				t.Errorf("%q: the first %d bytes took %d, error %v", s, i, n, err)
			}
			if r.Need <= i || r.Need > len(s) {
				t.Errorf("%q: after %d bytes of %d it needs %d", s, i, len(s), r.Need)
			}
		}
		for _, rest := range []string{"\r", "\x00", s} {
			var r Request
			if n, err := Parse([]byte(s+rest), testLimits, &r); n != len(s) || err != nil || !sameRequest(&r, &whole) {
				t.Errorf("%q followed by %q: took %d, error %v, %+v", s, rest, n, err, r)
			}
		}
	}
}

func sameRequest(a, b *Request) bool {
	return a.Method == b.Method && a.Minor == b.Minor && a.KeepAlive == b.KeepAlive && a.Form == b.Form &&
		a.Need == b.Need && a.Continue == b.Continue &&
		string(a.Path) == string(b.Path) && string(a.Query) == string(b.Query) && string(a.Body) == string(b.Body) &&
		string(a.Origin) == string(b.Origin) && string(a.LastEventID) == string(b.LastEventID) &&
		string(a.Authorization) == string(b.Authorization) && string(a.ForwardedFor) == string(b.ForwardedFor)
}

// TestParseRefusals proves the status of each bad request, and that a refusal
// stands whatever comes after: the first prefix that is refused, and every
// longer one, get the same answer.
func TestParseRefusals(t *testing.T) {
	for _, c := range badRequests {
		refusedAt := -1
		for i := range len(c.request) + 1 {
			var r Request
			n, err := Parse([]byte(c.request[:i]), testLimits, &r)
			switch {
			case n != 0:
				t.Errorf("%s: accepted %q", c.what, c.request[:i])
			case err == nil && refusedAt >= 0:
				t.Errorf("%s: refused after %d bytes, not after %d", c.what, refusedAt, i)
			case err != nil && err.Status != c.status:
				t.Errorf("%s: %d after %d bytes, want %d", c.what, err.Status, i, c.status)
			case err != nil && refusedAt < 0:
				refusedAt = i
			}
			if t.Failed() {
				return
			}
		}
		if refusedAt < 0 {
			t.Errorf("%s: not refused", c.what)
		}
	}
}

// TestParseLimits proves that a header of exactly the limit passes and one
// byte more does not, whether it comes at once or not, and the same of bodies.
func TestParseLimits(t *testing.T) {
	pad := func(n int) []byte {
		const frame = "GET / HTTP/1.1\r\nHost: h\r\nX: \r\n\r\n"
		return []byte("GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("a", n-len(frame)) + "\r\n\r\n")
	}
	lim := Limits{HeaderBytes: 512, BodyBytes: 3}
	var r Request
	if n, err := Parse(pad(512), lim, &r); n != 512 || err != nil {
		t.Errorf("a header of the limit: took %d, error %v", n, err)
	}
	for _, size := range []int{512, 513} {
		if n, err := Parse(pad(513)[:size], lim, &r); n != 0 || err != ErrHeaderTooLarge {
			t.Errorf("%d bytes of a header over the limit: took %d, error %v", size, n, err)
		}
	}
	for limit, want := range map[int]*Error{3: nil, 2: ErrBodyTooLarge, 0: ErrBodyTooLarge} {
		lim.BodyBytes = limit
		if _, err := Parse([]byte("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"), lim, &r); err != want {
			t.Errorf("a body of 3, at most %d: error %v, want %v", limit, err, want)
		}
	}
	if _, err := Parse(nil, Limits{}, &r); err != ErrURITooLong {
		t.Errorf("no header allowed: error %v", err)
	}
}

// TestParseContinue proves that the wish for a 100 is told when the header is
// complete, no body has come, and the client speaks HTTP/1.1; and only then.
func TestParseContinue(t *testing.T) {
	const (
		head = "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n"
		old  = "POST / HTTP/1.0\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
	)
	for s, want := range map[string]bool{head[:len(head)-1]: false, head: true, head + "a": false, head + "ab": false, old: false} {
		var r Request
		if _, err := Parse([]byte(s), testLimits, &r); err != nil || r.Continue != want {
			t.Errorf("%q: error %v, Continue %v, want %v", s, err, r.Continue, want)
		}
	}
}
