package sim

import "slices"

// observe holds a whole reply against what was promised.
func (m *model) observe(a *ask, reply string) {
	c := m.channels[a.channel]
	m.settle(c)
	m.filter(c, func(p *possible) bool {
		o, ok := p.wait[a]
		switch {
		case !ok:
			return false
		case o.or != "" && reply == o.or:
			return true
		case o.reply != "":
			return reply == o.reply
		}
		return m.legalLate(c, p, a, o, reply)
	}, "%v: the reply is not legal:\n%q", a, reply)
	for _, p := range c.states {
		delete(p.wait, a)
	}
	m.compact(c)
	m.forget(c, a)
}

// legalLate says whether a held ask may get this reply now.
func (m *model) legalLate(c *channelModel, p *possible, a *ask, o outcome, reply string) bool {
	if reply == a.style.poll(object("noop", c.name, a.noop, ""), false) {
		return m.w.sweepableNoop(a)
	}
	if o.frozen {
		p = &possible{log: o.log}
	}
	if len(p.log) < o.first {
		return false
	}
	live := func(n int) string {
		return a.style.poll(m.messages[p.log[n-1]].live(c.name, n), false)
	}
	if reply == live(o.first) {
		return true
	}
	if !m.w.set.storm {
		return false
	}
	// The inbox overflowed. What the history still held for the poll at any
	// time since is its due; if it held nothing, the next message.
	oldest := len(p.log) - min(len(p.log), m.w.set.config.ChannelBufferSize) + 1
	for upTo := o.first; upTo <= len(p.log); upTo++ {
		q := &possible{log: p.log[:upTo]}
		if m.w.set.config.ChannelBufferSize > 0 && reply == a.style.poll(m.replay(c, q, o.first), false) {
			return true
		}
	}
	for n := o.first + 1; n <= len(p.log) && o.first < oldest; n++ {
		if reply == live(n) {
			return true
		}
	}
	return false
}

// observeHeld notes that an ask got no reply when it was read.
func (m *model) observeHeld(a *ask) {
	c := m.channels[a.channel]
	a.held = true
	m.filter(c, func(p *possible) bool {
		o, ok := p.wait[a]
		return ok && o.reply == ""
	}, "%v: no reply came", a)
	for _, p := range c.states {
		o := p.wait[a]
		o.or = ""
		p.wait[a] = o
	}
	m.compact(c)
}

// leave forgets an ask whose client went.
func (m *model) leave(a *ask) {
	if a.done {
		return
	}
	c := m.channels[a.channel]
	if c == nil {
		a.done = true
		return
	}
	m.settle(c)
	for _, p := range c.states {
		delete(p.wait, a)
	}
	m.forget(c, a)
	m.compact(c)
}

func (m *model) forget(c *channelModel, a *ask) {
	a.done = true
	if i := slices.Index(c.polls, a); i >= 0 {
		c.polls = slices.Delete(c.polls, i, i+1)
		c.lastUse = max(c.lastUse, a.sock.loop.began)
	}
}

// atRest is called when nothing moves any more: an ask that still waits must
// have nothing to wait for.
func (m *model) atRest(a *ask) {
	c := m.channels[a.channel]
	m.settle(c)
	m.filter(c, func(p *possible) bool {
		o, ok := p.wait[a]
		return ok && o.reply == "" && !o.frozen && (len(p.log) < o.first || m.mayHaveLost(p))
	}, "%v: everything is at rest and it was not answered", a)
}

// mayHaveLost says that an overflow may have cost a held poll its message:
// there is no history to read again.
func (m *model) mayHaveLost(*possible) bool {
	return m.w.set.storm && m.w.set.config.ChannelBufferSize == 0
}

