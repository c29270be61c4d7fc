package ladder

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"c1000k/comet/hub"
	"c1000k/experiments/process"
	"c1000k/experiments/result"
	"c1000k/experiments/sample"
)

// The sizes of the two usual ladders.
const (
	MainTo    = 1_000_000
	MainStep  = 100_000
	QuickTo   = 50_000
	QuickStep = 10_000
)

// The lengths of the idle windows: at each step, and for --quick. At 0 and at
// the last step the window is longIdle times as long.
const (
	MainIdle  = 5 * time.Second
	QuickIdle = time.Second
	longIdle  = 3
	leastIdle = 100 * time.Millisecond
)

// quickSettle is how long memory must stand still in a quick ladder, and
// quickSettleLongest how long it is waited for.
const (
	quickSettle        = time.Second
	quickSettleLongest = 5 * time.Second
)

// Where the user says how long memory must stand still (SettleFor): settleTimes
// as long is waited for it at most, and it is looked at every settleEvery, or
// twice in that time.
const (
	leastSettle = 100 * time.Millisecond
	settleTimes = 5
	settleEvery = 250 * time.Millisecond
)

// How processes may be bound to processors.
const (
	PinNone  = "none"  // the kernel places both
	PinApart = "apart" // the server on the first half of the processors, the load on the second
)

// Options are the settings of a ladder. Fill what differs, then call Check,
// which sets what depends on others.
type Options struct {
	// To is the last step, Step the distance of two, in connections.
	To, Step int
	// Quick chooses the small ladder, and shorter idle windows and settling.
	Quick bool
	// Backends are run in this order.
	Backends []string
	// Push is the number of messages of a push phase, one to a channel each;
	// PushRate how many are sent a second.
	Push, PushRate int
	// BroadcastAt are the steps followed by a broadcast; nil takes the first, the
	// middle and the last.
	BroadcastAt []int
	// NoBroadcast leaves all broadcasts out.
	NoBroadcast bool
	// Broadcasts is how many follow each of these steps, one when the one before
	// has arrived; the last of them is measured.
	Broadcasts int
	// Seed draws the channels of a push phase.
	Seed uint64
	// Results is the folder in which the run's own is made.
	Results string
	// Pause waits for Enter, read from Input, at each step.
	Pause bool
	// Expiry adds a window at the last step in which the polls of a second server
	// expire: each at least twice. Its polling timeout is ExpiryTimeout; 0 takes
	// the server's default of 30 s, and so a window of 65 s.
	Expiry        bool
	ExpiryTimeout time.Duration
	// SubscribersPerChannel is how many connections share a channel.
	SubscribersPerChannel int
	// Prefault lets the server touch all its memory at start.
	Prefault bool
	// Loops is the number of the server's event loops; 0 leaves it to the server.
	Loops int
	// Pin is PinNone or PinApart.
	Pin string
	// Profile is the folder for profiles; empty takes none.
	Profile string
	// ProfileTime is how long one profile runs.
	ProfileTime time.Duration
	// Idle is the length of an idle window; 0 takes that of the ladder's size.
	Idle time.Duration
	// PollingTimeout is the server's; the polls shall not expire meanwhile.
	PollingTimeout time.Duration
	// Server is the server's binary. Load and Floor are the program and the first
	// arguments that run a load process and the bare accept floor's server.
	Server      string
	Load, Floor []string
	// PortBase is the first port tried for a server: its admin door.
	PortBase int
	// FloorCount is how many connections the bare accept floor opens; 0 takes as
	// many as the ladder, because each costs the more CPU the more there are.
	// NoFloor leaves it out.
	FloorCount int
	NoFloor    bool
	// Spec is the file under experiments/specs that declares the run.
	Spec string

	// Out and Input are the terminal, or what stands for it.
	Out   io.Writer
	Input io.Reader
	// Force, when closed, ends patience with processes that are asked to leave.
	Force <-chan struct{}
	// MemoryAvailable reads the available memory in bytes; nil asks the kernel.
	MemoryAvailable func() (int64, error)
	// Settle overrides when memory counts as settled, that of an empty server
	// too; nil takes the rule. See SettleFor.
	Settle *sample.SettleLimits
	// ReturnPatience is how long the kernel may take, after a backend, to give
	// back what it held; 0 takes that of the ladder's size.
	ReturnPatience time.Duration
}

// backendsKnown are the engines of the server.
var backendsKnown = []string{result.URing, result.Epoll, result.Gonet}

