package sim

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// observe holds a whole reply against what was promised.
func (m *model) observe(a *ask, reply string) { m.observeOn(m.channels[a.channel], a, reply) }

// observeOn is observe for one of the channels that the ask is about.
func (m *model) observeOn(c *channelModel, a *ask, reply string) {
	m.settle(c)
	masked, mark, of := m.markOf(a, reply)
	m.filter(c, func(p *possible) bool {
		o, ok := p.wait[a]
		switch {
		case !ok || mark != "" && !of.may(o.instance, mark):
			return false
		case o.or != "" && masked == o.or:
			return true
		case o.reply != "":
			return masked == o.reply
		}
		return m.legalLate(c, p, a, o, masked)
	}, "%v: the reply is not legal:\n%q", a, reply)
	m.learn(c, a, mark, of)
	m.drop(c, a)
}

var ackForm = regexp.MustCompile(`"seq":(\d+),"receivers":(\d+)\}`)

// observePush holds the reply to a push against what was promised of each of
// its channels: with ack=1 the message's number in it and who was there.
func (m *model) observePush(a *ask, reply string) {
	texts := map[string]string{} // by channel
	for _, name := range a.targets {
		texts[name] = reply
	}
	if found := ackForm.FindAllStringSubmatch(reply, -1); a.ack && len(found) == len(a.targets) {
		var acks []string
		clear(texts)
		for i, name := range a.targets {
			acks = append(acks, fmt.Sprintf(`{"cname":"%s",%s`, escape(name), found[i][0]))
			texts[name] += "#" + found[i][1]
			if n, _ := strconv.Atoi(found[i][2]); n < a.receivers[i].low || n > a.receivers[i].high {
				m.w.fail("%v: it says that %q had %d receivers, which were %v", a, name, n, a.receivers[i])
			}
		}
		whole := `{"type":"ok","channels":[` + strings.Join(acks, ",") + `]}`
		if reply != a.style.admin("200 OK", typeScript, a.style.wrapped(whole)) {
			m.w.fail("%v: the reply is not legal:\n%q", a, reply)
		}
	}
	for name, text := range texts {
		m.observeOn(m.channels[name], a, text)
	}
}

// legalLate says whether a held ask may get this reply now.
func (m *model) legalLate(c *channelModel, p *possible, a *ask, o outcome, reply string) bool {
	if m.mayDismiss(p.seenBy(o), a, o.first) && reply == a.style.poll(m.farewell(c, o.first, a.noop), false) {
		return true
	}
	if reply == a.style.poll(object("noop", c.name, a.noop, ""), false) {
		return m.w.sweepableNoop(a)
	}
	p = p.seenBy(o)
	closed := o.closed && reply == a.style.poll(object("close", c.name, len(p.log)+1, ""), false)
	if len(p.log) < o.first {
		return closed
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
	oldest := m.oldest(p)
	if closed && o.first < oldest {
		return true
	}
	for upTo := o.first; upTo <= len(p.log); upTo++ {
		q := &possible{log: p.log[:upTo]}
		if m.w.set.config.ChannelBufferSize > 0 && reply == a.style.poll(m.replay(c, q, o.first, ""), false) {
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
	a.held = true
	for _, part := range a.all() {
		if !part.done {
			m.observeHeldOn(part)
		}
	}
}

func (m *model) observeHeldOn(a *ask) {
	c := m.channels[a.channel]
	a.held = true
	m.filter(c, func(p *possible) bool {
		o, ok := p.wait[a]
		return ok && o.reply == ""
	}, "%v: no reply came", a)
	for _, p := range c.states {
		o := p.wait[a]
		o.or, o.orNot = "", false
		p.wait[a] = o
	}
	m.compact(c)
}

// leave forgets an ask whose client went.
func (m *model) leave(a *ask) {
	if a.done {
		return
	}
	if len(a.parts) > 0 {
		for _, part := range a.parts {
			m.leave(part)
		}
		a.done = true
		return
	}
	if a.kind == "psub" || a.kind == "barred" {
		a.done = true
		return
	}
	names := a.targets
	if len(names) == 0 {
		names = []string{a.channel}
	}
	for _, name := range names {
		c := m.channels[name]
		if c == nil || a.kind == "broadcast" || a.kind == "list" {
			a.done = true
			return
		}
		m.settle(c)
		m.drop(c, a)
	}
}

func (m *model) forget(c *channelModel, a *ask) {
	a.done = true
	if i := slices.Index(c.polls, a); i >= 0 {
		c.polls = slices.Delete(c.polls, i, i+1)
		if a.held { // who is refused for its token uses nothing
			c.lastUse = max(c.lastUse, a.sock.loop.began)
		}
	}
}

// atRest is called when nothing moves any more: an ask that still waits must
// have nothing to wait for.
func (m *model) atRest(a *ask) {
	for _, part := range a.all() {
		if !part.done {
			m.atRestOn(part)
		}
	}
}

func (m *model) atRestOn(a *ask) {
	c := m.channels[a.channel]
	m.settle(c)
	m.filter(c, func(p *possible) bool {
		o, ok := p.wait[a]
		return ok && o.reply == "" && !o.frozen && (len(p.log) < o.first || m.mayHaveLost(a))
	}, "%v: everything is at rest and it was not answered", a)
}

// mayHaveLost says that an overflow may have cost a held poll its message:
// there is no history to read again. A stream would be closed.
func (m *model) mayHaveLost(a *ask) bool {
	return !a.style.streams() && m.w.set.storm && m.w.set.config.ChannelBufferSize == 0
}
