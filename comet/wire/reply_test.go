package wire

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// readReply reads a reply as an HTTP client does, and fails the test when
// bytes are left that are not part of it, or when the reply says less than
// wantClose about whether the connection ends.
func readReply(t *testing.T, method string, reply []byte, wantClose bool) (*http.Response, string) {
	t.Helper()
	in := bufio.NewReader(bytes.NewReader(reply))
	resp, err := http.ReadResponse(in, &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%q: %v", reply, err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%q: %v", reply, err)
	}
	if in.Buffered() != 0 {
		t.Errorf("%q: %d bytes after its end", reply, in.Buffered())
	}
	if wantClose && !resp.Close {
		t.Errorf("%.200q: the client would keep the connection", reply)
	}
	if !wantClose && resp.Close {
		t.Errorf("%.200q: the client would close the connection", reply)
	}
	return resp, string(body)
}

var bools = []bool{false, true}

// TestPollReplyIsHTTP proves that an HTTP client reads back the body of every
// variant of a long-poll reply, that it keeps or closes as meant, that the
// pieces make the whole, and that the size is bounded as promised.
func TestPollReplyIsHTTP(t *testing.T) {
	for variant := range 64 {
		bit := func(i int) bool { return variant>>i&1 == 1 }
		h := Head{Date: []byte(testDate), KeepAlive: bit(0), InBandError: bit(1)}
		var cb, origin []byte
		body := []byte(`{"type":"noop"}`)
		want := string(body) + "\n"
		if bit(2) {
			h.Minor = 1
		}
		if bit(3) {
			cb, want = []byte("a.b"), "a.b("+string(body)+");\n"
		}
		if bit(4) {
			origin = []byte("https://example.org")
			h.AllowOrigin = origin
		}
		if bit(5) {
			body = bytes.Repeat([]byte("x"), 70000)
			want = strings.Replace(want, `{"type":"noop"}`, string(body), 1)
		}
		reply := AppendPollReply([]byte("|"), h, cb, body)[1:]
		// HTTP/1.0 ends with the connection, whatever its header lines say.
		wantClose := h.Minor == 0 || !h.KeepAlive
		resp, got := readReply(t, "GET", reply, wantClose)
		if h.Minor == 0 && resp.ContentLength != -1 {
			t.Errorf("%q: a length in HTTP/1.0", reply)
		}
		if got != want {
			t.Errorf("%.200q: body %.50q, want %.50q", reply, got, want)
		}
		if got := resp.Header.Get("Access-Control-Allow-Origin"); got != string(origin) {
			t.Errorf("%q: allows %q", reply, got)
		}

		pieces := string(AppendPollReplyHead(nil, h, cb, len(body))) + string(body) + PollReplyTail(h.Minor, len(cb) > 0)
		if pieces != string(reply) {
			t.Errorf("in pieces %.300q, whole %.300q", pieces, reply)
		}
		early := string(AppendPollHead(nil, h)) + string(AppendPollBodyHead(nil, h.Minor, cb, len(body))) +
			string(body) + PollReplyTail(h.Minor, len(cb) > 0)
		if early != string(reply) {
			t.Errorf("with an early head %.300q, whole %.300q", early, reply)
		}
		bound := PollReplySize(len(cb), len(body)) + AllowOriginSize(len(origin))
		if len(reply) > bound || h.Minor == 1 && !h.InBandError && bound-len(reply) > 20 {
			t.Errorf("%d bytes, bound %d", len(reply), bound)
		}
	}
}

// TestChunks proves that an HTTP client reads back chunks, that an empty one
// does not end the body, and that HTTP/1.0 gets the bare payload.
func TestChunks(t *testing.T) {
	payloads := []string{"a", "", strings.Repeat("b", 4096), "\r\n0\r\n\r\n"}
	for minor := range uint8(2) {
		reply := AppendPollHead(nil, Head{Date: []byte(testDate), Minor: minor, KeepAlive: true})
		for _, p := range payloads {
			reply = AppendChunk(reply, []byte(p), minor)
		}
		reply = AppendLastChunk(reply, minor)
		if _, body := readReply(t, "GET", reply, minor == 0); body != strings.Join(payloads, "") {
			t.Errorf("HTTP/1.%d: body %.50q", minor, body)
		}
	}
}

// TestErrorIsHTTP proves for every status, version and wish that an HTTP client
// reads one whole reply, and that the reply to a HEAD has no body.
func TestErrorIsHTTP(t *testing.T) {
	for _, status := range []int{400, 401, 403, 404, 405, 408, 411, 413, 414, 417, 429, 431, 500, 501, 503, 505} {
		for minor := range uint8(2) {
			for _, keepAlive := range bools {
				wantClose := !keepAlive
				reply := AppendError([]byte("|"), []byte(testDate), nil, status, keepAlive, minor)[1:]
				resp, body := readReply(t, "GET", reply, wantClose)
				if resp.Status != itoa(status)+" "+StatusText(status) || StatusText(status) == "Error" {
					t.Errorf("status %q", resp.Status)
				}
				if empty := status == 403 || status == 405; (body == "") != empty {
					t.Errorf("%d: body %q", status, body)
				}
				if (status == 401) != (resp.Header.Get("Www-Authenticate") == "Bearer") {
					t.Errorf("%d: challenge %q", status, resp.Header.Get("Www-Authenticate"))
				}
				reply = AppendHeadError(nil, []byte(testDate), nil, status, keepAlive, minor)
				readReply(t, "HEAD", reply, wantClose)
				if !bytes.HasSuffix(reply, []byte("\r\n\r\n")) {
					t.Errorf("%q: a body for a HEAD", reply)
				}
			}
		}
	}
}

