package load

import (
	"bytes"
	"time"

	"c1000k/experiments/load/replies"
)

// A stream's request is a poll's at another path. What goes out after it is
// nothing, and its one reply has no end: a head, and then a chunk a message.
const (
	streamHead   = "GET /stream?cname=c0000000&seq="
	seqParameter = "&seq="
)

// requestHead is the start of what a connection sends, up to the number.
func (o Options) requestHead() string {
	if o.Stream {
		return streamHead
	}
	return pollHead
}

// consumeStream takes bytes of a stream: its head, once, and whole chunks; what
// is left is kept. It returns false if the connection ended over them.
func (r *reactor) consumeStream(c *record, data []byte, now time.Duration) bool {
	if c.flags&flagHead == 0 {
		h, err := replies.ParseHead(data)
		if err != nil || h.Size > 0 && (h.Status != 200 || !h.Chunked) {
			r.die(c, cBadReplies)
			return false
		}
		if h.Size == 0 {
			r.tally.add(cPartials, 1)
			r.keep(c, data)
			return true
		}
		c.flags |= flagHead
		data = data[h.Size:]
	}
	for len(data) > 0 {
		object, size, err := replies.Chunk(data)
		if err == nil && size == 0 {
			r.tally.add(cPartials, 1)
			break
		}
		if err != nil || !r.streamed(c, object, now) {
			r.die(c, cBadReplies)
			return false
		}
		data = data[size:]
	}
	r.keep(c, data)
	return true
}

// streamed takes the one object of a chunk. It returns false if that is not the
// protocol, or is the last of the stream: a load's streams have no end.
func (r *reactor) streamed(c *record, object []byte, now time.Duration) bool {
	object, line := bytes.CutSuffix(object, newline)
	if !line || len(object) == 0 || object[0] == '[' { // an array is a poll's
		return false
	}
	again, ok := r.answer(c, object, now)
	return again && ok
}
