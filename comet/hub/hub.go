package hub

import (
	"errors"
	"fmt"
	"math/bits"
	"sync"
	"sync/atomic"

	"c1000k/comet/arena"

	"github.com/dchest/siphash"
)

const (
	numStripes = 64
	// MaxLoops is the most loops a hub serves: one bit each in a channel's mask.
	MaxLoops = 64
	// MaxNameBytes is the longest channel name: its length is kept in a byte.
	MaxNameBytes = 255
	// MaxHistory is the most messages a channel's history can be told to keep.
	MaxHistory = 1<<16 - 1
)

// ErrTooManyChannels refuses a channel when all that were reserved are in use.
var ErrTooManyChannels = errors.New("hub: too many channels")

// ErrNoMemory refuses a message when the limit on message bytes is reached.
var ErrNoMemory = errors.New("hub: no memory left for messages")

// Config is what a Hub is made with.
type Config struct {
	Channels       int    // most channels at once
	MaxSubscribers int    // most subscribers of one channel; 0: no limit
	History        int    // messages a channel's history keeps
	TimeoutTicks   uint32 // how long a channel without subscribers lives
	MessageBytes   int64  // limit of all messages' blocks together
	ChannelBytes   int64  // limit of the messages' bytes in one history; 0: none
	Seed           uint64 // keys the hash of names
}

// Hub is all channels of a server. Its methods may be called from any thread.
type Hub struct {
	cfg     Config
	limits  limits
	stripes []stripe
	buckets []uint32 // first channel of each hash chain; a stripe's lie together
	mem     []byte   // behind buckets
	shift   uint     // hash -> bucket
	chans   *arena.Pool[channel]
	names   *arena.Blocks
	rings   *arena.Blocks
	msgs    *arena.Blocks

	// Inboxes and side lists by loop, the first loops of each: a loop's are
	// set before it first takes a place in a channel.
	loops   atomic.Int32
	adding  sync.Mutex
	inboxes [MaxLoops]*Inbox
	side    [MaxLoops][]uint32

	presence presence

	count      atomic.Int64
	sweepAt    atomic.Uint32 // tick of the next sweep; arena.NeverTick: none
	sweepMoved atomic.Bool   // sweepAt came nearer since the sweeping loop looked
	lostRings  atomic.Uint64 // histories dropped for want of memory
	evictAt    atomic.Uint32 // the channel that last lost a message for want of memory
	evicted    atomic.Uint64 // messages dropped from histories for want of memory
}

type stripe struct {
	mu    sync.Mutex
	wheel arena.Wheel // of channels that nobody holds
	_     [32]byte    // keeps neighbours' locks off this cache line
}

// New reserves the memory for cfg.Channels channels.
func New(cfg Config) (*Hub, error) {
	if cfg.History < 0 || cfg.History > MaxHistory {
		return nil, fmt.Errorf("hub: a history of %d messages is outside 0 to %d", cfg.History, MaxHistory)
	}
	chans, err := arena.NewPool[channel](cfg.Channels)
	if err != nil {
		return nil, err
	}
	n := max(numStripes, 1<<bits.Len(uint(max(cfg.Channels, 1)-1)))
	mem, err := arena.Map(4 * n)
	if err != nil {
		return nil, err
	}
	h := &Hub{
		cfg:     cfg,
		stripes: make([]stripe, numStripes),
		buckets: words(mem),
		mem:     mem,
		shift:   uint(64 - bits.TrailingZeros(uint(n))),
		chans:   chans,
		names:   arena.NewBlocks(1 << 40), // bounded by the number of channels
		rings:   arena.NewBlocks(1 << 40), // likewise
		msgs:    arena.NewBlocks(cfg.MessageBytes),
	}
	h.SetLimits(cfg.MaxSubscribers, cfg.ChannelBytes, cfg.MessageBytes)
	h.sweepAt.Store(arena.NeverTick)
	for i := range h.stripes {
		h.stripes[i].wheel.Init(linksOf(chans), chans.Stride(), 1)
	}
	return h, nil
}

// AddLoop gives the hub one more loop and returns its number, from 0, and its inbox.
func (h *Hub) AddLoop() (int, *Inbox, error) {
	h.adding.Lock()
	defer h.adding.Unlock()
	id := int(h.loops.Load())
	if id == MaxLoops {
		return 0, nil, fmt.Errorf("hub: %d loops are the most (a channel names its loops in a mask of 64 bits)", MaxLoops)
	}
	mem, err := arena.Map(4 * h.chans.Cap())
	if err != nil {
		return 0, nil, err
	}
	in, err := newInbox()
	if err != nil {
		return 0, nil, err
	}
	h.inboxes[id], h.side[id] = in, words(mem)
	h.loops.Add(1)
	return id, in, nil
}

// Prefault makes the channels' memory resident. Call it before any traffic.
// Names and histories, which come by use, are not part of it.
func (h *Hub) Prefault() {
	h.chans.Prefault()
	arena.Prefault(h.mem)
}

// Count is the number of channels.
func (h *Hub) Count() int { return int(h.count.Load()) }

// Usage is how much of a hub's memory is in use.
type Usage struct {
	Channels, ChannelCap                  int
	NameBytes, HistoryBytes, MessageBytes int64
	HistoriesLost                         uint64 // dropped for want of memory
	MessagesEvicted                       uint64 // dropped from histories before their time, for want of memory
}

// Usage reads the arenas' counters.
func (h *Hub) Usage() Usage {
	return Usage{
		Channels: h.chans.Used(), ChannelCap: h.chans.Cap(),
		NameBytes: h.names.Used(), HistoryBytes: h.rings.Used(), MessageBytes: h.msgs.Used(),
		HistoriesLost: h.lostRings.Load(), MessagesEvicted: h.evicted.Load(),
	}
}

// bucket hashes a name with the hub's key, so that nobody outside can choose
// names that fall together.
func (h *Hub) bucket(name []byte) uint32 {
	return uint32(siphash.Hash(h.cfg.Seed, ^h.cfg.Seed, name) >> h.shift)
}

// stripeOf is the stripe of a bucket: its highest bits.
func (h *Hub) stripeOf(bucket uint32) uint32 {
	return uint32(uint64(bucket) * numStripes / uint64(len(h.buckets)))
}
