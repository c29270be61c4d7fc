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
// [TypeHTML], [TypeJSON] or [TypeDefault]; the last names the type after the length, as
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
// TypeScript; an empty cb is none. acks are what [AppendAck] gave; without any
// it is icomet's body.
func AppendPushBody(dst, cb, acks []byte) []byte {
	if len(acks) == 0 {
		return appendWrapped(dst, cb, `{"type":"ok"}`)
	}
	if len(cb) > 0 {
		dst = append(append(dst, cb...), '(')
	}
	dst = append(dst, `{"type":"ok","channels":[`...)
	return appendPushEnd(dst, cb, acks)
}

// AppendPushRefusedBody appends the body of a push or pub to several channels of
// which some refused it, of TypeScript: the type is the status of the reply. acks
// are what [AppendRefused] gave, and [AppendAck] of the others.
func AppendPushRefusedBody(dst, cb []byte, status int, acks []byte) []byte {
	if len(cb) > 0 {
		dst = append(append(dst, cb...), '(')
	}
	dst = append(dst, `{"type":"`...)
	dst = strconv.AppendInt(dst, int64(status), 10)
	dst = append(dst, `","channels":[`...)
	return appendPushEnd(dst, cb, acks)
}

func appendPushEnd(dst, cb, acks []byte) []byte {
	dst = appendArgument(dst, cb, acks)
	dst = append(dst, "]}"...)
	if len(cb) > 0 {
		return append(dst, callEnd...)
	}
	return append(dst, '\n')
}

// AppendRefused appends, to those before it, that a channel did not take a message
// which others may have taken, and why.
func AppendRefused(dst, escName []byte, status int) []byte {
	if len(dst) > 0 {
		dst = append(dst, ',')
	}
	dst = append(dst, `{"cname":"`...)
	dst = append(dst, escName...)
	dst = append(dst, `","type":"`...)
	dst = strconv.AppendInt(dst, int64(status), 10)
	return append(dst, `"}`...)
}

// AppendAck appends, to those before it, what became of a message in one
// channel: the number it got and how many subscribers there were.
func AppendAck(dst, escName []byte, seq uint64, receivers int) []byte {
	if len(dst) > 0 {
		dst = append(dst, ',')
	}
	dst = append(dst, `{"cname":"`...)
	dst = append(dst, escName...)
	dst = append(dst, objectSeq...)
	dst = strconv.AppendUint(dst, seq, 10)
	dst = append(dst, `,"receivers":`...)
	dst = strconv.AppendInt(dst, int64(receivers), 10)
	return append(dst, '}')
}

// AppendListed appends, to those before it, a channel as /channels lists it: how
// many subscribers it has and the number of its next message.
func AppendListed(dst, escName []byte, subscribers int, next uint64) []byte {
	if len(dst) > 0 {
		dst = append(dst, ',')
	}
	dst = append(dst, `{"cname":"`...)
	dst = append(dst, escName...)
	dst = append(dst, `","subscribers":`...)
	dst = strconv.AppendInt(dst, int64(subscribers), 10)
	dst = append(dst, `,"seq":`...)
	dst = strconv.AppendUint(dst, next, 10)
	return append(dst, '}')
}

// AppendListBody appends the body of /channels, of TypeJSON, or of TypeScript
// with a cb: what [AppendListed] gave, and where the next page begins, unless
// that is empty.
func AppendListBody(dst, cb, listed, next []byte) []byte {
	if len(cb) > 0 {
		dst = append(append(dst, cb...), '(')
	}
	dst = append(dst, `{"channels":[`...)
	dst = appendArgument(dst, cb, listed)
	dst = append(dst, ']')
	if len(next) > 0 {
		dst = append(append(append(dst, `,"next":"`...), next...), '"')
	}
	dst = append(dst, '}')
	if len(cb) > 0 {
		return append(dst, callEnd...)
	}
	return append(dst, '\n')
}

// Sign is what /sign tells of a channel.
type Sign struct {
	EscName    []byte
	Seq        uint64 // to subscribe from
	Token      []byte
	Expires    int64 // seconds
	SubTimeout int64 // seconds
	Cb         []byte
}

// AppendSignBody appends the body of /sign, of TypeHTML.
func AppendSignBody(dst []byte, s Sign) []byte {
	if len(s.Cb) > 0 {
		dst = append(append(dst, s.Cb...), '(')
	}
	dst = append(dst, `{"type":"sign","cname":"`...)
	dst = appendArgument(dst, s.Cb, s.EscName)
	dst = append(dst, objectSeq...)
	dst = strconv.AppendUint(dst, s.Seq, 10)
	dst = append(dst, `,"token":"`...)
	dst = append(dst, s.Token...)
	dst = append(dst, `","expires":`...)
	dst = strconv.AppendInt(dst, s.Expires, 10)
	dst = append(dst, `,"sub_timeout":`...)
	dst = strconv.AppendInt(dst, s.SubTimeout, 10)
	dst = append(dst, '}')
	if len(s.Cb) > 0 {
		return append(dst, callEnd...)
	}
	return append(dst, '\n')
}

// AppendEndBody appends the body of a /close or /clear that was carried out, of
// TypeHTML: the channel's next number.
func AppendEndBody(dst []byte, next uint64) []byte {
	dst = append(dst, "ok "...)
	dst = strconv.AppendUint(dst, next, 10)
	return append(dst, '\n')
}

// AppendNotConnectedBody appends the body of a /close or /clear of a channel
// that is not there, of TypeHTML.
func AppendNotConnectedBody(dst, escName []byte) []byte {
	dst = append(dst, "channel["...)
	dst = append(dst, escName...)
	return append(dst, "] not connected\n"...)
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

// AppendPresenceHead appends the head of /psub, whose body has no end: chunks in
// HTTP/1.1, and the rest of the connection in HTTP/1.0.
func AppendPresenceHead(dst []byte, a Admin) []byte {
	dst = appendStatus(dst, a.Minor, 200, "OK")
	dst = appendField(dst, serverField, a.Server)
	if a.Minor == 1 {
		dst = append(dst, pollChunked...)
		dst = appendField(dst, lineDate, a.Date)
	}
	dst = append(dst, defaultType...)
	if a.Minor == 1 && !a.KeepAlive {
		dst = append(dst, lineClose...)
	}
	return append(dst, crlf...)
}

// AppendPresence appends a line of /psub: a channel came into being, or is there
// still, or was freed.
func AppendPresence(dst, escName []byte, there bool, minor uint8) []byte {
	digit := "0 "
	if there {
		digit = "1 "
	}
	if minor == 1 {
		dst = appendChunkSize(dst, len(digit)+len(escName)+1)
	}
	dst = append(dst, digit...)
	dst = append(dst, escName...)
	dst = append(dst, '\n')
	if minor == 1 {
		dst = append(dst, crlf...)
	}
	return dst
}
