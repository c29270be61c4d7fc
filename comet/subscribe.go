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

// subscribe carries out the sequence table for the subscriber l.par, or for each
// of l.channels where they are several; false if the connection ends with the
// reply.
func (l *Loop) subscribe(h uint32, r *conn, mode wire.Mode) (stay bool) {
	if len(l.channels) > 1 {
		return l.subscribeToAll(h, r, mode)
	}
	v, why := l.find()
	if why.text != "" {
		return l.inBand(r, mode, why)
	}
	if mode.Streams() {
		l.stream(h, r, v, mode)
		return true
	}
	p := &l.par
	next, epoch := v.Next(), l.toldEpoch(v)
	answer, from := l.tabled(v)
	if answer == answerHold {
		l.join(v, h, next)
		l.hold(h, r)
		return true
	}
	v.Touch(l.tick)
	v.Leave()
	if answer == answerJump {
		return l.object(r, wire.KindNextSeq, int64(next), l.appendEpoch(epoch))
	}
	l.composeReplay(p.Cname, from, l.gap(from, epoch))
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
	p := &l.par
	if p.HasEpoch && p.Seq != 0 && !l.isEpoch(v.Epoch()) {
		p.Seq = -1 // of another instance: all that this one has is new
		if v.HistoryLen() == 0 {
			p.Seq = 0 // and where it has nothing, its next number and epoch are
		}
	}
	seq, next := p.Seq, v.Next()
	switch {
	case seq == 0 || seq > 0 && uint64(seq) > next:
		return answerJump, next
	case seq > 0 && uint64(seq) == next || v.HistoryLen() == 0:
		return answerHold, next
	}
	from, l.msgs = v.From(uint64(max(seq, 1)), l.msgs[:0])
	return answerReplay, from
}

// refusal is why a subscriber is not let in; without a text it is.
type refusal struct {
	kind wire.Kind
	text string
}

// find locks the channel of the subscriber l.par, unless there is none for it.
func (l *Loop) find() (v hub.View, why refusal) {
	p := &l.par
	p.HasEpoch = p.Gap && len(p.Epoch) > 0 // others go by the number alone
	if l.svc.cfg.TokenAuth {
		var ok bool
		if v, ok = l.findByToken(p.Cname, p.Token); !ok {
			l.n.tokenErrors++
			return v, refusal{wire.Kind401, wire.TokenError}
		}
	} else {
		var err error
		if v, err = l.hub.FindOrCreate(p.Cname, l.tick); err != nil {
			l.n.tooManyChannels++
			return v, refusal{wire.Kind429, wire.TooManyChannels}
		}
	}
	if v.Full() {
		v.Touch(l.tick)
		v.Leave()
		l.n.tooManySubscribers++
		return v, refusal{wire.Kind429, wire.TooManySubscribers}
	}
	return v, why
}

// join gives the subscriber s a place in the channel's list of this loop, which
// waits for message number next, and unlocks v.
func (l *Loop) join(v hub.View, s uint32, next uint64) {
	first := v.Head(l.id)
	v.SetHead(l.id, s)
	v.Add(1)
	v.Leave()
	x := l.subscriber(s)
	x.wants = next
	x.place = place{channel: v.ID, next: first}
	if first != 0 {
		l.subscriber(first).prev = s
	}
	l.n.held++
}

// hold makes the connection, whose subscribers have their places, a held one;
// false if there was no memory, and it is closing.
func (l *Loop) hold(h uint32, r *conn) bool {
	l.setState(r, stateHeld)
	l.n.holding++
	streams := r.mode().Streams()
	if streams {
		l.n.streams++
	}
	cb := l.par.Cb
	if streams {
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
	if !streams && l.svc.cfg.EarlyHead {
		l.reply = wire.AppendPollHead(l.reply[:0], l.head(r))
		l.sendReply(h, r)
		l.reply = l.reply[:0]
	}
	return true
}

// detach makes r a connection that is held no more; the lists are the caller's, and
// so are the records of several.
func (l *Loop) detach(r *conn) {
	l.setState(r, stateReading) // until it is answered or closed, as it is next
	l.n.holding--
	if r.mode().Streams() {
		l.n.streams--
	}
}

// vacate is for a subscriber that is in no list any more.
func (l *Loop) vacate(p *place) {
	*p = place{}
	l.n.held--
}

// unsubscribe takes a held connection out of its channels.
func (l *Loop) unsubscribe(h uint32, r *conn) {
	l.leaveAll(h, r)
	l.freeSubscriptions(r)
	l.detach(r)
}

// leaveOthers is unsubscribe where the subscriber s, which stands at p, was taken
// out of its channel before.
func (l *Loop) leaveOthers(h uint32, r *conn, s uint32, p *place) {
	l.vacate(p)
	if s != h {
		l.leaveAll(h, r)
		l.freeSubscriptions(r)
	}
	l.detach(r)
}

// leaveAll takes every subscriber of the connection out of its channel.
func (l *Loop) leaveAll(h uint32, r *conn) {
	for s := l.first(h, r); s != 0; {
		more := l.after(s)
		if l.subscriber(s).channel != 0 {
			l.leave(s)
		}
		s = more
	}
}

// leave takes a subscriber out of its channel.
func (l *Loop) leave(s uint32) {
	x := l.subscriber(s)
	v := l.hub.Enter(x.channel)
	w := &l.walk
	switch {
	case x.prev != 0:
		l.subscriber(x.prev).next = x.next
	case w.cursor == s:
		w.cursor = x.next // first of what a walk took out of the list
	case w.kept == s:
		w.kept = x.next // first of what it puts back
	default:
		v.SetHead(l.id, x.next)
	}
	if x.next != 0 {
		l.subscriber(x.next).prev = x.prev
	}
	if w.keptLast == s {
		w.keptLast = x.prev
	}
	v.Add(-1)
	l.settle(v)
	v.Leave()
	l.vacate(&x.place)
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
func (l *Loop) inBand(r *conn, mode wire.Mode, why refusal) (stay bool) {
	l.setMode(r, mode)
	l.esc = wire.AppendEscaped(l.esc[:0], l.par.Cname)
	w := l.head(r)
	w.InBandError = true
	if mode.Streams() {
		l.reply = wire.AppendPollHead(l.reply, w)
		l.reply = wire.AppendStreamStart(l.reply, mode, w.Minor)
		l.appendObjectFrame(r, why.kind, 0, []byte(why.text))
		l.reply = wire.AppendLastChunk(l.reply, w.Minor)
	} else {
		l.body = wire.AppendObject(l.body[:0], why.kind, l.esc, 0, []byte(why.text))
		l.reply = wire.AppendPollReply(l.reply, w, l.par.Cb, l.body)
	}
	return r.flags&flagKeepAlive != 0
}

// composeReplay makes l.body of the messages l.msgs, numbered from seq on, and
// gives their references back. Before them stands a gap object with the content
// gap, unless that is nil.
func (l *Loop) composeReplay(name []byte, seq uint64, gap []byte) {
	l.body = append(l.body[:0], '[')
	l.appendReplay(name, seq, gap)
	l.body = append(l.body, ']')
}

// appendReplay appends to l.body what composeReplay makes it of, without brackets.
func (l *Loop) appendReplay(name []byte, seq uint64, gap []byte) {
	l.esc = wire.AppendEscaped(l.esc[:0], name)
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

// noop tells a connection that has waited long enough that there is nothing, in
// the name of its first channel. It ends a poll.
func (l *Loop) noop(h uint32, r *conn) {
	s, _ := l.firstHeld(h, r)
	l.nameOf(s)
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
	body = l.callable(cb, body)
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
