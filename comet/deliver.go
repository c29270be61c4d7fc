package comet

import (
	"c1000k/comet/hub"
	"c1000k/comet/internal/plant"
	"c1000k/comet/wire"
)

// deliver hands messages of the inbox to their subscribers, about budget of them.
func (l *Loop) deliver(budget int) {
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
			l.catchUp.begin()
		}
		if n == 0 {
			break
		}
	}
	if budget > 0 && l.catchUp.next != 0 {
		l.stepCatchUp(budget)
	}
	if l.walk.entry.Channel != 0 || l.entry < l.entryEnd || l.catchUp.next != 0 {
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
		l.name = append(l.name[:0], v.Name()...)
		l.walk = walk{entry: *e, cursor: h, kept: v.HistoryLen() > 0}
		v.Leave()
		return
	}
	v.Unref()
	due := h != 0 && l.due(h, l.at(h), e.Seq, v.HistoryLen() > 0)
	if due {
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
		l.answer(h, r, l.message(l.name, e.Seq, e.Msg))
	}
	if !plant.Is(plant.LostReference) {
		l.hub.Unref(e.Msg)
	}
}

// due reports whether r, which is connection h, is to get message number seq
// now; kept says that its channel has a history.
func (l *Loop) due(h uint32, r *conn, seq uint64, kept bool) bool {
	if seq <= r.next {
		return seq == r.next || plant.Is(plant.DoubleSend)
	}
	// A message before this one found the inbox full. The pass that is to make
	// up for it brings both, in order, where it has not yet come to h.
	catchingUp := l.catchUp.next != 0 && h >= l.catchUp.next
	return !(kept && catchingUp)
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
		if !l.due(h, r, w.entry.Seq, w.kept) {
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
	if r.flags&common != common || len(l.callback(r)) > 0 {
		l.answer(h, r, l.message(l.name, w.entry.Seq, w.entry.Msg))
		return
	}
	if w.shared == 0 {
		body := l.message(l.name, w.entry.Seq, w.entry.Msg)
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
// that is held is given what its channel's history holds for it.
type catchUp struct {
	next uint32 // the next connection's number plus one; 0: no pass is under way
}

func (c *catchUp) begin() { c.next = 1 }

// stepCatchUp goes on with the pass for about budget connections.
func (l *Loop) stepCatchUp(budget int) {
	c := &l.catchUp
	// Looking costs a twentieth of sending.
	for looked := 0; budget > 0 && looked < 20*turnDeliveries && c.next != 0; looked++ {
		h := c.next
		c.next++
		if h >= l.high {
			c.next = 0
		}
		r := l.at(h)
		if r.state != stateHeld {
			continue
		}
		v := l.hub.Enter(r.channel)
		if v.Next() == r.next || v.HistoryLen() == 0 {
			v.Leave()
			continue
		}
		var from uint64
		from, l.msgs = v.From(r.next, l.msgs[:0])
		l.name = append(l.name[:0], v.Name()...)
		v.Leave()
		l.unsubscribe(h, r)
		l.reply = l.reply[:0]
		l.n.delivered++
		l.n.caughtUp++
		l.replay(r, l.name, l.callback(r), from)
		l.sendReply(h, r)
		budget--
	}
}
