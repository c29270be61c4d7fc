package uring

import (
	"fmt"

	"c1000k/comet"

	"github.com/pawelgaczynski/giouring"
	"golang.org/x/sys/unix"
)

// What the engine knows of a connection is one word: the generation of its
// slot in the upper half, and these flags.
const (
	fOpen       = 1 << iota // the core was told Open and not yet Closed
	fPoll                   // the multishot poll is armed
	fRecv                   // a receive is submitted
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

// pollEvents is what a connection is watched for. Hang-up and error are
// always reported.
const pollEvents = unix.POLLIN | unix.POLLRDHUP

// slotQueue holds the slots that wait for a receive, each at most once.
type slotQueue struct {
	mem        region
	at         []uint32
	head, tail int
}

func (q *slotQueue) open(slots int) (err error) {
	q.mem, err = newRegion(4 * slots)
	q.at = cells[uint32](&q.mem)
	return err
}

func (q *slotQueue) close()      { q.mem.free() }
func (q *slotQueue) empty() bool { return q.head == q.tail }
func (q *slotQueue) len() int    { return q.tail - q.head }

func (q *slotQueue) push(slot uint32) {
	if q.tail == len(q.at) {
		q.tail = copy(q.at, q.at[q.head:])
		q.head = 0
	}
	q.at[q.tail] = slot
	q.tail++
}

func (q *slotQueue) pop() uint32 {
	slot := q.at[q.head]
	if q.head++; q.head == q.tail {
		q.head, q.tail = 0, 0 // so that a short queue touches little memory
	}
	return slot
}

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
	if l.epoll.on() {
		l.addToEpoll(r, slot)
		return
	}
	l.armPoll(r, slot)
}

func (l *loop) armPoll(r *ring, slot uint32) {
	r.state[slot] |= fPoll
	e := l.entry(r)
	e.PreparePollMultishot(0, pollEvents)
	r.aim(e, slot)
	e.UserData = uint64(r.tag(reqPoll, slot, 0))
}

// completeConn takes a completion of a connection's request.
func (l *loop) completeConn(r *ring, u userData, res int32, flags uint32) {
	slot := u.slot()
	if u.gen() != uint16(r.state[slot]>>fGenShift) {
		l.count.n[cStale]++
		if flags&giouring.CQEFBuffer != 0 {
			r.buf.give(uint16(flags >> giouring.CQEBufferShift))
		}
		return
	}
	switch u.op() {
	case reqPoll:
		l.polled(r, slot, res, flags)
	case reqRecv:
		l.received(r, slot, res, flags)
	case reqSend:
		l.sent(r, slot, u.aux(), res)
	case reqClose:
		r.state[slot] |= fClosed
		l.finish(r, slot)
	}
}

// polled takes a report of readiness.
func (l *loop) polled(r *ring, slot uint32, res int32, flags uint32) {
	l.count.n[cPolls]++
	st := &r.state[slot]
	if flags&giouring.CQEFMore == 0 {
		*st &^= fPoll
	}
	l.reported(r, slot, res)
	if *st&(fPoll|fClosing|fHungup|fOpen) == fOpen {
		l.count.n[cRearms]++
		l.armPoll(r, slot)
	}
}

// reported takes what a connection is ready for, or an error.
func (l *loop) reported(r *ring, slot uint32, res int32) {
	st := &r.state[slot]
	switch {
	case *st&fClosing != 0:
		l.finish(r, slot)
		return
	case *st&fHungup != 0:
		return
	case res < 0 && res != -int32(unix.ECANCELED):
		l.hangup(r, slot)
		return
	case res > 0 && res&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0:
		*st |= fGone
	}
	if *st&fPaused == 0 {
		l.wantRecv(r, slot)
	} else if *st&fGone != 0 {
		l.hangup(r, slot)
	}
}

// wantRecv has the slot read from at the end of this turn.
func (l *loop) wantRecv(r *ring, slot uint32) {
	if r.state[slot]&fQueued == 0 {
		r.state[slot] |= fQueued
		r.queue.push(slot)
		if !r.active {
			l.activate(r)
		}
	}
}

// issueRecvs submits receives for the slots that wait for one, as many as
// there are buffers. That is done once a turn, after the core's actions, so
// that what was closed or resumed in this turn is known.
func (l *loop) issueRecvs(r *ring) {
	for n := r.queue.len(); n > 0 && r.receiving < l.e.opts.recvWindow; n-- {
		slot := r.queue.pop()
		st := &r.state[slot]
		if *st&fRecv != 0 {
			r.queue.push(slot) // one at a time
			continue
		}
		*st &^= fQueued
		if *st&(fOpen|fPaused|fHungup|fClosing) != fOpen {
			continue
		}
		*st |= fRecv
		r.receiving++
		e := l.entry(r)
		r.prompt++
		e.PrepareRecv(0, 0, 0, unix.MSG_DONTWAIT)
		r.aim(e, slot)
		e.Flags |= giouring.SqeBufferSelect
		e.BufIG = bufferGroup
		e.UserData = uint64(r.tag(reqRecv, slot, 0))
	}
}

// received takes the end of a receive.
func (l *loop) received(r *ring, slot uint32, res int32, flags uint32) {
	st := &r.state[slot]
	*st &^= fRecv
	r.receiving--
	l.count.n[cRecvs]++
	if *st&(fClosing|fHungup) != 0 {
		l.giveBack(r, flags)
		l.finish(r, slot)
		return
	}
	if res <= 0 {
		// Some kernels take a buffer also for a receive that finds nothing.
		l.giveBack(r, flags)
	}
	switch {
	case res > 0:
		more := l.core.Data(l.now, r.conn(slot), r.buf.data(uint16(flags>>giouring.CQEBufferShift), uint32(res)))
		l.giveBack(r, flags)
		switch {
		case !more:
			*st |= fPaused
			if *st&fGone != 0 {
				l.hangup(r, slot)
			}
		case flags&giouring.CQEFSockNonempty != 0 || *st&fGone != 0 || uint32(res) == r.buf.bytes:
			l.wantRecv(r, slot)
		}
	case res == -int32(unix.ENOBUFS):
		// All buffers were out; those read in this turn are back by the next.
		l.count.n[cENOBUFS]++
		l.wantRecv(r, slot)
	case res == -int32(unix.EAGAIN) || res == -int32(unix.EINTR):
		l.count.n[cRecvEmpty]++
		if *st&(fGone|fQueued) == fGone {
			l.hangup(r, slot) // and nothing more to read
		}
	default: // 0 is the peer's end, all else an error
		l.hangup(r, slot)
	}
}

func (l *loop) giveBack(r *ring, flags uint32) {
	if flags&giouring.CQEFBuffer != 0 {
		r.buf.give(uint16(flags >> giouring.CQEBufferShift))
	}
}

// hangup tells the core, once, that the peer has left.
func (l *loop) hangup(r *ring, slot uint32) {
	if r.state[slot]&fHungup == 0 {
		r.state[slot] |= fHungup
		l.core.Hangup(l.now, r.conn(slot))
	}
}

// resume reads again, beginning with what the kernel already holds.
func (l *loop) resume(r *ring, slot uint32) {
	r.state[slot] &^= fPaused
	l.wantRecv(r, slot)
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
	if *st&fSend != 0 {
		l.cancel(r, r.tag(reqSend, slot, l.sendIndex[r.conn(slot)]))
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
