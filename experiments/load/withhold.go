package load

import (
	"context"
	"errors"
)

// A delivery and the poll that follows it cost the server together, since a client
// polls as soon as it is answered. Where polls are withheld, a message is only
// delivered; the polls go out together when they are asked for, and can be measured
// alone.

// Withhold has no connection poll again from now on. Between a message and Repoll
// no connection holds a poll.
func (g *Generator) Withhold() { g.withhold.Store(true) }

// RepollResult is the outcome of repoll.
type RepollResult struct {
	Polls   int64   `json:"polls"` // sent
	Seconds float64 `json:"seconds"`
	CPU     float64 `json:"load_cpu_seconds"`
	Counts  Counts  `json:"counts"` // of this command; Opened and Held in all
}

// errNothingWithheld says that Repoll had nothing to do.
var errNothingWithheld = errors.New("no poll is withheld")

// Repoll sends all withheld polls, and lets polls follow replies again.
func (g *Generator) Repoll(ctx context.Context) (RepollResult, error) {
	before, cpu, start := g.sum(), g.cpuSeconds(), g.now()
	g.withhold.Store(false)
	for _, r := range g.reactors {
		if r.thread != nil {
			r.resuming.Store(true)
			r.wake()
		}
	}
	err := g.watch(ctx, func(t totals) (int64, bool) {
		for _, r := range g.reactors {
			if r.resuming.Load() {
				return t[cPolls], false
			}
		}
		return t[cPolls], true
	}, nil)
	after := g.sum().since(before)
	if err == nil && after[cPolls] == 0 {
		err = errNothingWithheld
	}
	return RepollResult{
		Polls: after[cPolls], Seconds: (g.now() - start).Seconds(), CPU: g.cpuSeconds() - cpu, Counts: after.counts(),
	}, err
}

// withholdPoll has the connection wait for Repoll.
func (r *reactor) withholdPoll(c *record) {
	r.leave(c)
	c.state = stateWithheld
}

// resumeSome sends the withheld polls of a burst of connections.
func (r *reactor) resumeSome() {
	for end := min(r.resumed+resumeBurst, r.opened); r.resumed < end; r.resumed++ {
		c := &r.records[r.resumed]
		if c.state != stateWithheld {
			continue
		}
		c.state = stateHeld
		r.gen.subscribers[c.channel].Add(1)
		r.tally.add(cHeld, 1)
		r.poll(uint32(r.resumed), c)
	}
	if r.resumed >= r.opened {
		r.resumed = 0
		r.resuming.Store(false)
	}
}
