package ladder

import (
	"context"
	"errors"
	"fmt"
	"time"

	"c1000k/experiments/process"
	"c1000k/experiments/result"
	"c1000k/experiments/sample"
)

// step measures one step and keeps it, whole or cut short.
func (b *backend) step(ctx context.Context, index, target int) error {
	s := &result.Step{
		Backend: b.name, Order: b.order, Index: index, Target: target, Loops: b.loops,
		BroadcastsBefore: b.broadcasts,
	}
	err := b.measure(ctx, s)
	if err != nil {
		s.Cut, err = b.cut(ctx, err)
	}
	if keepErr := b.r.keep(result.Record{Step: s}); keepErr != nil {
		return keepErr
	}
	if err == nil {
		b.r.show.line("%s", b.summary(s))
	}
	return err
}

// cut words why a measurement is not whole, and joins the cause to its error.
func (b *backend) cut(ctx context.Context, err error) (reason string, cut error) {
	if cause := context.Cause(ctx); cause != nil {
		err = errors.Join(cause, err)
	} else if !errors.As(err, new(keepError)) && b.server.Died() {
		err = errors.Join(errServerDied, err)
	}
	return cutReason(err, b.during), err
}

// cutReason words why a step is not whole.
func cutReason(err error, during string) string {
	switch {
	case errors.Is(err, errServerDied):
		return "the server died during " + during
	case errors.Is(err, context.Canceled):
		return "interrupted during " + during
	default:
		return during + ": " + err.Error()
	}
}

// measure fills in a step, as far as it gets.
func (b *backend) measure(ctx context.Context, s *result.Step) error {
	before, err := sample.ReadMachine()
	if err != nil {
		return err
	}
	s.MachineBefore = &before
	if err := b.open(ctx, s); err != nil {
		return err
	}
	if err := b.count(ctx, s); err != nil {
		return err
	}
	if s.Settled, s.Memory, s.Kernel, err = b.memory(ctx); err != nil {
		return err
	}
	if err := b.context(ctx, s); err != nil {
		return err
	}
	if err := b.pauseHere(ctx, s.Target); err != nil {
		return err
	}
	if s.Idle, err = b.idle(ctx, b.o.idleAt(b.place(s))); err != nil {
		return err
	}
	if err := b.messages(ctx, s); err != nil {
		return err
	}
	after, err := sample.ReadMachine()
	if err != nil {
		return err
	}
	s.MachineAfter = &after
	s.Noisy = append(noisy(before, after), foreignSockets(s)...)
	return nil
}

// place is the index of a step for the length of its idle window: a ladder that
// ends early has its long window at its own last step.
func (b *backend) place(s *result.Step) int {
	if s.Index == len(b.targets)-1 {
		return len(b.o.targets()) - 1
	}
	return s.Index
}

// messages are the phases of a step in which something is delivered.
func (b *backend) messages(ctx context.Context, s *result.Step) error {
	if s.Target == 0 {
		return nil
	}
	var err error
	if n := b.o.pushes(s.Target); n > 0 {
		b.begin(phasePush, float64(n)/float64(b.o.PushRate)+1)
		if s.Push, err = b.push(ctx, n); err != nil {
			return err
		}
	}
	if b.o.broadcastDue(s.Target) || b.lastOfShort(s) {
		b.begin(phaseBroadcast, float64(b.o.Broadcasts)*float64(s.Target)/guessBroadcastRate)
		for range b.o.Broadcasts {
			if s.Broadcast, err = b.broadcast(ctx); err != nil {
				return err
			}
			s.Broadcasts++
		}
		if _, s.MemoryAfter, s.KernelAfter, err = b.memory(ctx); err != nil {
			return err
		}
	}
	if b.o.Profile != "" {
		return b.profiles(ctx, s.Target)
	}
	return nil
}

// lastOfShort tells whether a step is the last one of a ladder that ends before
// the planned last, whose broadcast it takes over.
func (b *backend) lastOfShort(s *result.Step) bool {
	return b.stopped != "" && s.Index == len(b.targets)-1 && b.o.broadcastDue(b.o.To)
}

