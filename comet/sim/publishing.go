package sim

// push is a message that the server has just read.
func (m *model) push(a *ask) {
	c := m.channels[a.channel]
	m.settle(c)
	m.create(c, a, a.style.admin("429 Too Many Channels", "", ""))
	body := `{"type":"ok"}` + "\n"
	if a.style.cb != "" {
		body = a.style.cb + `({"type":"ok"});` + "\n"
	}
	ok := a.style.admin("200 OK", "text/javascript; charset=utf-8", body)
	for _, p := range c.states {
		if _, refused := p.wait[a]; !refused {
			p.log = append(p.log, a.message)
			p.wait[a] = outcome{reply: ok}
		}
	}
	c.lastUse = m.w.callTime
	m.compact(c)
}

// broadcast begins one; castEnd ends it.
func (m *model) broadcast(a *ask) {
	for _, n := range m.w.set.names {
		c := m.channels[n]
		m.settle(c)
		for _, p := range c.states {
			p.cast = castNone
			if p.alive {
				p.cast = castMust
			}
		}
	}
	m.casting = a.message
}

func (m *model) castEnd() {
	for _, n := range m.w.set.names {
		c := m.channels[n]
		m.settle(c)
		kept := c.states[:0:0]
		for _, p := range c.states {
			if p.cast == castMust {
				continue // settle has made the state in which it came
			}
			p.cast = castNone
			kept = append(kept, p)
		}
		c.states = kept
		m.compact(c)
	}
	m.casting = -1
}

// check is a question whether a channel exists.
func (m *model) check(a *ask) {
	c := m.channels[a.channel]
	m.settle(c)
	for _, p := range c.states {
		body := "{}\n"
		if p.alive {
			body = `{"` + escape(c.name) + `": 1}` + "\n"
		}
		p.wait[a] = outcome{reply: a.style.admin("200 OK", "text/html; charset=utf-8", body)}
	}
}

