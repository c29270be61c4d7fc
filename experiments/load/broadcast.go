package load

import (
	"context"
	"fmt"
	"time"

	"c1000k/experiments/load/replies"
)

// BroadcastOptions say what Broadcast sends.
type BroadcastOptions struct {
	Count int    // broadcasts, one after the other
	Admin string // "127.0.0.1:8000"
}

// Broadcast sends messages to all channels, each when every held connection has
// the one before and has polled again. The result holds what was reached also
// when there is an error.
func (g *Generator) Broadcast(ctx context.Context, o BroadcastOptions, report func(Progress)) (BroadcastResult, error) {
	if o.Count < 1 || o.Count > MostMessages {
		return BroadcastResult{}, fmt.Errorf("%d broadcasts", o.Count)
	}
	if g.numbers != nil {
		return BroadcastResult{}, errNoBroadcast
	}
	if g.sum()[cHeld] == 0 {
		return BroadcastResult{}, errNothingHeld
	}
	conns, err := dialAdmin(o.Admin, 1)
	if err != nil {
		return BroadcastResult{}, err
	}
	defer closeAdmin(conns)
	before, cpu := g.sum(), g.cpuSeconds()
	var result BroadcastResult
	for range o.Count {
		var round Round
		round, err = g.round(ctx, conns[0], report)
		result.Rounds = append(result.Rounds, round)
		if err != nil {
			break
		}
	}
	result.CPU, result.Counts = g.cpuSeconds()-cpu, g.sum().since(before).counts()
	return result, err
}

// round is one broadcast.
func (g *Generator) round(ctx context.Context, door *adminConn, report func(Progress)) (Round, error) {
	before, cpu := g.sum(), g.cpuSeconds()
	expected := before[cHeld]
	op := g.begin(replies.Broadcast, 1)
	start := g.now()
	op.due[0].Store(int64(start))
	op.sent[0].Store(int64(start))
	door.out = append(door.out, "GET /broadcast?content="...)
	door.out = op.appendContent(door.out, 0)
	door.out = append(door.out, g.pollTail...)

	var replied time.Duration
	var failure error
	buf := make([]byte, adminReadBytes)
	look := func(t totals) (int64, bool) {
		if err := door.flush(); err != nil {
			failure = err
		} else if replied == 0 {
			err := door.read(buf, func(_, status int) {
				replied = g.now()
				if status != 200 {
					failure = fmt.Errorf("the admin door answered a broadcast with status %d", status)
				}
			})
			if err != nil {
				failure = err
			}
		}
		delivered := t[cDelivered] - before[cDelivered]
		return delivered, failure != nil || replied != 0 && delivered >= expected
	}
	err := g.watch(ctx, look, g.progress(report, expected, func(t totals) int64 { return t[cDelivered] - before[cDelivered] }))
	if err == nil {
		err = failure
	}
	a := g.finish()
	delivered := g.sum()[cDelivered] - before[cDelivered]
	r := Round{
		Expected: expected, Delivered: delivered, Missing: max(0, expected-delivered),
		Latency: latency(a.corrected, a.tooLong), CPU: g.cpuSeconds() - cpu,
		Median: float64(a.corrected.ValueAtPercentile(50)) / 1e9,
	}
	if replied != 0 {
		r.Reply = (replied - start).Seconds()
	}
	if delivered > 0 {
		r.First, r.Last = (a.first - start).Seconds(), (a.last - start).Seconds()
	}
	return r, err
}
