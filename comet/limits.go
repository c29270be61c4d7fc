package comet

import "fmt"

// Limits are the parts of Config that can change while a service runs; each
// means what it means there. A lower one refuses what comes from then on. It
// takes nobody's place away; histories that are too long by it shrink as
// messages come.
type Limits struct {
	MaxSubscribersPerChannel   int
	MaxChannelsPerSubscription int
	MaxContentBytes            int
	MaxMessageBytes            int64
	ChannelBufferBytes         int64
}

// Limits are those that the service is made with.
func (c *Config) Limits() Limits {
	return Limits{
		MaxSubscribersPerChannel:   c.MaxSubscribersPerChannel,
		MaxChannelsPerSubscription: c.MaxChannelsPerSubscription,
		MaxContentBytes:            c.MaxContentBytes,
		MaxMessageBytes:            c.MaxMessageBytes,
		ChannelBufferBytes:         c.ChannelBufferBytes,
	}
}

func (l Limits) check() error {
	if l.MaxSubscribersPerChannel < 0 || l.ChannelBufferBytes < 0 {
		return fmt.Errorf("comet: negative number of subscribers or bytes")
	}
	if l.MaxChannelsPerSubscription < 1 || l.MaxChannelsPerSubscription > MaxChannelsPerSubscription {
		return fmt.Errorf("comet: %d channels of one subscription are outside 1 to %d", l.MaxChannelsPerSubscription, MaxChannelsPerSubscription)
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
	s.maxContent.Store(int64(l.MaxContentBytes))
	s.maxNamed.Store(int64(l.MaxChannelsPerSubscription))
	s.hub.SetLimits(l.MaxSubscribersPerChannel, l.ChannelBufferBytes, l.MaxMessageBytes)
	return nil
}
