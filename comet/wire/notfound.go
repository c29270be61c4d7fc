package wire

// The page of a path that is unknown, as icomet's library writes it.
const (
	notFoundHead = "<html><head><title>404 Not Found</title></head><body><h1>Not Found</h1><p>The requested URL "
	notFoundTail = " was not found on this server.</p></body></html>\n"
)

// AppendNotFound appends the refusal of a request whose path is unknown, on
// either door; its page names what was asked for. It is as long as the target,
// which Limits.HeaderBytes bounds, and up to six times that where it is escaped. An empty
// allow leaves the CORS line out.
func AppendNotFound(dst, date, allow []byte, r *Request, keepAlive bool) []byte {
	dst = appendStatus(dst, r.Minor, 404, StatusText(404))
	dst = appendOrigin(dst, allow)
	length := len(notFoundHead) + escapedHTMLLen(r.Path) + len(notFoundTail)
	if r.Query != nil {
		length += len("?") + escapedHTMLLen(r.Query)
	}
	f := framing{date: date, minor: r.Minor, keepAlive: keepAlive, bodyless: r.Method == MethodHead, length: length}
	dst = appendPageHead(dst, f)
	if f.bodyless {
		return dst
	}
	dst = append(dst, notFoundHead...)
	dst = appendEscapedHTML(dst, r.Path)
	if r.Query != nil {
		dst = appendEscapedHTML(append(dst, '?'), r.Query)
	}
	return append(dst, notFoundTail...)
}

// htmlEscape is how a byte is written that may not stand for itself in the text
// of a page; empty for all others.
func htmlEscape(c byte) string {
	switch c {
	case '<':
		return "&lt;"
	case '>':
		return "&gt;"
	case '"':
		return "&quot;"
	case '\'':
		return "&#039;"
	case '&':
		return "&amp;"
	}
	return ""
}

// escapedHTMLLen is the length that appendEscapedHTML gives s.
func escapedHTMLLen(s []byte) int {
	n := len(s)
	for _, c := range s {
		if e := htmlEscape(c); e != "" {
			n += len(e) - 1
		}
	}
	return n
}

// appendEscapedHTML appends s as text of a page.
func appendEscapedHTML(dst, s []byte) []byte {
	for _, c := range s {
		if e := htmlEscape(c); e != "" {
			dst = append(dst, e...)
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}
