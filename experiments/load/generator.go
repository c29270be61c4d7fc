package load

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"c1000k/comet/slack"
	"c1000k/experiments/fdtable"
	"c1000k/experiments/load/rawnet"
	"c1000k/experiments/sample"
)

// Intervals of the coordinator.
const (
	lookEvery     = 5 * time.Millisecond   // at the reactors' counters
	progressEvery = 500 * time.Millisecond // reports
	stallAfter    = 30 * time.Second       // without progress an operation is given up
	refusedAfter  = 3 * time.Second        // without progress, if connects are refused
)

// ErrStalled says that nothing has happened for half a minute. What was done
// until then stands in the result.
var ErrStalled = errors.New("no progress for 30 s")

// Generator holds connections and sends messages. Its methods are for one
// goroutine, except Counts.
type Generator struct {
	opts        Options
	layout      layout
	targets     []rawnet.Addr
	pollTail    []byte
	epoch       time.Time
	reactors    []*reactor
	subscribers []atomic.Int32 // of each channel, held now
	op          atomic.Pointer[operation]
	cpu         *sample.CPUMeter
	operations  uint32
	tokens      []token  // of each channel, where they were signed
	numbers     []uint32 // of each channel's next message, where the load gives them: with nchan

	withhold atomic.Bool // no poll follows a reply

	// Opening: how many a second from when on, how many were begun since, and
	// whether the server's accept queues are too full to go on.
	openRate  atomic.Uint64 // bits of a float64; 0: no limit
	openSince atomic.Int64
	openBegun atomic.Int64
	openPause atomic.Bool
}

// New lays a generator out. It opens no connection; threads are started as they
// are needed. End must be called. GOMAXPROCS is raised, if need be, so that each
// reactor may keep its right to run while it waits briefly.
func New(opts Options) (*Generator, error) {
	ips, err := opts.check()
	if err != nil {
		return nil, err
	}
	l, err := opts.plan()
	if err != nil {
		return nil, err
	}
	cpu, err := sample.NewCPUMeter(os.Getpid())
	if err != nil {
		return nil, err
	}
	slack.Rights(l.reactors)
	g := &Generator{
		opts:        opts,
		layout:      l,
		targets:     opts.targets(ips),
		pollTail:    []byte(" HTTP/1.1\r\nHost: " + ips[0].String() + "\r\n\r\n"),
		epoch:       time.Now(),
		subscribers: make([]atomic.Int32, opts.channels()),
		cpu:         cpu,
		operations:  firstOperation(),
	}
	if opts.Protocol == ProtocolNchan {
		g.numbers = firstNumbers(opts.channels())
	}
	for i := range l.reactors {
		wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
		if err != nil {
			g.End()
			return nil, err
		}
		g.reactors = append(g.reactors, &reactor{gen: g, index: i, wakeFd: wake})
	}
	return g, nil
}

// End closes all connections and ends the threads.
func (g *Generator) End() {
	for _, r := range g.reactors {
		r.ending.Store(true)
		r.wake()
	}
	for _, r := range g.reactors {
		if r.thread != nil {
			r.thread.Wait()
		}
		unix.Close(r.wakeFd)
	}
	g.reactors = nil
	g.cpu.Close()
}

// Ready describes the layout.
func (g *Generator) Ready() Ready {
	soft, _ := fdtable.Limit()
	return Ready{
		PID: os.Getpid(), Connections: g.opts.Connections, Reactors: g.layout.reactors,
		PerReactor: g.layout.capacity, OwnTables: g.layout.own, DescriptorLimit: soft,
	}
}

// now is the time since the generator was made: one read of the monotonic clock.
func (g *Generator) now() time.Duration { return time.Since(g.epoch) }

// cpuSeconds is the CPU of this process so far, all threads.
func (g *Generator) cpuSeconds() float64 {
	c, err := g.cpu.Read()
	if err != nil {
		return math.NaN() // never: the process itself is there
	}
	return c.Process.Seconds()
}

