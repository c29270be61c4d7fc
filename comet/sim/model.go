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
	// kind is sub, push, broadcast, info, check, sign, close, clear, psub, list, bad, or
	// barred where it is refused for where it comes from.
	kind      string
	channel   string
	seq       int // of a sub
	noop      int
	gap       bool   // of a sub: it wants to know of gaps and epochs
	epoch     string // of a sub: the epoch it names, if any
	token     string
	lastID    string   // of a sub: the Last-Event-ID it sends, if any
	message   int      // of a push or broadcast
	targets   []string // of a push: its channels, the first of them is channel
	ack       bool
	expires   int       // of a sign
	forwarded string    // whom the client says it speaks for, if anybody
	snapshot  bool      // of a psub
	watch     *watching // of a psub

	// parts are what it asks of each channel, if they are several: see several.go.
	parts []*ask
	whole *ask   // of a part: what it is of
	had   []int  // by part: the last number that came of it, or what it asked from; noID is unknown
	heard []bool // by part: had is what came
	// Of a list: what it is a page of, the most channels of it, and what it may say
	// of each channel.
	tour     *tour
	limit    int
	listings map[string]listing

	sock      *socket
	end       int   // the request's last byte, counted over the connection
	taken     bool  // the server has all of it and its turn came
	done      bool  // answered, or nobody waits for the answer any more
	heldAt    int64 // when it was taken; of a stream, when its last piece had gone
	held      bool  // no reply came in the turn in which it was taken
	begun     bool  // of a stream: the first piece came
	behind    bool  // of a stream: more came than may wait for a send
	due       int   // of a sub that is held in a drain: the messages there were when the loop's last round began
	low, high int   // info: the number of subscribers is between them
	receivers []span
}

// span is a range of numbers, both ends in it.
type span struct{ low, high int }

// promise is what an ask is promised.
type promise struct {
	reply    string // the whole reply; empty if the ask is held
	refused  bool   // the reply is that there is no room
	first    int    // held: the number of the next message that it is to get
	or       string // another whole reply that is as legal; empty if there is none
	orNot    bool   // of a part: it may as well not have been reached
	begin    string // of a stream: what it begins with
	replayTo int    // of a stream: its beginning brings the messages before this
	noop     int    // of a stream: the number of its next noop
	over     bool   // of a stream: it has ended
	instance int    // the channel's
	// frozen: the channel is gone, closed if somebody closed it.
	frozen, closed bool
	base           int // frozen: how many messages were cleared
}

// outcome is what becomes of an ask.
type outcome struct {
	promise
	// log is the channel's list as it was when the channel went, for an ask
	// that was served before and whose reply is not yet seen.
	log []int
}

// whole is the outcome of an ask that is answered at once.
func whole(reply string) outcome { return outcome{promise: promise{reply: reply}} }

// noRoom is the outcome of an ask that is refused.
func noRoom(reply string) outcome { return outcome{promise: promise{reply: reply, refused: true}} }

func (o outcome) equal(q outcome) bool { return o.promise == q.promise && slices.Equal(o.log, q.log) }

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
	alive    bool
	instance int   // tells it from others of its name, and of other names
	log      []int // messages by number, from 1
	base     int   // the first of them that are in no history: it was cleared
	cast     cast
	wait     map[*ask]outcome // what is promised to asks not yet answered
	// own says of tokens, and of epochs, that nobody can tell yet whether they are
	// this instance's what the state takes for granted: it was split over that.
	own map[string]bool
}

func (p *possible) clone() *possible {
	q := *p
	q.log, q.wait, q.own = slices.Clone(p.log), maps.Clone(p.wait), maps.Clone(p.own)
	return &q
}

// gone is the state after the channel was freed, or closed.
func (p *possible) gone(closed bool) *possible {
	q := &possible{wait: maps.Clone(p.wait)}
	for a, o := range q.wait {
		if o.reply == "" && !o.frozen {
			o.log, o.base, o.frozen, o.closed = slices.Clone(p.log), p.base, true, closed
			q.wait[a] = o
		}
	}
	return q
}

// split is the state in which a text is not the instance's own, beside p in which
// it is.
func (p *possible) split(text string) *possible {
	if p.own == nil {
		p.own = map[string]bool{}
	}
	q := p.clone()
	p.own[text], q.own[text] = true, false
	return q
}

// verdict is that of the marks, or what the state takes for granted.
func (p *possible) verdict(m *marks, text string) (fits, sure bool) {
	if fits, sure = m.verdict(p.instance, text); !sure {
		fits, sure = p.own[text]
	}
	return fits, sure
}

// seenBy is the channel as an ask of that outcome has it: the one that is, or
// the one that went.
func (p *possible) seenBy(o outcome) *possible {
	if o.frozen {
		return &possible{log: o.log, base: o.base}
	}
	return p
}

func (p *possible) equal(q *possible) bool {
	return p.alive == q.alive && p.cast == q.cast && p.instance == q.instance && p.base == q.base &&
		slices.Equal(p.log, q.log) && maps.EqualFunc(p.wait, q.wait, outcome.equal)
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
	w         *world
	channels  map[string]*channelModel
	unescaped map[string]string // names of channels, by what they are in JSON
	messages  []*message
	casting   int // the broadcast under way, an index into messages; -1 is none
	closes    int // channels closed: each keeps its room until its last subscriber went
	tokens    *marks
	epochs    *marks
}

func newModel(w *world) *model {
	m := &model{w: w, channels: map[string]*channelModel{}, unescaped: map[string]string{}, casting: -1, tokens: newMarks(), epochs: newMarks()}
	for _, n := range w.set.names {
		m.unescaped[escape(n)] = n
		m.channels[n] = &channelModel{name: n, states: []*possible{{wait: map[*ask]outcome{}}}}
	}
	return m
}

// history is how many messages the history holds, and oldest the number of
// the first of them.
func (m *model) history(p *possible) int {
	return min(len(p.log)-p.base, m.w.set.config.ChannelBufferSize)
}

func (m *model) oldest(p *possible) int { return len(p.log) - m.history(p) + 1 }

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
				more = append(more, p.gone(false))
			}
		}
		c.states = append(c.states, more...)
	}
	m.compact(c)
	m.noteBehind(c)
}

// compact drops states that are equal to others.
func (m *model) compact(c *channelModel) {
	if len(c.states) < 2 {
		return
	}
	kept := c.states[:0:0]
	for _, p := range c.states {
		if i := slices.IndexFunc(kept, p.equal); i >= 0 {
			// What both take for granted, and no more.
			maps.DeleteFunc(kept[i].own, func(text string, own bool) bool { other, ok := p.own[text]; return !ok || other != own })
			continue
		}
		kept = append(kept, p)
	}
	c.states = kept
	m.w.result.States = max(m.w.result.States, len(kept))
	if len(kept) > maxStates {
		m.w.log("%s", c.describe())
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
		case o.frozen && o.closed:
			waits = append(waits, fmt.Sprintf("; ask %d was to get number %d of %v before it was closed", a.id, o.first, o.log[max(0, len(o.log)-5):]))
		case o.frozen:
			waits = append(waits, fmt.Sprintf("; ask %d was to get number %d of %v before it was freed", a.id, o.first, o.log[max(0, len(o.log)-5):]))
		default:
			waits = append(waits, fmt.Sprintf("; ask %d waits for number %d", a.id, o.first))
		}
	}
	slices.Sort(waits)
	return text + strings.Join(waits, "")
}
