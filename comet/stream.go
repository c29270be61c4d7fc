package comet

import (
	"c1000k/comet/hub"
	"c1000k/comet/internal/plant"
	"c1000k/comet/wire"
)

// A stream has no queue of its own: it has a place in its channel's history
// (conn.next), and is given what comes at once where no send of its own is
// outstanding. What comes meanwhile waits in a bounded list of references
// (pending.go), and past that in the history. When the history does not hold
// any more what it needs the stream is closed, and counted: its client comes
// back with the number it got to.

// appendFrames appends message m to l.reply as r's mode frames it: after a
// broadcast it is told the channel's next number.
func (l *Loop) appendFrames(r *conn, name []byte, seq uint64, m hub.Msg) {
	l.esc = wire.AppendEscaped(l.esc[:0], name)
	k := wire.KindData
	if l.hub.IsBroadcast(m) {
		k = wire.KindBroadcast
	}
	l.body = wire.AppendObject(l.body[:0], k, l.esc, int64(seq), l.hub.Content(m))
	l.reply = wire.AppendFrame(l.reply, r.mode(), l.minor(r), int64(seq), l.body)
	if k == wire.KindBroadcast {
		l.appendObjectFrame(r, wire.KindNextSeq, int64(seq)+1, nil)
	}
}

// appendObjectFrame appends an object that is no message; l.esc is the name.
func (l *Loop) appendObjectFrame(r *conn, k wire.Kind, seq int64, content []byte) {
	l.body = wire.AppendObject(l.body[:0], k, l.esc, seq, content)
	l.reply = wire.AppendFrame(l.reply, r.mode(), l.minor(r), wire.NoID, l.body)
}

// appendList appends messages numbered from seq on, until the reply is long
// enough, and returns how many: one at the least.
func (l *Loop) appendList(r *conn, name []byte, seq uint64, list []hub.Msg) (n int) {
	begin := len(l.reply)
	for i, m := range list {
		if i > 0 && len(l.reply)-begin >= maxReplayBytes {
			break
		}
		l.appendFrames(r, name, seq+uint64(i), m)
		n++
	}
	return n
}

// unrefAll gives back the references to l.msgs, which is empty then, as whoever
// fills it next relies on.
func (l *Loop) unrefAll() {
	for _, m := range l.msgs {
		l.hub.Unref(m)
	}
	l.msgs = l.msgs[:0]
}

// stream begins the stream l.par on v, which is locked: its head, what the
// sequence table gives it, and then whatever comes. It unlocks v.
func (l *Loop) stream(h uint32, r *conn, v hub.View, mode wire.Mode) {
	p := &l.par
	next, epoch := v.Next(), v.Epoch()
	answer, from := l.tabled(v)
	l.setMode(r, mode)
	if !l.hold(h, r, v, next) {
		l.unrefAll()
		return
	}
	w := l.head(r)
	l.reply = wire.AppendPollHead(l.reply[:0], w)
	l.reply = wire.AppendStreamStart(l.reply, mode, w.Minor)
	l.esc = wire.AppendEscaped(l.esc[:0], p.Cname)
	switch answer {
	case answerJump:
		l.body = wire.AppendObject(l.body[:0], wire.KindNextSeq, l.esc, int64(next), l.appendEpoch(epoch))
		// An EventSource that comes back is to go on from here, not to jump again.
		l.reply = wire.AppendFrame(l.reply, mode, w.Minor, int64(next)-1, l.body)
	case answerReplay:
		if l.gapBefore(from, epoch) {
			l.appendObjectFrame(r, wire.KindGap, int64(from), l.appendEpoch(epoch))
		}
		n := l.appendList(r, p.Cname, from, l.msgs)
		l.n.replayed += uint64(n)
		if r.next = from + uint64(n); r.next != next {
			r.flags |= flagBehind
		}
		l.unrefAll()
	}
	l.sendReply(h, r)
	l.reply = l.reply[:0] // it is sent
}

// setMode makes r a subscriber of that mode.
func (l *Loop) setMode(r *conn, m wire.Mode) {
	r.flags = r.flags&^(flagMode|flagBehind) | uint8(m)<<modeShift
}

