package comet

import (
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
		if l.lookAt(h, r) {
			sent++
		}
	}
	return sent + looks/looksPerSend
}

// lookAt gives a held connection what its channel has for it, and last of all
// that the channel was closed. It reports whether there was anything. One that
// has a send outstanding is looked at again when that is over.
func (l *Loop) lookAt(h uint32, r *conn) bool {
	v := l.hub.Enter(r.channel)
	next, closed := v.Next(), v.Closed() && !plant.Is(plant.LostClose)
	if r.busy() {
		if next > r.next || closed {
			r.flags |= flagBehind
		}
		v.Leave()
		return false
	}
	from := l.missed(v, r, next)
	l.name = append(l.name[:0], v.Name()...)
	v.Leave()
	streams := r.mode().Streams()
	switch {
	case streams && next > r.next:
		l.catchUpStream(h, r, l.name, from)
		if closed && r.state == stateHeld {
			r.flags |= flagBehind
		}
	case from != 0:
		l.unsubscribe(h, r)
		l.n.delivered++
		l.makeUp(h, r, l.name, from)
	case closed:
		l.unsubscribe(h, r)
		l.sayEnd(h, r, l.name, wire.KindClose, int64(next))
	default:
		return false
	}
	return true
}
