package comet

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"c1000k/comet/hub"
	"c1000k/comet/wire"
)

// Config is what a service is made with; DefaultConfig is where to begin.
type Config struct {
	// Channels is the most channels at once; their memory is reserved at start
	// and touched as used. 0 is legal: nobody can subscribe.
	Channels int
	// MaxSubscribersPerChannel is the limit of one channel; 0 is no limit.
	MaxSubscribersPerChannel int
	// MaxChannelsPerSubscription is how many channels one request may subscribe to.
	MaxChannelsPerSubscription int
	// ChannelBufferSize is the number of messages a channel's history keeps; 0 keeps none.
	ChannelBufferSize int
	// ChannelTimeout is how long a channel without subscribers lives after its
	// last subscriber or push.
	ChannelTimeout time.Duration
	// PollingTimeout is how long a subscriber is held without a message before
	// it gets a noop.
	PollingTimeout time.Duration
	// HeaderTimeout is how long a client may take to send a request, from the
	// accept or from the request's first byte.
	HeaderTimeout time.Duration
	// IdleTimeout is how long a connection stays between requests.
	IdleTimeout time.Duration
	// StallTimeout is how long a send may take.
	StallTimeout time.Duration
	// MaxContentBytes is the longest content of a message, escaped for JSON.
	MaxContentBytes int
	// MaxMessageBytes is the limit of all messages' memory together. At the
	// limit histories lose their oldest messages.
	MaxMessageBytes int64
	// ChannelBufferBytes is the limit of the messages in one channel's history;
	// the newest stays whatever it takes. 0 is no limit.
	ChannelBufferBytes int64
	// Seed makes the jitter and the hash of names repeatable; production draws it.
	Seed uint64
	// Prefault touches the channels' memory at start.
	Prefault bool
	// CORSOrigin is the origin whose pages may read the front door's replies:
	// one, or "*" for all; empty sends no such header.
	CORSOrigin string
	// EarlyHead sends the head of a held poll's reply at once and its body
	// later, for proxies and clients that do not wait for a head so long.
	EarlyHead bool
	// TokenAuth lets in only subscribers that show the token which /sign gave.
	TokenAuth bool
	// TokenKey makes the tokens; production draws it from a cryptographic source.
	TokenKey [tokenBytes]byte
	// AdminSecret is what publishers show as a bearer token; empty asks for none.
	AdminSecret []byte
	// Version is told by /info and the Server header.
	Version string
}

// DefaultConfig is icomet's configuration, as far as both have one.
func DefaultConfig() Config {
	return Config{
		Channels:                   1_000_000,
		ChannelBufferSize:          10,
		MaxChannelsPerSubscription: 16,
		ChannelTimeout:             30 * time.Second,
		PollingTimeout:             30 * time.Second,
		HeaderTimeout:              30 * time.Second,
		IdleTimeout:                75 * time.Second,
		StallTimeout:               30 * time.Second,
		MaxContentBytes:            1 << 20,
		MaxMessageBytes:            4 << 30,
		CORSOrigin:                 "*",
		Version:                    "0.1.0",
	}
}

// MaxTimeout is the longest a timeout may be: the timers' ticks are counted in
// 32 bits, nine years of them in all.
const MaxTimeout = 365 * 24 * time.Hour

func (c *Config) check() error {
	if err := checkTimeout("channel timeout", c.ChannelTimeout); err != nil {
		return err
	}
	if c.TokenAuth && c.TokenKey == [tokenBytes]byte{} {
		return fmt.Errorf("comet: tokens by a key of zeros are no secret: it was not drawn")
	}
	if c.Channels < 0 {
		return fmt.Errorf("comet: negative number of channels")
	}
	if !wire.ValidOrigin(c.CORSOrigin) {
		return fmt.Errorf("comet: %q is no origin: * or scheme://host[:port]", c.CORSOrigin)
	}
	return c.Limits().check()
}

// Service is what the loops of one server share: the channels, the
// configuration and the counters. Its methods may be called from any thread.
type Service struct {
	cfg     Config
	hub     *hub.Hub
	base    atomic.Int64 // now of tick 1; 0 until the first call of any loop
	version []byte       // escaped for JSON
	server  []byte       // the Server header's value
	origin  []byte       // Access-Control-Allow-Origin; nil: none

	access   atomic.Pointer[Access]
	draining atomic.Uint32 // a Farewell; 0: it goes on
	watching atomic.Uint64 // loops with connections of /psub

	limits atomic.Pointer[limits]
	secret atomic.Pointer[[]byte] // Config.AdminSecret

	mu    sync.Mutex
	loops []*Loop
}

// NewService reserves the memory for cfg.Channels channels.
func NewService(cfg Config) (*Service, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	h, err := hub.New(hub.Config{
		Channels:       cfg.Channels,
		MaxSubscribers: cfg.MaxSubscribersPerChannel,
		History:        cfg.ChannelBufferSize,
		TimeoutTicks:   ticks(cfg.ChannelTimeout),
		MessageBytes:   cfg.MaxMessageBytes,
		ChannelBytes:   cfg.ChannelBufferBytes,
		Seed:           cfg.Seed,
	})
	if err != nil {
		return nil, err
	}
	if cfg.Prefault {
		h.Prefault()
	}
	s := &Service{
		cfg: cfg, hub: h, origin: []byte(cfg.CORSOrigin),
		version: []byte(cfg.Version), server: []byte("c1000k " + cfg.Version),
	}
	s.SetAdminSecret(cfg.AdminSecret)
	return s, s.SetLimits(cfg.Limits())
}

// Config is what the service was made with.
func (s *Service) Config() Config { return s.cfg }

// tickShift makes a tick of the timers 2^26 ns, 67 ms: fine enough for
// timeouts of seconds, and 32 bits of them last nine years.
const tickShift = 26

// ticks is how many whole ticks cover d.
func ticks(d time.Duration) uint32 { return uint32((int64(d) + 1<<tickShift - 1) >> tickShift) }

// tickAt is the tick of now; the first call of any loop makes it tick 1.
func (s *Service) tickAt(now int64) uint32 {
	base := s.base.Load()
	if base == 0 {
		s.base.CompareAndSwap(0, now)
		base = s.base.Load()
	}
	return uint32(max(now-base, 0)>>tickShift) + 1
}

// timeOf is the now at which a tick begins.
func (s *Service) timeOf(tick uint32) int64 {
	return s.base.Load() + int64(tick-1)<<tickShift
}
