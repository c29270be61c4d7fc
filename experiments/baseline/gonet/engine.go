package gonet

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"c1000k/comet"
	"c1000k/comet/slack"
	"c1000k/experiments/fdtable"
)

const (
	// defaultAdminReserve is the number of slots kept for the admin door where
	// nothing else is said; a small server gives at most a quarter.
	defaultAdminReserve = 64
	// spareDescriptors are left to the rest of the program: the debug door,
	// profiles, files.
	spareDescriptors = 64
)

// Options are this engine's options; it has none of its own. TableLimit is not
// used: there is one table, the process's.
type Options struct {
	comet.EngineOptions
}

// Engine carries a service by package net. Its methods may be called from any
// goroutine.
type Engine struct {
	newLoop func(maxConns int) (comet.Core, error)
	options Options

	capacity int    // the most connections, both doors together
	reserve  int    // of these, kept for the admin door
	why      string // why capacity is less than was asked for
	loops    []*loop
	counters counters

	// frontSlots and adminSlots hold a token for each connection accepted: who
	// would exceed their capacity waits before accepting.
	frontSlots, adminSlots chan struct{}

	mu        sync.Mutex // of Start against Stop
	started   bool
	listeners []listener
	stopping  chan struct{}
	paused    atomic.Bool // nothing more is accepted
	stopOnce  sync.Once
	accepting sync.WaitGroup // the goroutines that accept
	serving   sync.WaitGroup // those of connections
	ticking   sync.WaitGroup // those of timers
	endTimers chan struct{}
	endOnce   sync.Once
}

// New makes an engine for svc. It refuses options that contradict themselves.
func New(svc *comet.Service, o Options) (*Engine, error) {
	return newEngine(o, func(maxConns int) (comet.Core, error) { return svc.NewLoop(maxConns) })
}

// newEngine makes an engine for any core.
func newEngine(o Options, newLoop func(maxConns int) (comet.Core, error)) (*Engine, error) {
	if o.MaxConns < 1 || o.Loops < 0 || o.AdminReserve < 0 {
		return nil, fmt.Errorf("gonet: %d connections, %d loops, %d slots for the admin door:"+
			" none may be negative, and there must be room for a connection", o.MaxConns, o.Loops, o.AdminReserve)
	}
	if o.AdminReserve >= o.MaxConns {
		return nil, fmt.Errorf("gonet: %d slots for the admin door leave none of %d for subscribers", o.AdminReserve, o.MaxConns)
	}
	return &Engine{newLoop: newLoop, options: o, stopping: make(chan struct{}), endTimers: make(chan struct{})}, nil
}

// Probe says whether maxConns connections could be held here beside so many
// listeners, which are not open yet. More than the descriptor limit allows cannot:
// the engine starts all the same, and stops accepting there. The error is fit to be
// printed and says what still works.
func Probe(maxConns, listeners int) error {
	beside := listeners * (1 + listenerExtra)
	room, limit, err := roomFor(maxConns + beside)
	room -= beside
	if err != nil || room >= maxConns {
		return err
	}
	works := "a higher limit (ulimit -n), or another engine"
	if room > defaultAdminReserve { // which a server keeps
		works = fmt.Sprintf("%d connections, %s", room, works)
	}
	return fmt.Errorf("gonet: %d connections are more than the descriptor limit of %d allows beside %d listeners: package net has one table."+
		" What still works: %s", maxConns, limit, listeners, works)
}

// listenerExtra are the descriptors that a listener costs beside its own: net takes
// a copy, and one connection may wait for a slot.
const listenerExtra = 2

// roomFor is how many connections the descriptor limit allows, once it is raised
// as far as it can be towards want of them.
func roomFor(want int) (room, limit int, err error) {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0, 0, fmt.Errorf("gonet: counting open descriptors: %w", err)
	}
	overhead := len(entries) + spareDescriptors
	limit = fdtable.RaiseLimit(want + overhead)
	return limit - overhead, limit, nil
}

// Start begins to accept, and returns when every loop runs or with the reason
// why one does not; then nothing is left running. It is called once.
func (e *Engine) Start(listeners []comet.Listener) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	select {
	case <-e.stopping:
		return errors.New("gonet: a stopped engine cannot be started")
	default:
	}
	if e.started {
		return errors.New("gonet: an engine is started once")
	}
	e.started = true
	err := e.build(listeners)
	if err != nil {
		e.end()
		return err
	}
	for _, ln := range e.listeners {
		e.accepting.Go(func() { e.acceptFrom(ln) })
	}
	return nil
}

