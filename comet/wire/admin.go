package wire

import "strconv"

// Admin says what a reply of the admin door depends on, its outcome apart.
type Admin struct {
	Date        []byte // IMF-fixdate, see AppendDate; not used by HTTP/1.0
	Server      []byte // the Server line
	ContentType []byte // nil: the contentType given to AppendAdmin
	Minor       uint8  // HTTP/1.Minor of the request
	KeepAlive   bool   // the connection stays
	Bodyless    bool   // the request was a HEAD
}

// AppendAdmin appends a reply of the admin door. contentType is [TypeScript],
// [TypeHTML] or [TypeDefault]; the last names the type after the length, as
// recorded of broadcast and of refusals.
func AppendAdmin(dst []byte, a Admin, status int, contentType string, body []byte) []byte {
	dst = appendStatus(dst, a.Minor, status, adminReason(status))
	dst = appendField(dst, serverField, a.Server)
	f := framing{date: a.Date, minor: a.Minor, keepAlive: a.KeepAlive, bodyless: a.Bodyless, length: len(body)}
	switch {
	case a.ContentType != nil:
		dst = appendField(dst, typeField, a.ContentType)
	case contentType == TypeDefault:
		f.defaultType = true
	default:
		dst = append(dst, typeField...)
		dst = append(dst, contentType...)
		dst = append(dst, crlf...)
	}
	dst = appendFraming(dst, f)
	if a.Bodyless {
		return dst
	}
	return append(dst, body...)
}

// adminReason is the reason phrase of the admin door, which has two of its
// own.
func adminReason(status int) string {
	switch status {
	case 405:
		return "Invalid Method"
	case 429:
		return "Too Many Channels"
	}
	return StatusText(status)
}

// BroadcastOK is the body of a broadcast that was taken, of TypeDefault.
const BroadcastOK = "ok\n"

// AppendPushBody appends the body of a push or pub that was taken, of
// TypeScript; an empty cb is none.
func AppendPushBody(dst, cb []byte) []byte {
	return appendWrapped(dst, cb, `{"type":"ok"}`)
}

// AppendInfoBody appends the body of /info, of TypeHTML.
func AppendInfoBody(dst, escVersion []byte, channels, subscribers int64) []byte {
	dst = append(dst, `{"version": "`...)
	dst = append(dst, escVersion...)
	dst = append(dst, `", "channels": `...)
	dst = strconv.AppendInt(dst, channels, 10)
	return appendSubscribers(dst, subscribers)
}

// AppendChannelInfoBody appends the body of /info with a cname, of TypeHTML.
func AppendChannelInfoBody(dst, escName []byte, subscribers int64) []byte {
	dst = append(dst, `{"cname": "`...)
	dst = append(dst, escName...)
	dst = append(dst, '"')
	return appendSubscribers(dst, subscribers)
}

func appendSubscribers(dst []byte, subscribers int64) []byte {
	dst = append(dst, `, "subscribers": `...)
	dst = strconv.AppendInt(dst, subscribers, 10)
	return append(dst, "}\n"...)
}

// AppendCheckBody appends the body of /check, of TypeHTML.
func AppendCheckBody(dst, escName []byte, exists bool) []byte {
	if !exists {
		return append(dst, "{}\n"...)
	}
	dst = append(dst, `{"`...)
	dst = append(dst, escName...)
	return append(dst, "\": 1}\n"...)
}
