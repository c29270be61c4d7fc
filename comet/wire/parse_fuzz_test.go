package wire

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// FuzzParse proves that Parse and net/http see the same requests in the same
// bytes. It reads one request after the other from p with both:
//   - what Parse accepts, net/http accepts as the same request, ending at the
//     same byte, and no rule of the stricter list applies to it;
//   - what net/http accepts and Parse refuses, a rule of the list refuses;
//   - split at every byte, a request comes to the same: incomplete until its last
//     byte, and a refusal stands from the byte on that it first comes with.
func FuzzParse(f *testing.F) {
	for _, s := range goodRequests {
		f.Add([]byte(s))
		f.Add([]byte(s + goodRequests[1]))
	}
	for _, c := range badRequests {
		if len(c.request) < 512 {
			f.Add([]byte(c.request))
			f.Add([]byte(goodRequests[7] + c.request))
		}
	}
	for _, r := range stricterRules {
		for _, x := range r.examples {
			if len(x.request) < 512 {
				f.Add([]byte(x.request))
			}
		}
	}
	lim := Limits{HeaderBytes: 512, BodyBytes: 64}
	f.Fuzz(func(t *testing.T, p []byte) {
		const mostRequests = 8
		for range mostRequests {
			n := splitEverywhere(t, p, lim)
			compareWithNetHTTP(t, p, lim)
			if p = p[n:]; n == 0 || len(p) == 0 {
				break
			}
		}
	})
}

// splitEverywhere parses each prefix of p as far as the first request can
// matter, holds them against each other, and returns how long the request is:
// 0 if there is none.
func splitEverywhere(t *testing.T, p []byte, lim Limits) (n int) {
	t.Helper()
	const beyond = 3 // bytes of the next request
	var whole, part Request
	n, err := Parse(p, lim, &whole)
	if n < 0 || n > len(p) || n > 0 && err != nil {
		t.Fatalf("%q: took %d, error %v", p, n, err)
	}
	end := min(len(p), lim.HeaderBytes+lim.BodyBytes+beyond)
	if n > 0 {
		end = min(len(p), n+beyond)
	}
	need, refused := 0, false
	for k := range end + 1 {
		kn, kerr := Parse(p[:k], lim, &part)
		switch {
		case kerr != nil && (kerr != err || kn != 0):
			t.Fatalf("%q: took %d, error %v; all: took %d, error %v", p[:k], kn, kerr, n, err)
		case kerr == nil && refused:
			t.Fatalf("%q: not refused, but less of it was: %v", p[:k], err)
		case kn > 0 && (kn != n || k < n || !sameRequest(&whole, &part)):
			t.Fatalf("%q: took %d, all of it took %d", p[:k], kn, n)
		case n > 0 && k >= n && kn == 0:
			t.Fatalf("%q: incomplete, all of it took %d", p[:k], n)
		case k < need && (kn > 0 || kerr != nil):
			t.Fatalf("%q: took %d, error %v, and less of it needed %d bytes", p[:k], kn, kerr, need)
		case kerr == nil && kn == 0 && (part.Need <= k || n > 0 && part.Need > n):
			t.Fatalf("%q: %d bytes need %d; the request has %d", p, k, part.Need, n)
		}
		need, refused = part.Need, kerr != nil
	}
	return n
}

// compareWithNetHTTP holds what Parse says of the first request in p against
// what net/http and the stricter list say.
func compareWithNetHTTP(t *testing.T, p []byte, lim Limits) {
	t.Helper()
	var r Request
	n, refusal := Parse(p, lim, &r)
	req, body, rest, err := readByNetHTTP(p)
	rules := rulesAgainst(p, lim)
	switch {
	case n > 0 && err != nil:
		t.Fatalf("net/http refuses %q: %v", p[:n], err)
	case n > 0 && len(rules) > 0:
		t.Fatalf("%q is accepted against the rules %v", p[:n], rules)
	case n == 0 && err == nil && len(rules) == 0:
		t.Fatalf("net/http accepts %q, and no rule of the stricter list is against it: error %v", p, refusal)
	case n == 0 && err == nil && refusal == nil:
		t.Fatalf("net/http has a whole request in %q, Parse waits for more", p)
	}
	if n == 0 {
		return
	}
	if rest != len(p)-n {
		t.Errorf("net/http leaves %d bytes, we %d", rest, len(p)-n)
	}
	method := MethodOther
	for m, name := range map[Method]string{MethodGet: "GET", MethodPost: "POST", MethodHead: "HEAD",
		MethodOptions: "OPTIONS", MethodPut: "PUT", MethodDelete: "DELETE"} {
		if req.Method == name {
			method = m
		}
	}
	target := string(r.Path)
	if len(r.Query) > 0 || strings.HasSuffix(req.RequestURI, "?") {
		target += "?" + string(r.Query)
	}
	form, _, _ := strings.Cut(req.Header.Get("Content-Type"), ";")
	for _, c := range []struct{ what, ours, theirs string }{
		{"method", strconv.Itoa(int(r.Method)), strconv.Itoa(int(method))},
		{"version", "HTTP/1." + strconv.Itoa(int(r.Minor)), req.Proto},
		{"target", target, req.RequestURI},
		{"query", string(r.Query), req.URL.RawQuery},
		{"body", string(r.Body), body},
		{"keep-alive", strconv.FormatBool(r.KeepAlive), strconv.FormatBool(!req.Close)},
		{"form", strconv.FormatBool(r.Form), strconv.FormatBool(strings.EqualFold(strings.TrimSpace(form), "application/x-www-form-urlencoded"))},
		{"origin", string(r.Origin), req.Header.Get("Origin")},
		{"last-event-id", string(r.LastEventID), req.Header.Get("Last-Event-ID")},
		{"authorization", string(r.Authorization), req.Header.Get("Authorization")},
		{"forwarded", string(r.ForwardedFor), last(req.Header.Values("X-Forwarded-For"))},
	} {
		if c.ours != c.theirs {
			t.Errorf("%q: %s %q, net/http says %q", p[:n], c.what, c.ours, c.theirs)
		}
	}
}

// readByNetHTTP reads the first request in p, whole, and says how many bytes
// are left behind it.
func readByNetHTTP(p []byte) (req *http.Request, body string, rest int, err error) {
	source := bytes.NewReader(p[len(emptyLines(p)):])
	in := bufio.NewReader(source)
	if req, err = http.ReadRequest(in); err != nil {
		return nil, "", 0, err
	}
	content, err := io.ReadAll(req.Body)
	return req, string(content), in.Buffered() + source.Len(), err
}

func last(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}
