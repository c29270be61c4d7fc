package uring

import (
	"errors"
	"fmt"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"c1000k/comet"
	"c1000k/comet/slack"

	"golang.org/x/sys/unix"
)

// Options are the engine's settings. The zero value of each takes its default.
type Options struct {
	comet.EngineOptions

	// SQEntries is the submission entries of a ring, a power of two; 256.
	SQEntries int
	// CQEntries is the completion entries of a ring, a power of two of at
	// least SQEntries; 2048.
	CQEntries int
	// Buffers is the provided buffers of a ring, a power of two; 64, as the
	// kernel reports about 20 connections at a time. All get touched. With
	// MultishotRecv 256: what is sent in one enter may bring as many requests
	// within it.
	Buffers int
	// BufferBytes is the size of one; 512.
	BufferBytes int
	// Batch is the number of completions a loaded loop waits for; 256. 1
	// waits for the first always.
	Batch int
	// MinWait is how long it waits for the whole batch; 200 µs.
	MinWait time.Duration

	// SingleAccept takes connections one by one, after a poll of their listener,
	// where otherwise one multishot accept takes all that come.
	SingleAccept bool
	// MultishotRecv waits for input by a receive armed with the connection, where
	// otherwise a poll comes first.
	MultishotRecv bool
	// OwnBuffers names a buffer in each receive, where otherwise the kernel takes
	// one of those provided when it has something. Not with MultishotRecv.
	OwnBuffers bool
	// TaskRun says when the kernel's work for a ring is run: "deferred", which is
	// the default, "cooperative" or "default".
	TaskRun string
	// SQPoll has a thread of the kernel, one a loop, submit what the loop fills in.
	// It takes TaskRun "default" and SingleAccept with it, and refuses choices that say
	// otherwise.
	SQPoll bool
	// PlainFDs has connections be descriptors of the process, which its limit
	// bounds over all loops.
	PlainFDs bool
	// EpollWait has connections wait for input in an epoll instance, which the ring
	// waits for. It needs PlainFDs and Linux 6.15.
	EpollWait bool
	// Level takes the kernel for an older one: Level61, or "" for what it is.
	Level string

	recvWindow  int  // receives outstanding of a ring; tests set more than Buffers
	streamAsked bool // accept=multishot was said, and is not the default alone
}

const (
	defaultSQEntries   = 256
	defaultCQEntries   = 2048
	defaultBuffers     = 64
	multishotBuffers   = defaultSQEntries
	defaultBufferBytes = 512
	defaultBatch       = 256
	defaultMinWait     = 200 * time.Microsecond
	defaultReserve     = 64
	// reservePart bounds the default reserve: a fourth of a small server.
	reservePart = 4
	maxBuffers  = 1 << 15
	maxEntries  = 1 << 15
)

// Engine is the io_uring engine of one service; see the package's comment.
type Engine struct {
	svc      *comet.Service
	opts     Options
	features features
	loops    []*loop
	limit    int // slots of one ring
	rotate   bool
	origin   time.Time
	wall     int64

	mu       sync.Mutex
	started  bool
	stopping atomic.Bool
	paused   atomic.Bool // nothing more is accepted
	running  sync.WaitGroup
	stopped  sync.Once
}

var _ comet.Engine = (*Engine)(nil)

