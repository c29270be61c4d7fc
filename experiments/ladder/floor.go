package ladder

import (
	"context"
	"errors"
	"fmt"
	"time"

	"c1000k/experiments/floor"
	"c1000k/experiments/process"
	"c1000k/experiments/result"
	"c1000k/experiments/sample"
)

// floor measures how fast this machine accepts connections with no protocol
// behind them, and what the load can do at best. Where one cannot be measured the
// ladder goes on without.
func (r *run) floor(ctx context.Context) error {
	if r.o.NoFloor {
		return nil
	}
	r.show.begin(floorPhase(r.o))
	doors, next, err := process.FindDoors(r.nextPort)
	if err != nil {
		return err
	}
	r.nextPort = next
	if err := r.loadCeiling(ctx, doors); err != nil {
		return err
	}
	available, err := r.o.MemoryAvailable()
	if err != nil {
		return err
	}
	if err := memoryFor(r.o.FloorCount, available); err != nil {
		return r.floorFailed(ctx, "the accept floor", err)
	}
	if err := r.acceptFloor(ctx, doors); err != nil {
		return err
	}
	return r.awaitReturn(ctx, "the floor", r.o.ReturnPatience)
}

// acceptFloor measures a bare accept loop.
func (r *run) acceptFloor(ctx context.Context, doors process.Doors) error {
	before, err := kernelAtRest(ctx)
	if err != nil {
		return err
	}
	var kernel sample.KernelDelta
	held := func(ctx context.Context) error {
		// What was freed on the way is given back in a moment.
		after, err := kernelAtRest(ctx)
		kernel = after.Since(before)
		return err
	}
	a, err := floor.Accept(ctx, floor.AcceptOptions{
		ServerArgv: r.o.Floor, Host: doors.Host, Port: doors.FirstPort, Ports: process.FrontPorts, Connections: r.o.FloorCount, Held: held,
	})
	if err != nil {
		return r.floorFailed(ctx, "the accept floor", err)
	}
	r.show.line("floor: a bare accept loop took %s connections at %s/s", grouped(a.Connections), grouped(int(a.Rate)))
	return r.keep(result.Record{Floor: &result.Floor{
		What: result.FloorAccept, Variant: "epoll, accept4", Loops: 1, Count: int64(a.Connections),
		Seconds: a.Seconds, Rate: a.Rate,
		ServerCPU: microseconds(a.ServerCPU), LoadCPU: microseconds(a.ClientCPU),
		Kernel: &kernel,
	}})
}

// loadCeiling measures the load against a loop that answers canned bytes.
func (r *run) loadCeiling(ctx context.Context, doors process.Doors) error {
	p, err := startLoad(ctx, r.o, doors, nil)
	if err != nil {
		return r.floorFailed(ctx, "the load's ceiling", err)
	}
	c, err := p.ceiling(ctx)
	if closeErr := p.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return r.floorFailed(ctx, "the load's ceiling", err)
	}
	r.show.line("load: at best %s messages/s, %.1f us of CPU each", grouped(int(c.Rate)), *c.LoadCPU)
	return r.keep(result.Record{Floor: c})
}

// floorFailed records that something beside the backends was not measured.
func (r *run) floorFailed(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	f := result.Failure{Process: "floor", During: phaseFloor, Reason: fmt.Sprintf("%s was not measured: %v", what, err)}
	var l loadError
	if errors.As(err, &l) {
		f.LastLines = l.lines
	}
	return r.fail(f)
}

// microseconds converts for a record.
func microseconds(d time.Duration) *float64 {
	us := float64(d) / float64(time.Microsecond)
	return &us
}
