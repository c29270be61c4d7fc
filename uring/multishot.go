package uring

import (
	"github.com/pawelgaczynski/giouring"
	"golang.org/x/sys/unix"
)

// This file is the receive path of recv=multishot: each connection has a multishot
// receive armed from its opening on, which takes a buffer for each piece that
// arrives. What differs from a poll and a receive follows from the kernel's reading
// without being asked:
//
// To pause is to cancel, and what was read until the cancel took effect still goes
// to the core, a ring's buffers at most. Without a receive nothing tells of the
// peer's leaving, so a poll watches for that alone. It is not cancelled by the
// resume: the receive reads the end in its place, and the next pause finds it armed.
//
// All buffers may be out within one enter. That ends the receive of whoever comes
// next. Those stand in the queue that receives by poll wait in, and are armed again,
// a turn's share at a time, when the buffers are back.

// armRecv arms the receive of a slot.
func (l *loop) armRecv(r *ring, slot uint32) {
	r.state[slot] |= fRecv
	e := l.entry(r)
	e.PrepareRecvMultishot(0, 0, 0, 0)
	r.aim(e, slot)
	e.Flags |= giouring.SqeBufferSelect
	e.BufIG = bufferGroup
	e.UserData = uint64(r.tag(reqRecv, slot, 0))
}

// armQueued arms the receives of the slots that wait for it, at most as many as
// may be outstanding where a poll comes first: who ran out of buffers finds
// something at once, and more of them than there are buffers would end again.
func (l *loop) armQueued(r *ring) {
	for n := min(r.queue.len(), l.e.opts.recvWindow); n > 0; n-- {
		slot := r.queue.pop()
		st := &r.state[slot]
		*st &^= fQueued
		if *st&(fOpen|fRecv|fPaused|fHungup|fClosing) == fOpen {
			l.armRecv(r, slot)
		}
	}
}

// arrived takes a completion of a multishot receive.
func (l *loop) arrived(r *ring, slot uint32, res int32, flags uint32) {
	st := &r.state[slot]
	if flags&giouring.CQEFMore == 0 {
		*st &^= fRecv
	}
	l.count.n[cRecvs]++
	if *st&(fClosing|fHungup) != 0 {
		r.giveBack(0, flags)
		l.finish(r, slot)
		return
	}
	more := true
	if res > 0 {
		more = l.core.Data(l.now, r.conn(slot), r.input(0, res, flags))
	}
	r.giveBack(0, flags)
	switch {
	case !more:
		l.pause(r, slot)
	case res > 0 || res == -int32(unix.ECANCELED): // by a pause, unless it is armed again below
	case res == -int32(unix.ENOBUFS):
		l.count.n[cENOBUFS]++
	case res == -int32(unix.EAGAIN) || res == -int32(unix.EINTR):
		l.count.n[cRecvEmpty]++
	default: // 0 is the peer's end, all else an error
		l.hangup(r, slot)
	}
	if *st&(fRecv|fPaused|fHungup) == 0 {
		l.count.n[cRearms]++
		l.wantRecv(r, slot)
	}
}

// pause ends the receive, once, and watches for the peer's leaving.
func (l *loop) pause(r *ring, slot uint32) {
	st := &r.state[slot]
	if *st&fPaused != 0 {
		return
	}
	*st |= fPaused
	if *st&fRecv != 0 {
		l.cancel(r, r.tag(reqRecv, slot, 0))
	}
	if *st&fPoll == 0 {
		*st |= fPoll
		e := l.entry(r)
		e.PreparePollAdd(0, unix.POLLRDHUP)
		r.aim(e, slot)
		e.UserData = uint64(r.tag(reqPoll, slot, 0))
	}
}

// left takes the end of a watch for the peer's leaving, which does not end before.
func (l *loop) left(r *ring, slot uint32) {
	l.count.n[cPolls]++
	r.state[slot] &^= fPoll
	switch st := r.state[slot]; {
	case st&fClosing != 0:
		l.finish(r, slot)
	case st&fPaused != 0:
		l.hangup(r, slot)
	}
	// Else the receive comes to the end by itself, behind what was sent before.
}

// spare says that the kernel may collect more without the ring's buffers running
// out: a multishot receive fills them before anything of it is read here. An enter
// for what is ready runs as many pieces of work again.
func (l *loop) spare(r *ring) bool {
	if !l.e.opts.MultishotRecv {
		return true
	}
	left := l.e.opts.Buffers - int(max(kernelWork, r.ready()))
	for at, tail := r.cqSeen, r.cqSeen+r.ready(); at != tail && left >= 0; at++ {
		if r.cqes[at&uint32(len(r.cqes)-1)].Flags&giouring.CQEFBuffer != 0 {
			left--
		}
	}
	return left >= 0
}
