package epoll

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"c1000k/comet"
	timerslack "c1000k/comet/slack"
	"c1000k/experiments/fdtable"
)

// Options are this engine's options. What else was tried is said in the package's
// documentation.
type Options struct {
	comet.EngineOptions
	// LevelTriggered has connections reported for as long as there is something to
	// read, or room that is wanted, where otherwise they are reported once (edges).
	// Listeners are level-triggered in either case.
	LevelTriggered bool
}

// Engine carries a service by epoll. Its methods may be called from any thread.
type Engine struct {
	newLoop   func(maxConns int) (comet.Core, error)
	options   Options
	plan      plan
	loops     []*loop
	gate      *gate
	wakes     []int
	stop      atomic.Bool
	paused    atomic.Bool // nothing more is accepted
	mu        sync.Mutex  // of Start against Stop
	started   bool
	threads   []*fdtable.Thread
	listeners int
}

// New makes an engine for svc. It refuses options that contradict themselves;
// what the kernel refuses, Start says.
func New(svc *comet.Service, o Options) (*Engine, error) {
	return newEngine(o, func(maxConns int) (comet.Core, error) { return svc.NewLoop(maxConns) })
}

// newEngine makes an engine for any core.
func newEngine(o Options, newLoop func(maxConns int) (comet.Core, error)) (*Engine, error) {
	if _, err := makePlan(o.EngineOptions, 0); err != nil {
		return nil, err
	}
	return &Engine{newLoop: newLoop, options: o}, nil
}

// Probe says whether maxConns connections could be held here beside so many
// listeners: past the descriptor limit that takes a table a thread, which a
// container may refuse. The error is fit to be printed and says what still works.
func Probe(maxConns, listeners int) error {
	p, err := makePlan(comet.EngineOptions{MaxConns: maxConns}, listeners)
	if err != nil {
		return err
	}
	return p.probe(maxConns)
}

// Start begins to accept, and returns when every loop runs or with the reason
// why one does not; then nothing is left running. It is called once.
func (e *Engine) Start(listeners []comet.Listener) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.started || e.stop.Load() {
		return errors.New("epoll: an engine is started once")
	}
	e.started = true
	e.listeners = len(listeners)
	var err error
	if e.plan, err = makePlan(e.options.EngineOptions, len(listeners)); err != nil {
		return err
	}
	if err = e.plan.probe(e.options.MaxConns); err != nil {
		return err
	}
	timerslack.Rights(len(e.plan.capacities)) // share says which of them run
	err = e.build(listeners)
	if err == nil {
		err = e.launch(listeners)
	}
	if err != nil {
		e.stop.Store(true)
		e.release()
	}
	return err
}

// build makes what does not depend on a thread: the loops, their cores and the
// eventfds, which must be open before any table is copied.
func (e *Engine) build(listeners []comet.Listener) error {
	limits := append([]int32(nil), e.plan.capacities...)
	limits[0] -= e.plan.reserve
	e.gate = newGate(limits, e.plan.width, func(i int) { ring(e.wakes[i]) })
	share := newShare(len(e.plan.capacities), timerslack.Processors())
	clock := clock{start: time.Now()}
	for i, capacity := range e.plan.capacities {
		wake, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
		if err != nil {
			return fmt.Errorf("epoll: loop %d: eventfd: %w", i, err)
		}
		e.wakes = append(e.wakes, wake)
		connLimit := int(capacity)
		if e.plan.own {
			connLimit = e.plan.connLimit
		}
		slots, err := newSlots(connLimit, e.plan.own)
		if err != nil {
			return err
		}
		core, err := e.newLoop(connLimit)
		if err != nil {
			slots.unmap()
			return fmt.Errorf("epoll: loop %d: %w", i, err)
		}
		l := &loop{number: i, level: e.options.LevelTriggered, core: core, clock: clock, gate: e.gate, share: share, stop: &e.stop, paused: &e.paused, slots: slots}
		l.listeners = acceptor{capacity: capacity, retryAt: comet.NoDeadline}
		if i == 0 {
			l.listeners.reserve = e.plan.reserve
		}
		for _, ln := range listeners {
			switch {
			case ln.Door == comet.DoorFront:
				l.listeners.front = append(l.listeners.front, ln.FD)
			case i == 0:
				l.listeners.admin = append(l.listeners.admin, ln.FD)
			}
		}
		e.loops = append(e.loops, l)
	}
	for _, l := range e.loops {
		l.wakes = e.wakes
	}
	return nil
}

