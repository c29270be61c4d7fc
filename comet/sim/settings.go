package sim

import (
	"fmt"
	"math/rand/v2"
	"time"

	"c1000k/comet"
)

const (
	// startTime is where virtual time begins, in nanoseconds since the epoch.
	startTime = int64(1_700_000_000_000_000_000)
	// tick is the coarsest grain that a timeout may have.
	tick = 70 * time.Millisecond
	// longTimeout is a timeout that no run reaches.
	longTimeout = 24 * time.Hour
	// spareChannels is more than a run closes.
	spareChannels = 200
)

// settings is what a seed draws before a run begins.
type settings struct {
	loops, conns int // loops, and connections of each
	names        []string
	config       comet.Config
	subscribers  int // clients of each kind
	publishers   int
	strangers    int
	watchers     int // readers of /psub
	steps        int
	// streams, signs and ends are how likely, in a thousand, a subscriber
	// begins a stream, and a publisher signs, or closes or clears.
	streams, signs, ends int
	// several is how likely, in a thousand, a subscriber names several channels.
	several int
	// access: publishers come from addresses, and lists say who may publish.
	access bool
	// drain: in the end the service is drained.
	drain bool
	// tight: there is not room for all channels.
	tight bool
	// storm has so many messages pushed while a loop is starved that its
	// inbox overflows. There are no broadcasts then.
	storm bool
	// crowd is how many subscribers come to one channel of one loop, more than
	// it serves in a turn; 0 is none.
	crowd int
	// stall has clients read nothing while more is published than may wait.
	stall bool
	// big is how likely, in a thousand, a content is so large that a replay of
	// a few is cut off.
	big int
	// leaps is how often, in steps, time jumps; 0 is never.
	leaps int
	// faults is how likely, in a thousand, a send fails or a client resets.
	faults int
	// troubles is how likely, in a thousand, an engine has trouble with what it is
	// about to do.
	troubles int
	// readBytes is the most that one Data holds.
	readBytes int
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func newSettings(r *rand.Rand, seed uint64) settings {
	cfg := comet.DefaultConfig()
	cfg.Seed = seed
	cfg.Version = "1.2.3"
	cfg.ChannelBufferSize = pick(r, 0, 1, 2, 3, 10, 50)
	cfg.PollingTimeout = pick(r, 2*time.Second, 5*time.Second, 30*time.Second)
	cfg.ChannelTimeout = pick(r, time.Second, 5*time.Second, 60*time.Second)
	cfg.MaxSubscribersPerChannel = pick(r, 0, 0, 0, 1, 3)
	cfg.HeaderTimeout, cfg.IdleTimeout, cfg.StallTimeout = longTimeout, longTimeout, longTimeout
	if r.IntN(4) == 0 {
		cfg.HeaderTimeout = pick(r, time.Second, 4*time.Second)
		cfg.IdleTimeout = pick(r, time.Second, 4*time.Second)
		cfg.StallTimeout = pick(r, time.Second, 4*time.Second)
	}
	s := settings{
		loops: 1 + r.IntN(4), conns: 4 + r.IntN(30), config: cfg,
		subscribers: 1 + r.IntN(24), publishers: 1 + r.IntN(5), strangers: r.IntN(3),
		steps:     2_000 + r.IntN(4_000),
		leaps:     pick(r, 0, 500, 200),
		faults:    pick(r, 0, 5, 30),
		readBytes: pick(r, 7, 64, 512, 4096),
	}
	s.names = []string{"a"}
	for i := range r.IntN(8) {
		s.names = append(s.names, pick(r, "c", "quo\"te\\", "né", "sp ace\t", "")+fmt.Sprint(i))
	}
	if r.IntN(4) == 0 {
		s.names[0] = ""
	}
	s.streams, s.signs, s.ends = pick(r, 0, 200, 500, 900), 20, pick(r, 0, 100, 300)
	s.several = pick(r, 0, 200, 600)
	s.config.EarlyHead = r.IntN(3) == 0
	s.config.CORSOrigin = pick(r, "", "*", "*")
	if r.IntN(6) == 0 {
		s.config.TokenAuth, s.signs = true, 150
		s.config.TokenKey = [16]byte{byte(seed), 1, 2, 3}
	}
	s.config.Channels = len(s.names) + spareChannels
	if r.IntN(8) == 0 {
		s.config.Channels, s.tight = r.IntN(len(s.names)), true
	}
	if seed%32 == 5 {
		s.storm = true
		s.loops = max(s.loops, 2)
		s.names = append(s.names, "quiet")
		s.conns = s.subscribers + s.publishers + s.strangers + 12
		s.config.Channels, s.tight = len(s.names)+spareChannels, false
		s.config.TokenAuth, s.signs = false, 20
		s.config.ChannelBufferSize = []int{10, 0, 5_000}[seed/32%3]
		s.config.MaxSubscribersPerChannel = 0
		s.config.HeaderTimeout, s.config.IdleTimeout, s.config.StallTimeout = longTimeout, longTimeout, longTimeout
		s.readBytes = 4096
	}
	if seed%64 == 9 {
		s.crowd = 260 + r.IntN(400)
		s.conns = s.crowd + 40
		s.config.MaxSubscribersPerChannel = 0
		s.config.Channels, s.tight = len(s.names)+spareChannels, false
		s.config.TokenAuth, s.signs = false, 20
	}
	if seed%16 == 3 {
		s.stall = true
		s.config.Channels, s.tight = len(s.names)+spareChannels, false
		s.config.TokenAuth, s.signs = false, 20
		s.config.ChannelBufferSize = pick(r, 0, 10, 270, 400, 1000)
		s.config.MaxSubscribersPerChannel = 0
		s.config.HeaderTimeout, s.config.IdleTimeout, s.config.StallTimeout = longTimeout, longTimeout, longTimeout
		s.conns += 12
		s.readBytes = 4096
	}
	switch seed % 64 {
	case 19: // stall, too
		s.big = 20
	case 21:
		s.big = 500
		s.steps, s.publishers = 2_000, 2
		s.config.ChannelBufferSize = pick(r, 10, 50)
		s.names = s.names[:1]
		s.config.ChannelTimeout = 60 * time.Second
		s.config.Channels, s.tight = len(s.names)+spareChannels, false
		s.config.TokenAuth, s.signs, s.ends = false, 20, 100
	}
	s.watchers, s.access, s.drain = pick(r, 0, 0, 1, 3), r.IntN(4) == 0, r.IntN(5) == 0
	if s.storm || s.stall || s.crowd > 0 {
		s.conns += s.watchers
	}
	s.troubles = pick(r, 0, 20, 150)
	if s.big > 0 {
		// How a replay of several that is cut off is shared out the model does not follow.
		s.several = 0
		// No more: the core answers requests in batches of 16 KB of replies, which
		// the model does not follow.
		s.readBytes = 4096
	}
	return s
}