// open opens connections to the step and waits until the server holds them.
func (b *backend) open(ctx context.Context, s *result.Step) error {
	more := s.Target - b.held
	b.begin(phaseOpen, float64(more)/guessOpenRate)
	if more <= 0 {
		return nil
	}
	server, load, err := b.readCPU()
	if err != nil {
		return err
	}
	from := b.held
	started := time.Now()
	err = b.load.open(ctx, s.Target, func(opened int64) { b.r.show.at(float64(opened-int64(from)) / float64(more)) })
	if err != nil {
		return err
	}
	held, err := process.AwaitHeld(ctx, s.Target, process.Subscribers(b.doors.AdminAddr()))
	seconds := time.Since(started).Seconds()
	s.Opening = &result.Opening{Connections: held - from, Seconds: seconds, Rate: float64(held-from) / seconds}
	if err != nil {
		return err
	}
	b.held = s.Target
	serverNow, loadNow, err := b.readCPU()
	if err != nil {
		return err
	}
	s.Opening.ServerCPU = perMessage(serverNow.Since(server).Process, int64(more))
	s.Opening.LoadCPU = perMessage(loadNow.Since(load).Process, int64(more))
	return nil
}

// memory waits for quiet memory and reads the server's and the kernel's.
func (b *backend) memory(ctx context.Context) (*sample.Settled, *result.Memory, *sample.KernelDelta, error) {
	limits := b.o.settle()
	b.begin(phaseSettle, limits.Window.Seconds()+1)
	settled, err := sample.Settle(ctx, b.server.PID(), limits)
	if err != nil {
		return &settled, nil, nil, err
	}
	memory, kernel, err := b.memoryNow(ctx)
	return &settled, memory, kernel, err
}

// memoryNow reads the server's memory and the kernel's as they are.
func (b *backend) memoryNow(ctx context.Context) (*result.Memory, *sample.KernelDelta, error) {
	kernel, err := sample.ReadKernel()
	if err != nil {
		return nil, nil, err
	}
	delta := kernel.Since(b.zero)
	memory, err := readServerMemory(ctx, b.server.PID(), b.doors)
	return memory, &delta, err
}

// context reads what stands beside the memory: the load's own, the kernel's
// sockets, the rings or tables in use.
func (b *backend) context(ctx context.Context, s *result.Step) error {
	sockets, err := sample.ReadSockets()
	if err != nil {
		return err
	}
	s.Sockets = &sockets
	m, err := sample.ReadMemory(b.load.PID())
	if err != nil {
		return b.load.explain(err)
	}
	s.LoadMemory = &result.Memory{Memory: m}
	f, err := askFacts(ctx, b.doors)
	if err != nil {
		return err
	}
	s.Loops, s.Rings, s.Tables = f.Loops, f.Rings, f.Tables
	return nil
}

// pauseHere waits for Enter where the user asked for it.
func (b *backend) pauseHere(ctx context.Context, target int) error {
	if !b.o.Pause {
		return nil
	}
	b.r.show.line("%s holds %s on %s: admin http://%s, debug http://%s, pid %d. Enter goes on",
		b.name, grouped(target), b.doors.FrontFlag(), b.doors.AdminAddr(), b.doors.DebugAddr(), b.server.PID())
	defer b.r.show.pause()()
	return b.r.awaitEnter(ctx)
}

// idle measures the CPU of a window in which nothing is asked of the server.
func (b *backend) idle(ctx context.Context, window time.Duration) (*result.Idle, error) {
	b.begin(phaseIdle, window.Seconds())
	// The questions about the collector stand outside of the window: they cost
	// the server CPU.
	factsBefore, err := askFacts(ctx, b.doors)
	if err != nil {
		return nil, err
	}
	if err := sleep(ctx, idleLead); err != nil {
		return nil, err
	}
	server, load, err := b.readCPU()
	if err != nil {
		return nil, err
	}
	if err := sleep(ctx, window); err != nil {
		return nil, err
	}
	serverNow, loadNow, err := b.readCPU()
	if err != nil {
		return nil, err
	}
	factsAfter, err := askFacts(ctx, b.doors)
	if err != nil {
		return nil, err
	}
	sd, ld := serverNow.Since(server), loadNow.Since(load)
	core := ld.CoreFraction()
	cycles := uint32(factsAfter.Go.GCCycles - factsBefore.Go.GCCycles)
	return &result.Idle{
		Seconds: sd.Wall.Seconds(), ServerCore: sd.CoreFraction(), LoadCore: &core,
		GCCycles: &cycles, Server: &sd, Load: &ld,
	}, nil
}

