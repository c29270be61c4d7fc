package wire

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// stricterRule is a row of the list in doc.go: what net/http's reader takes as
// a request and Parse refuses.
type stricterRule struct {
	name     string
	against  func(q *plainRequest, lim Limits) bool
	examples []refusedExample
}

// refusedExample is a request, and the status that answers it.
type refusedExample struct {
	request string
	status  int
}

// plainRequest is the head of a request that net/http accepts, taken apart in
// the plainest way.
type plainRequest struct {
	method, target, version string
	lines                   []string // the header's, each without its line feed
	head                    int      // bytes, with the empty lines before and behind it
}

// emptyLines are the empty lines before a request, as many as Parse skips.
func emptyLines(p []byte) []byte {
	const crlf = "\r\n"
	n := 0
	for n < maxEmptyLines*len(crlf) && strings.HasPrefix(string(p[n:]), crlf) {
		n += len(crlf)
	}
	return p[:n]
}

func takeApart(p []byte) *plainRequest {
	before := len(emptyLines(p))
	q := &plainRequest{head: before}
	text := string(p[before:])
	first := true
	for text != "" {
		line, rest, _ := strings.Cut(text, "\n")
		q.head += len(text) - len(rest)
		text = rest
		switch {
		case first:
			words := append(strings.SplitN(strings.TrimSuffix(line, "\r"), " ", 3), "", "", "")
			q.method, q.target, q.version = words[0], words[1], words[2]
			q.lines, first = []string{line}, false
		case line == "" || line == "\r":
			q.lines = append(q.lines, line)
			return q
		default:
			q.lines = append(q.lines, line)
		}
	}
	return q
}

// header are the values of the header lines of a name, in lower case.
func (q *plainRequest) header(name string) (values []string) {
	for _, line := range q.lines[1:] {
		if n, value, ok := strings.Cut(strings.TrimSuffix(line, "\r"), ":"); ok && asciiLower(n) == name {
			values = append(values, asciiLower(strings.Trim(value, " \t")))
		}
	}
	return values
}

// rulesAgainst are the names of the rules that the first request in p breaks,
// if net/http accepts it; otherwise they mean nothing.
func rulesAgainst(p []byte, lim Limits) (names []string) {
	q := takeApart(p)
	for _, r := range stricterRules {
		if len(q.lines) > 0 && r.against(q, lim) {
			names = append(names, r.name)
		}
	}
	return names
}

// hostForm is what a Host may be.
var hostForm = regexp.MustCompile(`^[0-9A-Za-z._~%!$&'()*+,;=:\[\]-]*$`)

