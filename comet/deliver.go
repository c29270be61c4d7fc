package comet

import (
	"c1000k/comet/hub"
	"c1000k/comet/internal/plant"
	"c1000k/comet/wire"
)

// deliver hands messages of the inbox to their subscribers, about budget of them.
func (l *Loop) deliver(budget int) {
	if l.catchUp.left != 0 {
		// A share of its own: the inbox of a busy loop is never empty.
		budget -= l.stepCatchUp(budget / 4)
	}
	for budget > 0 {
		switch {
		case l.walk.entry.Channel != 0:
			budget -= l.stepWalk(budget)
			continue
		case l.entry < l.entryEnd:
			l.entry++
			l.deliverEntry(&l.entries[l.entry-1])
			budget--
			continue
		}
		n, behind := l.inbox.Take(l.entries[:])
		l.entry, l.entryEnd = 0, n
		if behind {
			l.n.behind++
			l.catchUp.left = l.high
		}
		if n == 0 {
			break
		}
	}
	if budget > 0 && l.catchUp.left != 0 {
		l.stepCatchUp(budget)
	}
	if l.walk.entry.Channel != 0 || l.entry < l.entryEnd || l.catchUp.left != 0 {
		l.more = true
	}
}

// deliverEntry hands one message to the one subscriber that this loop holds of
// its channel, or begins a walk where it holds several.
func (l *Loop) deliverEntry(e *hub.Entry) {
	v := l.hub.Enter(e.Channel)
	if !v.Is(e) {
		panic("comet: a channel was freed while an inbox referred to it")
	}
	h := v.Head(l.id)
	if h != 0 && l.at(h).nextSub != 0 {
		v.SetHead(l.id, 0)
		l.walkName = append(l.walkName[:0], v.Name()...)
		v.Leave()
		l.walk = walk{entry: *e, cursor: h}
		return
	}
	v.Unref()
	due := h != 0 && l.due(l.at(h), e.Seq)
	missed := uint64(0)
	if due {
		missed = l.missed(v, l.at(h), e.Seq)
		v.SetHead(l.id, 0)
		v.Add(-1)
		v.Settle(l.id, l.tick)
		l.name = append(l.name[:0], v.Name()...)
	}
	v.Leave()
	if due {
		r := l.at(h)
		l.detach(r)
		l.n.delivered++
		if missed != 0 {
			l.makeUp(h, r, l.name, missed)
		} else {
			l.answer(h, r, l.message(l.name, e.Seq, e.Msg))
		}
	}
	if !plant.Is(plant.LostReference) {
		l.hub.Unref(e.Msg)
	}
}

// due reports whether r still wants message number seq.
func (l *Loop) due(r *conn, seq uint64) bool {
	return seq >= r.next || plant.Is(plant.DoubleSend)
}

// missed takes into l.msgs what the history holds for r, if a message before
// number seq, which r is about to get, found the inbox full. It returns the
// number of the first of them, 0 if there is none.
func (l *Loop) missed(v hub.View, r *conn, seq uint64) (from uint64) {
	if seq <= r.next || v.HistoryLen() == 0 {
		return 0
	}
	from, l.msgs = v.From(r.next, l.msgs[:0])
	return from
}

// makeUp sends the messages l.msgs, numbered from seq on, to a connection that
// was held and is no more.
func (l *Loop) makeUp(h uint32, r *conn, name []byte, seq uint64) {
	l.n.caughtUp++
	l.reply = l.reply[:0]
	l.replay(r, name, l.callback(r), seq)
	l.sendReply(h, r)
}

// message is the body of a live delivery: one object, or for a broadcast an
// array of it and the channel's next number. It is scratch memory.
func (l *Loop) message(name []byte, seq uint64, m hub.Msg) []byte {
	l.esc = wire.AppendEscaped(l.esc[:0], name)
	l.body = l.body[:0]
	if l.hub.IsBroadcast(m) {
		l.body = append(l.body, '[')
		l.appendMessage(l.esc, seq, m)
		l.body = append(l.body, ']')
	} else {
		l.appendMessage(l.esc, seq, m)
	}
	return l.body
}

