package sim

import "slices"

// certainlyHeld says whether a poll is held for certain: in every state one
// waits for a message that has not come.
func (m *model) certainlyHeld(c *channelModel) bool {
	return slices.ContainsFunc(c.polls, func(a *ask) bool { return m.certain(c, a) })
}

func (m *model) certain(c *channelModel, a *ask) bool {
	if a.done || m.w.sweepableNoop(a) {
		return false
	}
	for _, p := range c.states {
		o, ok := p.wait[a]
		if !ok || o.reply != "" || o.or != "" || o.frozen || len(p.log) >= o.first || p.cast == castMust || p.cast == castMay {
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
		if slices.ContainsFunc(c.states, func(p *possible) bool { o, ok := p.wait[a]; return ok && o.reply == "" }) {
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

