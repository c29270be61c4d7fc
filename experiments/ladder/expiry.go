package ladder

import (
	"context"
	"fmt"
	"time"

	"c1000k/experiments/load"
	"c1000k/experiments/process"
	"c1000k/experiments/result"
	"c1000k/experiments/sample"
)

// ExpiryTimeout is the server's default polling timeout.
const ExpiryTimeout = 30 * time.Second

// leastExpiry is the shortest polling timeout whose expiry is measured.
const leastExpiry = 100 * time.Millisecond

// noopWithin is how long after its timeout a poll may wait for its noop: the
// server spreads those of polls that came together over it.
const noopWithin = time.Second

// expiriesWhole is how often each poll expires in a window for certain.
const expiriesWhole = 2

// expiryLook is the time between two looks at a window under way: where it is
// cut, the last of them stands.
const expiryLook = time.Second

// expiryWindow is how long polls with this timeout are watched: until each, the
// latest by chance too, has expired twice, and a little longer, since the noop
// has to come. At 30 s it is 65 s.
func expiryWindow(timeout time.Duration) time.Duration {
	return expiriesWhole*(timeout+noopWithin) + timeout/10
}

// noopsDue is how many noops n polls are due at least in d.
func noopsDue(n int, timeout, d time.Duration) int64 {
	return int64(n) * int64(d/(timeout+noopWithin))
}

// expirySeconds is how long a window is expected to take, with its server.
func expirySeconds(o *Options, n int) float64 {
	return float64(n)/guessOpenRate + expiryWindow(o.ExpiryTimeout).Seconds() + guessStartSeconds
}

// expiry measures what the ladder keeps out of all its other figures: polls that
// expire. A second server with the default polling timeout is filled to the last
// step, and then does nothing but answer noops and take the next polls.
func (b *backend) expiry(parent context.Context) error {
	n := b.targets[len(b.targets)-1]
	if n == 0 {
		return nil
	}
	b.target, b.held = n, 0
	b.begin(phaseExpiry, expirySeconds(b.o, n))
	if err := b.stop(); err != nil {
		return err
	}
	if err := b.r.awaitReturn(parent, b.name+", before expiry", b.o.ReturnPatience); err != nil {
		return err
	}
	if err := b.findDoors(); err != nil {
		return err
	}
	if err := b.checkMemory(n); err != nil {
		return err
	}
	var err error
	if b.zero, err = kernelAtRest(parent); err != nil {
		return err
	}
	ctx, cancel, err := b.startServer(parent, b.serverArgs(b.o.ExpiryTimeout))
	if err != nil {
		return err
	}
	defer cancel()
	e := &result.Expiry{
		Backend: b.name, Order: b.order, Target: n, Loops: b.loops,
		PollingTimeout: b.o.ExpiryTimeout.Seconds(), Window: expiryWindow(b.o.ExpiryTimeout).Seconds(),
	}
	err = b.expire(ctx, e)
	if err != nil {
		e.Cut, err = b.cut(ctx, err)
	}
	if keepErr := b.r.keep(result.Record{Expiry: e}); keepErr != nil {
		return keepErr
	}
	if err == nil {
		b.r.show.line("%s", expirySummary(e))
	}
	return err
}

// expire fills in a window, as far as it gets.
func (b *backend) expire(ctx context.Context, e *result.Expiry) error {
	if err := b.startLoad(ctx); err != nil {
		return err
	}
	if err := b.load.open(ctx, e.Target, func(int64) {}); err != nil {
		return err
	}
	f, err := askFacts(ctx, b.doors)
	if err != nil {
		return err
	}
	e.Loops, e.Rings, e.Tables = f.Loops, f.Rings, f.Tables
	if e.Held, err = b.look(ctx); err != nil {
		return err
	}
	if e.MemoryBefore, e.KernelBefore, err = b.memoryNow(ctx); err != nil {
		return err
	}
	if err := b.watch(ctx, e); err != nil {
		return err
	}
	if e.MemoryAfter, e.KernelAfter, err = b.memoryNow(ctx); err != nil {
		return err
	}
	held, err := b.look(ctx)
	if err == nil {
		e.Held = held
	}
	return err
}

