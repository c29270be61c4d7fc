package sim

import (
	"fmt"
	"math/rand/v2"
	"runtime/debug"

	"c1000k/comet"
)

// Result is what a run comes to.
type Result struct {
	// Trace is a hash of every call into the service and every action out of
	// it, with their bytes: equal for equal runs.
	Trace uint64
	// Calls, Replies and States count engine calls, replies held against the
	// model, and the most states that were possible of one channel.
	Calls, Replies, States int
	// Counters are the service's own, as they were in the end, and what was held
	// against the model of subscriptions of several channels.
	Counters map[string]uint64
	// Faults counts what went wrong between engine and kernel.
	Faults [NumFaults]int
	// Err is what was found, nil if nothing.
	Err error
}

// violation is how a run ends early.
type violation struct{ text string }

// world is one run.
type world struct {
	set   settings
	rng   *rand.Rand
	now   int64
	svc   *comet.Service
	loops []*loop
	model *model

	clients []*client
	backlog []*socket // connected and not yet accepted
	ending  bool      // clients begin nothing and no fault happens
	calm    bool      // no send fails

	// callTime is the time given with the last call into a loop.
	callTime int64
	castBusy bool  // a broadcast was written and is not over
	castLoop *loop // the loop that carries it out
	closes   int   // channels that clients have asked to close
	overruns int   // streams that were closed since they could not follow
	book     *book // who may publish from where; nil: everybody
	draining comet.Farewell
	deaf     bool // nobody is accepted
	tours    int  // lists that were read to their end
	// What publishers were told, for subscribers: by channel.
	tokens map[string]string

	trace  trace
	result Result
	nextID int
	notes  []string
	// story is told every call and action, if it is not nil.
	story func(string)
}

// Run is one run of the simulator, the seed's. It may be called from several
// goroutines, as runs share nothing.
func Run(seed uint64) Result { return RunAndTell(seed, nil) }

// RunAndTell is Run with every call and action told to story as a line, which
// is slow.
func RunAndTell(seed uint64, story func(line string)) (result Result) {
	w := newWorld(seed)
	w.story = story
	// A wild address in the core's own memory must not cost the seed's name.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		result = w.result
		result.Trace = uint64(w.trace)
		switch p := recover().(type) {
		case nil:
		case violation:
			result.Err = fmt.Errorf("seed %d, after %d calls: %s", seed, w.result.Calls, p.text)
		default:
			result.Err = fmt.Errorf("seed %d, after %d calls: panic: %v\n%s", seed, w.result.Calls, p, debug.Stack())
		}
	}()
	w.start()
	w.turmoil()
	w.finish()
	return
}

func newWorld(seed uint64) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 0x51ed2701)), now: startTime, callTime: startTime, trace: newTrace()}
	w.tokens = map[string]string{}
	w.result.Counters = map[string]uint64{}
	w.set = newSettings(w.rng, seed)
	w.model = newModel(w)
	return w
}

// start makes the service, its loops and the clients.
func (w *world) start() {
	var err error
	if w.svc, err = comet.NewService(w.set.config); err != nil {
		w.fail("new service: %v", err)
	}
	w.makeLoops()
	for range w.set.subscribers {
		w.clients = append(w.clients, &client{w: w, act: (*client).subscriber, next: map[string]int{}, epochs: map[string]string{}})
	}
	for range w.set.publishers {
		w.clients = append(w.clients, &client{w: w, admin: true, act: (*client).publisher})
	}
	for range w.set.watchers {
		w.clients = append(w.clients, &client{w: w, admin: true, act: (*client).watcher})
	}
	for range w.set.strangers {
		w.clients = append(w.clients, &client{w: w, admin: w.chance(300), stranger: true, act: (*client).strange})
	}
}

