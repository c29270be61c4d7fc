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

// pending is a message that came while a send was outstanding, and whose it is. A
// reference is held to the message. The numbers of one subscriber's are the last
// before the one that it wants, without a gap.
type pending struct {
	msg hub.Msg
	sub uint32
}

// pendingHeader begins a connection's list of them.
type pendingHeader struct {
	begin, end uint32
	bytes      int64 // of the contents
}

const (
	pendingHeaderBytes = int(unsafe.Sizeof(pendingHeader{}))
	pendingBytes       = int(unsafe.Sizeof(pending{}))
)

// pendingList is a list's header and room.
func (l *Loop) pendingList(x arena.Handle) (*pendingHeader, []pending) {
	b := l.blocks.Bytes(x)
	room := (len(b) - pendingHeaderBytes) / pendingBytes
	return (*pendingHeader)(unsafe.Pointer(&b[0])), unsafe.Slice((*pending)(unsafe.Pointer(&b[pendingHeaderBytes])), room)
}

// pendingOf is the messages that wait for r's outstanding send.
func (l *Loop) pendingOf(r *conn) []pending {
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

// pend adds m to those that wait, for the subscriber s, and takes a reference;
// false if there is no room or memory.
func (l *Loop) pend(r *conn, s uint32, m hub.Msg) bool {
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
		x := l.blocks.Alloc(pendingHeaderBytes + pendingBytes*max(least, 2*len(waiting)))
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
	list[p.end] = pending{m, s}
	p.end++
	p.bytes += size
	l.hub.Ref(m, 1)
	if s&severalBit != 0 {
		l.subscription(s).waiting++
	}
	return true
}

func (l *Loop) pendingFull(x arena.Handle) bool {
	p, list := l.pendingList(x)
	return int(p.end) == len(list)
}

// pendingNumber is the number of the first message that waits for the subscriber
// s, and is given to it now; left is how many wait for the connection.
func (l *Loop) pendingNumber(s uint32, left int) uint64 {
	if s&severalBit == 0 {
		return l.at(s).wants - uint64(left)
	}
	x := l.subscription(s)
	n := x.wants - uint64(x.waiting)
	x.waiting--
	return n
}

// shiftPending forgets the first n of those that wait and gives their references
// back.
func (l *Loop) shiftPending(r *conn, n int) {
	e := l.extraAt(r.extra)
	p, list := l.pendingList(e.pending)
	for _, w := range list[p.begin : p.begin+uint32(n)] {
		p.bytes -= int64(len(l.hub.Content(w.msg)))
		l.hub.Unref(w.msg)
	}
	if p.begin += uint32(n); p.begin == p.end {
		l.blocks.Free(e.pending)
		e.pending = 0
	}
}

// dropPending gives back all that waits.
func (l *Loop) dropPending(r *conn) {
	if n := len(l.pendingOf(r)); n > 0 {
		l.shiftPending(r, n)
	}
}
