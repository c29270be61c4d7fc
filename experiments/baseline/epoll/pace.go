package epoll

// A loop is loaded while it is given at least loadedEvents in each paceWindowNs,
// and loadedEvents of paceWaits for each wait: then it rests before it looks again,
// so that a batch gathers. One that answers requests which come one after the other
// is given one each time. The measures are those by which io_uring's loops take
// their minimum wait: a message and its next poll are an event here, and three
// completions there.
const (
	paceWindowNs = 1e6
	// paceMemoryNs is how old a window may be that others had the processor in.
	paceMemoryNs = 10e6
	loadedEvents = 16
	// paceEvents for each paceWaits waits are the least.
	paceEvents, paceWaits = 4, 3
)

// pace judges a loop's load, once a window.
type pace struct {
	since         int64 // when the window began, in nanoseconds
	events, waits int
	loaded        bool
}

// took counts what a wait gave.
func (p *pace) took(events int) {
	p.events += events
	p.waits++
}

// judge closes the window if it is over.
func (p *pace) judge(now int64) {
	age := now - p.since
	if age < paceWindowNs {
		return
	}
	p.loaded = age < paceMemoryNs && p.events >= loadedEvents && paceWaits*p.events >= paceEvents*p.waits
	p.since, p.events, p.waits = now, 0, 0
}
