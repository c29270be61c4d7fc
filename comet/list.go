package comet

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"

	"c1000k/comet/arena"
	"c1000k/comet/hub"
	"c1000k/comet/wire"
)

// The list of channels is told in pages, each made in one slice: a page ends where
// it is as long as asked for, or the slice is used up. So it may be short, or empty,
// and have a next. What is listed of a channel is of one moment, the whole is not: a
// channel that is there from the first page to the last is listed exactly once.

const (
	// defaultListed is how many channels a page lists where nothing else is asked for.
	defaultListed = 100
	// maxListed is the most that may be asked for; more is refused with 400.
	maxListed = turnBroadcast
	// listBytes is where a page ends, whatever its number of channels: it is one
	// block of the loop's send memory.
	listBytes = 64 << 10
	// tourBudget bounds a look through the table: no more channels than a broadcast
	// comes to in a turn.
	tourBudget = turnBroadcast * hub.VisitCost
)

// list tells of the channels that there are, behind the cursor that the page before
// it gave.
func (l *Loop) list(r *conn) (stay bool) {
	switch l.req.Method {
	case wire.MethodGet, wire.MethodPost, wire.MethodHead:
	default:
		return l.refuseList(r, 405)
	}
	place, ok := l.listFrom()
	limit := l.par.Limit
	if !l.par.HasLimit {
		limit = defaultListed
	}
	if !ok || limit < 1 || limit > maxListed || len(l.par.Prefix) > maxNameBytes {
		return l.refuseList(r, 400)
	}
	// What is pipelined behind it is taken when it has gone.
	l.batchOver = true
	t := l.hub.Tour(place, tourBudget)
	l.listed = l.listed[:0]
	for limit > 0 && len(l.listed) < listBytes {
		v, ok := t.Next()
		if !ok {
			break
		}
		if !bytes.HasPrefix(v.Name(), l.par.Prefix) {
			v.Leave()
			continue
		}
		l.name = append(l.name[:0], v.Name()...)
		subscribers, next := v.Subscribers(), v.Next()
		v.Leave()
		limit--
		l.esc = wire.AppendEscaped(l.esc[:0], l.name)
		l.listed = wire.AppendListed(l.listed, l.esc, subscribers, next)
	}
	var cursor []byte
	if place = t.Place(); place != 0 {
		cursor = hex64(l.epoch[:], l.hub.Cursor(place))
	}
	contentType := wire.TypeJSON
	if len(l.par.Cb) > 0 {
		contentType = wire.TypeScript
	}
	l.body = wire.AppendListBody(l.body[:0], l.par.Cb, l.listed, cursor)
	return l.adminReply(r, 200, contentType, l.body)
}

// listFrom is the place behind which the list goes on; false if the cursor asked
// for is none that this server gave.
func (l *Loop) listFrom() (place arena.Handle, ok bool) {
	text := l.par.After
	if len(text) == 0 {
		return 0, true
	}
	var raw [8]byte
	if len(text) != hex.EncodedLen(len(raw)) {
		return 0, false
	}
	if _, err := hex.Decode(raw[:], text); err != nil {
		return 0, false
	}
	return l.hub.PlaceOf(binary.BigEndian.Uint64(raw[:]))
}

// refuseList answers a request for a list that cannot be made.
func (l *Loop) refuseList(r *conn, status int) (stay bool) {
	l.n.badRequests++
	return l.adminReply(r, status, wire.TypeDefault, nil)
}
