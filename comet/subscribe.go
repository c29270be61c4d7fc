package comet

import (
	"c1000k/comet/arena"
	"c1000k/comet/hub"
	"c1000k/comet/wire"
)

const (
	maxNameBytes     = hub.MaxNameBytes
	maxCallbackBytes = 128
	// maxReplayBytes is where a replay is cut off, one message at the least:
	// the client's next poll gets the rest.
	maxReplayBytes = 1 << 20
)

// subscribe carries out the sequence table for the poll l.par; false if the
// connection ends with the reply.
func (l *Loop) subscribe(h uint32, r *conn) (stay bool) {
	p := &l.par
	v, err := l.hub.FindOrCreate(p.Cname, l.tick)
	if err != nil {
		l.n.tooManyChannels++
		return l.inBand(r, wire.Kind429, wire.TooManyChannels)
	}
	if v.Full() {
		v.Touch(l.tick)
		v.Leave()
		l.n.tooManySubscribers++
		return l.inBand(r, wire.Kind429, wire.TooManySubscribers)
	}
	next := v.Next()
	switch {
	case p.Seq == 0 || p.Seq > 0 && uint64(p.Seq) > next:
		v.Touch(l.tick)
		v.Leave()
		return l.object(r, wire.KindNextSeq, int64(next))
	case p.Seq > 0 && uint64(p.Seq) == next || v.HistoryLen() == 0:
		l.hold(h, r, v, next)
		return true
	}
	var from uint64
	from, l.msgs = v.From(uint64(max(p.Seq, 1)), l.msgs[:0])
	v.Touch(l.tick)
	v.Leave()
	return l.replay(r, p.Cname, p.Cb, from)
}

// hold takes a place in the channel's list of this loop and unlocks v.
func (l *Loop) hold(h uint32, r *conn, v hub.View, next uint64) {
	first := v.Head(l.id)
	v.SetHead(l.id, h)
	v.Add(1)
	v.Leave()
	r.channel, r.next = v.ID, next
	r.prevSub, r.nextSub = 0, first
	if first != 0 {
		l.at(first).prevSub = h
	}
	r.state = stateHeld
	l.n.held++
	if l.par.Noop != 0 || len(l.par.Cb) > 0 {
		if !l.newExtra(r, l.par.Noop, l.par.Cb, 0) {
			l.n.noMemory++
			l.close(h, r)
			return
		}
	}
	l.setDeadline(h, r, l.pollDeadline())
}

// detach makes r a connection that is held no more; its list is the caller's.
func (l *Loop) detach(r *conn) {
	r.channel, r.prevSub, r.nextSub = 0, 0, 0
	r.state = stateOpen
	l.n.held--
}

// unsubscribe takes a held connection out of its channel.
func (l *Loop) unsubscribe(h uint32, r *conn) {
	v := l.hub.Enter(r.channel)
	switch {
	case r.prevSub != 0:
		l.at(r.prevSub).nextSub = r.nextSub
	case l.walk.cursor == h:
		l.walk.cursor = r.nextSub // first of what a walk took out of the list
	default:
		v.SetHead(l.id, r.nextSub)
	}
	if r.nextSub != 0 {
		l.at(r.nextSub).prevSub = r.prevSub
	}
	v.Add(-1)
	l.settle(v)
	v.Leave()
	l.detach(r)
}

// settle lets a channel know that the loop's list of it changed, unless a walk
// over that list is under way: it does so at its end, and until then the
// channel goes on telling this loop of messages.
func (l *Loop) settle(v hub.View) {
	if l.walk.entry.Channel != v.ID {
		v.Settle(l.id, l.tick)
	}
}

// head is the head of r's long-poll reply.
func (l *Loop) head(r *conn) wire.Head {
	w := wire.Head{Date: l.httpDate()}
	if r.flags&flagHTTP11 != 0 {
		w.Minor = 1
		w.KeepAlive = r.flags&flagKeepAlive != 0
	} else {
		// What ends with the connection cannot be followed by anything.
		r.flags &^= flagKeepAlive
	}
	return w
}

// object answers the poll l.par with one object.
func (l *Loop) object(r *conn, k wire.Kind, seq int64) (stay bool) {
	l.esc = wire.AppendEscaped(l.esc[:0], l.par.Cname)
	l.body = wire.AppendObject(l.body[:0], k, l.esc, seq, nil)
	l.reply = wire.AppendPollReply(l.reply, l.head(r), l.par.Cb, l.body)
	return r.flags&flagKeepAlive != 0
}

// inBand answers the poll l.par with an error inside a 200, after which the
// connection stays.
func (l *Loop) inBand(r *conn, k wire.Kind, text string) (stay bool) {
	l.esc = wire.AppendEscaped(l.esc[:0], l.par.Cname)
	l.body = wire.AppendObject(l.body[:0], k, l.esc, 0, []byte(text))
	w := l.head(r)
	w.InBandError = true
	l.reply = wire.AppendPollReply(l.reply, w, l.par.Cb, l.body)
	return r.flags&flagKeepAlive != 0
}

// replay answers with the messages l.msgs, numbered from seq on, and gives
// their references back.
func (l *Loop) replay(r *conn, name, cb []byte, seq uint64) (stay bool) {
	l.esc = wire.AppendEscaped(l.esc[:0], name)
	l.body = append(l.body[:0], '[')
	for i, m := range l.msgs {
		if i == 0 || len(l.body) < maxReplayBytes {
			if i > 0 {
				l.body = append(l.body, ',')
			}
			l.appendMessage(l.esc, seq+uint64(i), m)
			l.n.replayed++
		}
		l.hub.Unref(m)
	}
	l.body = append(l.body, ']')
	l.reply = wire.AppendPollReply(l.reply, l.head(r), cb, l.body)
	return r.flags&flagKeepAlive != 0
}

// appendMessage appends message m as the client sees it: after a broadcast it
// is told the channel's next number.
func (l *Loop) appendMessage(escName []byte, seq uint64, m hub.Msg) {
	k := wire.KindData
	if l.hub.IsBroadcast(m) {
		k = wire.KindBroadcast
	}
	l.body = wire.AppendObject(l.body, k, escName, int64(seq), l.hub.Content(m))
	if k == wire.KindBroadcast {
		l.body = append(l.body, ',')
		l.body = wire.AppendObject(l.body, wire.KindNextSeq, escName, int64(seq)+1, nil)
	}
}

// noop ends a poll that has waited long enough.
func (l *Loop) noop(h uint32, r *conn) {
	v := l.hub.Enter(r.channel)
	l.name = append(l.name[:0], v.Name()...)
	v.Leave()
	l.unsubscribe(h, r)
	l.esc = wire.AppendEscaped(l.esc[:0], l.name)
	l.body = wire.AppendObject(l.body[:0], wire.KindNoop, l.esc, l.noopNumber(r), nil)
	l.n.noops++
	l.answer(h, r, l.body)
}

// answer sends body to a connection that was held.
func (l *Loop) answer(h uint32, r *conn, body []byte) {
	l.reply = wire.AppendPollReply(l.reply[:0], l.head(r), l.callback(r), body)
	l.sendReply(h, r)
}

// walk is a message on its way to many subscribers of one channel: the loop's
// list was taken out of the channel, and is gone through in slices.
type walk struct {
	entry  hub.Entry    // Channel is 0 when there is no walk
	cursor uint32       // the next subscriber, which is the first of the rest
	shared arena.Handle // the reply in its most common form, composed once; 0: not yet
}
