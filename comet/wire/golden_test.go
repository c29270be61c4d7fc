package wire

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

const testDate = "Sun, 06 Nov 1994 08:49:37 GMT"

var (
	testLimits = Limits{HeaderBytes: 8192, BodyBytes: 1 << 20}
	testServer = []byte("icomet 0.2.5")
	testToken  = strings.Repeat("0123456789abcdef", 2)
)

// A row is one recorded case.
type row struct {
	title   string
	request []byte
	reply   []byte
	eof     bool // the server closed after it
}

// readRows reads the recordings, with dates and tokens unmasked to fixed ones.
func readRows(t *testing.T) []row {
	t.Helper()
	text, err := os.ReadFile("testdata/icomet-replies.txt")
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if title, ok := strings.CutPrefix(line, "## "); ok {
			title, _, _ = strings.Cut(title, "   ")
			rows = append(rows, row{title: title})
			continue
		}
		if len(rows) == 0 {
			continue
		}
		last := &rows[len(rows)-1]
		switch {
		case line == "< <EOF>":
			last.eof = true
		case strings.HasPrefix(line, "> "):
			last.request = []byte(strings.ReplaceAll(line[2:], `\r\n`, "\r\n"))
		case strings.HasPrefix(line, "< "):
			last.reply = append(last.reply, unmask(line[2:])...)
		}
	}
	return rows
}

func unmask(line string) string {
	if s, ok := strings.CutSuffix(line, `\r\n`); ok {
		line = s + "\r\n"
	} else if s, ok := strings.CutSuffix(line, `\n`); ok {
		line = s + "\n"
	}
	line = strings.Replace(line, "<date>", testDate, 1)
	line = strings.Replace(line, "<an HTML page, 146 bytes>", "<html><head><title>404 Not Found</title></head><body><h1>Not Found</h1>"+
		"<p>The requested URL /nope was not found on this server.</p></body></html>\n", 1)
	return strings.Replace(line, "<32 hex>", testToken, 1)
}

// A call is a parsed row, with what composes its reply.
type call struct {
	r Request
	p Params
}

func (c *call) head() Head {
	return Head{Date: []byte(testDate), Minor: c.r.Minor, KeepAlive: c.r.KeepAlive}
}

func (c *call) name() []byte { return AppendEscaped(nil, c.p.Cname) }

func (c *call) object(k Kind, seq int64, content string) []byte {
	return AppendObject(nil, k, c.name(), seq, AppendEscaped(nil, []byte(content)))
}

// poll is a long-poll reply of one object, or of several in an array.
func (c *call) poll(objects ...[]byte) []byte {
	body := bytes.Join(objects, []byte(","))
	if len(objects) > 1 {
		body = array(body)
	}
	return AppendPollReply(nil, c.head(), c.p.Cb, body)
}

func array(b []byte) []byte { return append(append([]byte{'['}, b...), ']') }

func (c *call) inBand(k Kind, content string) []byte {
	h := c.head()
	h.InBandError = true
	return AppendPollReply(nil, h, c.p.Cb, c.object(k, 0, content))
}

// stream is a head and a chunk an object.
func (c *call) stream(objects ...[]byte) []byte {
	reply := AppendPollHead(nil, c.head())
	for _, o := range objects {
		reply = AppendChunk(reply, append(o, '\n'), c.r.Minor)
	}
	return reply
}

func (c *call) admin(status int, contentType, body string) []byte {
	a := Admin{Date: []byte(testDate), Server: testServer, Minor: c.r.Minor, KeepAlive: c.r.KeepAlive}
	return AppendAdmin(nil, a, status, contentType, []byte(body))
}

func (c *call) push() []byte {
	return c.admin(200, TypeScript, string(AppendPushBody(nil, c.p.Cb, nil)))
}

func (c *call) error(status int) []byte {
	return AppendError(nil, []byte(testDate), nil, status, c.r.KeepAlive, c.r.Minor)
}