// launch starts a thread for each loop. All tables are made before the first
// connection is accepted: a copy of a table holds on to every socket in it.
func (e *Engine) launch(listeners []comet.Listener) error {
	keep := append([]int(nil), e.wakes...)
	for _, ln := range listeners {
		keep = append(keep, ln.FD)
	}
	opened := make(chan error, len(e.loops))
	var begin sync.WaitGroup // loops wait for it before they accept
	begin.Add(1)
	body := func(l *loop) {
		err := l.open()
		opened <- err
		begin.Wait()
		switch {
		case err != nil:
			l.slots.unmap()
		case e.stop.Load():
			l.closeAll()
		default:
			l.run()
		}
	}
	var failure error
	for _, l := range e.loops {
		if !e.plan.own {
			e.threads = append(e.threads, fdtable.GoShared(func(*fdtable.Table) { body(l) }))
		} else if th, err := fdtable.Go(keep, func(*fdtable.Table) { body(l) }); err != nil {
			failure = fmt.Errorf("epoll: loop %d of %d: %w", l.number, len(e.loops), err)
			break
		} else {
			e.threads = append(e.threads, th)
		}
	}
	for range e.threads {
		if err := <-opened; err != nil && failure == nil {
			failure = err
		}
	}
	if failure != nil {
		e.stop.Store(true)
		for _, l := range e.loops[len(e.threads):] {
			l.slots.unmap() // those that got no thread
		}
	}
	begin.Done()
	return failure
}

// StopAccepting has whoever comes from now on wait in the backlog, and wakes
// every loop.
func (e *Engine) StopAccepting() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.paused.Store(true)
	for _, wake := range e.wakes {
		ring(wake)
	}
}

// Stop closes every connection, ends the loops and their threads, and returns
// when nothing is left. It may be called more than once, and before Start.
func (e *Engine) Stop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stop.Store(true)
	e.release()
}

// release ends the threads and closes the eventfds. mu is held.
func (e *Engine) release() {
	for _, wake := range e.wakes {
		ring(wake)
	}
	for _, th := range e.threads {
		th.Wait()
	}
	for _, wake := range e.wakes {
		closeDescriptor(wake)
	}
	e.wakes, e.threads = nil, nil
}

// Stats reads the counters of all loops together.
func (e *Engine) Stats() []comet.Stat {
	e.mu.Lock()
	defer e.mu.Unlock()
	return sum(e.loops)
}

// Facts says how many loops and tables there are and what the kernel gave.
func (e *Engine) Facts() comet.Facts {
	e.mu.Lock()
	defer e.mu.Unlock()
	f := comet.Facts{
		Engine:     "epoll",
		Loops:      len(e.loops),
		Tables:     1,
		TableLimit: e.plan.tableLimit,
		MaxConns:   e.options.MaxConns,
		Asked:      []string{"epoll_pwait2", "EPOLLEXCLUSIVE"},
		Got:        []string{"EPOLLEXCLUSIVE"},
	}
	if len(e.loops) > 0 && e.loops[0].waiter.nanoseconds {
		f.Got = append([]string{"epoll_pwait2"}, f.Got...)
	}
	if e.options.LevelTriggered {
		f.Asked, f.Got = append(f.Asked, "trigger=level"), append(f.Got, "trigger=level")
	}
	if e.plan.own {
		f.Tables = len(e.loops)
		f.Asked = append(f.Asked, "unshare(CLONE_FILES)")
		f.Got = append(f.Got, "unshare(CLONE_FILES)")
	}
	f.LoopLines = e.loopLines()
	return f
}

// loopLines describes the first loop, and each that differs from the one before
// it.
func (e *Engine) loopLines() []string {
	var lines []string
	before := int32(-1)
	for i, capacity := range e.plan.capacities {
		if i == 0 {
			lines = append(lines, fmt.Sprintf("loop 0: up to %d connections, %d of them kept for the admin door, %d listeners",
				capacity, e.plan.reserve, e.listeners))
		} else if capacity != before {
			lines = append(lines, fmt.Sprintf("loop %d and on: up to %d connections", i, capacity))
		}
		before = capacity
	}
	if e.plan.width < len(e.plan.capacities) {
		lines = append(lines, fmt.Sprintf("%d loops accept at a time; as one fills the emptiest other takes over", e.plan.width))
	}
	if running := timerslack.Processors(); running < len(e.plan.capacities) {
		lines = append(lines, fmt.Sprintf("%d loops run at a time, one a processor; with more to do than that they take turns", running))
	}
	return lines
}