// stepWalk goes on with the walk for about budget subscribers and returns how
// many it came to.
func (l *Loop) stepWalk(budget int) (n int) {
	w := &l.walk
	delivered := 0
	for ; n < budget && w.cursor != 0; n++ {
		h := w.cursor
		r := l.at(h)
		w.cursor = r.nextSub
		if w.cursor != 0 {
			l.at(w.cursor).prevSub = 0
		}
		if !l.due(r, w.entry.Seq) {
			l.reattach(h, r)
			continue
		}
		l.detach(r)
		delivered++
		l.walkSend(h, r)
	}
	l.n.delivered += uint64(delivered)
	over := w.cursor == 0
	v := l.hub.Enter(w.entry.Channel)
	v.Add(-delivered)
	if over {
		v.Unref()
		v.Settle(l.id, l.tick)
	}
	v.Leave()
	if over {
		l.endWalk()
	}
	return max(n, 1)
}

// reattach puts a subscriber that came after the message back into its list.
func (l *Loop) reattach(h uint32, r *conn) {
	v := l.hub.Enter(r.channel)
	first := v.Head(l.id)
	v.SetHead(l.id, h)
	v.Leave()
	r.prevSub, r.nextSub = 0, first
	if first != 0 {
		l.at(first).prevSub = h
	}
}

// walkSend sends the walk's message to r: in its most common form from the
// same memory to all, else composed for it.
func (l *Loop) walkSend(h uint32, r *conn) {
	const common = flagHTTP11 | flagKeepAlive
	w := &l.walk
	if w.entry.Seq > r.next {
		v := l.hub.Enter(w.entry.Channel)
		missed := l.missed(v, r, w.entry.Seq)
		v.Leave()
		if missed != 0 {
			l.makeUp(h, r, l.walkName, missed)
			return
		}
	}
	if r.flags&common != common || len(l.callback(r)) > 0 {
		l.answer(h, r, l.message(l.walkName, w.entry.Seq, w.entry.Msg))
		return
	}
	if w.shared == 0 {
		body := l.message(l.walkName, w.entry.Seq, w.entry.Msg)
		l.reply = wire.AppendPollReply(l.reply[:0], l.head(r), nil, body)
		if w.shared = l.newOut(l.reply); w.shared == 0 {
			l.close(h, r)
			return
		}
		l.outAt(w.shared).refs = 1 // the walk's own
	}
	l.send(h, r, w.shared)
}

func (l *Loop) endWalk() {
	w := &l.walk
	if w.shared != 0 {
		if o := l.outAt(w.shared); o.refs == 1 {
			l.blocks.Free(w.shared)
		} else {
			o.refs--
		}
	}
	if !plant.Is(plant.LostReference) {
		l.hub.Unref(w.entry.Msg)
	}
	*w = walk{}
}

// catchUp is a pass over all connections of a loop whose inbox was full: each
// that is held is given what its channel's history holds for it. A loop that
// falls behind again during a pass goes once round from where it is: so the
// pass comes to every connection, however often that happens.
type catchUp struct {
	at   uint32 // the connection looked at last, its number plus one
	left uint32 // connections still to look at; 0: no pass is under way
}

// stepCatchUp goes on with the pass for about budget connections and returns
// how much of the budget it used.
func (l *Loop) stepCatchUp(budget int) (used int) {
	const looksPerSend = 20 // looking costs a twentieth of sending
	c := &l.catchUp
	sent, looks := 0, 0
	for ; sent+looks/looksPerSend < budget && c.left != 0; looks++ {
		if c.at >= l.high {
			c.at = 0
		}
		c.at++
		c.left--
		h := c.at
		r := l.at(h)
		if r.state != stateHeld {
			continue
		}
		v := l.hub.Enter(r.channel)
		from := l.missed(v, r, v.Next())
		if from == 0 {
			v.Leave()
			continue
		}
		l.name = append(l.name[:0], v.Name()...)
		v.Leave()
		l.unsubscribe(h, r)
		l.n.delivered++
		l.makeUp(h, r, l.name, from)
		sent++
	}
	return sent + looks/looksPerSend
}
