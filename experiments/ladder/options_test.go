package ladder

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

// usual are options that Check accepts.
func usual() Options {
	return Options{
		Backends: []string{"uring", "epoll"}, Push: 10_000, PushRate: 5_000, SubscribersPerChannel: 1,
		Pin: PinNone, ProfileTime: 10 * time.Second, PollingTimeout: time.Hour, PortBase: 8000, Server: "comet",
	}
}

// TestSizes proves the steps, the broadcasts and the windows of the usual
// ladders and of odd ones.
func TestSizes(t *testing.T) {
	for _, c := range []struct {
		name       string
		to, step   int
		quick      bool
		steps      int
		last2      []int
		broadcasts []int
		idle       time.Duration
	}{
		{"main", 0, 0, false, 11, []int{900_000, 1_000_000}, []int{100_000, 500_000, 1_000_000}, 5 * time.Second},
		{"quick", 0, 0, true, 6, []int{40_000, 50_000}, []int{10_000, 30_000, 50_000}, time.Second},
		{"uneven", 250, 100, false, 4, []int{200, 250}, []int{100, 200, 250}, 5 * time.Second},
		{"one step", 400, 400, false, 2, []int{0, 400}, []int{400}, 5 * time.Second},
		{"step beyond the end", 400, 1000, false, 2, []int{0, 400}, []int{400}, 5 * time.Second},
	} {
		o := usual()
		o.To, o.Step, o.Quick = c.to, c.step, c.quick
		if err := o.Check(); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		targets := o.targets()
		if len(targets) != c.steps || !reflect.DeepEqual(targets[len(targets)-2:], c.last2) || targets[0] != 0 {
			t.Errorf("%s: steps %v", c.name, targets)
		}
		if !reflect.DeepEqual(o.BroadcastAt, c.broadcasts) {
			t.Errorf("%s: broadcasts at %v, want %v", c.name, o.BroadcastAt, c.broadcasts)
		}
		if o.idleAt(0) != 3*c.idle || o.idleAt(len(targets)-1) != 3*c.idle {
			t.Errorf("%s: idle %v at 0, %v at the end", c.name, o.idleAt(0), o.idleAt(len(targets)-1))
		}
		if len(targets) > 2 && o.idleAt(1) != c.idle {
			t.Errorf("%s: idle %v at the first step", c.name, o.idleAt(1))
		}
	}
}

// TestRefusedOptions proves that each setting that cannot be run is refused by
// an error that names its flag.
func TestRefusedOptions(t *testing.T) {
	declared := usual()
	declared.Spec = "options_test.go" // any file
	if err := declared.Check(); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		want string
		set  func(*Options)
	}{
		{"--to", func(o *Options) { o.To = -1 }},
		{"--step", func(o *Options) { o.Step = -5 }},
		{"1,000 steps", func(o *Options) { o.Step = 1 }},
		{"--push ", func(o *Options) { o.Push = -1 }},
		{"--push-rate", func(o *Options) { o.PushRate = 0 }},
		{"--broadcasts", func(o *Options) { o.Broadcasts = -1 }},
		{"--subscribers-per-channel", func(o *Options) { o.SubscribersPerChannel = 0 }},
		{"--loops", func(o *Options) { o.Loops = -1 }},
		{"--loops 65", func(o *Options) { o.Loops = 65 }},
		{"--port 99999", func(o *Options) { o.PortBase = 99_999 }},
		{"--idle", func(o *Options) { o.Idle = time.Millisecond }},
		{"--polling-timeout", func(o *Options) { o.PollingTimeout = time.Second }},
		{"--pin", func(o *Options) { o.Pin = "together" }},
		{"--settle", func(o *Options) { o.SettleFor(10 * time.Millisecond) }},
		{"--floor", func(o *Options) { o.FloorCount = -1 }},
		{"--profile-time", func(o *Options) { o.ProfileTime = 0 }},
		{"--server", func(o *Options) { o.Server = "" }},
		{"at least one of", func(o *Options) { o.Backends = nil }},
		{`"kqueue"`, func(o *Options) { o.Backends = []string{"uring", "kqueue"} }},
		{"named twice", func(o *Options) { o.Backends = []string{"uring", "uring"} }},
		{"--broadcast-at 7", func(o *Options) { o.BroadcastAt = []int{7} }},
		{"--spec: stat none.md", func(o *Options) { o.Spec = "none.md" }},
		{"--spec: ../ladder is no file", func(o *Options) { o.Spec = "../ladder" }},
		{"exclude", func(o *Options) { o.BroadcastAt = []int{MainTo}; o.NoBroadcast = true }},
	} {
		o := usual()
		c.set(&o)
		if err := o.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want an error with %q, got %v", c.want, err)
		}
	}
}

// TestMemoryNeeded proves the rule of the ladder: 8.5 KB for each connection
// still to come and 2 GiB for the rest.
func TestMemoryNeeded(t *testing.T) {
	if got, want := memoryNeeded(1_000_000), int64(8_500_000_000+2<<30); got != want {
		t.Errorf("for a million: %d, want %d", got, want)
	}
	if got, want := memoryNeeded(0), int64(2<<30); got != want {
		t.Errorf("for none: %d, want %d", got, want)
	}
}
