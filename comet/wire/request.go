package wire

import "bytes"

// Method is a request method.
type Method uint8

// The methods that the server tells apart.
const (
	MethodOther Method = iota
	MethodGet
	MethodPost
	MethodHead
	MethodOptions
	MethodPut
	MethodDelete
)

// Limits bounds what one request may hold.
type Limits struct {
	HeaderBytes int // request line, header lines, the empty lines before and after
	BodyBytes   int // Content-Length; 0 refuses every body
}

const (
	maxEmptyLines  = 2  // tolerated before a request line: some clients end a body with one too many
	maxMethodBytes = 32 // longer than any registered method
)

// Request is one parsed request. Its slices alias the bytes given to [Parse]
// and live as long as those.
type Request struct {
	Path  []byte // raw, without the query; starts with '/', or is "*" for OPTIONS
	Query []byte // raw, after the first '?'
	Body  []byte

	// Header values, nil when absent; of a repeated header the first.
	Origin, LastEventID, Authorization, ForwardedFor []byte

	// Need is set when Parse says incomplete: the least number of bytes, from
	// the front of p, with which calling again can come to more.
	Need int

	Method    Method
	Minor     uint8 // HTTP/1.Minor, 0 or 1
	KeepAlive bool  // the client lets the connection stay
	Form      bool  // Content-Type is application/x-www-form-urlencoded

	// Continue is set when Parse says incomplete, the header is complete and
	// the client waits for [ContinueReply] before it sends the body.
	Continue bool
}

// ContinueReply answers Expect: 100-continue, to be sent at most once a request.
const ContinueReply = "HTTP/1.1 100 Continue\r\n\r\n"

// Parse reads one request from the front of p into r. A positive n is the
// number of bytes it took, body included. n == 0 with a nil error means
// incomplete: call again with the same bytes and more after them; r then says
// nothing but Need and Continue. An error means answer err.Status and close;
// more bytes never change it. Parse keeps no reference to p beyond the slices
// in r.
func Parse(p []byte, lim Limits, r *Request) (n int, err *Error) {
	*r = Request{Need: len(p) + 1}
	head := p
	if len(head) > lim.HeaderBytes {
		head = head[:max(lim.HeaderBytes, 0)]
	}
	full := len(p) >= lim.HeaderBytes // no room for another byte of header

	i, err := skipEmptyLines(head)
	if err != nil {
		return 0, err
	}
	// The method comes first, before its line is complete: nothing else tells
	// a TLS handshake from a slow client before the header deadline does.
	method, err := methodLen(head[i:])
	if err != nil {
		return 0, err
	}
	line, size, err := cutLine(head[i:])
	if err != nil {
		return 0, err
	}
	if size == 0 {
		if full {
			return 0, ErrURITooLong
		}
		return 0, nil
	}
	if err := r.requestLine(line, method); err != nil {
		return 0, err
	}
	i += size

	f := fields{length: -1}
	for {
		line, size, err := cutLine(head[i:])
		if err != nil {
			return 0, err
		}
		if size == 0 {
			if full {
				return 0, ErrHeaderTooLarge
			}
			return 0, nil
		}
		i += size
		if len(line) == 0 {
			break
		}
		if err := f.line(line, r); err != nil {
			return 0, err
		}
	}
	return r.finish(p, i, lim, &f)
}

// finish decides what only the whole header decides, and takes the body, which
// starts at p[i].
func (r *Request) finish(p []byte, i int, lim Limits, f *fields) (n int, err *Error) {
	if err := f.check(r); err != nil {
		return 0, err
	}
	r.KeepAlive = !f.close && (r.Minor == 1 || f.keepAlive)
	if f.length <= 0 {
		r.Need = 0
		return i, nil
	}
	if f.length > int64(lim.BodyBytes) {
		return 0, ErrBodyTooLarge
	}
	end := i + int(f.length)
	if len(p) < end {
		r.Need = end
		r.Continue = f.expect && r.Minor == 1 && len(p) == i
		return 0, nil
	}
	r.Need = 0
	r.Body = p[i:end]
	return end, nil
}

// skipEmptyLines returns where the request line starts, or may start once
// there are more bytes.
func skipEmptyLines(head []byte) (i int, err *Error) {
	for lines := 0; i < len(head) && head[i] == '\r'; lines++ {
		if lines == maxEmptyLines {
			return 0, ErrBadRequest
		}
		if i+1 == len(head) {
			return i + 1, nil
		}
		if head[i+1] != '\n' {
			return 0, ErrBadRequest
		}
		i += 2
	}
	return i, nil
}

// cutLine returns the first line of s without its CRLF, and its size with it;
// size is 0 when the line has no end yet. A line feed alone ends nothing.
func cutLine(s []byte) (line []byte, size int, err *Error) {
	j := bytes.IndexByte(s, '\n')
	if j < 0 {
		return nil, 0, nil
	}
	if j == 0 || s[j-1] != '\r' {
		return nil, 0, ErrBadRequest
	}
	return s[:j-1], j + 1, nil
}

// methodLen is the length of the token at the front of s up to a space, or of
// all of s when that may still become one.
func methodLen(s []byte) (int, *Error) {
	for i, c := range s {
		if c == ' ' {
			if i == 0 {
				return 0, ErrBadRequest
			}
			return i, nil
		}
		if charClass[c]&classToken == 0 {
			return 0, ErrBadRequest
		}
		if i == maxMethodBytes {
			return 0, ErrNotImplemented
		}
	}
	return len(s), nil
}

// requestLine parses a line that starts with a method of this length and a
// space: method, target and version in this order, so that the HTTP/2 preface
// fails at its target.
func (r *Request) requestLine(line []byte, method int) *Error {
	r.Method = methodOf(line[:method])
	target := line[method+1:]
	sp := bytes.IndexByte(target, ' ')
	if sp < 0 {
		return ErrBadRequest
	}
	version := target[sp+1:]
	if err := r.target(target[:sp]); err != nil {
		return err
	}
	return r.version(version)
}

func methodOf(s []byte) Method {
	switch string(s) {
	case "GET":
		return MethodGet
	case "POST":
		return MethodPost
	case "HEAD":
		return MethodHead
	case "OPTIONS":
		return MethodOptions
	case "PUT":
		return MethodPut
	case "DELETE":
		return MethodDelete
	}
	return MethodOther
}

func (r *Request) target(t []byte) *Error {
	if !all(t, classTarget) {
		return ErrBadRequest
	}
	if len(t) == 1 && t[0] == '*' && r.Method == MethodOptions {
		r.Path = t
		return nil
	}
	if len(t) == 0 || t[0] != '/' {
		return ErrBadRequest
	}
	r.Path = t
	if q := bytes.IndexByte(t, '?'); q >= 0 {
		r.Path, r.Query = t[:q], t[q+1:]
	}
	for i, c := range r.Path {
		if c == '%' && !isEscape(r.Path[i:]) {
			return ErrBadRequest
		}
	}
	return nil
}

func (r *Request) version(v []byte) *Error {
	const form = "HTTP/1.1"
	if len(v) != len(form) || string(v[:5]) != form[:5] || v[6] != '.' || !isDigit(v[5]) || !isDigit(v[7]) {
		return ErrBadRequest
	}
	if v[5] != '1' || v[7] > '1' {
		return ErrVersion
	}
	r.Minor = v[7] - '0'
	return nil
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// isEscape reports whether s starts with a percent sign and two hexadecimal
// digits; the caller has seen the percent sign.
func isEscape(s []byte) bool {
	return len(s) > 2 && charClass[s[1]]&classHex != 0 && charClass[s[2]]&classHex != 0
}
