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
