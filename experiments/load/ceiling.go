package load

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// CeilingOptions say how the load's own limit is measured.
type CeilingOptions struct {
	Connections int           // 0 is 4,000; they and the responder's ends share the process's table
	Duration    time.Duration // 0 is two seconds
}

// Ceiling measures what the load can receive, check and poll again, against a
// loop in this process which answers each poll at once with canned bytes. One
// thread does each; both compete for the processors that the process may use,
// so CPU a message is the figure to trust, and the rate that of the pair.
func Ceiling(ctx context.Context, o CeilingOptions) (CeilingResult, error) {
	if o.Connections == 0 {
		o.Connections = 4000
	}
	if o.Duration == 0 {
		o.Duration = 2 * time.Second
	}
	ip := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	responder, err := startResponder(ip)
	if err != nil {
		return CeilingResult{}, err
	}
	g, err := New(Options{
		Host: ip.String(), Port: responder.port, Ports: 1,
		Connections: o.Connections, Subscribers: 1, Reactors: 1, Openers: 1,
	})
	if err != nil {
		responder.end()
		return CeilingResult{}, err
	}
	result, err := g.ceiling(ctx, responder, o)
	g.End()
	if e := responder.end(); err == nil {
		err = e
	}
	return result, err
}

func (g *Generator) ceiling(ctx context.Context, responder *responder, o CeilingOptions) (CeilingResult, error) {
	if _, err := g.Open(ctx, o.Connections, 0, nil); err != nil {
		return CeilingResult{}, err
	}
	before, start := g.sum(), g.now()
	load, other := threadClock(g.reactors[0].tid.Load()), threadClock(responder.tid.Load())
	select {
	case <-ctx.Done():
		return CeilingResult{}, ctx.Err()
	case <-time.After(o.Duration):
	}
	load, other = threadClock(g.reactors[0].tid.Load())-load, threadClock(responder.tid.Load())-other
	t, seconds := g.sum().since(before), (g.now() - start).Seconds()
	messages := t[cMessages]
	if messages == 0 {
		return CeilingResult{}, fmt.Errorf("the canned responder sent nothing in %v", o.Duration)
	}
	perMessage := load.Seconds() / float64(messages)
	return CeilingResult{
		Connections: o.Connections, Seconds: seconds, Messages: messages,
		Rate:         float64(messages) / seconds,
		CPU:          perMessage * 1e6,
		ResponderCPU: other.Seconds() / float64(messages) * 1e6,
		CoreRate:     1 / perMessage,
		Counts:       t.counts(),
	}, nil
}

// threadClock reads the CPU clock of a thread of this process, 0 if it has ended.
func threadClock(tid int32) time.Duration {
	// The kernel encodes a thread in a clock number: the complement of its
	// number, shifted by three, with 4 for a thread and 2 for the scheduler's
	// clock.
	var ts unix.Timespec
	if unix.ClockGettime(^tid<<3|6, &ts) != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}
