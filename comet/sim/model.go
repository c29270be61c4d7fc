package sim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The model is what the protocol promises and nothing else: a channel is a
// list of messages, a poll waits for the next of them.

// ask is one request as the model sees it.
type ask struct {
	id    int
	style style
	// kind is sub, push, broadcast, info, check or bad.
	kind    string
	channel string
	seq     int // of a sub
	noop    int
	message int // of a push or broadcast

	sock      *socket
	end       int   // the request's last byte, counted over the connection
	taken     bool  // the server has all of it and its turn came
	done      bool  // answered, or nobody waits for the answer any more
	heldAt    int64 // when it was taken
	held      bool  // no reply came in the turn in which it was taken
	low, high int   // info: the number of subscribers is between them
}

// outcome is what becomes of an ask.
type outcome struct {
	reply string // the whole reply; empty if the ask is held
	first int    // held: the number of the first message that it is to get
	or    string // another whole reply that is as legal; empty if there is none
	// log is the channel's list as it was when the channel expired, for an ask
	// that was served before and whose reply is not yet seen.
	log    []int
	frozen bool
}

func (o outcome) equal(q outcome) bool {
	return o.reply == q.reply && o.first == q.first && o.or == q.or && o.frozen == q.frozen && slices.Equal(o.log, q.log)
}

// cast is how far the one broadcast under way has come with a channel.
type cast uint8

const (
	castNone cast = iota
	castMust      // it was there when the broadcast began: it will come
	castMay       // it came into being meanwhile: it may come
	castDone
)

// possible is one state in which a channel may be.
type possible struct {
	alive bool
	log   []int // messages by number, from 1
	cast  cast
	wait  map[*ask]outcome // what is promised to asks not yet answered
}

func (p *possible) clone() *possible {
	return &possible{alive: p.alive, log: slices.Clone(p.log), cast: p.cast, wait: maps.Clone(p.wait)}
}

// expired is the state after the channel was freed.
func (p *possible) expired() *possible {
	q := &possible{wait: maps.Clone(p.wait)}
	for a, o := range q.wait {
		if o.reply == "" && !o.frozen {
			o.log, o.frozen = slices.Clone(p.log), true
			q.wait[a] = o
		}
	}
	return q
}

func (p *possible) equal(q *possible) bool {
	return p.alive == q.alive && p.cast == q.cast && slices.Equal(p.log, q.log) && maps.EqualFunc(p.wait, q.wait, outcome.equal)
}

// channelModel is a channel: every state that is still possible.
type channelModel struct {
	name   string
	states []*possible
	// lastUse is when the channel was last in use for certain.
	lastUse int64
	polls   []*ask // that may be held, in the order they came
}

// maxStates is how many states may be possible at once; more means that the
// model has lost track, which is a fault of the simulator.
const maxStates = 2_000

type model struct {
	w        *world
	channels map[string]*channelModel
	messages []*message
	casting  int // the broadcast under way, an index into messages; -1 is none
}

func newModel(w *world) *model {
	m := &model{w: w, channels: map[string]*channelModel{}, casting: -1}
	for _, n := range w.set.names {
		m.channels[n] = &channelModel{name: n, states: []*possible{{wait: map[*ask]outcome{}}}}
	}
	return m
}

// settle brings a channel's possible states up to date before something
// happens to it: it may have expired, a broadcast may have come.
func (m *model) settle(c *channelModel) {
	var more []*possible
	if m.casting >= 0 {
		for _, p := range c.states {
			if p.alive && (p.cast == castMust || p.cast == castMay) {
				q := p.clone()
				q.log, q.cast = append(q.log, m.casting), castDone
				more = append(more, q)
			}
		}
		c.states = append(c.states, more...)
	}
	if !m.certainlyHeld(c) && m.w.sweptAt() >= c.lastUse+int64(m.w.set.config.ChannelTimeout)-3*int64(tick) {
		more = more[:0]
		for _, p := range c.states {
			if p.alive {
				more = append(more, p.expired())
			}
		}
		c.states = append(c.states, more...)
	}
	m.compact(c)
}

// compact drops states that are equal to others.
func (m *model) compact(c *channelModel) {
	if len(c.states) < 2 {
		return
	}
	kept := c.states[:0:0]
	for _, p := range c.states {
		if !slices.ContainsFunc(kept, p.equal) {
			kept = append(kept, p)
		}
	}
	c.states = kept
	m.w.result.States = max(m.w.result.States, len(kept))
	if len(kept) > maxStates {
		m.w.fail("the model has %d possible states of channel %q", len(kept), c.name)
	}
}

// filter keeps the states that f accepts; if there is none, what was observed
// is not legal.
func (m *model) filter(c *channelModel, f func(*possible) bool, observed string, args ...any) {
	kept := c.states[:0:0]
	for _, p := range c.states {
		if f(p) {
			kept = append(kept, p)
		}
	}
	if len(kept) == 0 {
		m.w.log("channel %q could have been:%s", c.name, c.describe())
		m.w.fail(observed, args...)
	}
	c.states = kept
	m.compact(c)
}

func (c *channelModel) describe() string {
	var b strings.Builder
	for i, p := range c.states {
		if i == 5 {
			b.WriteString("\n  ...")
			break
		}
		b.WriteString("\n  ")
		b.WriteString(p.describe())
	}
	return b.String()
}

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

// describe is a state in words, for the report of a failure.
func (p *possible) describe() string {
	text := "not there"
	if p.alive {
		text = fmt.Sprintf("next number %d, newest messages %v", len(p.log)+1, p.log[max(0, len(p.log)-5):])
	}
	if p.cast == castMust || p.cast == castMay {
		text += ", a broadcast may come"
	}
	var waits []string
	for a, o := range p.wait {
		switch {
		case o.reply != "":
			waits = append(waits, fmt.Sprintf("; ask %d: %q", a.id, o.reply))
		case o.frozen:
			waits = append(waits, fmt.Sprintf("; ask %d was to get number %d of %v before it was freed", a.id, o.first, o.log))
		default:
			waits = append(waits, fmt.Sprintf("; ask %d waits for number %d", a.id, o.first))
		}
	}
	slices.Sort(waits)
	return text + strings.Join(waits, "")
}