// notFound closes, as both servers do there.
func (c *call) notFound() []byte { return AppendNotFound(nil, []byte(testDate), nil, &c.r, false) }

func (c *call) ping() []byte {
	return AppendPing(nil, []byte(testDate), c.p.Cb, nil, 3, c.r.Minor, c.r.KeepAlive)
}

// afterBroadcasts is the history of channel r late in the recording.
func (c *call) afterBroadcasts() []byte {
	return c.poll(
		c.object(KindData, 3, "m3"),
		c.object(KindBroadcast, 4, "all"), c.object(KindNextSeq, 5, ""),
		c.object(KindBroadcast, 5, "all"), c.object(KindNextSeq, 6, ""),
	)
}

// compose says how each row is composed.
var compose = map[string]func(c *call) []byte{
	"no seq on a fresh channel": func(c *call) []byte { return c.poll(c.object(KindNextSeq, 1, "")) },
	"held, then a push":         func(c *call) []byte { return c.poll(c.object(KindData, c.p.Seq, "hello")) },
	"held with cb, then a push": func(c *call) []byte { return c.poll(c.object(KindData, c.p.Seq, "hello")) },
	"held, then a broadcast": func(c *call) []byte {
		return c.poll(c.object(KindBroadcast, 1, "all"), c.object(KindNextSeq, 2, ""))
	},
	"held, then close":                    func(c *call) []byte { return c.poll(c.object(KindClose, 1, "")) },
	"held until noop (polling_timeout 3)": func(c *call) []byte { return c.poll(c.object(KindNoop, c.p.Noop, "")) },
	"replay from 2 of 3": func(c *call) []byte {
		return c.poll(c.object(KindData, c.p.Seq, "m2"), c.object(KindData, c.p.Seq+1, "m3"))
	},
	"replay of one": func(c *call) []byte { return c.poll(array(c.object(KindData, c.p.Seq, "m3"))) },
	"replay, cb":    func(c *call) []byte { return c.poll(array(c.object(KindData, c.p.Seq, "m3"))) },
	"negative seq":  negativeSeq,
	"seq beyond":    func(c *call) []byte { return c.poll(c.object(KindNextSeq, c.p.Seq-95, "")) },
	"junk seq":      func(c *call) []byte { return c.poll(c.object(KindNextSeq, c.p.Seq+4, "")) },
	"empty query":   func(c *call) []byte { return c.poll(c.object(KindNextSeq, 1, "")) },
	"ping":          (*call).ping,
	"ping with cb":  (*call).ping,
	"unknown path":  (*call).notFound,
	"push":          (*call).push,
	"push cb":       (*call).push,
	"pub":           (*call).push,
	"push by form":  (*call).push,
	"HTTP/1.0 push": (*call).push,
	"POST on sub":   func(c *call) []byte { return c.error(405) },
	"HEAD on sub": func(c *call) []byte {
		return AppendHeadError(nil, []byte(testDate), nil, 405, c.r.KeepAlive, c.r.Minor)
	},
	"OPTIONS on sub": func(c *call) []byte { return c.error(501) },
	"junk after digits": func(c *call) []byte {
		return c.poll(array(c.object(KindData, c.p.Seq, "m3")))
	},
	"parameter names in capitals": func(c *call) []byte {
		return c.poll(array(c.object(KindData, c.p.Seq, "m3")))
	},
	"HTTP/1.0 replay":   (*call).afterBroadcasts,
	"Connection: close": (*call).afterBroadcasts,
	"content escaping":  (*call).push,

	"stream: held, push, broadcast": func(c *call) []byte {
		return c.stream(c.object(KindData, 1, "one"), c.object(KindBroadcast, 2, "all"), c.object(KindNextSeq, 3, ""))
	},
	"stream: replay of 3": func(c *call) []byte {
		return c.stream(c.object(KindData, 1, "m1"), c.object(KindData, 2, "m2"), c.object(KindData, 3, "m3"),
			c.object(KindBroadcast, 4, "all"), c.object(KindNextSeq, 5, ""))
	},
	"stream: noop twice (polling_timeout 3)": func(c *call) []byte {
		return c.stream(c.object(KindNoop, 0, ""), c.object(KindNoop, 1, ""), c.object(KindNoop, 2, ""))
	},
	"stream: close": func(c *call) []byte {
		return AppendLastChunk(c.stream(c.object(KindClose, 1, "")), c.r.Minor)
	},

	"too many subscribers (limit 2)":        func(c *call) []byte { return c.inBand(Kind429, TooManySubscribers) },
	"same, stream":                          func(c *call) []byte { return c.inBand(Kind429, TooManySubscribers) },
	"auth=token: no token, unknown channel": func(c *call) []byte { return c.inBand(Kind401, TokenError) },
	"auth=token: stream without token":      func(c *call) []byte { return c.inBand(Kind401, TokenError) },
	"auth=token: wrong token":               func(c *call) []byte { return c.inBand(Kind401, TokenError) },
	"info with held":                        func(c *call) []byte { return c.info(2) },
	"info of one":                           func(c *call) []byte { return c.info(0) },
	"info of unknown":                       func(c *call) []byte { return c.info(0) },
	"push by PUT":                           func(c *call) []byte { return c.admin(405, TypeDefault, "") },
	"broadcast":                             func(c *call) []byte { return c.admin(200, TypeDefault, BroadcastOK) },
	"broadcast by POST":                     func(c *call) []byte { return c.admin(405, TypeDefault, "") },
	"clear":                                 func(c *call) []byte { return c.admin(200, TypeHTML, "ok 5\n") },
	"clear unknown":                         func(c *call) []byte { return c.admin(404, TypeHTML, "channel[unknown1] not connected\n") },
	"close":                                 func(c *call) []byte { return c.admin(200, TypeHTML, "ok 5\n") },
	"close unknown":                         func(c *call) []byte { return c.admin(404, TypeHTML, "channel[p] not connected\n") },
	"check":                                 func(c *call) []byte { return c.check(true) },
	"check unknown":                         func(c *call) []byte { return c.check(false) },
	"unknown admin path":                    (*call).notFound,
	"max_channels reached: sign":            func(c *call) []byte { return c.admin(429, TypeDefault, "") },
	"max_channels reached: push":            func(c *call) []byte { return c.admin(429, TypeDefault, "") },
	"info": func(c *call) []byte {
		return c.admin(200, TypeHTML, string(AppendInfoBody(nil, []byte("0.2.5"), 17, 0)))
	},
	"sign": func(c *call) []byte {
		return c.admin(200, TypeHTML, `{"type":"sign","cname":"sg","seq":1,"token":"`+testToken+`","expires":30,"sub_timeout":3}`+"\n")
	},
	"sign with expires and cb": func(c *call) []byte {
		return c.admin(200, TypeHTML, `k({"type":"sign","cname":"sg","seq":1,"token":"`+testToken+`","expires":60,"sub_timeout":3});`+"\n")
	},

	"one parameter without =":    func(c *call) []byte { return c.poll(array(c.object(KindData, c.p.Seq, "m3"))) },
	"HTTP/1.0 keep-alive replay": (*call).afterBroadcasts,
	"name escaping":              func(c *call) []byte { return c.poll(c.object(KindNextSeq, 1, "")) },
	"its delivery":               func(c *call) []byte { return c.poll(array(c.object(KindData, 1, "\"\\\n\t<\x01"))) },
}

