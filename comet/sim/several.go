package sim

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"c1000k/comet"
)

// An ask of several channels has a part for each, in the client's order. To its
// channel a part is like an ask of its own, but that what it is answered at once
// is promised as bare objects: how the parts make one reply is said here.
//
// Which channel an earlier one of the same ask keeps from being looked at is
// followed channel by channel, not all together: so a reply may be let pass that
// only a combination of what is possible in each rules out.

// parts are the asks that channels know of.
func (a *ask) all() []*ask {
	if len(a.parts) > 0 {
		return a.parts
	}
	return []*ask{a}
}

// answer is what the table's objects are as a reply.
func (a *ask) answer(body string) string {
	if a.whole != nil {
		return strings.TrimSuffix(strings.TrimPrefix(body, "["), "]")
	}
	return a.style.poll(body, false)
}

// refused is what an error is as a reply.
func (a *ask) refused(object string) string {
	if a.whole != nil {
		return object
	}
	return a.style.refused(object)
}

// opening is what a stream begins with before the table's objects.
func (a *ask) opening() string {
	if a.whole != nil {
		return ""
	}
	return a.style.head(false) + a.style.start()
}

// unreached is what becomes of a part where an earlier one was refused.
var unreached = noRoom("not reached")

// subAll is a subscriber of several channels that the server has just read.
func (m *model) subAll(a *ask) {
	mayRefuse, mayPass := false, true
	for _, part := range a.parts {
		refuses, passes := m.subPart(part, mayRefuse, mayPass)
		mayRefuse, mayPass = mayRefuse || refuses, mayPass && passes
	}
}

// subPart is a part's channel in its turn: those before it may have refused the
// ask, or may have let it pass. The result is the same with it.
func (m *model) subPart(part *ask, mayRefuse, mayPass bool) (refuses, passes bool) {
	c := m.channels[part.channel]
	m.settle(c)
	if !mayPass {
		for _, p := range c.states {
			p.wait[part] = unreached
		}
		c.polls = append(c.polls, part)
		return false, true
	}
	var dead []*possible // as they are where it was not reached, and does not make the channel
	lastUse, newest := c.lastUse, m.w.nextID
	if mayRefuse && !m.w.set.config.TokenAuth {
		for _, p := range c.states {
			if !p.alive {
				q := p.clone()
				q.wait[part] = unreached
				dead = append(dead, q)
			}
		}
	}
	m.sub(part)
	for _, p := range c.states {
		o := p.wait[part]
		refuses = refuses || o.refused || o.or != ""
		passes = passes || !o.refused
		o.orNot = mayRefuse && (!p.alive || p.instance <= newest) // the channel is as it was
		p.wait[part] = o
	}
	if mayRefuse {
		c.states, c.lastUse = append(c.states, dead...), lastUse
	}
	m.compact(c)
	return refuses, passes
}

var (
	objectForm = regexp.MustCompile(`\{"type":"(\w+)","cname":"((?:[^"\\]|\\.)*)","seq":(-?\d+),"content":"(?:[^"\\]|\\.)*"\}`)
	refusals   = [][2]string{{"401", "Token error"}, {"429", "Too many channels"}, {"429", "Too many subscribers"}}
)

// partOf is the part whose channel has that name, as it stands in objects.
func (a *ask) partOf(escaped string) *ask {
	for _, part := range a.parts {
		if escape(part.channel) == escaped {
			return part
		}
	}
	return nil
}

// refusedFor is the part in whose name a reply refuses the ask, and the object
// that says so; nil if it does not.
func (m *model) refusedFor(a *ask, reply string) (of *ask, said string) {
	for _, part := range a.parts {
		for _, r := range refusals {
			if said = object(r[0], part.channel, 0, r[1]); reply == a.style.refused(said) {
				return part, said
			}
		}
	}
	return nil, ""
}

// observeAll holds the reply to a poll of several channels against what was
// promised of each: an error in the name of one; or what one says late, as if it
// was alone; or what some say at once.
func (m *model) observeAll(a *ask, reply string) {
	if of, said := m.refusedFor(a, reply); of != nil {
		m.observeRefusal(a, of, said, reply)
		return
	}
	groups := map[*ask]string{}
	var order []*ask
	for _, found := range objectForm.FindAllStringSubmatch(reply, -1) {
		part := a.partOf(found[2])
		if part == nil {
			m.w.fail("%v: an object of another channel in\n%q", a, reply)
		}
		if groups[part] != "" {
			groups[part] += ","
		} else {
			order = append(order, part)
		}
		groups[part] += found[0]
	}
	if !slices.IsSortedFunc(order, func(p, q *ask) int { return slices.Index(a.parts, p) - slices.Index(a.parts, q) }) {
		m.w.fail("%v: channels in another order than asked:\n%q", a, reply)
	}
	var said []string
	for _, part := range order {
		said = append(said, groups[part])
	}
	if a.held {
		m.w.count("several_late")
	} else {
		m.w.count("several_at_once")
	}
	body := "[" + strings.Join(said, ",") + "]"
	if len(order) == 1 && strings.HasPrefix(body, `[{"type":"next_seq"`) {
		body = body[1 : len(body)-1]
	}
	atOnce := reply == a.style.poll(body, false)
	for _, part := range a.parts {
		c := m.channels[part.channel]
		m.settle(c)
		masked, mark, of := m.markOf(part, groups[part])
		alone := len(order) == 1 && groups[part] != ""
		m.filter(c, func(p *possible) bool {
			o, ok := p.wait[part]
			switch {
			case !ok || o.refused || mark != "" && !of.may(o.instance, mark):
				return false
			case o.reply != "":
				return atOnce && masked == o.reply
			}
			return groups[part] == "" || alone && m.legalLate(c, p, part, o, reply)
		}, "%v: the reply is not legal on %q:\n%q", a, c.name, reply)
		m.learn(c, part, mark, of)
		m.drop(c, part)
	}
	a.done = true
}

