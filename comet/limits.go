package comet

import (
	"fmt"
	"time"
)

// Limits are the parts of Config that can change while a service runs; each
// means what it means there. A lower one refuses what comes from then on. It
// takes nobody's place away; histories that are too long by it shrink as
// messages come. A timeout counts for what begins from then on: who waits
// already does so by the earlier one.
type Limits struct {
	MaxSubscribersPerChannel   int
	MaxChannelsPerSubscription int
	MaxContentBytes            int
	MaxMessageBytes            int64
	ChannelBufferBytes         int64

	PollingTimeout, HeaderTimeout, IdleTimeout, StallTimeout time.Duration
}

// Limits are those that the service is made with.
func (c *Config) Limits() Limits {
	return Limits{
		MaxSubscribersPerChannel:   c.MaxSubscribersPerChannel,
		MaxChannelsPerSubscription: c.MaxChannelsPerSubscription,
		MaxContentBytes:            c.MaxContentBytes,
		MaxMessageBytes:            c.MaxMessageBytes,
		ChannelBufferBytes:         c.ChannelBufferBytes,
		PollingTimeout:             c.PollingTimeout,
		HeaderTimeout:              c.HeaderTimeout,
		IdleTimeout:                c.IdleTimeout,
		StallTimeout:               c.StallTimeout,
	}
}

func (l Limits) check() error {
	if l.MaxSubscribersPerChannel < 0 || l.ChannelBufferBytes < 0 {
		return fmt.Errorf("comet: negative number of subscribers or bytes")
	}
	if l.MaxChannelsPerSubscription < 1 || l.MaxChannelsPerSubscription > MaxChannelsPerSubscription {
		return fmt.Errorf("comet: %d channels of one subscription are outside 1 to %d", l.MaxChannelsPerSubscription, MaxChannelsPerSubscription)
	}
	for _, t := range []struct {
		name string
		d    time.Duration
	}{
		{"polling timeout", l.PollingTimeout}, {"header timeout", l.HeaderTimeout},
		{"idle timeout", l.IdleTimeout}, {"stall timeout", l.StallTimeout},
	} {
		if err := checkTimeout(t.name, t.d); err != nil {
			return err
		}
	}
	if l.MaxContentBytes <= 0 || l.MaxContentBytes > MaxContentBytes {
		return fmt.Errorf("comet: a content of %d bytes is outside 1 to %d", l.MaxContentBytes, MaxContentBytes)
	}
	return nil
}

// SetLimits puts other limits into force. Limits that contradict themselves are
// refused, and the old ones stay. It may be called from any thread.
func (s *Service) SetLimits(l Limits) error {
	if err := l.check(); err != nil {
		return err
	}
	s.hub.SetLimits(l.MaxSubscribersPerChannel, l.ChannelBufferBytes, l.MaxMessageBytes)
	s.limits.Store(&limits{
		maxContent: l.MaxContentBytes, maxNamed: l.MaxChannelsPerSubscription, polling: l.PollingTimeout, pollTicks: ticks(l.PollingTimeout),
		headerTicks: ticks(l.HeaderTimeout), idleTicks: ticks(l.IdleTimeout), stallTicks: ticks(l.StallTimeout),
	})
	return nil
}

// limits are what the loops go by of Limits.
type limits struct {
	maxContent, maxNamed                          int
	polling                                       time.Duration
	pollTicks, headerTicks, idleTicks, stallTicks uint32
}

func checkTimeout(name string, d time.Duration) error {
	if d <= 0 || d > MaxTimeout {
		return fmt.Errorf("comet: a %s of %v is outside 0 to %v", name, d, MaxTimeout)
	}
	return nil
}
