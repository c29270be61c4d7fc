package comet

import (
	"unsafe"

	"c1000k/comet/arena"
	"c1000k/comet/internal/plant"
	"c1000k/comet/wire"
)

// A connection holds a subscriber of each channel that its client named. With
// one channel, as nearly all have, the subscriber is the connection's record
// and costs nothing beside it. With several each is a record of its own, of
// subscriptionBytes, from the loop's blocks; the connection's names the first
// of them, in the client's order, and no channel. Lists of a channel's
// subscribers hold either kind: see severalBit.
//
// All subscribers of a connection are of its loop. Each is in its channel's list
// under that channel's stripe, one stripe at a time: there is no moment at which
// all channels are looked at together, and none is needed, since each subscriber
// has a number of its own and is given what its channel has from there on,
// by a message in the inbox or from the history, as one that is alone.

// place is where a subscriber stands: 12 bytes of either kind of record.
type place struct {
	channel arena.Handle // 0: it is held on none
	// prev and next are its neighbours in the loop's list of the channel.
	prev, next uint32
}

// severalBit marks the handle of a subscriber that is one of several of its
// connection: the rest is a block of the loop's. Any other subscriber is a
// connection, by its number plus one.
const severalBit = uint32(1) << 31

// subscription is one of several channels of a connection: 32 bytes.
type subscription struct {
	wants uint64 // the message number it waits for
	place
	conn    uint32 // the connection, its number plus one
	more    uint32 // the connection's next subscriber; 0: none
	waiting uint16 // messages of it that wait for the outstanding send
	behind  bool   // it is one of those that flagBehind is about
}

const subscriptionBytes = int(unsafe.Sizeof(subscription{}))

// subscriber is what either kind of record begins with. It is only pointed to,
// and never assigned whole: behind its fields it ends where others begin.
type subscriber struct {
	wants uint64 // the message number it waits for
	place
}

// several reports that the held connection, which is none of /psub, has a record
// for each of its channels.
func (r *conn) several() bool { return r.channel == 0 }

func (l *Loop) subscription(s uint32) *subscription {
	return (*subscription)(unsafe.Pointer(unsafe.SliceData(l.blocks.Bytes(s &^ severalBit))))
}

// subscriber is the one of handle s, which is not 0.
func (l *Loop) subscriber(s uint32) *subscriber {
	if s&severalBit != 0 {
		return l.oneOfSeveral(s)
	}
	return (*subscriber)(unsafe.Add(l.connBase, uintptr(s-1)*unsafe.Sizeof(conn{}))) // at(s), written out to be inlined
}

// oneOfSeveral is apart so that subscriber is inlined.
//
//go:noinline
func (l *Loop) oneOfSeveral(s uint32) *subscriber {
	return (*subscriber)(unsafe.Pointer(l.subscription(s)))
}

// ownerOf is the number plus one of the connection whose subscriber s is.
func (l *Loop) ownerOf(s uint32) uint32 {
	if s&severalBit == 0 {
		return s
	}
	return l.subscription(s).conn
}

// first is the first subscriber of a held connection, and after the one that
// follows; 0 if there is none. Of several some may have left their channels.
func (l *Loop) first(h uint32, r *conn) uint32 {
	if r.several() {
		return r.place.next
	}
	return h
}

func (l *Loop) after(s uint32) uint32 {
	if s&severalBit == 0 {
		return 0
	}
	return l.subscription(s).more
}

// firstHeld is the first subscriber of a held connection that is still held on
// its channel, and how many are.
func (l *Loop) firstHeld(h uint32, r *conn) (first uint32, n int) {
	for s := l.first(h, r); s != 0; s = l.after(s) {
		if l.subscriber(s).channel == 0 {
			continue
		}
		if n++; first == 0 {
			first = s
		}
	}
	return first, n
}

// mark notes that the subscriber s of r has something to be looked for.
func (l *Loop) mark(r *conn, s uint32) {
	r.flags |= flagBehind
	if s&severalBit != 0 {
		l.subscription(s).behind = true
	}
}

// newSubscriptions gives the connection a record for each of l.channels; false
// if there is no memory.
func (l *Loop) newSubscriptions(h uint32, r *conn) bool {
	for i := len(l.channels) - 1; i >= 0; i-- {
		x := l.blocks.Alloc(subscriptionBytes)
		if x == 0 {
			l.freeSubscriptions(r)
			return false
		}
		s := x | severalBit
		// Until it has a place its number is what the client asked for.
		*l.subscription(s) = subscription{wants: uint64(max(l.channels[i].Seq, 0)), conn: h, more: r.place.next}
		r.place.next = s
	}
	return true
}

// freeSubscriptions gives back the records of a connection that is held on no
// channel any more.
func (l *Loop) freeSubscriptions(r *conn) {
	for s := r.place.next; s != 0; {
		more := l.subscription(s).more
		l.blocks.Free(s &^ severalBit)
		s = more
	}
	r.place.next = 0
}

// eventID is the id of an event that brings the connection's subscriber s its
// message number had: one number for each of its channels. What still waits for a
// send, or was not looked at yet, its client has not had. It is scratch memory.
func (l *Loop) eventID(r *conn, s uint32, had int64) []byte {
	l.events = l.events[:0]
	for t := r.place.next; t != 0; t = l.after(t) {
		x := l.subscription(t)
		n := int64(x.wants) - int64(x.waiting) - 1
		switch {
		case t == s:
			n = had
		case plant.Is(plant.HastyID):
			n = int64(x.wants) - 1
		}
		l.events = wire.AppendEventID(l.events, t == r.place.next, n)
	}
	return l.events
}

// nameOf copies the name of a held subscriber's channel to l.name.
func (l *Loop) nameOf(s uint32) {
	v := l.hub.Enter(l.subscriber(s).channel)
	l.name = append(l.name[:0], v.Name()...)
	v.Leave()
}
