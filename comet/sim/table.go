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
		p.alive, p.instance, p.log, p.base, p.cast, p.own = true, instance, nil, 0, castNone, nil
		if m.casting >= 0 {
			p.cast = castMay
		}
	}
	c.states = append(c.states, more...)
}

// admit refuses a subscriber that does not show the channel's token. doubtful
// are the states of which that is not known; there it may be refused.
func (m *model) admit(c *channelModel, a *ask, refused outcome) (doubtful map[*possible]bool) {
	doubtful = map[*possible]bool{}
	for _, p := range c.states {
		fits, sure := false, true
		if p.alive {
			fits, sure = p.verdict(m.tokens, a.token)
		}
		switch {
		case !sure:
			doubtful[p] = true
		case !fits:
			p.wait[a] = refused
		}
	}
	return doubtful
}

// sub is a subscriber of one channel that the server has just read, or a part of
// one of several.
func (m *model) sub(a *ask) {
	c := m.channels[a.channel]
	m.settle(c)
	var doubtful map[*possible]bool
	stranger := noRoom(a.refused(object("401", c.name, 0, "Token error")))
	if m.w.set.config.TokenAuth {
		doubtful = m.admit(c, a, stranger) // the channel is in use only if it does
	} else {
		m.create(c, a, a.refused(object("429", c.name, 0, "Too many channels")))
		c.lastUse = m.w.callTime
	}
	low, high := 0, 0
	limit := m.w.set.config.MaxSubscribersPerChannel
	if limit > 0 {
		low, high = m.subscribersOf(c)
	}
	full := noRoom(a.refused(object("429", c.name, 0, "Too many subscribers")))
	var more []*possible
	for _, p := range c.states {
		if _, refused := p.wait[a]; refused {
			continue
		}
		if limit > 0 && low >= limit {
			if p.wait[a] = full; doubtful[p] {
				p.wait[a] = full.orElse(stranger.reply)
			}
			continue
		}
		instead := "" // another legal reply
		if limit > 0 && high >= limit {
			instead = full.reply
		}
		if doubtful[p] && instead == "" {
			instead = stranger.reply
		} else if doubtful[p] {
			q := p.split(a.token)
			q.wait[a] = stranger
			more = append(more, q)
		}
		fits, sure := true, true
		if a.epoch != "" && a.gap && a.seq != 0 {
			fits, sure = p.verdict(m.epochs, a.epoch)
		}
		o := m.tabled(c, p, a, !fits && sure)
		if !sure {
			q := p.split(a.epoch)
			q.wait[a] = m.tabled(c, p, a, true).orElse(instead)
			more = append(more, q)
		}
		p.wait[a] = o.orElse(instead)
	}
	c.states = append(c.states, more...)
	c.polls = append(c.polls, a)
	m.compact(c)
}

// orElse is the outcome where another reply is as legal.
func (o outcome) orElse(reply string) outcome {
	o.or = reply
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
		o.reply, id = a.answer(objects), next-1
	case seq != next && m.history(p) > 0:
		o.first = max(seq, m.oldest(p))
		if a.gap && (o.first > max(seq, 1) || foreign) {
			objects = object("gap", c.name, o.first, epoch)
		}
		o.reply = a.answer(m.replay(c, p, o.first, objects))
	}
	if a.style.streams() {
		o.reply, o.replayTo = "", m.streamReplay(c, p, a, o.first)
		o.begin = a.opening()
		if objects != "" {
			o.begin += a.style.frame(id, objects)
		}
	}
	return o
}

// replay is the history from seq on, behind another object if there is one, as
// far as one reply brings it.
func (m *model) replay(c *channelModel, p *possible, seq int, before string) string {
	var objects []string
	if before != "" {
		objects = append(objects, before)
	}
	length := len("[") + len(before) // and a comma behind it
	if before != "" {
		length++
	}
	for n := max(seq, m.oldest(p)); n <= len(p.log); n++ {
		objects = append(objects, m.messages[p.log[n-1]].objects(c.name, n))
		if length += len(objects[len(objects)-1]); length >= replayBytes {
			break
		}
		length += len(",")
	}
	return "[" + strings.Join(objects, ",") + "]"
}

// replayBytes is where a replay is cut off, behind the message that reaches it.
const replayBytes = 1 << 20

// streamReplay is the number after those that a stream's beginning brings.
func (m *model) streamReplay(c *channelModel, p *possible, a *ask, seq int) int {
	for length := 0; seq <= len(p.log) && length < replayBytes; seq++ {
		length += len(m.framed(c, p, a, seq))
	}
	return seq
}
