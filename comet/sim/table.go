package sim

import "strings"

// create makes the channel where it is not. Where there may be no room for it,
// refused is what the ask would get instead.
func (m *model) create(c *channelModel, a *ask, refused string) {
	low, high, instance := 0, 0, m.w.id()
	limit := m.w.set.config.Channels
	if limit < len(m.channels)+m.closes {
		low, high = m.channelsAlive()
		high += m.closes
	}
	var more []*possible
	for _, p := range c.states {
		if p.alive {
			continue
		}
		switch {
		case low >= limit:
			p.wait[a] = noRoom(refused)
			continue
		case high >= limit:
			q := p.clone()
			q.wait[a] = noRoom(refused)
			more = append(more, q)
		}
		p.alive, p.instance, p.log, p.base, p.cast = true, instance, nil, 0, castNone
		if m.casting >= 0 {
			p.cast = castMay
		}
	}
	c.states = append(c.states, more...)
}

// admit lets in a subscriber that shows the channel's token.
func (m *model) admit(c *channelModel, a *ask) {
	refused := noRoom(a.style.refused(object("401", c.name, 0, "Token error")))
	var more []*possible
	for _, p := range c.states {
		fits, sure := false, true
		if p.alive {
			fits, sure = m.tokens.verdict(p.instance, a.token)
		}
		switch {
		case !sure:
			q := p.clone()
			q.wait[a] = refused
			more = append(more, q)
		case !fits:
			p.wait[a] = refused
		}
	}
	c.states = append(c.states, more...)
}

// sub is a subscriber that the server has just read.
func (m *model) sub(a *ask) {
	c := m.channels[a.channel]
	m.settle(c)
	if m.w.set.config.TokenAuth {
		m.admit(c, a) // the channel is in use only if it does
	} else {
		m.create(c, a, a.style.refused(object("429", c.name, 0, "Too many channels")))
		c.lastUse = m.w.callTime
	}
	low, high := 0, 0
	limit := m.w.set.config.MaxSubscribersPerChannel
	if limit > 0 {
		low, high = m.subscribersOf(c)
	}
	full := noRoom(a.style.refused(object("429", c.name, 0, "Too many subscribers")))
	var more []*possible
	for _, p := range c.states {
		if _, refused := p.wait[a]; refused {
			continue
		}
		if limit > 0 && low >= limit {
			p.wait[a] = full
			continue
		}
		fits, sure := true, true
		if a.epoch != "" {
			fits, sure = m.epochs.verdict(p.instance, a.epoch)
		}
		o := m.tabled(c, p, a, !fits && sure)
		if !sure {
			q := p.clone()
			q.wait[a] = m.orFull(m.tabled(c, p, a, true), high, full)
			more = append(more, q)
		}
		p.wait[a] = m.orFull(o, high, full)
	}
	c.states = append(c.states, more...)
	c.polls = append(c.polls, a)
	m.compact(c)
}

// orFull adds to an outcome that there may be no room.
func (m *model) orFull(o outcome, high int, full outcome) outcome {
	if limit := m.w.set.config.MaxSubscribersPerChannel; limit > 0 && high >= limit {
		o.or = full.reply
	}
	return o
}

// tabled is the sequence table; foreign says that the client comes from
// another instance of the channel, so that all of this one is new to it.
func (m *model) tabled(c *channelModel, p *possible, a *ask, foreign bool) outcome {
	next := len(p.log) + 1
	seq, epoch := a.seq, ""
	if foreign {
		seq = -1
		if m.history(p) == 0 {
			seq = 0
		}
	}
	if a.gap {
		epoch = epochMask
	}
	o := outcome{promise: promise{first: next, instance: p.instance, noop: a.noop}}
	var objects string // before the messages
	id := noID
	switch {
	case seq == 0 || seq > next:
		objects = object("next_seq", c.name, next, epoch)
		o.reply, id = a.style.poll(objects, false), next-1
	case seq != next && m.history(p) > 0:
		o.first = max(seq, m.oldest(p))
		if a.gap && (o.first > max(seq, 1) || foreign) {
			objects = object("gap", c.name, o.first, epoch)
		}
		o.reply = a.style.poll(m.replay(c, p, o.first, objects), false)
	}
	if a.style.streams() {
		o.reply, o.replayTo = "", next
		o.begin = a.style.head(false) + a.style.start()
		if objects != "" {
			o.begin += a.style.frame(id, objects)
		}
	}
	return o
}

// replay is the history from seq on, behind another object if there is one.
func (m *model) replay(c *channelModel, p *possible, seq int, before string) string {
	var objects []string
	if before != "" {
		objects = append(objects, before)
	}
	for n := max(seq, m.oldest(p)); n <= len(p.log); n++ {
		objects = append(objects, m.messages[p.log[n-1]].objects(c.name, n))
	}
	return "[" + strings.Join(objects, ",") + "]"
}
