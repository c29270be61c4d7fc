package sim

import (
	"slices"
	"strings"
)

// What waits for a stream whose send is outstanding: so many messages, whose
// contents are together so long.
const (
	mostPending      = 256
	mostPendingBytes = 1 << 20
)

// hear holds a piece of a stream, which is one send, against what it may get:
// its beginning, then each message once and in order, a noop, or its end.
func (m *model) hear(a *ask, text string) (over bool) {
	if len(a.parts) > 0 {
		return m.hearAll(a, text)
	}
	over = m.hearOn(a, text)
	a.begun = true
	return over
}

// hearOn is hear for a stream of one channel, or what one of several has in the
// piece.
func (m *model) hearOn(a *ask, text string) (over bool) {
	c := m.channels[a.channel]
	m.settle(c)
	masked, mark, of := m.markOf(a, text)
	m.filter(c, func(p *possible) bool {
		o, ok := p.wait[a]
		if !ok || mark != "" && !of.may(o.instance, mark) {
			return false
		}
		if o, ok = m.follow(c, p, a, o, masked); ok {
			p.wait[a] = o
		}
		return ok
	}, "%v: the stream may not have this piece:\n%q", a, text)
	m.learn(c, a, mark, of)
	if over = c.states[0].wait[a].over; over {
		m.drop(c, a)
	}
	m.compact(c)
	return over
}

// follow is what a stream is promised after it got text; false if it may not
// have got that.
func (m *model) follow(c *channelModel, p *possible, a *ask, o outcome, text string) (outcome, bool) {
	if o.reply != "" || o.or != "" && text == o.or { // refused
		o.over = true
		return o, text == o.reply || text == o.or
	}
	o.or, o.orNot = "", false
	text, ok := strings.CutPrefix(text, o.begin)
	if !ok {
		return o, false
	}
	o.begin = ""
	p = p.seenBy(o)
	if m.mayDismiss(p, a, o.first) && text == a.style.frame(noID, m.farewell(c, o.first, o.noop))+a.style.last() {
		o.over = true
		return o, true
	}
	if text == a.style.frame(noID, object("noop", c.name, o.noop, "")) {
		o.noop++
		return o, m.w.sweepableNoop(a)
	}
	end := a.style.frame(noID, object("close", c.name, len(p.log)+1, "")) + a.style.last()
	for text != "" {
		if o.closed && text == end {
			o.over = true
			return o, o.first > len(p.log) || m.mayOverrun(p, a, o)
		}
		if o.first > len(p.log) {
			return o, false
		}
		if text, ok = strings.CutPrefix(text, m.framed(c, p, a, o.first)); !ok {
			return o, false
		}
		o.first++
	}
	// What is replayed comes with the beginning.
	return o, o.first >= o.replayTo
}

// framed is a message as a stream gets it.
func (m *model) framed(c *channelModel, p *possible, a *ask, seq int) string {
	msg := m.messages[p.log[seq-1]]
	if !msg.broadcast {
		return a.style.frame(seq, object("data", c.name, seq, msg.escaped))
	}
	return a.style.frame(seq, object("broadcast", c.name, seq, msg.escaped)) +
		a.style.frame(noID, object("next_seq", c.name, seq+1, ""))
}

// mayOverrun says whether a stream can have lost what it needs: its messages
// did not all find room beside its send or in the inbox, and the history holds
// the next of them no more.
func (m *model) mayOverrun(p *possible, a *ask, o outcome) bool {
	return (a.behind || m.w.set.storm) && o.first < m.oldest(p)
}

// overrun is a stream that the service closes since it cannot follow.
func (m *model) overrun(a *ask) {
	if len(a.parts) > 0 {
		m.overrunOfAll(a)
		return
	}
	c := m.channels[a.channel]
	m.settle(c)
	m.filter(c, func(p *possible) bool {
		o, ok := p.wait[a]
		return ok && o.reply == "" && m.mayOverrun(p.seenBy(o), a, o)
	}, "%v: the stream is closed, but it could have followed", a)
}

// noteBehind looks for streams that have more to get than may wait for a send.
func (m *model) noteBehind(c *channelModel) {
	for _, a := range c.polls { // the list is one for all channels
		if a.whole == nil || !a.style.streams() || !a.begun || a.behind {
			continue
		}
		waiting := 0
		for _, part := range a.whole.parts {
			waiting += m.waitingFor(part)
		}
		if waiting > mostPending {
			for _, part := range a.whole.parts {
				part.behind = true
			}
		}
	}
	if m.w.set.big == 0 && !slices.ContainsFunc(c.states, func(p *possible) bool { return len(p.log) >= mostPending }) {
		return
	}
	for _, a := range c.polls {
		if a.whole != nil || !a.style.streams() || !a.begun || a.behind {
			continue
		}
		for _, p := range c.states {
			if o, ok := p.wait[a]; ok && m.tooMuch(p.seenBy(o).log, o.first) {
				a.behind = true
			}
		}
	}
}

// tooMuch says whether the messages from number first on are more than may wait.
func (m *model) tooMuch(log []int, first int) bool {
	if len(log)-first >= mostPending {
		return true
	}
	bytes := 0
	for n := first; n <= len(log); n++ {
		bytes += len(m.messages[log[n-1]].escaped)
	}
	return bytes > mostPendingBytes
}
