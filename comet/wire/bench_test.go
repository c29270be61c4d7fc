package wire

import (
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"
)

// pollRequest is what a browser sends.
const pollRequest = "GET /sub?cname=channel1&seq=12&noop=0&token=&_=1700000000000 HTTP/1.1\r\n" +
	"Host: 127.0.0.1:8100\r\n" +
	"Connection: keep-alive\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n" +
	"Accept: */*\r\n" +
	"Accept-Language: en-US,en;q=0.5\r\n" +
	"Accept-Encoding: gzip, deflate\r\n" +
	"Referer: http://127.0.0.1/index.html\r\n\r\n"

// shortRequest is what a program sends.
const shortRequest = "GET /sub?cname=channel1&seq=12 HTTP/1.1\r\nHost: h\r\n\r\n"

// hotPath is one long-poll turn: request in, parameters, object, reply.
type hotPath struct {
	request           []byte
	scratch, obj, out []byte
	date, content     []byte
	r                 Request
	p                 Params
}

func newHotPath(request string) *hotPath {
	return &hotPath{
		request: []byte(request),
		scratch: make([]byte, 0, 512), obj: make([]byte, 0, 512), out: make([]byte, 0, 1024),
		date: make([]byte, 0, DateBytes), content: []byte("hello \"world\"\n é"),
	}
}

func (h *hotPath) turn() bool {
	n, err := Parse(h.request, testLimits, &h.r)
	if err != nil || n != len(h.request) {
		return false
	}
	h.scratch = ParseParams(&h.p, h.scratch[:0], h.r.Query, nil)
	mark := len(h.scratch)
	h.scratch = AppendEscaped(h.scratch, h.p.Cname)
	nameEnd := len(h.scratch)
	h.scratch = AppendEscaped(h.scratch, h.content)
	h.obj = AppendObject(h.obj[:0], KindData, h.scratch[mark:nameEnd], h.p.Seq, h.scratch[nameEnd:])
	h.date = AppendDate(h.date[:0], 1700000000)
	head := Head{Date: h.date, Minor: h.r.Minor, KeepAlive: h.r.KeepAlive}
	h.out = AppendPollReply(h.out[:0], head, h.p.Cb, h.obj)
	return ValidEscaped(h.content[:5]) && len(h.out) <= PollReplySize(0, len(h.obj))
}

// TestNoAllocation proves that a long-poll turn, and each other reply, allocate
// nothing when the buffers have room.
func TestNoAllocation(t *testing.T) {
	h := newHotPath(pollRequest)
	admin := Admin{Date: []byte(testDate), Server: []byte("c1000k"), Minor: 1, KeepAlive: true, ContentType: []byte("text/plain")}
	cb, bad := []byte("f"), []byte("GET /\r\n")
	separators := []byte("a\u2028b\u2029")
	for what, f := range map[string]func(){
		"turn":      func() { h.turn() },
		"refusal":   func() { Parse(bad, testLimits, &h.r) },
		"ping":      func() { h.out = AppendPing(h.out[:0], h.date, cb, nil, 30, 1, true) },
		"error":     func() { h.out = AppendError(h.out[:0], h.date, nil, 400, false, 1) },
		"not found": func() { h.out = AppendNotFound(h.out[:0], h.date, nil, &h.r, false) },
		"call":      func() { h.out = AppendPollReply(h.out[:0], Head{Minor: 1}, cb, separators) },
		"preflight": func() { h.out = AppendPreflight(h.out[:0], h.date, cb, true, 1) },
		"admin": func() {
			h.obj = AppendPushBody(h.obj[:0], cb, nil)
			h.out = AppendAdmin(h.out[:0], admin, 200, TypeScript, h.obj)
		},
		"info": func() { h.out = AppendInfoBody(h.out[:0], cb, 1e6, 1e6) },
		"pieces": func() {
			h.out = append(AppendPollReplyHead(h.out[:0], Head{Minor: 1}, cb, 5), PollReplyTail(1, true)...)
		},
	} {
		if allocs := testing.AllocsPerRun(100, f); allocs != 0 {
			t.Errorf("%s allocates %v times", what, allocs)
		}
	}
	if !h.turn() {
		t.Error("the turn fails")
	}
}

// TestImports proves that the package cannot reach a descriptor or a clock.
func TestImports(t *testing.T) {
	pure := map[string]bool{"bytes": true, "math": true, "strconv": true, "unicode/utf8": true}
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, file := range files {
		name := file.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		checked++
		for _, spec := range parsed.Imports {
			if path, _ := strconv.Unquote(spec.Path.Value); !pure[path] {
				t.Errorf("%s imports %s", name, path)
			}
		}
	}
	if checked == 0 {
		t.Error("no file checked")
	}
}

func BenchmarkTurn(b *testing.B) {
	h := newHotPath(shortRequest)
	b.ReportAllocs()
	for b.Loop() {
		h.turn()
	}
}

func BenchmarkParse(b *testing.B) {
	for name, request := range map[string]string{"short": shortRequest, "browser": pollRequest} {
		b.Run(name, func(b *testing.B) {
			h := newHotPath(request)
			b.ReportAllocs()
			b.SetBytes(int64(len(request)))
			for b.Loop() {
				Parse(h.request, testLimits, &h.r)
			}
		})
	}
}

// BenchmarkParseByteByByte is a header of the whole limit that comes in single
// bytes: the most that a client can make the parser do a header.
func BenchmarkParseByteByByte(b *testing.B) {
	const start = "GET / HTTP/1.1\r\nHost: h\r\n"
	p := []byte(start + strings.Repeat("X: y\r\n", 8192/6))[:8192]
	var r Request
	b.ReportAllocs()
	for b.Loop() {
		for i := range p {
			Parse(p[:i], testLimits, &r)
		}
	}
}

func BenchmarkParams(b *testing.B) {
	query := []byte("cname=channel1&seq=12&noop=0&token=&_=1700000000000")
	scratch := make([]byte, 0, 128)
	var p Params
	b.ReportAllocs()
	for b.Loop() {
		scratch = ParseParams(&p, scratch[:0], query, nil)
	}
}

func BenchmarkAppendEscaped(b *testing.B) {
	for name, s := range map[string]string{"plain": strings.Repeat("abcdefgh", 128), "quotes": strings.Repeat(`abc"defg`, 128), "utf8": strings.Repeat("abcdefé", 128)} {
		b.Run(name, func(b *testing.B) {
			in, out := []byte(s), make([]byte, 0, 8192)
			b.ReportAllocs()
			b.SetBytes(int64(len(in)))
			for b.Loop() {
				out = AppendEscaped(out[:0], in)
			}
		})
	}
}

func BenchmarkPollReply(b *testing.B) {
	body := AppendObject(nil, KindData, []byte("channel1"), 12, []byte("hello"))
	h := Head{Date: []byte(testDate), Minor: 1, KeepAlive: true}
	out := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		out = AppendPollReply(out[:0], h, nil, body)
	}
}

func BenchmarkDate(b *testing.B) {
	out := make([]byte, 0, DateBytes)
	b.ReportAllocs()
	for b.Loop() {
		out = AppendDate(out[:0], 1700000000)
	}
}
