package comet

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

// lookAt gives a held connection what its channel has for it, and reports
// whether that was anything.
func (l *Loop) lookAt(h uint32, r *conn) bool {
	v := l.hub.Enter(r.channel)
	next, closed := v.Next(), v.Closed()
	if r.busy() && !closed {
		if next > r.next {
			r.flags |= flagBehind
		}
		v.Leave()
		return false
	}
	from := uint64(0)
	if !r.busy() {
		from = l.missed(v, r, next)
	}
	l.name = append(l.name[:0], v.Name()...)
	v.Leave()
	switch {
	case closed:
		l.unsubscribe(h, r)
		l.sayClosed(h, r, l.name, next, from)
	case r.mode().Streams():
		if next == r.next {
			return false
		}
		l.catchUpStream(h, r, l.name, from)
	case from != 0:
		l.unsubscribe(h, r)
		l.n.delivered++
		l.makeUp(h, r, l.name, from)
	default:
		return false
	}
	return true
}