func negativeSeq(c *call) []byte {
	if c.p.Seq != -5 {
		return nil
	}
	return c.poll(c.object(KindData, 1, "m1"), c.object(KindData, 2, "m2"), c.object(KindData, 3, "m3"))
}

func (c *call) info(subscribers int64) []byte {
	return c.admin(200, TypeHTML, string(AppendChannelInfoBody(nil, c.name(), subscribers)))
}

func (c *call) check(exists bool) []byte {
	return c.admin(200, TypeHTML, string(AppendCheckBody(nil, c.name(), exists)))
}

// elsewhere are the rows of modes that this package does not compose.
var elsewhere = map[string]bool{
	"iframe: push": true, "sse: push, broadcast": true, "sse: no seq": true, "psub": true,
	"auth=token: sse without token": true, "auth=token: iframe without token": true,
}

// different holds what is sent instead where the recording is not followed on
// purpose: the change to make to the recording first.
var different = map[string]func(recorded string) string{
	// Nothing voids the query.
	"one parameter without =": func(s string) string {
		return replace(s, "34\r\n", "35\r\n", `{"type":"next_seq","cname":"","seq":1,"content":""}`, `[{"type":"data","cname":"r","seq":3,"content":"m3"}]`)
	},
	// We close, and announce no length that is not so.
	"HTTP/1.0 keep-alive replay": func(s string) string {
		return replace(s, "Connection: keep-alive\r\nConnection: keep-alive\r\nContent-Length: 0\r\n", "Connection: keep-alive\r\n")
	},
	// Names are escaped, and content in all that JSON requires.
	"name escaping": func(s string) string { return replace(s, "37\r\n", "38\r\n", `""q<`, `"\"q<`) },
	"its delivery":  func(s string) string { return replace(s, "3e\r\n", "44\r\n", "\t<\x01", `\t<\u0001`) },
	// The page is ours.
	"OPTIONS on sub": ourPage("501 Not Implemented"),
}

