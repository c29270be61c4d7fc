package sim

import "slices"

// certainlyHeld says whether somebody is held for certain: a stream in
// every state, or a poll whose message has come in none.
func (m *model) certainlyHeld(c *channelModel) bool {
	return slices.ContainsFunc(c.polls, func(a *ask) bool { return m.certain(c, a) })
}

func (m *model) certain(c *channelModel, a *ask) bool {
	if a.whole == nil || a.done {
		return m.certainOn(c, a)
	}
	// What comes on another channel ends a poll, and may end a stream.
	return !slices.ContainsFunc(a.whole.parts, func(part *ask) bool {
		return !part.done && !m.certainOn(m.channels[part.channel], part)
	})
}

func (m *model) certainOn(c *channelModel, a *ask) bool {
	streams := a.style.streams()
	if a.done || m.w.draining != 0 || !streams && m.w.sweepableNoop(a) || a.sock.timedOut() {
		return false
	}
	for _, p := range c.states {
		o, ok := p.wait[a]
		switch {
		case !ok || o.reply != "" || o.or != "" || o.orNot || o.frozen:
			return false
		case streams && m.mayOverrun(p, a, o):
			return false
		case !streams && (len(p.log) >= o.first || p.cast == castMust || p.cast == castMay):
			return false
		}
	}
	return true
}

// subscribersOf is the least and the most subscribers that a channel may have.
func (m *model) subscribersOf(c *channelModel) (low, high int) {
	for _, a := range c.polls {
		if m.certain(c, a) {
			low++
		}
		if slices.ContainsFunc(c.states, func(p *possible) bool { o, ok := p.wait[a]; return ok && o.reply == "" && !o.frozen }) {
			high++
		}
	}
	return low, high
}

// channelsAlive is the least and the most channels there may be.
func (m *model) channelsAlive() (low, high int) {
	for _, n := range m.w.set.names {
		c := m.channels[n]
		m.settle(c)
		all, any := true, false
		for _, p := range c.states {
			all, any = all && p.alive, any || p.alive
		}
		if all {
			low++
		}
		if any {
			high++
		}
	}
	return low, high
}