// build plans the capacity and makes the loops and listeners.
func (e *Engine) build(listeners []comet.Listener) error {
	beside := listenerExtra * len(listeners)
	room, limit, err := roomFor(e.options.MaxConns + beside)
	if err != nil {
		return err
	}
	room -= beside
	if room < 1 {
		return fmt.Errorf("gonet: a descriptor limit of %d leaves no room for connections beside %d listeners: raise it (ulimit -n) or ask for fewer ports", limit, len(listeners))
	}
	e.capacity = min(e.options.MaxConns, room)
	if e.capacity < e.options.MaxConns {
		e.why = fmt.Sprintf("stops accepting at %d of %d connections: the descriptor limit is %d, and package net has one table",
			e.capacity, e.options.MaxConns, limit)
	}
	e.reserve = e.options.AdminReserve
	if e.reserve == 0 {
		e.reserve = min(defaultAdminReserve, e.capacity/4)
	}
	e.reserve = min(e.reserve, e.capacity-1)
	e.frontSlots = make(chan struct{}, e.capacity-e.reserve)
	e.adminSlots = make(chan struct{}, e.reserve)

	loops := e.options.Loops
	if loops == 0 {
		loops = slack.Processors()
	}
	clock := clock{start: time.Now()}
	for i := range loops {
		core, err := e.newLoop(e.capacity)
		if err != nil {
			return fmt.Errorf("gonet: loop %d: %w", i, err)
		}
		e.loops = append(e.loops, newLoop(e, core, clock))
	}
	for _, l := range e.loops {
		e.ticking.Go(l.tick)
	}
	for _, ln := range listeners {
		made, err := takeListener(ln)
		if err != nil {
			return err
		}
		e.listeners = append(e.listeners, made)
	}
	return nil
}

// StopAccepting has whoever comes from now on wait in the backlog, and each loop
// take a turn.
func (e *Engine) StopAccepting() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.paused.Store(true)
	for _, ln := range e.listeners {
		// Those of TCP and unix sockets have one. An error means that the listener
		// is closed, and so accepts nothing.
		if d, ok := ln.Listener.(interface{ SetDeadline(time.Time) error }); ok {
			_ = d.SetDeadline(time.Now())
		}
	}
	for _, l := range e.loops {
		select {
		case l.wake <- struct{}{}:
		default: // it has been woken and has not looked yet
		}
	}
}

// Stop closes every connection, ends the loops, and returns when no goroutine of
// the engine is left. It may be called more than once, and before Start.
func (e *Engine) Stop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.end()
}

// end does what Stop says. mu is held.
func (e *Engine) end() {
	e.stopOnce.Do(func() { close(e.stopping) })
	for _, ln := range e.listeners {
		ln.Close()
	}
	e.accepting.Wait()
	for _, l := range e.loops {
		l.closeAll()
	}
	e.serving.Wait()
	e.endOnce.Do(func() { close(e.endTimers) })
	e.ticking.Wait()
	e.listeners = nil
}

// Facts says how many loops there are and where accepting stops.
func (e *Engine) Facts() comet.Facts {
	e.mu.Lock()
	defer e.mu.Unlock()
	f := comet.Facts{
		Engine:     "gonet",
		Loops:      len(e.loops),
		Tables:     1,
		TableLimit: e.capacity,
		MaxConns:   e.capacity,
		Asked:      []string{fmt.Sprintf("%d connections", e.options.MaxConns)},
		Got:        []string{fmt.Sprintf("%d connections", e.capacity)},
		Why:        e.why,
		LoopLines: []string{fmt.Sprintf("each of %d loops is a lock over a core loop; %d slots are kept for the admin door",
			len(e.loops), e.reserve)},
	}
	if e.why != "" {
		f.LoopLines = append(f.LoopLines, e.why)
	}
	return f
}

// Stats reads the counters.
func (e *Engine) Stats() []comet.Stat { return e.counters.read() }

// counters count what the engine did, over all loops.
type counters struct {
	accepts, acceptErrors, acceptPaused atomic.Uint64
	reads, sends, sendErrors            atomic.Uint64
	turns, ticks, wakes, closes         atomic.Uint64
}

// read returns the counters in their order.
func (c *counters) read() []comet.Stat {
	return []comet.Stat{
		{Name: "accepts", Value: c.accepts.Load()},
		{Name: "accept_errors", Value: c.acceptErrors.Load()},
		{Name: "accept_paused", Value: c.acceptPaused.Load()},
		{Name: "reads", Value: c.reads.Load()},
		{Name: "sends", Value: c.sends.Load()},
		{Name: "send_errors", Value: c.sendErrors.Load()},
		{Name: "turns", Value: c.turns.Load()},
		{Name: "ticks", Value: c.ticks.Load()},
		{Name: "wakes_sent", Value: c.wakes.Load()},
		{Name: "closes", Value: c.closes.Load()},
	}
}

// listener is a listening socket as package net has it.
type listener struct {
	net.Listener
	door comet.Door
}

// takeListener makes a listener of a copy of the descriptor: the original stays
// the caller's.
func takeListener(ln comet.Listener) (listener, error) {
	fd, err := unix.FcntlInt(uintptr(ln.FD), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return listener{}, fmt.Errorf("gonet: copying the listener of %s: %w", ln.Addr, err)
	}
	file := os.NewFile(uintptr(fd), ln.Addr)
	defer file.Close() // FileListener takes a copy of its own
	made, err := net.FileListener(file)
	if err != nil {
		return listener{}, fmt.Errorf("gonet: listener of %s: %w", ln.Addr, err)
	}
	return listener{Listener: made, door: ln.Door}, nil
}