// replace makes the replacements, each of which must apply.
func replace(s string, pairs ...string) string {
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(s, pairs[i]) {
			return "the recording has no " + pairs[i]
		}
		s = strings.Replace(s, pairs[i], pairs[i+1], 1)
	}
	return s
}

// ourPage is the recorded header around our page; the connection stays, where
// the request allows it.
func ourPage(status string) func(string) string {
	return func(s string) string {
		head, _, _ := strings.Cut(s, "Content-Length: ")
		head = replace(head, "Connection: close\r\n", "")
		_, reason, _ := strings.Cut(status, " ")
		page := "<html><head><title>" + reason + "</title></head><body><h1>" + reason + "</h1></body></html>\n"
		return head + "Content-Length: " + itoa(len(page)) + "\r\n\r\n" + page
	}
}

// TestRecordings proves that every recorded request is parsed whole and that
// its reply, composed from what was parsed, has the recorded bytes, or exactly
// the bytes that we send instead.
func TestRecordings(t *testing.T) {
	rows := readRows(t)
	if len(rows) != 66 {
		t.Errorf("%d rows, want 66", len(rows))
	}
	for _, row := range rows {
		t.Run(row.title, func(t *testing.T) {
			var c call
			n, err := Parse(row.request, testLimits, &c.r)
			if err != nil || n != len(row.request) {
				t.Fatalf("Parse took %d of %d bytes, error %v", n, len(row.request), err)
			}
			ParseParams(&c.p, nil, c.r.Query, formOf(&c.r))
			f := compose[row.title]
			if f == nil {
				if !elsewhere[row.title] {
					t.Error("neither composed nor known to be composed elsewhere")
				}
				return
			}
			want := string(row.reply)
			if change := different[row.title]; change != nil {
				want = change(want)
			}
			if got := string(f(&c)); got != want {
				t.Errorf("composed\n%q\nwant\n%q", got, want)
			}
		})
	}
	known := len(compose) + len(elsewhere)
	if known != len(rows) {
		t.Errorf("%d rows known, %d recorded", known, len(rows))
	}
}

func formOf(r *Request) []byte {
	if r.Form {
		return r.Body
	}
	return nil
}