// idleLead is the time between the last question and an idle window: the
// server's threads that answered it go back to sleep.
const idleLead = 100 * time.Millisecond

// readCPU reads both processes' CPU.
func (b *backend) readCPU() (server, load sample.CPU, err error) {
	if server, err = b.serverCPU.Read(); err != nil {
		return server, load, err
	}
	load, err = b.loadCPU.Read()
	if err != nil {
		err = b.load.explain(err)
	}
	return server, load, err
}

// perMessage is CPU in microseconds for each of n.
func perMessage(used time.Duration, n int64) *float64 {
	if n <= 0 {
		return nil
	}
	us := used.Seconds() * 1e6 / float64(n)
	return &us
}

// push measures messages to single channels.
func (b *backend) push(ctx context.Context, n int) (*result.Phase, error) {
	return b.phase(ctx, phasePush, func(ctx context.Context) (traffic, error) {
		return b.load.push(ctx, n, b.o.PushRate, b.o.Seed, b.r.show.at)
	})
}

// broadcast measures a message to all channels.
func (b *backend) broadcast(ctx context.Context) (*result.Phase, error) {
	b.broadcasts++
	return b.phase(ctx, phaseBroadcast, func(ctx context.Context) (traffic, error) {
		return b.load.broadcast(ctx, b.r.show.at)
	})
}

// phase measures both processes while messages are sent, until every subscriber
// is held again.
func (b *backend) phase(ctx context.Context, name string, send func(context.Context) (traffic, error)) (*result.Phase, error) {
	server, load, err := b.readCPU()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	t, err := send(ctx)
	if err != nil {
		return nil, err
	}
	_, heldErr := process.AwaitHeld(ctx, b.held, process.Subscribers(b.doors.AdminAddr()))
	var notHeld *process.NotHeldError
	if heldErr != nil && !errors.As(heldErr, &notHeld) {
		return nil, heldErr
	}
	serverNow, loadNow, err := b.readCPU()
	if err != nil {
		return nil, err
	}
	p := &t.phase
	b.delivered += p.Delivered
	sd, ld := serverNow.Since(server), loadNow.Since(load)
	p.Server, p.Load = &sd, &ld
	p.ServerCPU, p.LoadCPU = perMessage(sd.Process, p.Delivered), perMessage(ld.Process, p.Delivered)
	if err := b.histograms(p, name, t, began); err != nil {
		return p, err
	}
	if t.trouble != "" {
		err := b.r.fail(result.Failure{
			Backend: b.name, Order: b.order, Target: b.held, During: name, Process: "server",
			Reason: fmt.Sprintf("of %s messages due, %s delivered: %s", grouped(int(p.Sent)), grouped(int(p.Delivered)), t.trouble),
		})
		if err != nil {
			return p, err
		}
	}
	return p, heldErr
}

// histograms keeps the latencies of a phase.
func (b *backend) histograms(p *result.Phase, name string, t traffic, began time.Time) error {
	if t.uncorrected != nil {
		p.Uncorrected = result.PercentilesOf(t.uncorrected)
	}
	if t.latency == nil {
		return nil
	}
	p.Latency = result.PercentilesOf(t.latency)
	file, err := b.r.folder.WriteHistogram(fmt.Sprintf("%d-%s-%07d-%s", b.order, b.name, b.held, name), t.latency, began, time.Now())
	if err != nil {
		return keepError{err}
	}
	p.HDR = file
	return nil
}
