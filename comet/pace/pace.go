// Package pace judges whether an event loop is so loaded that it should let events
// gather while it waits: a wake for each costs about as much as a message.
//
// What gathers is what nobody waits for: the next polls of clients that have their
// message, which are held. Whoever asks something that is answered at once, a publisher
// above all, waits for the answer before it asks again: eight of them get a quarter of
// the answers that they could, for no less CPU, from a loop that lets them gather. So a
// loop that much is asked of in this way is not loaded, however much it is. That holds
// for a ping, and for polls that the history answers, too; not for a publisher that sends
// several requests without waiting, which count as one.
//
// A loop is judged by itself: publishers are all on the first, which may have a part
// of the deliveries only.
package pace

const (
	// WindowNS is how often a loop is judged, by what it did since. A window is longer
	// where others had the processor meanwhile.
	WindowNS = 1e6
	// MemoryNS is how old a window may be to say something of now.
	MemoryNS = 10e6
	// LeastEvents are in the window of a loaded loop, about a tenth of what one can
	// do: a message and its next poll are an event.
	LeastEvents = 16
	// A loaded loop has leastEvents for each leastWaits waits. One that serves
	// requests which come one after the other finds one each time.
	leastEvents, leastWaits = 4, 3
	// EventsAnswered is how many events of a loaded loop there are at least for each
	// time that input was answered at once.
	EventsAnswered = 4
)

// Pace judges one loop, whose thread calls it.
type Pace struct {
	// Loaded is the judgement of the last window.
	Loaded bool

	each    int // of what is counted, for an event
	since   int64
	counted int
	waits   int
	was     uint64 // answered when the window began
}

// New is a pace of a loop that counts each things for an event.
func New(each int) Pace { return Pace{each: each} }

// Wait counts a wait, or a look at what has come.
func (p *Pace) Wait() { p.waits++ }

// Took counts n things that a wait or a look gave.
func (p *Pace) Took(n int) { p.counted += n }

// Judge closes the window if it is over. answered is how many times the loop has
// answered input at once, ever; now is in nanoseconds.
func (p *Pace) Judge(now int64, answered uint64) {
	age := now - p.since
	if age < WindowNS {
		return
	}
	asked := int(answered - p.was)
	p.Loaded = age < MemoryNS && p.counted >= LeastEvents*p.each &&
		leastWaits*p.counted >= leastEvents*p.each*p.waits && p.counted >= EventsAnswered*p.each*asked
	p.since, p.counted, p.waits, p.was = now, 0, 0, answered
}
