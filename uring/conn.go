package uring

import (
	"fmt"

	"c1000k/comet"

	"golang.org/x/sys/unix"
)

// What the engine knows of a connection is one word: the generation of its
// slot in the upper half, and these flags.
const (
	fOpen       = 1 << iota // the core was told Open and not yet Closed
	fPoll                   // the poll is armed
	fRecv                   // a receive is submitted; a multishot one is armed
	fQueued                 // the slot stands in the ring's queue for a receive
	fSend                   // a send is submitted
	fPaused                 // the core wants no more input for now
	fGone                   // the kernel has reported the peer's leaving
	fHungup                 // the core was told Hangup
	fClosing                // the core asked for OpClose
	fClosed                 // the descriptor is closed
	fAdmin                  // came in by the admin door
	fAgain                  // the slot was given to a new connection before the end of this one was read
	fAgainAdmin             // that one came in by the admin door

	fGenShift = 16
	// fArmed are the requests whose end Closed waits for.
	fArmed = fPoll | fRecv | fSend
)

// conn is the number by which the core knows a slot.
func (r *ring) conn(slot uint32) comet.Conn { return comet.Conn(r.base + slot) }

// tag is the user data of a request of a connection.
func (r *ring) tag(op request, slot, aux uint32) userData {
	return tag(op, uint16(r.state[slot]>>fGenShift), aux, slot)
}

// accepted takes a connection that the kernel has put into a slot, or that it has
// given a descriptor.
func (l *loop) accepted(r *ring, res int32, door comet.Door, peer comet.Peer) {
	slot, ok := l.place(r, res)
	if !ok {
		return
	}
	l.count.n[cAccepts]++
	r.free--
	if door == comet.DoorAdmin {
		l.adminHeld++
	}
	st := &r.state[slot]
	if *st&fOpen == 0 {
		l.openConn(r, slot, door, peer)
		return
	}
	// The kernel's end of the old connection came before all of its
	// completions were read: let it end first.
	if *st&fClosing == 0 || *st&fAgain != 0 {
		panic(fmt.Sprintf("uring: slot %d of ring %d was accepted into while open (state %#x)", slot, r.index, *st))
	}
	l.count.n[cSlotReused]++
	*st |= fAgain
	if door == comet.DoorAdmin {
		*st |= fAgainAdmin
		l.peers.again[r.conn(slot)] = peer
	}
}

func (l *loop) openConn(r *ring, slot uint32, door comet.Door, peer comet.Peer) {
	st := &r.state[slot]
	*st = *st&^(1<<fGenShift-1) | *st&fQueued | fOpen
	if door == comet.DoorAdmin {
		*st |= fAdmin
	}
	l.core.Open(l.now, r.conn(slot), door, peer)
	switch {
	case l.epoll.on():
		l.addToEpoll(r, slot)
	case l.e.opts.MultishotRecv:
		l.armRecv(r, slot)
	default:
		l.armPoll(r, slot)
	}
}

// completeConn takes a completion of a connection's request.
func (l *loop) completeConn(r *ring, u userData, res int32, flags uint32) {
	slot := u.slot()
	if u.gen() != uint16(r.state[slot]>>fGenShift) {
		l.count.n[cStale]++
		if u.op() == reqRecv {
			r.giveBack(u.aux(), flags)
		}
		return
	}
	switch u.op() {
	case reqPoll:
		if l.e.opts.MultishotRecv {
			l.left(r, slot)
		} else {
			l.polled(r, slot, res, flags)
		}
	case reqRecv:
		if l.e.opts.MultishotRecv {
			l.arrived(r, slot, res, flags)
		} else {
			l.received(r, slot, u.aux(), res, flags)
		}
	case reqSend:
		l.sent(r, slot, u.aux(), res)
	case reqClose:
		r.state[slot] |= fClosed
		l.finish(r, slot)
	}
}

// hangup tells the core, once, that the peer has left.
func (l *loop) hangup(r *ring, slot uint32) {
	if r.state[slot]&fHungup == 0 {
		r.state[slot] |= fHungup
		l.core.Hangup(l.now, r.conn(slot))
	}
}

// discardBytes is how much unread input a close throws away, as the baseline does.
const discardBytes = 64 << 10

// discard throws away what the peer has sent and nobody will read: at a close it
// would turn into a reset, which overtakes the last reply at the client. It does
// not wait, so it is over before the close that follows it begins.
func (l *loop) discard(r *ring, slot uint32) {
	e := l.entry(r)
	// With MSG_TRUNC nothing is written to the buffer.
	e.PrepareRecv(0, l.scratch, discardBytes, unix.MSG_TRUNC|unix.MSG_DONTWAIT)
	r.aim(e, slot)
	e.UserData = uint64(r.tag(reqDiscard, slot, 0))
}

// closeConn ends what is armed, by user data and never by descriptor (that
// scans all requests), and closes. All goes out in one submission, in this
// order; the socket's end is on the wire when the last request lets go of it.
func (l *loop) closeConn(r *ring, slot uint32) {
	st := &r.state[slot]
	if *st&fClosing != 0 {
		return
	}
	*st |= fClosing
	if *st&fPoll != 0 {
		l.cancel(r, r.tag(reqPoll, slot, 0))
	}
	if *st&fRecv != 0 && l.e.opts.MultishotRecv {
		l.cancel(r, r.tag(reqRecv, slot, 0)) // one for a single piece ends by itself
	}
	if *st&fSend != 0 {
		l.cancelSend(r, slot)
	}
	l.count.n[cCloses]++
	if *st&(fGone|fHungup) == 0 {
		l.discard(r, slot)
	}
	e := l.entry(r)
	r.prepareClose(e, slot)
	e.UserData = uint64(r.tag(reqClose, slot, 0))
}

// finish tells the core Closed when nothing of the connection is left, and
// opens the one that has taken the slot meanwhile.
func (l *loop) finish(r *ring, slot uint32) {
	st := &r.state[slot]
	if *st&fArmed != 0 || *st&(fClosing|fClosed) != fClosing|fClosed {
		return
	}
	was := *st
	*st = was&fQueued | (was&^(1<<fGenShift-1) + 1<<fGenShift)
	r.free++
	if r.plain() {
		r.fds.give(slot)
	}
	if was&fAdmin != 0 {
		l.adminHeld--
	}
	l.admitDirty = true
	l.core.Closed(l.now, r.conn(slot))
	if was&fAgain != 0 {
		door, peer := comet.DoorFront, comet.Peer{}
		if was&fAgainAdmin != 0 {
			door, peer = comet.DoorAdmin, l.peers.again[r.conn(slot)]
			delete(l.peers.again, r.conn(slot))
		}
		l.openConn(r, slot, door, peer)
	}
}
