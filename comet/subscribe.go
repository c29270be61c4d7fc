package comet

import (
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

// subscribe carries out the sequence table for the subscriber l.par; false if
// the connection ends with the reply.
func (l *Loop) subscribe(h uint32, r *conn, mode wire.Mode) (stay bool) {
	p := &l.par
	p.HasEpoch = len(p.Epoch) > 0
	v, ok := l.find(r, mode)
	if !ok {
		return r.flags&flagKeepAlive != 0
	}
	if v.Full() {
		v.Touch(l.tick)
		v.Leave()
		l.n.tooManySubscribers++
		return l.inBand(r, mode, wire.Kind429, wire.TooManySubscribers)
	}
	epoch := v.Epoch()
	if p.HasEpoch && !l.isEpoch(epoch) {
		p.Seq = -1 // of another instance: all that this one has is new
		if v.HistoryLen() == 0 {
			p.Seq = 0 // and where it has nothing, its next number and epoch are
		}
	}
	if mode.Streams() {
		l.stream(h, r, v, mode)
		return true
	}
	next := v.Next()
	answer, from := l.tabled(v)
	if answer == answerHold {
		if l.hold(h, r, v, next) && l.svc.cfg.EarlyHead {
			l.reply = wire.AppendPollHead(l.reply[:0], l.head(r))
			l.sendReply(h, r)
			l.reply = l.reply[:0]
		}
		return true
	}
	v.Touch(l.tick)
	v.Leave()
	if answer == answerJump {
		return l.object(r, wire.KindNextSeq, int64(next), l.appendEpoch(epoch))
	}
	var gap []byte
	if l.gapBefore(from, epoch) {
		gap = l.appendEpoch(epoch)
	}
	l.composeReplay(p.Cname, from, gap)
	l.reply = wire.AppendPollReply(l.reply, l.head(r), p.Cb, l.body)
	return r.flags&flagKeepAlive != 0
}

// answer is what the sequence table has for a subscriber.
type answer uint8

const (
	answerHold   answer = iota // nothing yet
	answerJump                 // the number to go on from
	answerReplay               // messages of the history
)

// tabled is the sequence table: what the subscriber l.par is given of v, which is
// locked. Of a replay l.msgs are the messages, numbered from from on.
func (l *Loop) tabled(v hub.View) (a answer, from uint64) {
	seq, next := l.par.Seq, v.Next()
	switch {
	case seq == 0 || seq > 0 && uint64(seq) > next:
		return answerJump, next
	case seq > 0 && uint64(seq) == next || v.HistoryLen() == 0:
		return answerHold, next
	}
	from, l.msgs = v.From(uint64(max(seq, 1)), l.msgs[:0])
	return answerReplay, from
}

// find locks the channel of the subscriber l.par, or answers why there is none
// for it.
func (l *Loop) find(r *conn, mode wire.Mode) (v hub.View, ok bool) {
	p := &l.par
	if l.svc.cfg.TokenAuth {
		if v, ok = l.findByToken(p.Cname, p.Token); !ok {
			l.n.tokenErrors++
			l.inBand(r, mode, wire.Kind401, wire.TokenError)
		}
		return v, ok
	}
	v, err := l.hub.FindOrCreate(p.Cname, l.tick)
	if err != nil {
		l.n.tooManyChannels++
		l.inBand(r, mode, wire.Kind429, wire.TooManyChannels)
		return v, false
	}
	return v, true
}

// hold takes a place in the channel's list of this loop and unlocks v; false if
// there was no memory, and the connection is closing.
func (l *Loop) hold(h uint32, r *conn, v hub.View, next uint64) bool {
	first := v.Head(l.id)
	v.SetHead(l.id, h)
	v.Add(1)
	v.Leave()
	r.channel, r.next = v.ID, next
	r.prevSub, r.nextSub = 0, first
	if first != 0 {
		l.at(first).prevSub = h
	}
	l.setState(r, stateHeld)
	l.n.held++
	if r.mode().Streams() {
		l.n.streams++
	}
	cb := l.par.Cb
	if r.mode().Streams() {
		cb = nil
	}
	if l.par.Noop != 0 || len(cb) > 0 {
		if !l.newExtra(r, l.par.Noop, cb, 0) {
			l.n.noMemory++
			l.close(h, r)
			return false
		}
	}
	if l.svc.draining.Load() != 0 {
		l.setDeadline(h, r, l.tick) // it is told so when the timers are looked at
	} else {
		l.setDeadline(h, r, l.pollDeadline())
	}
	return true
}

// detach makes r a connection that is held no more; its list is the caller's.
func (l *Loop) detach(r *conn) {
	r.channel, r.prevSub, r.nextSub = 0, 0, 0
	l.setState(r, stateReading) // until it is answered or closed, as it is next
	l.n.held--
	if r.mode().Streams() {
		l.n.streams--
	}
}

// unsubscribe takes a held connection out of its channel.
func (l *Loop) unsubscribe(h uint32, r *conn) {
	v := l.hub.Enter(r.channel)
	w := &l.walk
	switch {
	case r.prevSub != 0:
		l.at(r.prevSub).nextSub = r.nextSub
	case w.cursor == h:
		w.cursor = r.nextSub // first of what a walk took out of the list
	case w.kept == h:
		w.kept = r.nextSub // first of what it puts back
	default:
		v.SetHead(l.id, r.nextSub)
	}
	if r.nextSub != 0 {
		l.at(r.nextSub).prevSub = r.prevSub
	}
	if w.keptLast == h {
		w.keptLast = r.prevSub
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

// head is the head of r's reply.
func (l *Loop) head(r *conn) wire.Head {
	w := wire.Head{Date: l.httpDate(), Mode: r.mode(), AllowOrigin: l.svc.origin}
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
func (l *Loop) object(r *conn, k wire.Kind, seq int64, content []byte) (stay bool) {
	l.esc = wire.AppendEscaped(l.esc[:0], l.par.Cname)
	l.body = wire.AppendObject(l.body[:0], k, l.esc, seq, content)
	l.reply = wire.AppendPollReply(l.reply, l.head(r), l.par.Cb, l.body)
	return r.flags&flagKeepAlive != 0
}

// inBand answers the subscriber l.par with an error inside a 200, after which
// the connection stays.
func (l *Loop) inBand(r *conn, mode wire.Mode, k wire.Kind, text string) (stay bool) {
	l.setMode(r, mode)
	l.esc = wire.AppendEscaped(l.esc[:0], l.par.Cname)
	w := l.head(r)
	w.InBandError = true
	if mode.Streams() {
		l.reply = wire.AppendPollHead(l.reply, w)
		l.reply = wire.AppendStreamStart(l.reply, mode, w.Minor)
		l.appendObjectFrame(r, k, 0, []byte(text))
		l.reply = wire.AppendLastChunk(l.reply, w.Minor)
	} else {
		l.body = wire.AppendObject(l.body[:0], k, l.esc, 0, []byte(text))
		l.reply = wire.AppendPollReply(l.reply, w, l.par.Cb, l.body)
	}
	return r.flags&flagKeepAlive != 0
}

// composeReplay makes l.body of the messages l.msgs, numbered from seq on, and
// gives their references back. Before them stands a gap object with the content
// gap, unless that is nil.
func (l *Loop) composeReplay(name []byte, seq uint64, gap []byte) {
	l.esc = wire.AppendEscaped(l.esc[:0], name)
	l.body = append(l.body[:0], '[')
	if gap != nil {
		l.body = wire.AppendObject(l.body, wire.KindGap, l.esc, int64(seq), gap)
		l.body = append(l.body, ',')
	}
	for i, m := range l.msgs {
		if i == 0 || len(l.body) < maxReplayBytes {
			if i > 0 {
				l.body = append(l.body, ',')
			}
			l.appendMessage(l.esc, seq+uint64(i), m)
			l.n.replayed++
		}
	}
	l.body = append(l.body, ']')
	l.unrefAll()
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

// channelName copies the name of a held connection's channel to l.name.
func (l *Loop) channelName(r *conn) {
	v := l.hub.Enter(r.channel)
	l.name = append(l.name[:0], v.Name()...)
	v.Leave()
}

// noop tells a subscriber that has waited long enough that there is nothing. It
// ends a poll.
func (l *Loop) noop(h uint32, r *conn) {
	l.channelName(r)
	l.esc = wire.AppendEscaped(l.esc[:0], l.name)
	l.body = wire.AppendObject(l.body[:0], wire.KindNoop, l.esc, l.noopNumber(r), nil)
	l.n.noops++
	if r.mode().Streams() {
		l.streamNoop(h, r)
		return
	}
	l.unsubscribe(h, r)
	l.answer(h, r, l.body)
}

// answer sends body to a poll that was held.
func (l *Loop) answer(h uint32, r *conn, body []byte) {
	l.composeHeld(r, body)
	l.sendReply(h, r)
}

// composeHeld makes l.reply of body for a poll that was held. Its head may have
// gone before.
func (l *Loop) composeHeld(r *conn, body []byte) {
	cb := l.callback(r)
	if l.svc.cfg.EarlyHead {
		l.reply = wire.AppendPollBodyHead(l.reply[:0], l.minor(r), cb, len(body))
	} else {
		l.reply = wire.AppendPollReplyHead(l.reply[:0], l.head(r), cb, len(body))
	}
	l.reply = append(l.reply, body...)
	l.reply = append(l.reply, wire.PollReplyTail(l.minor(r), len(cb) > 0)...)
}

// minor is the minor version of HTTP that r speaks.
func (l *Loop) minor(r *conn) uint8 {
	if r.flags&flagHTTP11 != 0 {
		return 1
	}
	return 0
}