// Check sets the defaults that depend on other settings and refuses what
// cannot be run, with a reason.
func (o *Options) Check() error {
	o.fill()
	switch {
	case o.To < 1:
		return fmt.Errorf("--to %d: at least one connection is needed", o.To)
	case o.Step < 1:
		return fmt.Errorf("--step %d: must be at least 1", o.Step)
	case o.To/o.Step > 1000:
		return fmt.Errorf("--to %d --step %d: that is more than 1,000 steps", o.To, o.Step)
	case o.Push < 0:
		return fmt.Errorf("--push %d: must not be below 0", o.Push)
	case o.PushRate < 1:
		return fmt.Errorf("--push-rate %d: must be at least 1 a second", o.PushRate)
	case o.SubscribersPerChannel < 1:
		return fmt.Errorf("--subscribers-per-channel %d: must be at least 1", o.SubscribersPerChannel)
	case o.Loops < 0 || o.Loops > hub.MaxLoops:
		return fmt.Errorf("--loops %d: must be 0 to %d", o.Loops, hub.MaxLoops)
	case o.Idle < leastIdle:
		return fmt.Errorf("--idle %v: must be at least %v, or the clock of the kernel shows", o.Idle, leastIdle)
	case o.PollingTimeout < time.Minute:
		return fmt.Errorf("--polling-timeout %v: polls would expire while they are counted; must be at least 1m (see --expiry)", o.PollingTimeout)
	case o.ExpiryTimeout < leastExpiry:
		return fmt.Errorf("--expiry-timeout %v: must be at least %v", o.ExpiryTimeout, leastExpiry)
	case o.Pin != PinNone && o.Pin != PinApart:
		return fmt.Errorf("--pin %q: must be %s or %s", o.Pin, PinNone, PinApart)
	case o.Settle != nil && o.Settle.Window < leastSettle:
		return fmt.Errorf("--settle %v: must be at least %v, or nothing is seen to stand still", o.Settle.Window, leastSettle)
	case o.FloorCount < 0:
		return fmt.Errorf("--floor %d: must not be below 0", o.FloorCount)
	case o.ProfileTime < time.Second:
		return fmt.Errorf("--profile-time %v: must be at least 1s", o.ProfileTime)
	case o.Server == "":
		return errors.New("--server: the path of the server's binary is needed (scripts/experiment builds it and gives it)")
	}
	if err := process.CheckBase(o.PortBase); err != nil {
		return fmt.Errorf("--port %d: %w", o.PortBase, err)
	}
	if err := result.CheckSpec(o.Spec); err != nil {
		return fmt.Errorf("--spec: %w", err)
	}
	if err := o.checkBackends(); err != nil {
		return err
	}
	return o.checkBroadcasts()
}

// fill sets the defaults.
func (o *Options) fill() {
	to, step, idle := MainTo, MainStep, MainIdle
	if o.Quick {
		to, step, idle = QuickTo, QuickStep, QuickIdle
	}
	if o.To == 0 {
		o.To = to
	}
	if o.Step == 0 {
		o.Step = min(step, o.To)
	}
	if o.Idle == 0 {
		o.Idle = idle
	}
	if o.FloorCount == 0 {
		o.FloorCount = o.To
	}
	if o.ReturnPatience == 0 {
		o.ReturnPatience = returnPatience
		if o.Quick {
			o.ReturnPatience = returnPatienceQuick
		}
	}
	if o.ExpiryTimeout == 0 {
		o.ExpiryTimeout = ExpiryTimeout
	}
	if o.Broadcasts == 0 {
		o.Broadcasts = 1
	}
	if o.MemoryAvailable == nil {
		o.MemoryAvailable = memoryAvailable
	}
	if o.BroadcastAt == nil && !o.NoBroadcast && o.To > 0 && o.Step > 0 {
		o.BroadcastAt = defaultBroadcasts(o.targets())
	}
}

func (o *Options) checkBackends() error {
	if len(o.Backends) == 0 {
		return fmt.Errorf("--backends: name at least one of %s", strings.Join(backendsKnown, ", "))
	}
	for i, b := range o.Backends {
		if !slices.Contains(backendsKnown, b) {
			return fmt.Errorf("--backends: %q is none of %s", b, strings.Join(backendsKnown, ", "))
		}
		if slices.Contains(o.Backends[:i], b) {
			return fmt.Errorf("--backends: %s is named twice", b)
		}
	}
	return nil
}

func (o *Options) checkBroadcasts() error {
	if o.NoBroadcast && len(o.BroadcastAt) > 0 {
		return errors.New("--broadcast-at and --no-broadcast exclude each other")
	}
	if o.Broadcasts < 0 {
		return fmt.Errorf("--broadcasts %d: must be at least 1 (see --broadcast-at none)", o.Broadcasts)
	}
	targets := o.targets()
	for _, n := range o.BroadcastAt {
		if n == 0 || !slices.Contains(targets, n) {
			return fmt.Errorf("--broadcast-at %d: is no step of this ladder, which has %v", n, targets[1:])
		}
	}
	return nil
}

// targets lists the steps.
func (o *Options) targets() []int { return steps(o.To, o.Step) }

// broadcastDue tells whether a broadcast follows the step of n connections.
func (o *Options) broadcastDue(n int) bool { return slices.Contains(o.BroadcastAt, n) }

// channels is how many channels n connections are held on.
func (o *Options) channels(n int) int {
	return (n + o.SubscribersPerChannel - 1) / o.SubscribersPerChannel
}

// pushes is how many messages are pushed at n connections: one to each channel
// drawn, no channel twice.
func (o *Options) pushes(n int) int { return min(o.Push, o.channels(n)) }

// idleAt is the length of the idle window of the step with this index.
func (o *Options) idleAt(index int) time.Duration {
	if index == 0 || index == len(o.targets())-1 {
		return longIdle * o.Idle
	}
	return o.Idle
}

// settle is when memory counts as settled.
func (o *Options) settle() sample.SettleLimits {
	if o.Settle != nil {
		return *o.Settle
	}
	s := sample.DefaultSettle()
	if o.Quick {
		s.Window, s.Longest = quickSettle, quickSettleLongest
	}
	return s
}

// settleEmpty is when the memory of an empty server counts as settled.
func (o *Options) settleEmpty() sample.SettleLimits {
	if o.Settle != nil {
		return *o.Settle
	}
	return emptySettle
}

// SettleFor sets that memory counts as settled once it has stood still for d, by
// the usual rule otherwise, and that neither for this nor for the kernel to give
// back what a backend held more than five times d is waited.
func (o *Options) SettleFor(d time.Duration) {
	s := sample.DefaultSettle()
	s.Window, s.Longest, s.Every = d, settleTimes*d, min(settleEvery, d/2)
	o.Settle, o.ReturnPatience = &s, settleTimes*d
}

// memoryAvailable asks the kernel what programs could still take, in bytes.
func memoryAvailable() (int64, error) {
	m, err := sample.ReadMachine()
	return m.MemoryAvailable, err
}
