package wire

import "strconv"

const (
	status10    = "HTTP/1.0 "
	status11    = "HTTP/1.1 "
	serverField = "Server: "
	typeField   = "Content-Type: "
	lengthField = "Content-Length: "
	defaultType = "Content-Type: text/html; charset=ISO-8859-1\r\n"
)

// Content types of the admin door, for [AppendAdmin].
const (
	TypeDefault = ""                                // broadcast, and refusals: the library's default, its line last
	TypeScript  = "text/javascript; charset=utf-8"  // push, pub
	TypeHTML    = "text/html; charset=utf-8"        // sign, close, clear, info, check
	TypeJSON    = "application/json; charset=utf-8" // channels
)

func statusLine(minor uint8) string {
	if minor == 0 {
		return status10
	}
	return status11
}

// appendStatus appends a status line.
func appendStatus(dst []byte, minor uint8, status int, reason string) []byte {
	dst = append(dst, statusLine(minor)...)
	dst = strconv.AppendInt(dst, int64(status), 10)
	dst = append(dst, ' ')
	dst = append(dst, reason...)
	return append(dst, crlf...)
}

// framing is what the last header lines of a reply with a known length say.
type framing struct {
	date        []byte
	length      int
	minor       uint8
	keepAlive   bool
	bodyless    bool // the reply to a HEAD: no Content-Length, no default type
	defaultType bool
}

// appendFraming appends these lines, in the order of the recordings, and the
// empty line. HTTP/1.0 without keep-alive gets none: its body ends with the
// connection.
func appendFraming(dst []byte, f framing) []byte {
	if f.minor == 1 {
		dst = appendField(dst, lineDate, f.date)
	} else if f.keepAlive {
		dst = append(dst, lineKeepAlive...)
	}
	if !f.bodyless && (f.minor == 1 || f.keepAlive) {
		dst = appendLength(dst, f.length)
	}
	if !f.bodyless && f.defaultType {
		dst = append(dst, defaultType...)
	}
	if f.minor == 1 && !f.keepAlive {
		dst = append(dst, lineClose...)
	}
	return append(dst, crlf...)
}

func appendLength(dst []byte, n int) []byte {
	dst = append(dst, lengthField...)
	dst = strconv.AppendInt(dst, int64(n), 10)
	return append(dst, crlf...)
}

const (
	pingCb   = "icomet_cb"
	pingHead = `({"type":"ping","sub_timeout":`
	pingTail = "});\n"
)

// AppendPing appends the reply to /ping; an empty cb is icomet_cb, an empty
// allow leaves the CORS line out.
func AppendPing(dst, date, cb, allow []byte, subTimeoutSeconds int64, minor uint8, keepAlive bool) []byte {
	var digits [maxIntBytes]byte
	timeout := strconv.AppendInt(digits[:0], subTimeoutSeconds, 10)
	cbLen := len(cb)
	if cbLen == 0 {
		cbLen = len(pingCb)
	}
	dst = appendStatus(dst, minor, 200, "OK")
	dst = appendOrigin(dst, allow)
	dst = appendFraming(dst, framing{
		date: date, minor: minor, keepAlive: keepAlive, defaultType: true,
		length: cbLen + len(pingHead) + len(timeout) + len(pingTail),
	})
	if len(cb) == 0 {
		dst = append(dst, pingCb...)
	}
	dst = append(dst, cb...)
	dst = append(dst, pingHead...)
	dst = append(dst, timeout...)
	return append(dst, pingTail...)
}

const (
	pageHead   = "<html><head><title>"
	pageMiddle = "</title></head><body><h1>"
	pageTail   = "</h1></body></html>\n"
)

// AppendError appends a refusal of the front door, or of either door before
// its path is known. 403 and 405 have an empty body, all else a short page; that
// of a path which is unknown is [AppendNotFound]'s. An empty allow leaves the CORS
// line out.
func AppendError(dst, date, allow []byte, status int, keepAlive bool, minor uint8) []byte {
	return appendError(dst, allow, status, framing{date: date, minor: minor, keepAlive: keepAlive})
}

// AppendHeadError is AppendError as the reply to a HEAD request.
func AppendHeadError(dst, date, allow []byte, status int, keepAlive bool, minor uint8) []byte {
	return appendError(dst, allow, status, framing{date: date, minor: minor, keepAlive: keepAlive, bodyless: true})
}

// appendOrigin appends the CORS line, unless allow is empty.
func appendOrigin(dst, allow []byte) []byte {
	if len(allow) == 0 {
		return dst
	}
	return appendField(dst, allowOrigin, allow)
}

// ValidOrigin reports whether s may stand in Access-Control-Allow-Origin: "*",
// an origin of printable ASCII, or nothing.
func ValidOrigin(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || s[i] == ',' {
			return false
		}
	}
	return true
}

func appendError(dst, allow []byte, status int, f framing) []byte {
	reason := StatusText(status)
	dst = appendStatus(dst, f.minor, status, reason)
	dst = appendOrigin(dst, allow)
	if status == 403 || status == 405 {
		f.defaultType = true
		return appendFraming(dst, f)
	}
	if status == 401 {
		dst = append(dst, "WWW-Authenticate: Bearer\r\n"...)
	}
	return appendPage(dst, reason, f)
}

// appendPage appends the rest of a refusal with a page.
func appendPage(dst []byte, reason string, f framing) []byte {
	f.length = len(pageHead) + len(pageMiddle) + len(pageTail) + 2*len(reason)
	dst = appendPageHead(dst, f)
	if f.bodyless {
		return dst
	}
	dst = append(dst, pageHead...)
	dst = append(dst, reason...)
	dst = append(dst, pageMiddle...)
	dst = append(dst, reason...)
	return append(dst, pageTail...)
}

// appendPageHead appends the header lines of a page, and the empty line.
// Recorded pages name the type first and the closing before the date.
func appendPageHead(dst []byte, f framing) []byte {
	if !f.bodyless {
		dst = append(dst, typeField+"text/html\r\n"...)
	}
	if !f.keepAlive {
		dst = append(dst, lineClose...)
	} else if f.minor == 0 {
		dst = append(dst, lineKeepAlive...)
	}
	if f.minor == 1 {
		dst = appendField(dst, lineDate, f.date)
	}
	if !f.bodyless {
		dst = appendLength(dst, f.length)
	}
	return append(dst, crlf...)
}

// preflightFields lets a page poll with a GET, and an EventSource resume.
const preflightFields = "Access-Control-Allow-Methods: GET\r\n" +
	"Access-Control-Allow-Headers: Cache-Control, Last-Event-ID\r\n" +
	"Access-Control-Max-Age: 86400\r\n"

// AppendPreflight appends the reply to an OPTIONS on a path of the front door.
// allow is the origin to let in, or "*".
func AppendPreflight(dst, date, allow []byte, keepAlive bool, minor uint8) []byte {
	dst = appendStatus(dst, minor, 204, "No Content")
	dst = appendField(dst, allowOrigin, allow)
	dst = append(dst, preflightFields...)
	return appendFraming(dst, framing{date: date, minor: minor, keepAlive: keepAlive, bodyless: true})
}
