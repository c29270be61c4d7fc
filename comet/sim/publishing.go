package sim

import (
	"fmt"
	"time"
)

// push is a message that the server has just read. A push with ack=1 is
// promised its numbers: see observePush.
func (m *model) push(a *ask) {
	refused := a.style.admin("429 Too Many Channels", "", "")
	ok := a.style.admin("200 OK", typeScript, a.style.wrapped(`{"type":"ok"}`))
	for _, name := range a.targets {
		c := m.channels[name]
		m.settle(c)
		m.create(c, a, refused)
		low, high := m.subscribersOf(c)
		a.receivers = append(a.receivers, span{low, high})
		for _, p := range c.states {
			o := p.wait[a]
			if o.refused {
				continue
			}
			p.log = append(p.log, a.message)
			if o.reply, o.instance = o.reply+fmt.Sprintf("#%d", len(p.log)), p.instance; !a.ack {
				o.reply = ok
			}
			p.wait[a] = o
		}
		c.lastUse = m.w.callTime
		m.compact(c)
		m.noteBehind(c)
	}
}

// sign asks for a channel's token, and makes the channel where it is not.
func (m *model) sign(a *ask) {
	c := m.channels[a.channel]
	m.settle(c)
	m.create(c, a, a.style.admin("429 Too Many Channels", "", ""))
	cfg := &m.w.set.config
	lives := cfg.ChannelTimeout
	if a.expires > 0 {
		lives = time.Duration(a.expires) * time.Second
	}
	const newest = 10
	for _, p := range c.states {
		if _, refused := p.wait[a]; refused {
			continue
		}
		body := fmt.Sprintf(`{"type":"sign","cname":"%s","seq":%d,"token":"%s","expires":%d,"sub_timeout":%d}`,
			escape(c.name), len(p.log)+1-min(m.history(p), newest), tokenMask, int(lives.Seconds()), int(cfg.PollingTimeout.Seconds()))
		o := whole(a.style.admin("200 OK", typeHTML, a.style.wrapped(body)))
		o.instance = p.instance
		p.wait[a] = o
	}
	// It sets the time that is left, also to less than there was.
	c.lastUse = m.w.callTime + int64(lives-cfg.ChannelTimeout)
	m.compact(c)
}

// end is a close, or a clear.
func (m *model) end(a *ask) {
	c := m.channels[a.channel]
	m.settle(c)
	unknown := whole(a.style.admin("404 Not Found", typeHTML, "channel["+escape(c.name)+"] not connected\n"))
	for i, p := range c.states {
		if !p.alive {
			p.wait[a] = unknown
			continue
		}
		done := whole(a.style.admin("200 OK", typeHTML, fmt.Sprintf("ok %d\n", len(p.log)+1)))
		if a.kind == "close" {
			p = p.gone(true)
			c.states[i] = p
		} else {
			p.base = len(p.log)
		}
		p.wait[a] = done
	}
	if a.kind == "close" {
		m.closes++
	} else {
		c.lastUse = m.w.callTime
	}
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
		p.wait[a] = whole(a.style.admin("200 OK", typeHTML, body))
	}
}
