package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"c1000k/experiments/fdtable"

	"c1000k/experiments/load/replies"
)

// PushOptions say what Push sends.
type PushOptions struct {
	Count int     // messages, one to each drawn channel
	Rate  float64 // a second, open loop; 0: as fast as the admin door answers
	Seed  uint64  // of the draw
	Admin string  // "127.0.0.1:8000"
}

// MostMessages of one Push or Broadcast; a content has eight digits for them.
const MostMessages = 99_999_999

var errNothingHeld = errors.New("no poll is held")

// Push draws channels among those held and sends each a message. It returns when
// all have arrived, or nothing has for half a minute. The result holds what was
// reached also when there is an error.
func (g *Generator) Push(ctx context.Context, o PushOptions, report func(Progress)) (PushResult, error) {
	if o.Count < 1 || o.Count > MostMessages || o.Rate < 0 {
		return PushResult{}, fmt.Errorf("a push of %d messages at %v a second", o.Count, o.Rate)
	}
	held := g.heldChannels()
	if len(held) == 0 {
		return PushResult{}, errNothingHeld
	}
	if g.numbers != nil && o.Count > len(held) {
		return PushResult{}, errOvertake
	}
	conns, err := dialAdmin(o.Admin, adminConnections)
	if err != nil {
		return PushResult{}, err
	}
	p := &pusher{gen: g, picks: draw(held, o.Count, o.Seed), rate: o.Rate, conns: conns}
	p.weight = make([]int32, o.Count)
	var of int64
	for i, channel := range p.picks {
		p.weight[i] = g.subscribers[channel].Load()
		of += int64(p.weight[i])
	}

	before, cpu := g.sum(), g.cpuSeconds()
	p.op = g.begin(replies.Data, o.Count)
	thread := fdtable.GoShared(func(*fdtable.Table) { p.run() })
	look := func(t totals) (int64, bool) {
		// A number that was skipped is not waited for: it was not asked for again.
		settled := t[cDelivered] - before[cDelivered] + max(0, t[cLost]-before[cLost])
		select {
		case <-thread.Done():
			return settled, settled >= p.expected.Load() || p.failure != nil
		default:
			return settled + p.accepted.Load(), false
		}
	}
	err = g.watch(ctx, look, g.progress(report, of, func(t totals) int64 { return t[cDelivered] - before[cDelivered] }))
	p.stop.Store(true)
	thread.Wait()
	if err == nil {
		err = p.failure
	}
	a := g.finish()
	return p.result(a, g.sum().since(before), g.cpuSeconds()-cpu, o, len(held)), err
}

// result describes a push that is over.
func (p *pusher) result(a arrivals, t totals, cpu float64, o PushOptions, held int) PushResult {
	end := max(a.last, time.Duration(p.lastSent.Load()))
	seconds := (end - p.start).Seconds()
	sending := (time.Duration(p.lastSent.Load()) - p.start).Seconds()
	r := PushResult{
		Channels: held, Seed: o.Seed,
		Sent: p.sent.Load(), Accepted: p.accepted.Load(), Refused: p.refused.Load(),
		Expected: p.expected.Load(), Delivered: t[cDelivered],
		Missing: max(0, p.expected.Load()-t[cDelivered]),
		Seconds: seconds, RateAsked: o.Rate,
		Latency:     latency(a.corrected, a.tooLong),
		Uncorrected: latency(a.uncorrected, a.uncorrectedTooLong),
		SendLagMax:  microseconds(p.lagMax.Load()),
		CPU:         cpu, Counts: t.counts(),
	}
	if sending > 0 {
		r.RateSent = float64(r.Sent-1) / sending // the first is sent at the start
	}
	if seconds > 0 {
		r.Deliveries = float64(r.Delivered) / seconds
	}
	return r
}

// heldChannels lists the channels that have a subscriber now.
func (g *Generator) heldChannels() []uint32 {
	var held []uint32
	for i := range g.subscribers {
		if g.subscribers[i].Load() > 0 {
			held = append(held, uint32(i))
		}
	}
	return held
}

// draw picks count of the channels by the seed: each once before any comes a
// second time.
func draw(channels []uint32, count int, seed uint64) []uint32 {
	rng := rand.New(rand.NewPCG(seed, 0))
	deck := slices.Clone(channels)
	picked := make([]uint32, 0, count)
	for len(picked) < count {
		for i := 0; i < len(deck) && len(picked) < count; i++ {
			j := i + rng.IntN(len(deck)-i)
			deck[i], deck[j] = deck[j], deck[i]
			picked = append(picked, deck[i])
		}
	}
	return picked
}
