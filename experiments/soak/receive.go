package soak

import (
	"bytes"
	"strconv"

	"golang.org/x/sys/unix"

	"c1000k/experiments/load/rawnet"
	"c1000k/experiments/load/replies"
)

// keptBytes is the largest buffer that a client keeps while nothing is in it.
const keptBytes = 4 << 10

// receive reads what has come for a client.
func (r *reactor) receive(c *client) {
	n, err := rawnet.Read(int(c.fd), r.buf)
	switch {
	case err == unix.EAGAIN:
		return
	case err != nil || n == 0:
		r.endedByServer(c, err)
		return
	}
	r.s.n.bytes.Add(int64(n))
	data := r.buf[:n]
	if len(c.in) > 0 {
		c.in = append(c.in, data...)
		data = c.in
	}
	rest, ok := r.consume(c, data)
	if !ok || c.state == offline {
		return
	}
	if c.in = append(c.in[:0], rest...); len(rest) == 0 && cap(c.in) > keptBytes {
		c.in = nil
	}
}

// endedByServer is a connection that the server ended, or the kernel. It may end a
// stream that is too slow, whom it cannot send to, and who leaves.
func (r *reactor) endedByServer(c *client, err error) {
	switch {
	case c.state == leaving, r.s.phase.Load() >= phaseLeave:
	case c.mode.streams(), c.slow:
		r.s.n.cuts.Add(1)
	default:
		r.s.faults.add("ended", "%s: the server ended the connection (%v)", c.where(), err)
	}
	r.gone(c, meanAway)
}

// bad is a reply that is not the protocol; the connection ends.
func (r *reactor) bad(c *client, what string, data []byte) {
	r.s.faults.add("protocol", "%s: %s: %.200q", c.where(), what, data)
	r.gone(c, meanAway)
}

// consume takes the whole pieces of a reply and returns what is left of it; false
// if the connection is no more.
func (r *reactor) consume(c *client, data []byte) (rest []byte, ok bool) {
	for len(data) > 0 {
		if !c.headDone {
			h, err := replies.ParseHead(data)
			if err == nil && h.Size == 0 {
				return data, true
			}
			if c.state == leaving && (err != nil || h.Status != 200) {
				r.gone(c, meanAway) // what it sent was no request
				return nil, false
			}
			if err != nil || h.Status != 200 || !h.Chunked {
				r.bad(c, "the head of a reply", data)
				return nil, false
			}
			c.headDone, data = true, data[h.Size:]
			continue
		}
		length, line, err := replies.ChunkSize(data)
		if err != nil {
			r.bad(c, err.Error(), data)
			return nil, false
		}
		if size := line + length + len("\r\n"); line == 0 || len(data) < size {
			return data, true
		} else if !bytes.HasSuffix(data[:size], []byte("\r\n")) {
			r.bad(c, "a chunk without its end", data)
			return nil, false
		} else {
			c.body = append(c.body, data[line:size-len("\r\n")]...)
			data = data[size:]
		}
		if (length == 0 || c.mode.streams()) && !r.pieces(c, length == 0) {
			return nil, false
		}
		if length == 0 {
			return nil, r.replied(c, data)
		}
	}
	return nil, true
}

// replied is the end of a reply; rest is what came after it.
func (r *reactor) replied(c *client, rest []byte) (ok bool) {
	if len(rest) > 0 && c.state != leaving {
		r.bad(c, "bytes after a reply", rest)
		return false
	}
	c.headDone = false
	switch {
	case c.state == leaving:
	case c.mode.streams():
		r.gone(c, meanAway)
		return false
	default:
		r.ask(c)
	}
	return true
}

// pieces takes the frames of c.body; last says that the reply ends with it. It
// returns false if the connection is no more.
func (r *reactor) pieces(c *client, last bool) bool {
	if !c.mode.streams() {
		body := bytes.TrimSuffix(c.body, []byte("\n"))
		if c.mode == modeJSONP {
			body = unwrap(body, callback+"(", ");")
		}
		c.body = c.body[:0]
		return r.objects(c, body, -1)
	}
	end, rest := []byte("\n"), c.body
	if c.mode == modeSSE {
		end = []byte("\n\n")
	}
	if c.mode == modeIframe && !c.firstSeen {
		_, after, found := bytes.Cut(rest, []byte("<body>\n"))
		if !found {
			return true
		}
		rest = after
	}
	for {
		frame, after, found := bytes.Cut(rest, end)
		if !found {
			break
		}
		if !r.frame(c, frame) {
			return false
		}
		rest = after
		c.firstSeen = true
	}
	if last && len(rest) > 0 {
		r.bad(c, "half a frame at the end", rest)
		return false
	}
	if c.firstSeen {
		c.body = c.body[:copy(c.body, rest)]
	}
	if len(c.body) == 0 && cap(c.body) > keptBytes {
		c.body = nil
	}
	return true
}

// frame takes one frame of a stream.
func (r *reactor) frame(c *client, frame []byte) bool {
	id := int64(-1)
	switch c.mode {
	case modeIframe:
		frame = unwrap(frame, "<script>parent.icomet_cb(", ");</script>")
	case modeSSE:
		if bytes.HasPrefix(frame, []byte("retry: ")) && !c.firstSeen {
			return true
		}
		if line, rest, ok := bytes.Cut(frame, []byte("\n")); ok {
			number, err := strconv.ParseUint(string(unwrap(line, "id: ", "")), 10, 63)
			if err != nil {
				r.bad(c, "the number of an event", frame)
				return false
			}
			id, frame = int64(number), rest
		}
		frame = unwrap(frame, "data: ", "")
	}
	return r.objects(c, frame, id)
}

// unwrap takes a frame's head and tail away; nil where they are not there.
func unwrap(frame []byte, head, tail string) []byte {
	if !bytes.HasPrefix(frame, []byte(head)) || !bytes.HasSuffix(frame, []byte(tail)) || len(frame) < len(head)+len(tail) {
		return nil
	}
	return frame[len(head) : len(frame)-len(tail)]
}

// objects takes one object, or an array of them where there may be one. id is the
// event's number, -1 without one. It returns false if the connection is no more.
func (r *reactor) objects(c *client, body []byte, id int64) bool {
	rest := body
	array := len(rest) > 2 && rest[0] == '[' && rest[len(rest)-1] == ']' && !c.mode.streams()
	if array {
		rest = rest[1 : len(rest)-1]
	}
	for first := true; first || len(rest) > 0; first = false {
		if !first {
			if !array || rest[0] != ',' {
				r.bad(c, "between objects", body)
				return false
			}
			rest = rest[1:]
		}
		m, after, err := replies.ParseMessage(rest)
		if err != nil {
			r.bad(c, "no object", body)
			return false
		}
		if !r.object(c, m, id) {
			return false
		}
		rest = after
	}
	if c.told && !c.mode.streams() {
		r.s.faults.add("next_seq", "%s: none after a broadcast: %.200q", c.where(), body)
	}
	return true
}
