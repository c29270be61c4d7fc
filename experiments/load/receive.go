package load

import (
	"bytes"
	"math"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"c1000k/experiments/load/rawnet"
	"c1000k/experiments/load/replies"
)

// firstSeq is the number that a held poll of a new channel asks for.
const firstSeq = 1

// A poll is pollHead with the channel's digits put in, the number, and the rest
// of the request, which names the host.
const (
	pollHead   = "GET /sub?cname=c0000000&seq="
	nameDigits = 7
	digitsEnd  = len("GET /sub?cname=c0000000")
)

// putName puts the digits of a channel's name into the bytes before end.
func putName(b []byte, end int, channel uint32) {
	for i := end - 1; i >= end-nameDigits; i-- {
		b[i] = '0' + byte(channel%10)
		channel /= 10
	}
}

// pollRequest composes the connection's next poll, or the request of its stream.
// It is valid until the next call.
func (r *reactor) pollRequest(slot uint32, c *record) []byte {
	if r.positions != nil {
		r.request = r.nchanRequest(r.request[:0], slot, c)
		return r.request
	}
	b := append(r.request[:0], r.gen.opts.requestHead()...)
	putName(b, len(b)-len(seqParameter), c.channel)
	b = strconv.AppendUint(b, uint64(c.next), 10)
	if tokens := r.gen.tokens; tokens != nil {
		b = append(b, tokenParameter...)
		b = append(b, tokens[c.channel][:]...)
	}
	b = append(b, r.gen.pollTail...)
	r.request = b
	return b
}

// poll sends the connection's next poll. It returns false if the connection
// ended over it.
func (r *reactor) poll(slot uint32, c *record) bool {
	request := r.pollRequest(slot, c)
	n, err := rawnet.Write(int(c.fd), request)
	switch {
	case err == nil && n == len(request):
		r.tally.add(cPolls, 1)
		return true
	case err == unix.EAGAIN:
		c.flags |= flagUnsent
		r.poller.Modify(int(c.fd), connectEvents, slot)
		return true
	}
	r.die(c, cResets)
	return false
}

// receive reads what has come for a connection.
func (r *reactor) receive(slot uint32, c *record, events uint32) {
	for {
		n, err := rawnet.Read(int(c.fd), r.buf)
		switch {
		case err == unix.EAGAIN:
			return
		case err != nil || n == 0:
			r.die(c, cResets)
			return
		}
		if !r.consume(slot, c, r.buf[:n], r.gen.now()) || c.state == stateDead {
			return
		}
		if n < len(r.buf) && events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) == 0 {
			return
		}
	}
}

// consume takes bytes of a reply. It returns false if the connection ended over
// them.
func (r *reactor) consume(slot uint32, c *record, data []byte, now time.Duration) bool {
	if c.borrow != 0 {
		b := &r.borrowed[c.borrow-1]
		*b = append(*b, data...)
		data = *b
	}
	if r.gen.opts.Stream {
		return r.consumeStream(c, data, now)
	}
	body, size, err := r.parse(c, &data)
	if err != nil || len(data) > replies.MostBytes {
		r.die(c, cBadReplies)
		return false
	}
	if size == 0 {
		r.tally.add(cPartials, 1)
		r.keep(c, data)
		return true
	}
	// One poll has one reply: what follows it was not asked for.
	if size != len(data) || c.state != stateHeld {
		r.die(c, cBadReplies)
		return false
	}
	c.flags &^= flagHead
	if r.positions != nil && !r.positions[slot].take(data[:size-len(body)]) {
		r.die(c, cBadReplies)
		return false
	}
	again, ok := r.answer(c, body, now)
	if !ok {
		r.die(c, cBadReplies)
		return false
	}
	if c.borrow != 0 {
		r.giveBack(c)
	}
	if !again {
		r.leave(c)
		c.state = stateIdle
		return true
	}
	if r.gen.withhold.Load() {
		r.withholdPoll(c)
		return true
	}
	return r.poll(slot, c)
}

// parse looks for a whole reply in data. A size of 0 means that it is not all
// there. A chunked reply's head is dropped from data once it has come, so that a
// server that sends it early costs no buffer.
func (r *reactor) parse(c *record, data *[]byte) (body []byte, size int, err error) {
	if c.flags&flagHead == 0 {
		h, err := replies.ParseHead(*data)
		if err != nil || h.Size == 0 {
			return nil, 0, err
		}
		switch {
		case h.Status != 200:
			return nil, 0, replies.ErrHead
		case h.Chunked:
			c.flags |= flagHead
			*data = (*data)[h.Size:]
		case h.Length < 0:
			return nil, 0, replies.ErrFrame
		case len(*data) < h.Size+h.Length:
			return nil, 0, nil
		default:
			size = h.Size + h.Length
			return (*data)[h.Size:size], size, nil
		}
	}
	body, size, r.scratch, err = replies.Chunks(*data, r.scratch)
	return body, size, err
}