// watch lets polls expire for the length of the window and keeps what it sees.
func (b *backend) watch(ctx context.Context, e *result.Expiry) error {
	before, err := b.load.counts(ctx)
	if err != nil {
		return err
	}
	server, own, err := b.readCPU()
	if err != nil {
		return err
	}
	window := expiryWindow(b.o.ExpiryTimeout)
	b.r.show.line("%-6s %9s polls expire after %v, for %v", b.name, grouped(e.Target), b.o.ExpiryTimeout, window)
	end := time.Now().Add(window)
	for {
		left := time.Until(end)
		if left <= 0 {
			return nil
		}
		if err := sleep(ctx, min(left, expiryLook)); err != nil {
			return err
		}
		serverNow, ownNow, err := b.readCPU()
		if err != nil {
			return err
		}
		after, err := b.load.counts(ctx)
		if err != nil {
			return err
		}
		e.Measured = expired(before, after, serverNow.Since(server), ownNow.Since(own))
		e.Measured.Expected = noopsDue(e.Target, b.o.ExpiryTimeout, time.Duration(e.Measured.Seconds*float64(time.Second)))
	}
}

// expired is what happened between two looks.
func expired(before, after load.Counts, server, own sample.CPUDelta) *result.Expired {
	noops, seconds := after.Noops-before.Noops, server.Wall.Seconds()
	return &result.Expired{
		Seconds: seconds, Noops: noops, Rate: float64(noops) / seconds,
		Lost: after.Lost - before.Lost, Repeated: after.Repeated - before.Repeated, OutOfOrder: after.OutOfOrder - before.OutOfOrder,
		Broken: after.Resets + after.BadReplies + after.Misdelivered + after.RefusedPolls -
			before.Resets - before.BadReplies - before.Misdelivered - before.RefusedPolls,
		ServerCore: server.CoreFraction(), LoadCore: own.CoreFraction(),
		ServerCPU: perMessage(server.Process, noops), LoadCPU: perMessage(own.Process, noops),
		Server: &server, Load: &own,
	}
}

// look asks all witnesses once what is held. They need not agree: some polls are
// always on their way.
func (b *backend) look(ctx context.Context) (*result.Held, error) {
	info, err := process.AskInfo(ctx, b.doors.AdminAddr())
	if err != nil {
		return nil, err
	}
	counts, err := b.load.counts(ctx)
	if err != nil {
		return nil, err
	}
	server := int64(info.Subscribers)
	h := &result.Held{Server: &server, Load: &counts.Held}
	from := time.Now()
	// Without sock_diag there is no count to be had while the ends move: the
	// server's and the load's stand.
	if ends, err := countEndpoints(b.doors); err == nil {
		near, far := int64(ends.Server), int64(ends.Client)
		h.KernelServer, h.KernelLoad = &near, &far
		h.Witness, h.Seconds = result.BySockDiag, time.Since(from).Seconds()
	}
	return h, nil
}

// expirySummary tells a window in a line.
func expirySummary(e *result.Expiry) string {
	m := e.Measured
	text := fmt.Sprintf("%-6s %9s expiring after %gs: %s noops in %.0f s, due at least %s; server %.1f %% of a core",
		e.Backend, grouped(e.Target), e.PollingTimeout, grouped(int(m.Noops)), m.Seconds, grouped(int(m.Expected)), 100*m.ServerCore)
	if m.ServerCPU != nil {
		text += fmt.Sprintf(", %.1f us a noop with its next poll", *m.ServerCPU)
	}
	return text + fmt.Sprintf("; load %.1f %%", 100*m.LoadCore)
}
