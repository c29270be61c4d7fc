package comet

import (
	"unsafe"

	"c1000k/comet/arena"
	"c1000k/comet/hub"
)

// maxPending is the most messages that wait for a subscriber's outstanding
// send. What comes after them is read from the channel's history; what is no
// longer there either costs a stream its connection.
const maxPending = 256

// maxPendingBytes is the most that their contents take together, one message at
// the least: who does not read must not keep everybody's memory.
const maxPendingBytes = 1 << 20

// pendingHeader begins the list of messages that came while a send was
// outstanding. Their numbers are the last before conn.next, without a gap. A
// reference is held to each.
type pendingHeader struct {
	begin, end uint32
	bytes      int64 // of the contents
}

const pendingHeaderBytes = int(unsafe.Sizeof(pendingHeader{}))

// pendingList is a list's header and room.
func (l *Loop) pendingList(x arena.Handle) (*pendingHeader, []hub.Msg) {
	b := l.blocks.Bytes(x)
	room := (len(b) - pendingHeaderBytes) / 4
	return (*pendingHeader)(unsafe.Pointer(&b[0])), unsafe.Slice((*hub.Msg)(unsafe.Pointer(&b[pendingHeaderBytes])), room)
}

// pendingOf is the messages that wait for r's outstanding send.
func (l *Loop) pendingOf(r *conn) []hub.Msg {
	if r.extra == 0 {
		return nil
	}
	x := l.extraAt(r.extra).pending
	if x == 0 {
		return nil
	}
	p, list := l.pendingList(x)
	return list[p.begin:p.end]
}

// pend adds m to those that wait and takes a reference; false if there is no
// room or memory.
func (l *Loop) pend(r *conn, m hub.Msg) bool {
	const least = 8
	if !l.needExtra(r) {
		return false
	}
	e := l.extraAt(r.extra)
	waiting := l.pendingOf(r)
	size := int64(len(l.hub.Content(m)))
	held := int64(0)
	if len(waiting) > 0 {
		p, _ := l.pendingList(e.pending)
		held = p.bytes
	}
	if len(waiting) >= maxPending || len(waiting) > 0 && held+size > maxPendingBytes {
		return false
	}
	if e.pending == 0 || l.pendingFull(e.pending) {
		x := l.blocks.Alloc(pendingHeaderBytes + 4*max(least, 2*len(waiting)))
		if x == 0 {
			return false
		}
		p, list := l.pendingList(x)
		*p = pendingHeader{end: uint32(copy(list, waiting)), bytes: held}
		if e.pending != 0 {
			l.blocks.Free(e.pending)
		}
		e.pending = x
	}
	p, list := l.pendingList(e.pending)
	list[p.end] = m
	p.end++
	p.bytes += size
	l.hub.Ref(m, 1)
	return true
}

func (l *Loop) pendingFull(x arena.Handle) bool {
	p, list := l.pendingList(x)
	return int(p.end) == len(list)
}

// shiftPending forgets the first n of those that wait, whose references are
// the caller's from now on.
func (l *Loop) shiftPending(r *conn, n int) {
	e := l.extraAt(r.extra)
	p, list := l.pendingList(e.pending)
	for _, m := range list[p.begin : p.begin+uint32(n)] {
		p.bytes -= int64(len(l.hub.Content(m)))
	}
	if p.begin += uint32(n); p.begin == p.end {
		l.blocks.Free(e.pending)
		e.pending = 0
	}
}

// dropPending gives back all that waits.
func (l *Loop) dropPending(r *conn) {
	waiting := l.pendingOf(r)
	for _, m := range waiting {
		l.hub.Unref(m)
	}
	if len(waiting) > 0 {
		l.shiftPending(r, len(waiting))
	}
}