// feed gives the entry's message to a subscriber that stays. l.msgs are the
// messages that it has not had before, numbered from missed on, if that is
// not 0.
func (l *Loop) feed(h uint32, r *conn, name []byte, e *hub.Entry, missed uint64) {
	switch {
	case r.busy():
		l.queue(r, e.Seq, e.Msg)
	case e.Seq != r.next:
		l.catchUpStream(h, r, name, missed)
	default:
		l.reply = l.reply[:0]
		l.appendFrames(r, name, e.Seq, e.Msg)
		r.next++
		l.n.delivered++
		l.sendReply(h, r)
	}
}

// queue keeps message m for when the outstanding send is over. A poll needs
// one.
func (l *Loop) queue(r *conn, seq uint64, m hub.Msg) {
	if !r.mode().Streams() && len(l.pendingOf(r)) > 0 {
		return
	}
	if r.flags&flagBehind == 0 && seq == r.next && l.pend(r, m) {
		r.next++
		return
	}
	r.flags |= flagBehind
}

// catchUpStream sends the messages l.msgs, numbered from seq on, to a stream
// that missed them. Where they are not all that it needs, or there are none,
// it is closed.
func (l *Loop) catchUpStream(h uint32, r *conn, name []byte, seq uint64) {
	if seq != r.next {
		l.unrefAll()
		l.n.streamOverruns++
		l.close(h, r)
		return
	}
	l.reply = l.reply[:0]
	n := l.appendList(r, name, seq, l.msgs)
	l.n.caughtUp++
	l.n.delivered += uint64(n)
	r.next += uint64(n)
	r.flags &^= flagBehind
	if n < len(l.msgs) {
		r.flags |= flagBehind
	}
	l.unrefAll()
	l.sendReply(h, r)
}

// heldSent goes on with a subscriber whose send is over.
func (l *Loop) heldSent(h uint32, r *conn) {
	if r.watches() {
		l.tell(h, r)
		return
	}
	switch waiting := l.pendingOf(r); {
	case len(waiting) > 0:
		l.channelName(r)
		if !r.mode().Streams() {
			seq, m := r.next-1, waiting[0]
			l.unsubscribe(h, r)
			l.n.delivered++
			l.answer(h, r, l.message(l.name, seq, m))
			l.dropPending(r)
			return
		}
		l.reply = l.reply[:0]
		n := l.appendList(r, l.name, r.next-uint64(len(waiting)), waiting)
		for _, m := range waiting[:n] {
			l.hub.Unref(m)
		}
		l.shiftPending(r, n)
		l.n.delivered += uint64(n)
		l.sendReply(h, r)
	case r.flags&flagBehind != 0 && !plant.Is(plant.ForgottenBehind):
		r.flags &^= flagBehind
		if !l.lookAt(h, r) {
			l.wait(h, r)
		}
	default:
		l.wait(h, r)
	}
}

// wait has a subscriber that has all there is wait for more, or say farewell
// where a drain is under way.
func (l *Loop) wait(h uint32, r *conn) {
	if l.svc.draining.Load() != 0 {
		l.dismissForGood(h, r)
		return
	}
	l.setDeadline(h, r, l.pollDeadline())
}

// streamNoop sends the noop l.body to a stream, which stays.
func (l *Loop) streamNoop(h uint32, r *conn) {
	if !l.needExtra(r) {
		l.n.noMemory++
		l.close(h, r)
		return
	}
	l.extraAt(r.extra).noop++
	l.reply = wire.AppendFrame(l.reply[:0], r.mode(), l.minor(r), wire.NoID, l.body)
	l.sendReply(h, r)
}

// sayEnd ends what a connection was held for, and is no more, with an object of
// kind k and that number. It has had all that there was.
func (l *Loop) sayEnd(h uint32, r *conn, name []byte, k wire.Kind, number int64) {
	l.esc = wire.AppendEscaped(l.esc[:0], name)
	if r.mode().Streams() {
		l.reply = l.reply[:0]
		l.appendObjectFrame(r, k, number, nil)
		l.reply = wire.AppendLastChunk(l.reply, l.minor(r))
		l.sendReply(h, r)
		return
	}
	l.body = wire.AppendObject(l.body[:0], k, l.esc, number, nil)
	l.answer(h, r, l.body)
}