// stricterRules is the list, in the order of doc.go.
var stricterRules = []stricterRule{
	{
		name: "bare-lf",
		against: func(q *plainRequest, _ Limits) bool {
			return slices.ContainsFunc(q.lines, func(line string) bool { return !strings.HasSuffix(line, "\r") })
		},
		examples: []refusedExample{
			{"GET / HTTP/1.1\nHost: h\r\n\r\n", 400},
			{"GET / HTTP/1.1\r\nHost: h\n\r\n", 400},
			{"GET / HTTP/1.1\r\nHost: h\r\n\n", 400},
		},
	},
	{
		name: "folded",
		against: func(q *plainRequest, _ Limits) bool {
			return slices.ContainsFunc(q.lines[1:], func(line string) bool { return strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") })
		},
		examples: []refusedExample{
			{"GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n", 400},
			{"GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\r\n\tchunked\r\n\r\n0\r\n\r\n", 400},
			{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n 0\r\n\r\n", 400},
		},
	},
	{
		name: "space-in-name",
		against: func(q *plainRequest, _ Limits) bool {
			return slices.ContainsFunc(q.lines[1:], func(line string) bool {
				name, _, _ := strings.Cut(line, ":")
				return strings.Contains(strings.TrimLeft(name, " \t"), " ")
			})
		},
		examples: []refusedExample{
			{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length : 1\r\n\r\n", 400},
			{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400},
			{"GET / HTTP/1.1\r\nHost: h\r\nX Y: 1\r\n\r\n", 400},
		},
	},
	{
		name:    "method-length",
		against: func(q *plainRequest, _ Limits) bool { return len(q.method) > maxMethodBytes },
		examples: []refusedExample{
			{strings.Repeat("M", maxMethodBytes+1) + " / HTTP/1.1\r\nHost: h\r\n\r\n", 501},
		},
	},
	{
		name:    "version",
		against: func(q *plainRequest, _ Limits) bool { return q.version != "HTTP/1.0" && q.version != "HTTP/1.1" },
		examples: []refusedExample{
			{"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505},
			{"GET / HTTP/1.2\r\nHost: h\r\n\r\n", 505},
			{"GET / HTTP/0.9\r\n\r\n", 505},
		},
	},
	{
		name: "target-form",
		against: func(q *plainRequest, _ Limits) bool {
			return !strings.HasPrefix(q.target, "/") && (q.target != "*" || q.method != "OPTIONS")
		},
		examples: []refusedExample{
			{"GET http://h/sub HTTP/1.1\r\nHost: h\r\n\r\n", 400},
			{"GET http://other/sub HTTP/1.1\r\nHost: h\r\n\r\n", 400},
			{"CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
			{"GET * HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		},
	},
	{
		name:    "fragment",
		against: func(q *plainRequest, _ Limits) bool { return strings.Contains(q.target, "#") },
		examples: []refusedExample{
			{"GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n", 400},
			{"GET /a?b=c#d HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		},
	},
	{
		name: "host",
		against: func(q *plainRequest, _ Limits) bool {
			hosts := q.header("host")
			return len(hosts) == 0 && q.version == "HTTP/1.1" || len(hosts) > 1 || len(hosts) == 1 && !hostForm.MatchString(hosts[0])
		},
		examples: []refusedExample{
			{"GET / HTTP/1.1\r\n\r\n", 400},
			{"GET / HTTP/1.1\r\nHost: h/x\r\n\r\n", 400},
			{"GET / HTTP/1.1\r\nHost: h i\r\n\r\n", 400},
			{"GET / HTTP/1.0\r\nHost: u@h\r\n\r\n", 400},
		},
	},
	{
		name:    "transfer-encoding",
		against: func(q *plainRequest, _ Limits) bool { return len(q.header("transfer-encoding")) > 0 },
		examples: []refusedExample{
			{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411},
			{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;ext=\"a\"\r\na\r\n0\r\n\r\n", 411},
			{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nTrailer: x\r\n\r\n", 411},
			{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
			{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", 400},
			{"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
			{"POST / HTTP/1.0\r\nTransfer-Encoding: gzip\r\n\r\n", 400},
		},
	},
	{
		name: "expect",
		against: func(q *plainRequest, _ Limits) bool {
			return slices.ContainsFunc(q.header("expect"), func(value string) bool { return value != "100-continue" })
		},
		examples: []refusedExample{
			{"GET / HTTP/1.1\r\nHost: h\r\nExpect: tea\r\n\r\n", 417},
			{"GET / HTTP/1.1\r\nHost: h\r\nExpect:\r\n\r\n", 417},
		},
	},
	{
		name: "size",
		against: func(q *plainRequest, lim Limits) bool {
			lengths := q.header("content-length")
			return q.head > lim.HeaderBytes || len(lengths) > 0 && longerThan(lengths[0], lim.BodyBytes)
		},
		examples: []refusedExample{
			{"GET /" + strings.Repeat("a", 8192) + " HTTP/1.1\r\nHost: h\r\n\r\n", 414},
			{"GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("a", 8192) + "\r\n\r\n", 431},
			{"GET / HTTP/1.1\r\nHost: h\r\n" + strings.Repeat("X: y\r\n", 2000) + "\r\n", 431},
			{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1048577\r\n\r\n" + strings.Repeat("a", 1048577), 413},
		},
	},
}

// longerThan compares a number in digits with n.
func longerThan(digits string, n int) bool {
	digits = strings.TrimLeft(digits, "0")
	limit := itoa(n)
	return len(digits) > len(limit) || len(digits) == len(limit) && digits > limit
}

// TestStricterList proves each row of the list in doc.go: net/http accepts its
// examples, Parse refuses them with the status given, and the rule is what the
// row says. And that doc.go has these rows and no others.
func TestStricterList(t *testing.T) {
	for _, rule := range stricterRules {
		for _, x := range rule.examples {
			name := rule.name + ": " + x.request[:min(len(x.request), 100)]
			var r Request
			n, err := Parse([]byte(x.request), testLimits, &r)
			if n != 0 || err == nil || err.Status != x.status {
				t.Errorf("%q: took %d, error %v, want status %d", name, n, err, x.status)
			}
			if _, _, _, err := readByNetHTTP([]byte(x.request)); err != nil {
				t.Errorf("%q: net/http refuses it, too: %v", name, err)
			}
			if rules := rulesAgainst([]byte(x.request), testLimits); len(rules) == 0 || rules[0] != rule.name {
				t.Errorf("%q: the rules against it are %v", name, rules)
			}
		}
	}
	page, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var documented, tested []string
	for _, m := range regexp.MustCompile(`(?m)^//   - ([a-z-]+): `).FindAllSubmatch(page, -1) {
		documented = append(documented, string(m[1]))
	}
	for _, rule := range stricterRules {
		tested = append(tested, rule.name)
	}
	if !slices.Equal(documented, tested) {
		t.Errorf("doc.go lists  %v\nthe tests have %v", documented, tested)
	}
}