// keep stores the bytes of a partial reply in a borrowed buffer. They may lie in
// it already.
func (r *reactor) keep(c *record, data []byte) {
	if len(data) == 0 {
		if c.borrow != 0 {
			r.giveBack(c)
		}
		return
	}
	if c.borrow == 0 {
		if len(r.unused) == 0 {
			r.borrowed = append(r.borrowed, nil)
			r.unused = append(r.unused, uint32(len(r.borrowed)-1))
		}
		last := len(r.unused) - 1
		c.borrow = r.unused[last] + 1
		r.unused = r.unused[:last]
	}
	b := &r.borrowed[c.borrow-1]
	*b = append((*b)[:0], data...)
}

// giveBack ends the loan of a connection's buffer.
func (r *reactor) giveBack(c *record) {
	i := c.borrow - 1
	c.borrow = 0
	if cap(r.borrowed[i]) > keptBorrow {
		r.borrowed[i] = nil
	}
	r.borrowed[i] = r.borrowed[i][:0]
	r.unused = append(r.unused, i)
}

// answer takes the objects of a reply. again says whether to poll again, ok is
// false if it is not the protocol.
func (r *reactor) answer(c *record, body []byte, now time.Duration) (again, ok bool) {
	body = bytes.TrimSuffix(body, newline)
	array := len(body) > 0 && body[0] == '['
	if array {
		if body[len(body)-1] != ']' {
			return false, false
		}
		body = body[1 : len(body)-1]
	}
	again = true
	for first := true; ; first = false {
		if !first {
			if len(body) == 0 {
				return again, true
			}
			if !array || body[0] != ',' {
				return false, false
			}
			body = body[1:]
		}
		m, rest, err := replies.ParseMessage(body)
		if err != nil || m.Kind == replies.Gap || m.Seq > math.MaxUint32 {
			return false, false
		}
		if !r.object(c, m, array, now) {
			again = false
		}
		body = rest
	}
}

var newline = []byte("\n")

// object takes one object. It returns false if the connection shall not poll
// again.
func (r *reactor) object(c *record, m replies.Message, array bool, now time.Duration) bool {
	var name [1 + nameDigits]byte
	name[0] = 'c'
	putName(name[:], len(name), c.channel)
	if !bytes.Equal(m.Cname, name[:]) {
		r.tally.add(cMisdelivered, 1)
		return true
	}
	switch m.Kind {
	case replies.Data, replies.Broadcast:
		c.flags = c.flags&^flagJumped | flagAnswered
		r.number(c, m, now)
	case replies.NextSeq:
		return r.nextSeq(c, uint32(m.Seq), array)
	case replies.Noop:
		c.flags |= flagAnswered
		r.tally.add(cNoops, 1)
	case replies.Close:
		// The channel is gone; the next poll makes a new one and is told its
		// number.
		c.flags = c.flags&^flagJumped | flagAnswered
		r.tally.add(cCloses, 1)
	case replies.Refusal:
		r.tally.add(cRefusedPolls, 1)
		return false
	}
	return true
}

// number checks the number of a message, and notes its arrival if it belongs to
// the operation under way.
func (r *reactor) number(c *record, m replies.Message, now time.Duration) {
	r.tally.add(cMessages, 1)
	verdict, skipped := c.take(uint32(m.Seq))
	switch verdict {
	case afterGap:
		r.tally.add(cLost, int64(skipped))
	case outOfOrder:
		r.tally.add(cOutOfOrder, 1)
		r.tally.add(cLost, -1)
	case repeated:
		r.tally.add(cRepeated, 1)
		return
	}
	if r.op == nil || !r.op.arrived(&r.arrival, m, now) {
		r.tally.add(cUnrelated, 1)
		return
	}
	r.tally.add(cDelivered, 1)
}

// nextSeq is told the number that comes next: after a broadcast, as a part of
// the reply; alone, because the one asked for is not to be had.
func (r *reactor) nextSeq(c *record, next uint32, array bool) bool {
	if array {
		if next > c.next {
			r.tally.add(cLost, int64(next-c.next))
			c.skip(next - c.next)
		} else if next < c.next {
			r.tally.add(cOutOfOrder, 1)
		}
		return true
	}
	if c.flags&flagAnswered == 0 || c.flags&flagJumped != 0 {
		r.tally.add(cNotHeld, 1)
		return false
	}
	r.tally.add(cJumps, 1)
	c.flags |= flagJumped
	c.begin(next)
	return true
}