// New makes an engine for svc. It fails, as Probe does, where the kernel lacks
// what the engine needs, and where an option is out of its range.
func New(svc *comet.Service, opts Options) (*Engine, error) {
	if err := opts.complete(); err != nil {
		return nil, err
	}
	f, err := probe(&opts)
	if err != nil {
		return nil, err
	}
	e := &Engine{svc: svc, opts: opts, features: f, origin: time.Now()}
	if opts.Level == Level61 {
		e.features.minWait, e.features.dontWait = false, false
	}
	if opts.MultishotRecv {
		if err := probeMultishotRecv(); err != nil {
			return nil, err
		}
		e.features.multishotRecv = true
	}
	e.wall = e.origin.UnixNano()
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		return nil, fmt.Errorf("descriptor limit: %w", err)
	}
	e.limit = int(min(lim.Cur, maxSlots))
	if opts.TableLimit > e.limit {
		return nil, fmt.Errorf("a table of %d slots is more than the descriptor limit of %d", opts.TableLimit, e.limit)
	}
	if opts.TableLimit > 0 {
		e.limit = opts.TableLimit
	}
	if e.opts.Loops == 0 {
		e.opts.Loops = slack.Processors()
	}
	if opts.PlainFDs {
		if err := e.boundPlain(int(min(lim.Cur, maxSlots))); err != nil {
			return nil, err
		}
	}
	if e.opts.MaxConns == 0 {
		e.opts.MaxConns = e.limit * e.opts.Loops
	}
	return e, nil
}

// complete fills in defaults and refuses what cannot be.
func (o *Options) complete() error {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	def(&o.SQEntries, defaultSQEntries)
	def(&o.CQEntries, max(defaultCQEntries, o.SQEntries))
	if o.MultishotRecv {
		def(&o.Buffers, multishotBuffers)
	}
	def(&o.Buffers, defaultBuffers)
	def(&o.BufferBytes, defaultBufferBytes)
	def(&o.Batch, defaultBatch)
	def(&o.recvWindow, o.Buffers)
	if o.OwnBuffers {
		o.recvWindow = min(o.recvWindow, o.Buffers)
	}
	if o.MinWait == 0 {
		o.MinWait = defaultMinWait
	}
	pow := func(name string, v, least, most int) error {
		if v < least || v > most || bits.OnesCount(uint(v)) != 1 {
			return fmt.Errorf("%s is %d: want a power of two from %d to %d", name, v, least, most)
		}
		return nil
	}
	errs := []error{
		pow("SQEntries", o.SQEntries, 1, maxEntries),
		pow("CQEntries", o.CQEntries, o.SQEntries, 2*maxEntries),
		pow("Buffers", o.Buffers, 1, maxBuffers),
		o.checkTaskRun(),
		o.checkRecv(),
	}
	atLeast := func(name string, v, least int) {
		if v < least {
			errs = append(errs, fmt.Errorf("%s is %d: want at least %d", name, v, least))
		}
	}
	errs = append(errs, o.agree())
	atLeast("BufferBytes", o.BufferBytes, 1)
	atLeast("Batch", o.Batch, 1)
	atLeast("MinWait", int(o.MinWait), 0)
	atLeast("Loops", o.Loops, 0)
	atLeast("MaxConns", o.MaxConns, 0)
	atLeast("TableLimit", o.TableLimit, 0)
	atLeast("AdminReserve", o.AdminReserve, 0)
	return errors.Join(errs...)
}

// clock is nanoseconds since the Unix epoch: the wall clock once, then the
// monotonic one.
func (e *Engine) clock() int64 { return e.wall + int64(time.Since(e.origin)) }

// Start begins to accept and returns when every loop runs. It is called once.
func (e *Engine) Start(listeners []comet.Listener) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.started || e.stopping.Load() {
		return errors.New("uring: an engine is started once")
	}
	e.started = true
	admin := false
	for _, li := range listeners {
		admin = admin || li.Door == comet.DoorAdmin
		if err := prepareListener(li); err != nil {
			return err
		}
	}
	reserve, err := e.adminSlots(admin)
	if err != nil {
		return err
	}
	front := e.opts.MaxConns - reserve
	// A loop without a slot could serve nobody.
	e.opts.Loops = min(e.opts.Loops, front)
	e.rotate = e.opts.Loops > 1
	slack.Loops(e.opts.Loops)
	for i := range e.opts.Loops {
		n := front / e.opts.Loops
		if i < front%e.opts.Loops {
			n++
		}
		own := 0
		if i == 0 {
			own = reserve
		}
		if err := e.addLoop(i, n+own, own, listeners); err != nil {
			for _, l := range e.loops {
				l.free()
				_ = unix.Close(l.wakeFD)
			}
			e.loops = nil
			return err
		}
	}
	return e.launch()
}

