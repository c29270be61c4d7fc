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
	s := v.Head(l.id)
	if s != 0 && l.subscriber(s).next != 0 {
		v.SetHead(l.id, 0)
		l.walkName = append(l.walkName[:0], v.Name()...)
		v.Leave()
		l.walk = walk{entry: *e, cursor: s}
		return
	}
	v.Unref()
	if s == 0 || !l.due(l.subscriber(s), e.Seq) {
		v.Leave()
		l.unrefEntry(e)
		return
	}
	h := l.ownerOf(s)
	r := l.at(h)
	if e.Msg == 0 { // closed
		v.Leave()
		l.mark(r, s)
		l.lookAt(h, r)
		return
	}
	l.name = append(l.name[:0], v.Name()...)
	missed := uint64(0)
	if !r.busy() {
		missed = l.missed(v, l.subscriber(s).wants, e.Seq)
	}
	if l.stays(r) {
		v.Leave()
		l.feed(h, r, s, l.name, e, missed)
	} else {
		v.SetHead(l.id, 0)
		v.Add(-1)
		v.Settle(l.id, l.tick)
		v.Leave()
		l.leaveOthers(h, r, s, &l.subscriber(s).place)
		l.dismiss(h, r, l.name, e, missed)
	}
	l.unrefEntry(e)
}

// unrefEntry gives back the entry's reference to its message.
func (l *Loop) unrefEntry(e *hub.Entry) {
	if e.Msg != 0 && !plant.Is(plant.LostReference) {
		l.hub.Unref(e.Msg)
	}
}

// stays reports whether a held connection goes on being held when it is given
// a message: it is a stream, or has a send outstanding.
func (l *Loop) stays(r *conn) bool { return r.mode().Streams() || r.busy() }

// dismiss gives a connection that was held, and is no more, what the entry
// brings. l.msgs are the messages before it, numbered from missed on, if that
// is not 0.
func (l *Loop) dismiss(h uint32, r *conn, name []byte, e *hub.Entry, missed uint64) {
	plant.Spin()
	l.n.delivered++
	if missed != 0 {
		l.makeUp(h, r, name, missed)
		return
	}
	l.answer(h, r, l.message(name, e.Seq, e.Msg))
}

// due reports whether the subscriber still wants message number seq.
func (l *Loop) due(x *subscriber, seq uint64) bool {
	return seq >= x.wants || plant.Is(plant.DoubleSend)
}

// missed takes into l.msgs what the history holds from number wants on, if a
// message before number seq, which the subscriber is about to get, found the
// inbox full. It returns the number of the first of them, 0 if there is none.
func (l *Loop) missed(v hub.View, wants, seq uint64) (from uint64) {
	if seq <= wants || v.HistoryLen() == 0 {
		return 0
	}
	from, l.msgs = v.From(wants, l.msgs[:0])
	return from
}

// makeUp sends the messages l.msgs, numbered from seq on, to a connection that
// was held and is no more.
func (l *Loop) makeUp(h uint32, r *conn, name []byte, seq uint64) {
	l.n.caughtUp++
	l.composeReplay(name, seq, nil)
	l.answer(h, r, l.body)
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
