package sim

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"c1000k/comet/wire"
)

// message is what somebody publishes.
type message struct {
	content   string // as the client sends it, before escaping
	escaped   string // as it must stand in an object
	broadcast bool
}

// escape writes s as the inside of a JSON string, as protocol.md has it.
func escape(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			b.WriteString(`\ufffd`)
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case strings.ContainsRune("\n\r\t\b\f", r):
			b.WriteByte('\\')
			b.WriteByte("nrtbf"[strings.IndexRune("\n\r\t\b\f", r)])
		case r < 0x20:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}

// quote writes s for a query.
func quote(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func object(kind, name string, seq int, escaped string) string {
	return fmt.Sprintf(`{"type":"%s","cname":"%s","seq":%d,"content":"%s"}`, kind, escape(name), seq, escaped)
}

// objects is a message as an element of a replay.
func (m *message) objects(name string, seq int) string {
	if m.broadcast {
		return object("broadcast", name, seq, m.escaped) + "," + object("next_seq", name, seq+1, "")
	}
	return object("data", name, seq, m.escaped)
}

// live is a message as a held poll gets it.
func (m *message) live(name string, seq int) string {
	if m.broadcast {
		return "[" + m.objects(name, seq) + "]"
	}
	return m.objects(name, seq)
}

// style is how a client asks, as far as replies depend on it.
type style struct {
	mode   string // stream, iframe or sse; empty is a poll
	minor  int    // HTTP/1.minor
	closes bool   // the client asked to close
	leaves bool   // the server is drained: whether it says that it closes is not held against it
	cb     string // callback, if any
	origin string // whose pages may read it
}

// ends says whether the server closes after a subscriber's reply.
func (s style) ends() bool { return s.closes || s.minor == 0 }

func (s style) streams() bool { return s.mode != "" }

// head is the head of a subscriber's reply.
func (s style) head(inBand bool) string {
	kind := map[string]string{"": "application/json", "stream": "application/json", "iframe": "text/html", "sse": "text/event-stream"}
	head := fmt.Sprintf("HTTP/1.%d 200 OK\r\nExpires: 0\r\nCache-Control: no-cache\r\n"+
		"Content-Type: %s; charset=utf-8\r\n", s.minor, kind[s.mode])
	if s.origin != "" {
		head += "Access-Control-Allow-Origin: " + s.origin + "\r\n"
	}
	if !inBand && !s.leaves && !(s.closes && s.minor == 1) {
		head += "Connection: keep-alive\r\n"
	}
	if s.minor == 1 {
		head += "Transfer-Encoding: chunked\r\nDate: <date>\r\n"
		if s.closes && !s.leaves {
			head += "Connection: close\r\n"
		}
	}
	return head + "\r\n"
}

// chunk is a piece of a subscriber's body, last its end.
func (s style) chunk(text string) string {
	if s.minor == 0 || text == "" {
		return text
	}
	return fmt.Sprintf("%x\r\n%s\r\n", len(text), text)
}

func (s style) last() string {
	if s.minor == 0 {
		return ""
	}
	return "0\r\n\r\n"
}

// wrapped is a body with its line feed, in a call of the callback if there is one.
func (s style) wrapped(body string) string {
	if s.cb != "" {
		body = strings.NewReplacer("\u2028", `\u2028`, "\u2029", `\u2029`).Replace(body)
		return s.cb + "(" + body + ");\n"
	}
	return body + "\n"
}

// poll is the reply of a long-poll.
func (s style) poll(body string, inBand bool) string {
	return s.head(inBand) + s.chunk(s.wrapped(body)) + s.last()
}

// start is what a stream gets before its first object: the page of an iframe
// is held by the tests of package wire.
func (s style) start() string {
	switch s.mode {
	case "iframe":
		return s.chunk(string(wire.AppendStreamStart(nil, wire.ModeIframe, 0)))
	case "sse":
		return s.chunk("retry: 3000\n\n")
	}
	return ""
}

// noID is the id of an object that a client does not go on from.
const noID = -1

// frame is an object of a stream; id is the number of the last message that a
// client has had with it, or noID.
func (s style) frame(id int, object string) string {
	switch s.mode {
	case "iframe":
		object = strings.ReplaceAll(object, "<", `\u003c`)
		return s.chunk("<script>parent.icomet_cb(" + object + ");</script>\n")
	case "sse":
		text := "data: " + object + "\n\n"
		if id != noID {
			text = fmt.Sprintf("id: %d\n", id) + text
		}
		return s.chunk(text)
	}
	return s.chunk(object + "\n")
}

// refused is the whole reply of a subscriber that is not let in.
func (s style) refused(object string) string {
	if s.streams() {
		return s.head(true) + s.start() + s.frame(noID, object) + s.last()
	}
	return s.poll(object, true)
}

// Content types of the admin door.
const (
	typeScript = "text/javascript; charset=utf-8"
	typeHTML   = "text/html; charset=utf-8"
	typeJSON   = "application/json; charset=utf-8"
)

// admin is a reply of the admin door.
func (s style) admin(status, contentType, body string) string {
	head := fmt.Sprintf("HTTP/1.%d %s\r\nServer: <server>\r\n", s.minor, status)
	length := fmt.Sprintf("Content-Length: %d\r\n", len(body))
	if contentType != "" {
		head += "Content-Type: " + contentType + "\r\n"
	}
	if s.minor == 1 {
		head += "Date: <date>\r\n" + length
	}
	if contentType == "" {
		head += "Content-Type: text/html; charset=ISO-8859-1\r\n"
	}
	if s.closes && !s.leaves && s.minor == 1 {
		head += "Connection: close\r\n"
	}
	return head + "\r\n" + body
}