// makeLoops makes the service's loops.
func (w *world) makeLoops() {
	for i := range w.set.loops {
		core, err := w.svc.NewLoop(w.set.conns)
		if err != nil {
			w.fail("new loop: %v", err)
		}
		l := &loop{w: w, id: i, core: core, slots: make([]*socket, w.set.conns)}
		for s := w.set.conns - 1; s >= 0; s-- {
			l.free = append(l.free, s)
		}
		w.loops = append(w.loops, l)
	}
}

// turmoil is the run proper: everything happens at random.
func (w *world) turmoil() {
	for i := range w.set.steps {
		if w.set.storm && i == w.set.steps/2 {
			w.storm()
		}
		if w.set.crowd > 0 && i == w.set.steps/3 {
			w.crowd()
		}
		if w.set.stall && i == w.set.steps*2/3 {
			w.stall()
		}
		if w.set.leaps > 0 && w.rng.IntN(w.set.leaps) == 0 {
			w.now += w.rng.Int64N(2 * int64(w.set.config.PollingTimeout))
		}
		if w.set.access && w.rng.IntN(500) == 0 {
			w.relist()
		}
		w.now += w.rng.Int64N(100_000)
		w.something()
	}
	for _, l := range w.loops {
		l.starved = false
	}
}

// something happens.
func (w *world) something() {
	switch r := w.rng.IntN(100); {
	case r < 25:
		c := w.clients[w.rng.IntN(len(w.clients))]
		c.act(c)
	case r < 35:
		w.network()
	case r < 36:
		l := w.loops[w.rng.IntN(len(w.loops))]
		l.starved = !l.starved
	default:
		if l := w.loops[w.rng.IntN(len(w.loops))]; !l.starved {
			l.step()
		}
	}
}

// rest lets everything that is under way come to its end, but for loops that
// are starved; no time passes that a timeout could notice.
func (w *world) rest() {
	const mostRounds = 200_000
	for range mostRounds {
		moved := false
		w.now += 10_000
		for _, c := range w.clients {
			moved = c.push() || moved
		}
		for _, l := range w.loops {
			for _, s := range l.slots {
				if s != nil && s.progress(1<<30) {
					moved = true
				}
			}
			if !l.starved && l.step() {
				moved = true
			}
		}
		if !moved {
			return
		}
	}
	for _, l := range w.loops {
		w.log("loop %d: %v, events %d", l.id, l.phase, len(l.events()))
	}
	w.fail("after %d rounds there is still something to do", mostRounds)
}

// network moves bytes between clients and their kernels.
func (w *world) network() {
	if c := w.clients[w.rng.IntN(len(w.clients))]; c.push() {
		return
	}
	l := w.loops[w.rng.IntN(len(w.loops))]
	for _, s := range l.slots {
		if s != nil && !w.calm && w.chance(w.set.faults) { // it stops reading, or goes on
			s.stuck = !s.stuck
		}
		if s != nil && w.chance(300) {
			s.progress(1 + w.rng.IntN(400))
		}
	}
}

// allRead has every client read again.
func (w *world) allRead() {
	for _, l := range w.loops {
		for _, s := range l.slots {
			if s != nil {
				s.stuck = false
			}
		}
	}
}

// sweptAt is the latest time that any loop took a turn: until then a channel
// may have been freed.
func (w *world) sweptAt() int64 {
	at := int64(0)
	for _, l := range w.loops {
		at = max(at, l.turnedAt)
	}
	return at
}

// sweepableNoop says whether a held poll's time may be over.
func (w *world) sweepableNoop(a *ask) bool {
	return a.sock.loop.turnedAt >= a.heldAt+int64(w.set.config.PollingTimeout)-int64(tick)
}

// chance is true n times in a thousand.
func (w *world) chance(n int) bool { return w.rng.IntN(1000) < n }

func (w *world) id() int { w.nextID++; return w.nextID }

// log keeps a note for the report of a failure.
func (w *world) log(format string, args ...any) {
	w.notes = append(w.notes, fmt.Sprintf(format, args...))
}

// fail ends the run: the service did what it may not.
func (w *world) fail(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	for _, n := range w.notes {
		text += "\n" + n
	}
	panic(violation{text})
}