// adminSlots is the number of slots kept for the admin door.
func (e *Engine) adminSlots(admin bool) (int, error) {
	switch n := e.opts.AdminReserve; {
	case !admin:
		return 0, nil
	case n == 0:
		return min(defaultReserve, e.opts.MaxConns/reservePart, e.limit/reservePart), nil
	case n >= e.opts.MaxConns || n >= e.limit:
		return 0, fmt.Errorf("%d slots for the admin door leave none of %d connections in tables of %d for the front", n, e.opts.MaxConns, e.limit)
	default:
		return n, nil
	}
}

// addLoop makes loop i with its memory and its core, not yet its thread.
func (e *Engine) addLoop(i, capacity, reserve int, listeners []comet.Listener) error {
	if capacity > maxAux {
		return fmt.Errorf("loop %d would hold %d connections: at most %d, so use more loops", i, capacity, maxAux)
	}
	l := &loop{e: e, index: i, capacity: capacity, slots: min(capacity, e.limit), reserve: reserve, deferred: e.opts.TaskRun == taskDeferred}
	core, err := e.svc.NewLoop(capacity)
	if err != nil {
		return err
	}
	l.core = core
	if l.wakeFD, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return fmt.Errorf("eventfd: %w", err)
	}
	e.loops = append(e.loops, l)
	l.listen(listeners)
	return l.reserveMemory()
}

// launch starts the threads; a loop that fails to begin stops them all.
func (e *Engine) launch() error {
	ready := make(chan error, len(e.loops))
	for _, l := range e.loops {
		e.running.Add(1)
		go l.run(ready)
	}
	var first error
	for range e.loops {
		if err := <-ready; err != nil && first == nil {
			first = err
		}
	}
	if first != nil {
		e.halt()
	}
	return first
}

// Stop closes every connection and ends the loops. It is idempotent and
// returns when nothing of the engine is left.
func (e *Engine) Stop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.halt()
}

func (e *Engine) halt() {
	e.stopped.Do(func() {
		e.stopping.Store(true)
		for _, l := range e.loops {
			l.wake()
		}
		e.running.Wait()
		for _, l := range e.loops {
			_ = unix.Close(l.wakeFD)
		}
	})
}

// prepareListener makes accepts wait in the ring rather than fail, and has the
// accepted sockets inherit that small sends go out at once.
func prepareListener(li comet.Listener) error {
	if err := unix.SetNonblock(li.FD, false); err != nil {
		return fmt.Errorf("listener %s: %w", li.Addr, err)
	}
	// A unix socket has no such option.
	_ = unix.SetsockoptInt(li.FD, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	return nil
}

// Facts may be called once Start has returned, from any thread. Loops that are
// as the last one have no line.
func (e *Engine) Facts() comet.Facts {
	f := comet.Facts{
		Engine: "uring", Loops: len(e.loops), TableLimit: e.limit, MaxConns: e.opts.MaxConns,
		Asked: e.features.asked(), Got: e.features.got(),
	}
	for _, l := range e.loops {
		n := int(l.ringCount.Load())
		f.Rings += n
		if last := e.loops[len(e.loops)-1]; l.slots == last.slots && l.reserve == last.reserve {
			continue
		}
		f.LoopLines = append(f.LoopLines, fmt.Sprintf("loop %d: %d of %d rings, %d slots each, %d connections at most, %d kept for the admin door",
			l.index, n, (l.capacity+l.slots-1)/l.slots, l.slots, l.capacity, l.reserve))
	}
	f.Tables = f.Rings
	if e.opts.PlainFDs {
		f.Tables = 1
	}
	return f
}
