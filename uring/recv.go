package uring

import (
	"github.com/pawelgaczynski/giouring"
	"golang.org/x/sys/unix"
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

func (l *loop) armPoll(r *ring, slot uint32) {
	r.state[slot] |= fPoll
	e := l.entry(r)
	e.PreparePollMultishot(0, pollEvents)
	r.aim(e, slot)
	e.UserData = uint64(r.tag(reqPoll, slot, 0))
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
	if l.e.opts.MultishotRecv {
		l.armQueued(r)
		return
	}
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
		if l.e.opts.OwnBuffers {
			i := r.own.take()
			e.PrepareRecv(0, r.own.addr(i), r.own.bytes, unix.MSG_DONTWAIT)
			r.aim(e, slot)
			e.UserData = uint64(r.tag(reqRecv, slot, i))
			continue
		}
		e.PrepareRecv(0, 0, 0, unix.MSG_DONTWAIT)
		r.aim(e, slot)
		e.Flags |= giouring.SqeBufferSelect
		e.BufIG = bufferGroup
		e.UserData = uint64(r.tag(reqRecv, slot, 0))
	}
}

// received takes the end of a receive; own is its buffer where the engine named it.
func (l *loop) received(r *ring, slot, own uint32, res int32, flags uint32) {
	st := &r.state[slot]
	*st &^= fRecv
	r.receiving--
	l.count.n[cRecvs]++
	if *st&(fClosing|fHungup) != 0 {
		r.giveBack(own, flags)
		l.finish(r, slot)
		return
	}
	more := true
	if res > 0 {
		more = l.core.Data(l.now, r.conn(slot), r.input(own, res, flags))
	}
	// Some kernels take a buffer also for a receive that finds nothing.
	r.giveBack(own, flags)
	switch {
	case !more:
		*st |= fPaused
		if *st&fGone != 0 {
			l.hangup(r, slot)
		}
	case res > 0:
		if flags&giouring.CQEFSockNonempty != 0 || *st&fGone != 0 || int(res) == l.e.opts.BufferBytes {
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

// input is the res bytes of a receive, in its own buffer or in one of those provided.
func (r *ring) input(own uint32, res int32, flags uint32) []byte {
	if r.own.bytes != 0 {
		return r.own.data(own, uint32(res))
	}
	return r.buf.data(uint16(flags>>giouring.CQEBufferShift), uint32(res))
}

// giveBack has the buffer of a receive, if it has one, be another's.
func (r *ring) giveBack(own, flags uint32) {
	if flags&giouring.CQEFBuffer != 0 {
		r.buf.give(uint16(flags >> giouring.CQEBufferShift))
	} else if r.own.bytes != 0 {
		r.own.give(own)
	}
}

// resume reads again, beginning with what the kernel already holds.
func (l *loop) resume(r *ring, slot uint32) {
	r.state[slot] &^= fPaused
	l.wantRecv(r, slot)
}