// observeRefusal holds an error in the name of one channel against what is
// possible: those before it let the client in, those after it were not looked at.
func (m *model) observeRefusal(a, by *ask, said, reply string) {
	m.w.count("several_refused")
	before := true
	for _, part := range a.parts {
		c := m.channels[part.channel]
		m.settle(c)
		m.filter(c, func(p *possible) bool {
			o, ok := p.wait[part]
			switch {
			case !ok:
				return false
			case part == by:
				return o.refused && o.reply == said || o.or == said
			case before:
				return !o.refused
			}
			return o.orNot || o.equal(unreached)
		}, "%v: it may not be refused so, says %q:\n%q", a, c.name, reply)
		before = before && part != by
		m.drop(c, part)
	}
	a.done = true
}

// drop forgets an ask that has its answer.
func (m *model) drop(c *channelModel, a *ask) {
	for _, p := range c.states {
		delete(p.wait, a)
	}
	m.compact(c)
	m.forget(c, a)
}

// piece is one object of a stream.
type piece struct {
	part       *ask
	id         string // of an event; empty is none
	kind       string
	seq        int
	object     string
	hasID, sse bool
}

// pieces takes the frames of a stream apart.
func (m *model) pieces(a *ask, text string) (list []piece) {
	whole := text
	for text != "" {
		var payload string
		if a.style.minor == 1 {
			size, rest, _ := strings.Cut(text, "\r\n")
			n, err := strconv.ParseUint(size, 16, 31)
			if err != nil || len(rest) < int(n)+2 {
				m.w.fail("%v: no chunk: %q in\n%q", a, text, whole)
			}
			payload, text = rest[:n], rest[n+2:]
		} else {
			last := "\n"
			if a.style.mode == "sse" {
				last = "\n\n"
			}
			end := strings.Index(text, last) + len(last)
			payload, text = text[:end], text[end:]
		}
		found := objectForm.FindStringSubmatch(payload)
		if found == nil {
			m.w.fail("%v: no object in %q", a, payload)
		}
		p := piece{part: a.partOf(found[2]), kind: found[1], object: found[0], sse: a.style.mode == "sse"}
		p.seq, _ = strconv.Atoi(found[3])
		if p.sse {
			p.id, p.hasID = strings.CutPrefix(strings.TrimSuffix(payload, "data: "+p.object+"\n\n"), "id: ")
			p.id = strings.TrimSuffix(p.id, "\n")
		}
		if p.part == nil {
			m.w.fail("%v: an object of another channel: %q", a, payload)
		}
		list = append(list, p)
	}
	return list
}

// hearAll holds a piece of a stream of several channels, which is one send,
// against what each of them may have in it.
func (m *model) hearAll(a *ask, text string) (over bool) {
	if !a.begun {
		if of, said := m.refusedFor(a, text); of != nil {
			m.observeRefusal(a, of, said, text)
			return true
		}
		var ok bool
		if text, ok = strings.CutPrefix(text, a.style.head(false)+a.style.start()); !ok {
			m.w.fail("%v: it does not begin as it must:\n%q", a, text)
		}
	}
	frames, ended := text, false
	if a.style.minor == 1 {
		frames, ended = strings.CutSuffix(text, a.style.last())
	}
	list := m.pieces(a, frames)
	if len(list) == 1 && list[0].kind == "noop" {
		if m.w.draining == comet.FarewellNoop && (ended || a.style.minor == 0) && m.dismissed(a, frames) {
			return true
		}
		m.hearNoop(a, frames)
		return false
	}
	texts := map[*ask]string{}
	left := 0
	for _, part := range a.parts {
		if !part.done {
			left++
		}
	}
	for i, p := range list {
		// A drain says the close of all: what it ends is resumed by the id before.
		final := p.kind == "close" && (left == 1 && i == len(list)-1 || m.w.draining != 0 && list[0].kind == "close" && left == len(list)-i)
		m.identify(a, p, final)
		id := noID
		switch {
		case p.kind == "close":
			left--
			m.w.count("several_closed")
		case p.hasID && p.kind == "next_seq":
			id = p.seq - 1
		case p.hasID:
			id = p.seq
		}
		texts[p.part] += a.style.frame(id, p.object)
		if p.kind == "close" {
			texts[p.part] += a.style.last()
		}
	}
	if over = left == 0; ended != (over && a.style.minor == 1) {
		m.w.fail("%v: %d channels are left, and is it the end? %v:\n%q", a, left, ended, text)
	}
	for _, part := range a.parts {
		if texts[part] != "" || !a.begun {
			m.hearOn(part, texts[part])
		}
	}
	for _, part := range a.parts {
		part.begun = true
	}
	a.begun, a.done = true, over
	return over
}

