package comet

import "testing"

// TestSetLimitsRefuses proves that limits which cannot be are refused as they
// are at the start, and leave the old ones in force.
func TestSetLimitsRefuses(t *testing.T) {
	s := newRigs(t, 1, 1, nil)[0].l.svc
	before := s.limits.Load()
	for _, change := range []func(*Limits){
		func(l *Limits) { l.MaxContentBytes = 0 },
		func(l *Limits) { l.MaxContentBytes = MaxContentBytes + 1 },
		func(l *Limits) { l.MaxSubscribersPerChannel = -1 },
		func(l *Limits) { l.MaxChannelsPerSubscription = 0 },
		func(l *Limits) { l.MaxChannelsPerSubscription = MaxChannelsPerSubscription + 1 },
		func(l *Limits) { l.ChannelBufferBytes = -1 },
		func(l *Limits) { l.PollingTimeout = 0 },
		func(l *Limits) { l.HeaderTimeout = -1 },
		func(l *Limits) { l.IdleTimeout = MaxTimeout + 1 },
		func(l *Limits) { l.StallTimeout = 0 },
	} {
		config := s.Config()
		limits := config.Limits()
		change(&limits)
		if err := s.SetLimits(limits); err == nil || s.limits.Load() != before {
			t.Errorf("%+v: %v; in force are %+v", limits, err, *s.limits.Load())
		}
	}
}
