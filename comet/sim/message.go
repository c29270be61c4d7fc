package sim

import (
	"fmt"
	"strings"
	"unicode/utf8"
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

// reply is a request's whole reply, its date masked.
type style struct {
	minor  int    // HTTP/1.minor
	closes bool   // the client asked to close
	cb     string // callback, if any
}

// ends says whether the server closes after a long-poll's reply.
func (s style) ends() bool { return s.closes || s.minor == 0 }

// poll is the reply of a long-poll.
func (s style) poll(body string, inBand bool) string {
	body += "\n"
	if s.cb != "" {
		body = s.cb + "(" + strings.TrimSuffix(body, "\n") + ");\n"
	}
	head := fmt.Sprintf("HTTP/1.%d 200 OK\r\nExpires: 0\r\nCache-Control: no-cache\r\n"+
		"Content-Type: application/json; charset=utf-8\r\nAccess-Control-Allow-Origin: *\r\n", s.minor)
	if !inBand && !(s.closes && s.minor == 1) {
		head += "Connection: keep-alive\r\n"
	}
	if s.minor == 0 {
		return head + "\r\n" + body
	}
	head += "Transfer-Encoding: chunked\r\nDate: <date>\r\n"
	if s.closes {
		head += "Connection: close\r\n"
	}
	return head + "\r\n" + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)
}

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
	if s.closes && s.minor == 1 {
		head += "Connection: close\r\n"
	}
	return head + "\r\n" + body
}