// dismissed says whether a noop, in the name of the first channel that was not
// closed, can be the one by which a drain ends a stream of several: each must have
// had what there was. If so the stream is over.
func (m *model) dismissed(a *ask, frame string) bool {
	first := a.parts[slices.IndexFunc(a.parts, func(part *ask) bool { return !part.done })]
	if frame != a.style.frame(noID, object("noop", first.channel, a.noop, "")) {
		return false
	}
	for _, part := range a.parts {
		c := m.channels[part.channel]
		m.settle(c)
		if part.done || slices.ContainsFunc(c.states, func(p *possible) bool {
			o, ok := p.wait[part]
			return ok && m.mayDismiss(p.seenBy(o), part, o.first)
		}) {
			continue
		}
		return false
	}
	for _, part := range a.parts {
		if c := m.channels[part.channel]; !part.done {
			m.filter(c, func(p *possible) bool {
				o, ok := p.wait[part]
				return ok && m.mayDismiss(p.seenBy(o), part, o.first)
			}, "%v: it is dismissed before it had all of %q", a, c.name)
			m.drop(c, part)
		}
	}
	a.done = true
	return true
}

// hearNoop is the noop of a stream of several channels: in the name of the first
// that was not closed, counted for all together.
func (m *model) hearNoop(a *ask, frame string) {
	first := a.parts[slices.IndexFunc(a.parts, func(part *ask) bool { return !part.done })]
	if want := a.style.frame(noID, object("noop", first.channel, a.noop, "")); frame != want || !m.w.sweepableNoop(a) {
		m.w.fail("%v: may not have the noop\n%q, but only %q in time", a, frame, want)
	}
	a.noop++
}

// identify holds the id of an event against what the client has had of each
// channel with it, and notes that.
func (m *model) identify(a *ask, p piece, final bool) {
	k := slices.Index(a.parts, p.part)
	switch p.kind {
	case "data", "broadcast":
		a.had[k], a.heard[k] = p.seq, true
	case "close":
		a.had[k], a.heard[k] = 0, true
	case "next_seq":
		if !p.sse || !p.hasID {
			break // it follows a broadcast
		}
		a.had[k], a.heard[k] = p.seq-1, true
	}
	if must := p.kind == "data" || p.kind == "broadcast" || p.kind == "close" && !final; p.sse && must && !p.hasID || p.sse && final && p.hasID {
		m.w.fail("%v: the id %q of an event %s", a, p.id, p.object)
	}
	if !p.hasID {
		return
	}
	m.w.count("several_events")
	ids := strings.Split(p.id, ",")
	for j := range a.parts {
		if j >= len(ids) || len(ids) != len(a.parts) || !m.mayHaveHad(a, j, ids[j]) {
			m.w.fail("%v: the id %q of %s, after %v", a, p.id, p.object, a.had)
		}
	}
}

// mayHaveHad says whether an id may name that number of channel j: the last that
// came, or where nothing has yet, what was asked from or what is not to come.
func (m *model) mayHaveHad(a *ask, j int, id string) bool {
	if a.had[j] == noID && id == "" || id == fmt.Sprint(a.had[j]) && a.had[j] != noID {
		return true
	}
	if a.heard[j] {
		return false
	}
	part := a.parts[j]
	return slices.ContainsFunc(m.channels[part.channel].states, func(p *possible) bool {
		return id == fmt.Sprint(p.wait[part].first-1)
	})
}

// overrunOfAll is a stream of several channels that the service closes since it
// cannot follow one of them.
func (m *model) overrunOfAll(a *ask) {
	for _, part := range a.parts {
		c := m.channels[part.channel]
		m.settle(c)
		if slices.ContainsFunc(c.states, func(p *possible) bool {
			o, ok := p.wait[part]
			return ok && o.reply == "" && m.mayOverrun(p.seenBy(o), part, o)
		}) {
			return
		}
	}
	m.w.fail("%v: the stream is closed, but it could have followed every channel", a)
}

// waitingFor is the most messages that may wait for a part.
func (m *model) waitingFor(a *ask) (most int) {
	for _, p := range m.channels[a.channel].states {
		if o, ok := p.wait[a]; ok {
			most = max(most, len(p.seenBy(o).log)-o.first+1)
		}
	}
	return most
}

// since is when the ask's time begins.
func (a *ask) since(now int64) {
	a.heldAt = now
	for _, part := range a.parts {
		part.heldAt = now
	}
}

// count counts what the simulator came to itself, beside the service's counters.
func (w *world) count(name string) { w.result.Counters[name]++ }

// restyle changes what an ask and its parts are answered in.
func (a *ask) restyle(change func(*style)) {
	change(&a.style)
	for _, part := range a.parts {
		change(&part.style)
	}
}
