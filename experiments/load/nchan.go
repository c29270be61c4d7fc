package load

import (
	"errors"
	"strconv"

	"c1000k/experiments/load/replies"
)

// The protocols that a load speaks.
const (
	// ProtocolIcomet is the comet server's own.
	ProtocolIcomet = "icomet"
	// ProtocolNchan is that of nchan, a module of nginx: a position in two
	// headers instead of a number in the query, and messages by POST, told on as
	// they are. So that the same is checked of them, the load publishes the
	// object that the comet server would make of a push, with its number.
	ProtocolNchan = "nchan"
)

var errNoBroadcast = errors.New("nchan has no broadcast to all channels")

// errOvertake refuses what could make messages of one channel overtake each other
// on their way to the server, where it is the load that numbers them.
var errOvertake = errors.New("to nchan at most one message is pushed to each held channel at a time")

// position is where in its channel a connection stands, by the headers of the
// reply that it had last. It is beside the record, since only nchan has it.
type position struct {
	modified, etag         [replies.MostPositionBytes]byte
	modifiedSize, etagSize uint8
}

// take keeps what a reply's head says.
func (p *position) take(head []byte) bool {
	modified, etag, err := replies.Position(head)
	if err != nil {
		return false
	}
	p.modifiedSize = uint8(copy(p.modified[:], modified))
	p.etagSize = uint8(copy(p.etag[:], etag))
	return true
}

// The parts of a poll of nchan.
const (
	nchanPoll      = "GET /sub?cname=c0000000"
	headerModified = "If-Modified-Since: "
	headerEtag     = "If-None-Match: "
	headerEnd      = "\r\n"
)

// nchanRequest appends slot's next poll of nchan. Who has had no message asks
// without a position, and is given the oldest there is.
func (r *reactor) nchanRequest(b []byte, slot uint32, c *record) []byte {
	b = append(b, nchanPoll...)
	putName(b, len(nchanPoll), c.channel)
	b = append(b, r.gen.pollTail[:len(r.gen.pollTail)-len(headerEnd)]...)
	if p := &r.positions[slot]; c.next != firstSeq {
		if p.modifiedSize > 0 {
			b = append(b, headerModified...)
			b = append(b, p.modified[:p.modifiedSize]...)
			b = append(b, headerEnd...)
		}
		b = append(b, headerEtag...)
		b = append(b, p.etag[:p.etagSize]...)
		b = append(b, headerEnd...)
	}
	return append(b, headerEnd...)
}

// The parts of a publication to nchan.
const (
	nchanPublish = "POST /pub?cname=c0000000"
	nchanType    = "Content-Type: application/json; charset=utf-8\r\nContent-Length: "
	nchanObject  = `{"type":"data","cname":"c0000000`
	nchanSeq     = `","seq":`
	nchanContent = `,"content":"`
	nchanEnd     = "\"}\n"
)

// nchanRequest appends push i as a publication, with the next number of its
// channel.
func (p *pusher) nchanRequest(b []byte, i int) []byte {
	channel := p.picks[i]
	m := append(p.object[:0], nchanObject...)
	putName(m, len(m), channel)
	m = append(m, nchanSeq...)
	m = strconv.AppendUint(m, uint64(p.gen.numbers[channel]), 10)
	p.gen.numbers[channel]++
	m = append(m, nchanContent...)
	m = p.op.appendContent(m, i)
	m = append(m, nchanEnd...)
	p.object = m

	b = append(b, nchanPublish...)
	putName(b, len(b), channel)
	b = append(b, p.gen.pollTail[:len(p.gen.pollTail)-len(headerEnd)]...)
	b = append(b, nchanType...)
	b = strconv.AppendInt(b, int64(len(m)), 10)
	b = append(b, headerEnd+headerEnd...)
	return append(b, m...)
}

// accepts says whether a status answers a push that was taken: with nchan 201,
// or 202 where nobody waits at that moment.
func (g *Generator) accepts(status int) bool {
	if g.numbers != nil {
		return status == 201 || status == 202
	}
	return status == 200
}

// firstNumbers are the first numbers of messages of n channels.
func firstNumbers(n int) []uint32 {
	numbers := make([]uint32, n)
	for i := range numbers {
		numbers[i] = firstSeq
	}
	return numbers
}
