package sim

import "strings"

// create makes the channel where it is not. Where there may be no room for it,
// refused is what the ask would get instead.
func (m *model) create(c *channelModel, a *ask, refused string) {
	low, high := 0, 0
	limit := m.w.set.config.Channels
	if limit < len(m.channels) {
		low, high = m.channelsAlive()
	}
	var more []*possible
	for _, p := range c.states {
		if p.alive {
			continue
		}
		switch {
		case low >= limit:
			p.wait[a] = outcome{reply: refused}
			continue
		case high >= limit:
			q := p.clone()
			q.wait[a] = outcome{reply: refused}
			more = append(more, q)
		}
		p.alive, p.log, p.cast = true, nil, castNone
		if m.casting >= 0 {
			p.cast = castMay
		}
	}
	c.states = append(c.states, more...)
}

// sub is a poll that the server has just read.
func (m *model) sub(a *ask) {
	c := m.channels[a.channel]
	m.settle(c)
	m.create(c, a, a.style.poll(object("429", c.name, 0, "Too many channels"), true))
	low, high := 0, 0
	limit := m.w.set.config.MaxSubscribersPerChannel
	if limit > 0 {
		low, high = m.subscribersOf(c)
	}
	full := a.style.poll(object("429", c.name, 0, "Too many subscribers"), true)
	for _, p := range c.states {
		if _, refused := p.wait[a]; refused {
			continue
		}
		if limit > 0 && low >= limit {
			p.wait[a] = outcome{reply: full}
			continue
		}
		o := m.tabled(c, p, a)
		if limit > 0 && high >= limit {
			o.or = full
		}
		p.wait[a] = o
	}
	c.lastUse = m.w.callTime
	c.polls = append(c.polls, a)
	m.compact(c)
}

// tabled is the sequence table.
func (m *model) tabled(c *channelModel, p *possible, a *ask) outcome {
	next := len(p.log) + 1
	history := min(len(p.log), m.w.set.config.ChannelBufferSize)
	switch {
	case a.seq == 0 || a.seq > next:
		return outcome{reply: a.style.poll(object("next_seq", c.name, next, ""), false)}
	case a.seq == next || history == 0:
		return outcome{first: next}
	}
	return outcome{reply: a.style.poll(m.replay(c, p, a.seq), false)}
}

// replay is the history from seq on.
func (m *model) replay(c *channelModel, p *possible, seq int) string {
	oldest := len(p.log) - min(len(p.log), m.w.set.config.ChannelBufferSize) + 1
	var objects []string
	for n := max(seq, oldest); n <= len(p.log); n++ {
		objects = append(objects, m.messages[p.log[n-1]].objects(c.name, n))
	}
	return "[" + strings.Join(objects, ",") + "]"
}