// TestNotFoundIsHTTP proves the same of the page of an unknown path, and that
// nothing of what was asked for is markup there.
func TestNotFoundIsHTTP(t *testing.T) {
	for target, want := range map[string]string{
		"/nope":                          "/nope",
		"/a?":                            "/a?",
		"/<b>\"'&?x=<script>&y='\"":      "/&lt;b&gt;&quot;&#039;&amp;?x=&lt;script&gt;&amp;y=&#039;&quot;",
		"/" + strings.Repeat("\"", 7000): "/" + strings.Repeat("&quot;", 7000),
	} {
		for _, method := range []string{"GET", "HEAD"} {
			for minor := range 2 {
				var r Request
				request := method + " " + target + " HTTP/1." + itoa(minor) + "\r\nHost: h\r\n\r\n"
				if _, err := Parse([]byte(request), testLimits, &r); err != nil {
					t.Fatal(err)
				}
				reply := AppendNotFound(nil, []byte(testDate), nil, &r, false)
				resp, body := readReply(t, method, reply, true)
				text := "<p>The requested URL " + want + " was not found on this server.</p>"
				if resp.StatusCode != 404 || strings.Contains(body, text) != (method == "GET") {
					t.Errorf("%s %.40s: %s, %.300q", method, target, resp.Status, body)
				}
			}
		}
	}
}

// TestPingIsHTTP proves the same of ping, with and without a callback.
func TestPingIsHTTP(t *testing.T) {
	for minor := range uint8(2) {
		for _, keepAlive := range bools {
			for cb, want := range map[string]string{"": "icomet_cb", "g": "g"} {
				reply := AppendPing(nil, []byte(testDate), []byte(cb), nil, 12345, minor, keepAlive)
				_, body := readReply(t, "GET", reply, !keepAlive)
				if want += "({\"type\":\"ping\",\"sub_timeout\":12345});\n"; body != want {
					t.Errorf("body %q, want %q", body, want)
				}
			}
		}
	}
}

// TestAdminIsHTTP proves the same of admin replies, and the choice of their
// type.
func TestAdminIsHTTP(t *testing.T) {
	for minor := range uint8(2) {
		for _, keepAlive := range bools {
			for _, bodyless := range bools {
				a := Admin{Date: []byte(testDate), Server: []byte("c1000k"), Minor: minor, KeepAlive: keepAlive, Bodyless: bodyless}
				method, want := "GET", "ok\n"
				if bodyless {
					method, want = "HEAD", ""
				}
				resp, body := readReply(t, method, AppendAdmin(nil, a, 200, TypeHTML, []byte("ok\n")), !keepAlive)
				if body != want || resp.Header.Get("Content-Type") != TypeHTML || resp.Header.Get("Server") != "c1000k" {
					t.Errorf("%+v: body %q, header %v", a, body, resp.Header)
				}
				a.ContentType = []byte("application/json")
				resp, _ = readReply(t, method, AppendAdmin(nil, a, 200, TypeHTML, []byte("ok\n")), !keepAlive)
				if got := resp.Header["Content-Type"]; len(got) != 1 || got[0] != "application/json" {
					t.Errorf("type %q, want the one given", got)
				}
			}
		}
	}
}

// TestAdminNames proves that bodies carry an escaped name as it is.
func TestAdminNames(t *testing.T) {
	name := AppendEscaped(nil, []byte(`a"b`))
	if got, want := string(AppendChannelInfoBody(nil, name, 3)), `{"cname": "a\"b", "subscribers": 3}`+"\n"; got != want {
		t.Errorf("info %q, want %q", got, want)
	}
	if got, want := string(AppendCheckBody(nil, name, true)), `{"a\"b": 1}`+"\n"; got != want {
		t.Errorf("check %q, want %q", got, want)
	}
}

// TestPreflight proves that a browser's question before a cross-origin poll
// gets a whole reply that allows it.
func TestPreflight(t *testing.T) {
	for minor := range uint8(2) {
		for _, keepAlive := range bools {
			reply := AppendPreflight(nil, []byte(testDate), []byte("*"), keepAlive, minor)
			resp, _ := readReply(t, "OPTIONS", reply, !keepAlive)
			if resp.StatusCode != 204 || resp.Header.Get("Access-Control-Allow-Origin") != "*" ||
				resp.Header.Get("Access-Control-Allow-Methods") != "GET" {
				t.Errorf("%q", reply)
			}
		}
	}
}

// TestAppendDate proves every day from 1970 to 2400, the odd last days of the
// range, and that times outside of it are held to it, against package time.
func TestAppendDate(t *testing.T) {
	check := func(in, seconds int64) {
		want := time.Unix(seconds, 0).UTC().Format(http.TimeFormat)
		if got := string(AppendDate(nil, in)); got != want || len(got) != DateBytes {
			t.Fatalf("%d: %q, want %q", in, got, want)
		}
	}
	for day := range int64(430 * 366) {
		seconds := day*secondsPerDay + day*7919%secondsPerDay
		check(seconds, seconds)
	}
	for back := range int64(400) {
		check(maxDateSeconds-back*secondsPerDay, maxDateSeconds-back*secondsPerDay)
	}
	check(-1, 0)
	check(-1<<63, 0)
	check(maxDateSeconds+1, maxDateSeconds)
	check(1<<63-1, maxDateSeconds)
}
