package comet

import (
	"c1000k/comet/hub"
	"c1000k/comet/internal/plant"
	"c1000k/comet/wire"
)

// A stream has no queue of its own: it has a place in its channel's history,
// or in each of its channels', and is given what comes at once where no send of its own is
// outstanding. What comes meanwhile waits in a bounded list of references
// (pending.go), and past that in the history. When the history does not hold
// any more what it needs the stream is closed, and counted: its client comes
// back with the number it got to.

// appendFrames appends message m to l.reply as the mode of the connection, whose
// subscriber s gets it, frames it: after a broadcast it is told the channel's
// next number.
func (l *Loop) appendFrames(r *conn, s uint32, name []byte, seq uint64, m hub.Msg) {
	l.esc = wire.AppendEscaped(l.esc[:0], name)
	k := wire.KindData
	if l.hub.IsBroadcast(m) {
		k = wire.KindBroadcast
	}
	l.body = wire.AppendObject(l.body[:0], k, l.esc, int64(seq), l.hub.Content(m))
	l.appendFrame(r, s, int64(seq))
	if k == wire.KindBroadcast {
		l.appendObjectFrame(r, wire.KindNextSeq, int64(seq)+1, nil)
	}
}

// appendFrame appends the object l.body, with which the client has had the
// subscriber's messages up to number had.
func (l *Loop) appendFrame(r *conn, s uint32, had int64) {
	if s&severalBit != 0 && r.mode() == wire.ModeSSE {
		l.reply = wire.AppendFrameWithID(l.reply, wire.ModeSSE, l.minor(r), l.eventID(r, s, had), l.body)
		return
	}
	l.reply = wire.AppendFrame(l.reply, r.mode(), l.minor(r), had, l.body)
}

// appendObjectFrame appends an object that is no message; l.esc is the name.
func (l *Loop) appendObjectFrame(r *conn, k wire.Kind, seq int64, content []byte) {
	l.body = wire.AppendObject(l.body[:0], k, l.esc, seq, content)
	l.reply = wire.AppendFrame(l.reply, r.mode(), l.minor(r), wire.NoID, l.body)
}

// begin makes l.reply an empty one.
func (l *Loop) begin() {
	l.reply = l.reply[:0]
	l.room = maxReplayBytes
}

