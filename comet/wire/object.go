package wire

import "strconv"

// Kind is the type of a message object.
type Kind uint8

// The kinds of message object.
const (
	KindData      Kind = iota // a message to one channel
	KindBroadcast             // a message to all channels
	KindNextSeq               // the client must go on from this number
	KindNoop                  // the idle timer ran out
	KindClose                 // the channel was closed
	Kind401                   // token missing or wrong
	Kind429                   // too many channels, or subscribers of this one
	KindGap                   // a replay starts later than asked
)

// The contents of the in-band errors.
const (
	TokenError         = "Token error"          // Kind401
	TooManyChannels    = "Too many channels"    // Kind429
	TooManySubscribers = "Too many subscribers" // Kind429
)

// kindHead is an object up to its name, by kind.
var kindHead = [...]string{
	KindData:      `{"type":"data","cname":"`,
	KindBroadcast: `{"type":"broadcast","cname":"`,
	KindNextSeq:   `{"type":"next_seq","cname":"`,
	KindNoop:      `{"type":"noop","cname":"`,
	KindClose:     `{"type":"close","cname":"`,
	Kind401:       `{"type":"401","cname":"`,
	Kind429:       `{"type":"429","cname":"`,
	KindGap:       `{"type":"gap","cname":"`,
}

const (
	objectSeq     = `","seq":`
	objectContent = `,"content":"`
)

// ObjectTail ends an object after its content.
const ObjectTail = `"}`

// maxIntBytes is the length of the longest int64 in decimal.
const maxIntBytes = len("-9223372036854775808")

// AppendObject appends a message object. Name and content are already escaped:
// see [AppendEscaped].
func AppendObject(dst []byte, k Kind, escName []byte, seq int64, escContent []byte) []byte {
	dst = AppendObjectHead(dst, k, escName, seq)
	dst = append(dst, escContent...)
	return append(dst, ObjectTail...)
}

// AppendObjectHead appends an object up to its content, for content that lies
// elsewhere; [ObjectTail] comes after it.
func AppendObjectHead(dst []byte, k Kind, escName []byte, seq int64) []byte {
	dst = append(dst, kindHead[k]...)
	dst = append(dst, escName...)
	dst = append(dst, objectSeq...)
	dst = strconv.AppendInt(dst, seq, 10)
	return append(dst, objectContent...)
}

// ObjectSize is an upper bound for the length of an object of any kind and
// number with an escaped name and content of these lengths.
func ObjectSize(nameLen, contentLen int) int {
	return len(`{"type":"broadcast","cname":"`) + nameLen + len(objectSeq) + maxIntBytes +
		len(objectContent) + contentLen + len(ObjectTail)
}
