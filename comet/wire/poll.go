package wire

import "strconv"

// Head says what the head of a long-poll reply depends on.
type Head struct {
	Date        []byte // IMF-fixdate, see AppendDate; not used by HTTP/1.0
	AllowOrigin []byte // Access-Control-Allow-Origin; nil leaves the line out
	Minor       uint8  // HTTP/1.Minor of the request
	KeepAlive   bool   // the connection stays; HTTP/1.0 never does after a long-poll
	InBandError bool   // the object is a Kind401 or Kind429
	Mode        Mode
}

const (
	pollFields    = "Expires: 0\r\n" + "Cache-Control: no-cache\r\n"
	allowOrigin   = "Access-Control-Allow-Origin: "
	lineKeepAlive = "Connection: keep-alive\r\n"
	lineClose     = "Connection: close\r\n"
	pollChunked   = "Transfer-Encoding: chunked\r\n"
	lineDate      = "Date: "
	crlf          = "\r\n"
	lastChunk     = "0\r\n\r\n"
	// lineClose, which is shorter, stands in place of lineKeepAlive.
	pollHeadMax    = len(status11+"200 OK\r\n"+pollFields+"Content-Type: text/event-stream; charset=utf-8\r\n"+lineKeepAlive+pollChunked+lineDate+crlf+crlf) + DateBytes
	maxHexIntBytes = 16
)

// AppendPollHead appends the head of a subscriber's reply, in any mode. In
// HTTP/1.1 the body is chunked; in HTTP/1.0 it ends with the connection.
func AppendPollHead(dst []byte, h Head) []byte {
	dst = append(dst, statusLine(h.Minor)...)
	dst = append(dst, "200 OK\r\n"+pollFields...)
	dst = append(dst, h.Mode.contentType()...)
	dst = appendOrigin(dst, h.AllowOrigin)
	closing := h.Minor == 1 && !h.KeepAlive
	if !h.InBandError && !closing {
		// Also in HTTP/1.0, which then closes: so it is recorded.
		dst = append(dst, lineKeepAlive...)
	}
	if h.Minor == 1 {
		dst = append(dst, pollChunked...)
		dst = appendField(dst, lineDate, h.Date)
	}
	if closing {
		dst = append(dst, lineClose...)
	}
	return append(dst, crlf...)
}

// AppendChunk appends payload as one chunk of a body of HTTP/1.1, or as it is
// for HTTP/1.0. An empty payload appends nothing, as an empty chunk would end
// the body.
func AppendChunk(dst, payload []byte, minor uint8) []byte {
	if len(payload) == 0 {
		return dst
	}
	if minor == 0 {
		return append(dst, payload...)
	}
	dst = appendChunkSize(dst, len(payload))
	dst = append(dst, payload...)
	return append(dst, crlf...)
}

func appendChunkSize(dst []byte, n int) []byte {
	dst = strconv.AppendInt(dst, int64(n), 16)
	return append(dst, crlf...)
}

// AppendLastChunk appends what ends a chunked body; nothing for HTTP/1.0.
func AppendLastChunk(dst []byte, minor uint8) []byte {
	if minor == 0 {
		return dst
	}
	return append(dst, lastChunk...)
}

// AppendPollReply appends a complete long-poll reply. body is an object, or an
// array of objects, without callback and line feed; an empty cb is none.
func AppendPollReply(dst []byte, h Head, cb, body []byte) []byte {
	length := len(body)
	if len(cb) > 0 {
		length = callableLen(body)
	}
	dst = AppendPollReplyHead(dst, h, cb, length)
	dst = appendArgument(dst, cb, body)
	return append(dst, PollReplyTail(h.Minor, len(cb) > 0)...)
}

// AppendPollReplyHead appends what comes before a body of bodyLen bytes that
// lies elsewhere: AppendPollReply is this, the body, as [AppendCallable] makes it
// where there is a callback, and [PollReplyTail].
func AppendPollReplyHead(dst []byte, h Head, cb []byte, bodyLen int) []byte {
	return AppendPollBodyHead(AppendPollHead(dst, h), h.Minor, cb, bodyLen)
}

// AppendPollBodyHead is AppendPollReplyHead without the head, for a reply
// whose head has been sent before.
func AppendPollBodyHead(dst []byte, minor uint8, cb []byte, bodyLen int) []byte {
	if minor == 1 {
		dst = appendChunkSize(dst, wrappedLen(len(cb), bodyLen))
	}
	if len(cb) > 0 {
		dst = append(append(dst, cb...), '(')
	}
	return dst
}

// PollReplyTail is what comes after the body of a long-poll reply, one of four
// constants.
func PollReplyTail(minor uint8, hasCb bool) string {
	switch {
	case minor == 0 && hasCb:
		return callEnd
	case minor == 0:
		return "\n"
	case hasCb:
		return callEnd + crlf + lastChunk
	}
	return "\n" + crlf + lastChunk
}

// PollReplySize is an upper bound for the length of a long-poll reply with a
// callback (0 for none) and a body of these lengths, without AllowOrigin, which
// [AllowOriginSize] bounds, and without what [AppendCallable] adds to the body.
func PollReplySize(cbLen, bodyLen int) int {
	return pollHeadMax + maxHexIntBytes + len(crlf) + wrappedLen(cbLen, bodyLen) + len(crlf+lastChunk)
}

// AllowOriginSize is what an AllowOrigin of this length adds to a reply.
func AllowOriginSize(originLen int) int {
	if originLen == 0 {
		return 0
	}
	return len(allowOrigin) + originLen + len(crlf)
}

// callEnd ends a call of a callback.
const callEnd = ");\n"

// wrappedLen is the length of a body with its callback and line feed.
func wrappedLen(cbLen, bodyLen int) int {
	if cbLen == 0 {
		return bodyLen + 1
	}
	return cbLen + len("(") + bodyLen + len(callEnd)
}

// appendWrapped appends body with its line feed, in a call of cb if there is
// one.
func appendWrapped(dst, cb []byte, body string) []byte {
	if len(cb) == 0 {
		return append(append(dst, body...), '\n')
	}
	dst = append(append(dst, cb...), '(')
	dst = append(dst, body...)
	return append(dst, callEnd...)
}

// appendField appends a header line; name has its colon and space.
func appendField(dst []byte, name string, value []byte) []byte {
	dst = append(dst, name...)
	dst = append(dst, value...)
	return append(dst, crlf...)
}
