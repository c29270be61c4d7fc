package comet

import (
	"slices"

	"c1000k/comet/internal/plant"
	"c1000k/comet/wire"
)

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
		if r.state != stateHeld || r.watches() {
			continue
		}
		if l.lookAtAll(h, r) {
			sent++
		}
		looks += len(l.order) - 1 // at its other channels
	}
	return sent + looks/looksPerSend
}

// lookAtAll is lookAt with no regard to marks.
func (l *Loop) lookAtAll(h uint32, r *conn) bool {
	if r.several() {
		for s := l.first(h, r); s != 0; s = l.after(s) {
			l.subscription(s).behind = true
		}
	}
	return l.lookAt(h, r)
}

// lookAt gives a held connection what its channel has for it, and last of all
// that it was closed. Of several channels it looks at those that are marked: what
// others have is on its way by the inbox, and a history may hold it no more. A
// poll is given what the first of them has, a stream all, as far as one reply
// brings it. The result is whether there was anything. A connection that has a
// send outstanding is looked at again when that is over.
func (l *Loop) lookAt(h uint32, r *conn) bool {
	l.begin()
	if l.lookInto(h, r) {
		return true
	}
	if len(l.reply) == 0 {
		return false
	}
	l.sendReply(h, r)
	return true
}

// inTurn is l.order, the subscribers of a held connection. Which comes first
// changes when one reply did not bring all: some channel may always have enough for
// one, and the others shall come first at other times.
func (l *Loop) inTurn(h uint32, r *conn) []uint32 {
	l.order = l.order[:0]
	for s := l.first(h, r); s != 0; s = l.after(s) {
		l.order = append(l.order, s)
	}
	if n := uint32(len(l.order)); n > 1 {
		k := l.orders % n
		slices.Reverse(l.order[:k])
		slices.Reverse(l.order[k:])
		slices.Reverse(l.order)
	}
	return l.order
}

// lookInto is lookAt into l.reply, which is not sent yet where the result is
// false. What waits for the connection's sends comes before what a history has: a
// channel of which something does stays marked.
func (l *Loop) lookInto(h uint32, r *conn) (over bool) {
	if !r.busy() {
		r.flags &^= flagBehind
	}
	streams := r.mode().Streams()
	for _, s := range l.inTurn(h, r) {
		x := l.subscriber(s)
		if s&severalBit != 0 {
			y := l.subscription(s)
			if !y.behind || y.channel == 0 { // or it was told that this one is closed
				continue
			}
			if streams && !r.busy() && (y.waiting > 0 || l.room <= 0) {
				r.flags |= flagBehind
				continue
			}
			y.behind = false
		}
		v := l.hub.Enter(x.channel)
		next, closed := v.Next(), v.Closed() && !plant.Is(plant.LostClose)
		if r.busy() {
			if next > x.wants || closed {
				l.mark(r, s)
			}
			v.Leave()
			continue
		}
		from := l.missed(v, x.wants, next)
		l.name = append(l.name[:0], v.Name()...)
		v.Leave()
		switch {
		case streams && next > x.wants:
			if !l.catchUpStream(h, r, s, l.name, from) {
				return true
			}
			if closed {
				l.mark(r, s)
			}
		case from != 0:
			l.unsubscribe(h, r)
			l.n.delivered++
			l.makeUp(h, r, l.name, from)
			return true
		case closed:
			if l.sayClosed(h, r, s, next) {
				return true
			}
		}
	}
	if l.room <= 0 {
		l.orders++
	}
	return false
}

// sayClosed tells a connection that the channel of its subscriber s, whose name
// is l.name, was closed. It is held no more then, but where it is a stream of
// other channels too: this is said in l.reply then, and the result is false.
func (l *Loop) sayClosed(h uint32, r *conn, s uint32, next uint64) (over bool) {
	if r.mode().Streams() {
		if _, n := l.firstHeld(h, r); n > 1 {
			l.leave(s)
			l.subscriber(s).wants = 1 // of what comes by that name later it has had nothing
			l.esc = wire.AppendEscaped(l.esc[:0], l.name)
			l.body = wire.AppendObject(l.body[:0], wire.KindClose, l.esc, int64(next), nil)
			l.appendFrame(r, s, 0)
			return false
		}
		if len(l.reply) > 0 {
			l.mark(r, s) // what is in it goes first
			return false
		}
	}
	l.unsubscribe(h, r)
	l.sayEnd(h, r, l.name, wire.KindClose, int64(next))
	return true
}