// appendList appends messages of the subscriber s, numbered from seq on, until
// the reply is long enough, and returns how many: one at the least, if there was
// none in it.
func (l *Loop) appendList(r *conn, s uint32, name []byte, seq uint64, list []hub.Msg) (n int) {
	for ; n < len(list) && l.room > 0; n++ {
		before := len(l.reply)
		l.appendFrames(r, s, name, seq+uint64(n), list[n])
		l.room -= len(l.reply) - before
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
	l.setMode(r, mode)
	l.beginStream(r)
	l.joinStream(r, h, v)
	l.holdStream(h, r)
}

// beginStream makes l.reply what comes before a stream's first object.
func (l *Loop) beginStream(r *conn) {
	w := l.head(r)
	l.begin()
	l.reply = wire.AppendPollHead(l.reply, w)
	l.reply = wire.AppendStreamStart(l.reply, r.mode(), w.Minor)
}

// joinStream has s, which is the subscriber l.par, join v, which it unlocks, and
// appends to l.reply what the sequence table has for it.
func (l *Loop) joinStream(r *conn, s uint32, v hub.View) {
	p := &l.par
	next, epoch := v.Next(), l.toldEpoch(v)
	answer, from := l.tabled(v)
	l.join(v, s, next)
	l.esc = wire.AppendEscaped(l.esc[:0], p.Cname)
	switch answer {
	case answerJump:
		l.body = wire.AppendObject(l.body[:0], wire.KindNextSeq, l.esc, int64(next), l.appendEpoch(epoch))
		// An EventSource that comes back is to go on from here, not to jump again.
		l.appendFrame(r, s, int64(next)-1)
	case answerReplay:
		if gap := l.gap(from, epoch); gap != nil {
			l.appendObjectFrame(r, wire.KindGap, int64(from), gap)
		}
		n := l.appendList(r, s, p.Cname, from, l.msgs)
		l.n.replayed += uint64(n)
		wants := from + uint64(n)
		if l.subscriber(s).wants = wants; wants != next {
			l.mark(r, s)
		}
		l.unrefAll()
	}
}

// holdStream sends what a stream begins with, and holds it.
func (l *Loop) holdStream(h uint32, r *conn) {
	if l.hold(h, r) {
		l.sendReply(h, r)
	}
	l.reply = l.reply[:0] // it is sent
}

// setMode makes r a subscriber of that mode.
func (l *Loop) setMode(r *conn, m wire.Mode) {
	r.flags = r.flags&^(flagMode|flagBehind) | uint8(m)<<modeShift
}

// feed gives the entry's message to a subscriber that stays. l.msgs are the
// messages that it has not had before, numbered from missed on, if that is
// not 0.
func (l *Loop) feed(h uint32, r *conn, s uint32, name []byte, e *hub.Entry, missed uint64) {
	x := l.subscriber(s)
	switch {
	case r.busy():
		l.queue(r, s, e.Seq, e.Msg)
	case e.Seq != x.wants:
		l.begin()
		if l.catchUpStream(h, r, s, name, missed) {
			l.sendReply(h, r)
		}
	default:
		l.begin()
		l.appendFrames(r, s, name, e.Seq, e.Msg)
		if s&severalBit == 0 || !plant.Is(plant.StuckOther) {
			x.wants++
		}
		l.n.delivered++
		l.sendReply(h, r)
	}
}

// queue keeps message m for when the outstanding send is over. A poll needs
// one.
func (l *Loop) queue(r *conn, s uint32, seq uint64, m hub.Msg) {
	if !r.mode().Streams() && len(l.pendingOf(r)) > 0 {
		return
	}
	x := l.subscriber(s)
	if seq == x.wants && l.pend(r, s, m) {
		x.wants++
		return
	}
	l.mark(r, s)
}

// catchUpStream appends the messages l.msgs, numbered from seq on, which the
// subscriber s of a stream missed, to l.reply. Where they are not all that it
// needs, or there are none, the stream is closed: then it is false.
func (l *Loop) catchUpStream(h uint32, r *conn, s uint32, name []byte, seq uint64) (ok bool) {
	x := l.subscriber(s)
	if seq != x.wants {
		l.unrefAll()
		l.n.streamOverruns++
		l.close(h, r)
		return false
	}
	n := l.appendList(r, s, name, seq, l.msgs)
	l.n.caughtUp++
	l.n.delivered += uint64(n)
	x.wants += uint64(n)
	if n < len(l.msgs) {
		l.mark(r, s)
	}
	l.unrefAll()
	return true
}

// heldSent goes on with a connection whose send is over.
func (l *Loop) heldSent(h uint32, r *conn) {
	if r.watches() {
		l.tell(h, r)
		return
	}
	switch waiting := l.pendingOf(r); {
	case len(waiting) > 0 && r.mode().Streams():
		l.sendPending(h, r, waiting)
	case len(waiting) > 0:
		w := waiting[0]
		l.nameOf(w.sub)
		seq := l.subscriber(w.sub).wants - 1
		l.unsubscribe(h, r)
		l.n.delivered++
		l.answer(h, r, l.message(l.name, seq, w.msg))
		l.dropPending(r)
	case r.flags&flagBehind != 0 && !plant.Is(plant.ForgottenBehind):
		if !l.lookAt(h, r) {
			l.wait(h, r)
		}
	default:
		l.wait(h, r)
	}
}

// sendPending sends a stream what waited for its outstanding send, as far as
// one reply brings it. A channel that always has something waiting keeps no other
// from being looked at, nor one that is always behind those that wait from being
// sent: of several that are behind each kind has half of the reply.
func (l *Loop) sendPending(h uint32, r *conn, waiting []pending) {
	l.begin()
	looks := r.several() && r.flags&flagBehind != 0 && !plant.Is(plant.ForgottenBehind)
	if looks {
		l.room = maxReplayBytes / 2
	}
	n, named := 0, uint32(0)
	for ; n < len(waiting) && l.room > 0; n++ {
		w := waiting[n]
		if w.sub != named {
			l.nameOf(w.sub)
			named = w.sub
		}
		before := len(l.reply)
		l.appendFrames(r, w.sub, l.name, l.pendingNumber(w.sub, len(waiting)-n), w.msg)
		l.room -= len(l.reply) - before
	}
	l.shiftPending(r, n)
	if looks {
		l.room = max(l.room+maxReplayBytes/2, 1)
		if l.lookInto(h, r) {
			return // it cannot follow, and goes
		}
	}
	l.n.delivered += uint64(n)
	l.sendReply(h, r)
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
// kind k and that number; of a stream behind what is in l.reply. It has had all
// that there was.
func (l *Loop) sayEnd(h uint32, r *conn, name []byte, k wire.Kind, number int64) {
	l.esc = wire.AppendEscaped(l.esc[:0], name)
	if r.mode().Streams() {
		l.appendObjectFrame(r, k, number, nil)
		l.reply = wire.AppendLastChunk(l.reply, l.minor(r))
		l.sendReply(h, r)
		return
	}
	l.body = wire.AppendObject(l.body[:0], k, l.esc, number, nil)
	l.answer(h, r, l.body)
}
