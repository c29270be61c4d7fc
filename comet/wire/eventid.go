package wire

import (
	"bytes"
	"strconv"
)

// The id of an event is what an EventSource says, as Last-Event-ID, when it
// comes back: the number of the last message that it has had of its channel. Of
// several channels it is one number each, in the order in which they were
// named, with commas between: "12,,3". Nothing between two commas says that
// nothing is known of that channel: its seq counts, as if it was asked anew.

// maxEventDigits is the length of the longest number in an id: no more can overflow.
const maxEventDigits = 18

// AppendEventID appends one channel's part of an id; NoID is that nothing is
// known of it, and so is a number that ParseEventID would not take, which a client
// can only have asked for.
func AppendEventID(dst []byte, first bool, had int64) []byte {
	if !first {
		dst = append(dst, ',')
	}
	before := len(dst)
	if had == NoID {
		return dst
	}
	if dst = strconv.AppendInt(dst, had, 10); len(dst)-before > maxEventDigits {
		dst = dst[:before]
	}
	return dst
}

// ParseEventID reads the number that an event of one channel had as its id. An
// id that another server gave is none.
func ParseEventID(id []byte) (had int64, ok bool) {
	if len(id) == 0 || len(id) > maxEventDigits {
		return 0, false
	}
	for _, c := range id {
		if !isDigit(c) {
			return 0, false
		}
		had = had*10 + int64(c-'0')
	}
	return had, true
}

// Resume has channels go on behind what the id of an event says. An id that
// is not of as many channels, or that another server gave, changes nothing.
func Resume(channels []Channel, id []byte) (ok bool) {
	for _, apply := range []bool{false, true} {
		rest := id
		for i := range channels {
			part, after, more := bytes.Cut(rest, []byte(","))
			if rest = after; more != (i < len(channels)-1) {
				return false
			}
			had, ok := ParseEventID(part)
			switch {
			case !ok && len(part) > 0:
				return false
			case ok && apply:
				channels[i].Seq = had + 1
			}
		}
	}
	return true
}