// watch looks at the counters until done. It returns nil then, the context's
// error, why a reactor gave up, or ErrStalled.
func (g *Generator) watch(ctx context.Context, look func(totals) (progress int64, done bool), report func(totals)) error {
	var last int64 = -1
	moved, reported := time.Now(), time.Now()
	for {
		t := g.sum()
		progress, done := look(t)
		if done {
			return nil
		}
		now := time.Now()
		if progress != last {
			last, moved = progress, now
		}
		for _, r := range g.reactors {
			if err := r.failure.Load(); err != nil {
				return *err
			}
		}
		if now.Sub(reported) >= progressEvery && report != nil {
			reported = now
			report(t)
		}
		if now.Sub(moved) > stallAfter {
			return ErrStalled
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		time.Sleep(lookEvery)
	}
}

// errors of any kind, for progress reports.
func (t totals) errors() int64 {
	return t[cLost] + t[cRepeated] + t[cOutOfOrder] + t[cMisdelivered] + t[cBadReplies] + t[cResets] +
		t[cNotHeld] + t[cRefusedPolls] + t[cConnectRefused] + t[cConnectTimeouts]
}

// progress makes a report function of one for Progress.
func (g *Generator) progress(report func(Progress), of int64, done func(totals) int64) func(totals) {
	if report == nil {
		return nil
	}
	start, before := time.Now(), g.sum()
	return func(t totals) {
		report(Progress{
			Done: done(t), Of: of,
			Errors:  t.errors() - before.errors(),
			Seconds: time.Since(start).Seconds(),
		})
	}
}

// Open opens connections until to are open in all, at most rate a second (0: as
// fast as goes), each with its first poll sent. The result holds what was
// reached also when there is an error.
func (g *Generator) Open(ctx context.Context, to int, rate float64, report func(Progress)) (OpenResult, error) {
	if to < 0 || to > g.opts.Connections {
		return OpenResult{}, fmt.Errorf("%d connections: this load was made for at most %d", to, g.opts.Connections)
	}
	if g.tokens != nil && to > 0 && int(g.opts.channel(to-1)) >= len(g.tokens) {
		return OpenResult{}, errUnsigned
	}
	before, cpu, start := g.sum(), g.cpuSeconds(), g.now()
	g.openRate.Store(math.Float64bits(rate))
	g.openSince.Store(int64(start))
	g.openBegun.Store(0)
	g.openPause.Store(false)
	queue := newAcceptQueue(g.opts.Port, g.opts.Ports)
	defer queue.close()

	var lastRefused int64
	refusedSince := start
	order := g.sequence(to)
	look := func(t totals) (int64, bool) {
		g.openPause.Store(queue.full(g.now()))
		if err := order.advance(); err != nil {
			g.failOpening(err)
		}
		if t[cConnectRefused] == lastRefused || t[cOpened] != order.lastOpened {
			order.lastOpened, lastRefused, refusedSince = t[cOpened], t[cConnectRefused], g.now()
		}
		if g.now()-refusedSince > refusedAfter {
			g.failOpening(fmt.Errorf("%s refuses connections: is a server listening on ports %d to %d?",
				g.opts.Host, g.opts.Port, g.opts.Port+g.opts.Ports-1))
		}
		return t[cOpened], t[cOpened] >= int64(to)
	}
	err := g.watch(ctx, look, g.progress(report, int64(to), func(t totals) int64 { return t[cOpened] }))
	seconds := (g.now() - start).Seconds()
	g.stopOpening()
	after := g.sum().since(before)
	added := after[cOpened] - before[cOpened]
	return OpenResult{
		Opened: after[cOpened], Added: added,
		Seconds: seconds, Rate: float64(added) / seconds,
		Retries: after[cConnectRefused] + after[cConnectTimeouts], Waits: after[cConnectWaits],
		CPU: g.cpuSeconds() - cpu, Counts: after.counts(), Reactors: g.started(),
	}, err
}

// sequence is an Open under way: which reactors have been told to open.
type sequence struct {
	gen        *Generator
	to         int
	missing    int64 // connections that no reactor has been told to open yet
	next       int   // reactor
	active     []*reactor
	lastOpened int64
}

func (g *Generator) sequence(to int) *sequence {
	return &sequence{gen: g, to: to, missing: int64(to) - g.sum()[cOpened], lastOpened: -1}
}

// advance keeps as many reactors opening as there shall be openers.
func (s *sequence) advance() error {
	g := s.gen
	working := s.active[:0]
	for _, r := range s.active {
		if r.tally[cOpened].Load() < r.target.Load() {
			working = append(working, r)
		}
	}
	s.active = working
	for len(s.active) < g.opts.Openers && s.next < len(g.reactors) {
		r := g.reactors[s.next]
		opened := r.tally[cOpened].Load()
		// An earlier Open that was stopped may have left some reactors behind
		// and this one ahead.
		more := min(int64(g.layout.share(s.next, s.to))-opened, s.missing)
		s.next++
		if more <= 0 {
			continue
		}
		s.missing -= more
		if r.thread == nil {
			if err := r.start(); err != nil {
				return err
			}
		}
		r.target.Store(opened + more)
		r.active.Store(true)
		r.wake()
		s.active = append(s.active, r)
	}
	return nil
}

// failOpening makes the watch over an Open end with an error.
func (g *Generator) failOpening(err error) { g.reactors[0].fail(err) }

// stopOpening ends the opening on all reactors, and clears what may have kept
// one from it, so that another Open can be tried.
func (g *Generator) stopOpening() {
	for _, r := range g.reactors {
		if r.active.Swap(false) {
			r.quiesce()
		}
		r.failure.Store(nil)
	}
}

// started counts the reactors that run.
func (g *Generator) started() (n int) {
	for _, r := range g.reactors {
		if r.thread != nil {
			n++
		}
	}
	return n
}

// mayOpen says whether the rate and the server's accept queues allow another
// connection now.
func (g *Generator) mayOpen() bool {
	return !g.openPause.Load() && float64(g.openBegun.Load()) < g.openAllowed()
}

// permit takes the permission for one connection.
func (g *Generator) permit() bool {
	if g.openPause.Load() {
		return false
	}
	if g.openRate.Load() == 0 {
		return true
	}
	if float64(g.openBegun.Add(1)) > g.openAllowed() {
		g.openBegun.Add(-1)
		return false
	}
	return true
}

// openAllowed is how many connections the rate allows since Open began.
func (g *Generator) openAllowed() float64 {
	rate := math.Float64frombits(g.openRate.Load())
	if rate == 0 {
		return math.MaxFloat64
	}
	return rate*(g.now()-time.Duration(g.openSince.Load())).Seconds() + 1
}

// CloseAll closes all connections, by reset.
func (g *Generator) CloseAll(ctx context.Context, report func(Progress)) (CloseResult, error) {
	before, cpu, start := g.sum(), g.cpuSeconds(), g.now()
	for _, r := range g.reactors {
		if r.thread != nil {
			r.closing.Store(true)
			r.wake()
		}
	}
	look := func(t totals) (int64, bool) {
		for _, r := range g.reactors {
			if r.closing.Load() {
				return t[cOpened], false
			}
		}
		return t[cOpened], true
	}
	err := g.watch(ctx, look, g.progress(report, before[cOpened], func(t totals) int64 { return before[cOpened] - t[cOpened] }))
	return CloseResult{
		Closed:  before[cOpened] - g.sum()[cOpened],
		Seconds: (g.now() - start).Seconds(),
		CPU:     g.cpuSeconds() - cpu,
	}, err
}
