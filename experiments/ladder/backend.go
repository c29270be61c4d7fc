package ladder

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"c1000k/experiments/fdtable"
	"c1000k/experiments/process"
	"c1000k/experiments/result"
	"c1000k/experiments/sample"
)

// articleChannels is the number of channels that a server reserves at least, as
// the article's did: what they take counts at zero connections.
const articleChannels = 1_000_000

// serverSpare is how many connections the server may hold beside those of the
// ladder: its own reserve for the admin door.
const serverSpare = 64

// descriptorsBeside is what a server with one descriptor table needs beside its
// connections: listeners, the runtime, the debug door.
const descriptorsBeside = process.FrontPorts + 400

// emptySettle is how long an empty server may take to come to rest, by the rule.
var emptySettle = sample.SettleLimits{
	Change: 0.001, Window: time.Second, Longest: 5 * time.Second, Every: 250 * time.Millisecond,
}

// errStopped ends a backend whose reason is recorded already.
var errStopped = errors.New("stopped")

// backend is one server with its load, from start to end.
type backend struct {
	r     *run
	o     *Options
	name  string
	order int

	targets []int
	stopped string // why targets are fewer than planned
	doors   process.Doors
	server  *process.Process
	load    *loadProcess
	// The meters of both processes.
	serverCPU, loadCPU *sample.CPUMeter

	empty      *result.Memory
	zero       sample.Kernel // before the server was started
	loops      int
	broadcasts int
	delivered  int64 // messages, since the server's start
	// socketsAtZero is the kernel's count before the first connection, where
	// sock_diag is not to be had.
	socketsAtZero int
	held          int    // confirmed
	target        int    // of the step under way
	during        string // the phase under way
}

// backend runs one backend and makes room for the next. An error ends the run.
func (r *run) backend(ctx context.Context, order int, name string) error {
	r.show.setBackend(name)
	b := &backend{r: r, o: r.o, name: name, order: order, targets: r.o.targets()}
	err := b.run(ctx)
	failure := b.judge(ctx, err)
	if stopErr := b.stop(); stopErr != nil && failure == nil && ctx.Err() == nil {
		failure = &result.Failure{Process: "server", Reason: stopErr.Error()}
	}
	var keep keepError
	if errors.As(err, &keep) {
		return err
	}
	if failure != nil {
		failure.Backend, failure.Order, failure.Target, failure.During = name, order, b.target, b.during
		if err := r.fail(*failure); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	patience := r.o.ReturnPatience
	if order == len(r.o.Backends)-1 {
		patience = 0
	}
	return r.awaitReturn(ctx, name, patience)
}

// judge makes a failure of what ended a backend; nil where there is none, or
// where somebody stopped the run.
func (b *backend) judge(ctx context.Context, err error) *result.Failure {
	switch {
	case err == nil, errors.Is(err, errStopped):
		return nil
	case ctx.Err() != nil:
		return nil
	case b.server != nil && b.server.Died():
		f := b.server.Failure()
		return &f
	default:
		var l loadError
		if errors.As(err, &l) {
			return &result.Failure{Process: "load", Reason: l.Error(), LastLines: l.lines}
		}
		return &result.Failure{Process: "ladder", Reason: err.Error()}
	}
}

// run measures an empty server, then climbs with a fresh one.
func (b *backend) run(parent context.Context) error {
	b.begin(phaseStart, guessStartSeconds)
	b.limitTargets()
	if err := b.measureEmpty(parent); err != nil {
		return err
	}
	var err error
	if b.zero, err = kernelAtRest(parent); err != nil {
		return err
	}
	ctx, cancel, err := b.startServer(parent, b.serverArgs(b.o.PollingTimeout))
	if err != nil {
		return err
	}
	defer cancel()
	if err := b.startLoad(ctx); err != nil {
		return err
	}
	if err := b.record(ctx); err != nil {
		return err
	}
	for i, n := range b.targets {
		if err := b.checkMemory(n); err != nil {
			return err
		}
		if err := b.step(ctx, i, n); err != nil {
			return err
		}
	}
	if !b.o.Expiry {
		return nil
	}
	cancel() // the end of this server is no death
	return b.expiry(parent)
}

// begin tells that a phase begins.
func (b *backend) begin(name string, seconds float64) {
	b.during = name
	b.r.show.begin(phase{name, seconds})
}

// limitTargets ends gonet's ladder where its one descriptor table does. The
// others go on with more rings or tables.
func (b *backend) limitTargets() {
	if b.name != result.Gonet {
		return
	}
	limit := fdtable.RaiseLimit(b.o.To + serverSpare + descriptorsBeside)
	most := max(0, (limit-serverSpare-descriptorsBeside)/100*100)
	if b.o.To <= most {
		return
	}
	var kept []int
	for _, n := range b.targets {
		if n < most {
			kept = append(kept, n)
		}
	}
	b.targets = append(kept, most)
	b.stopped = fmt.Sprintf("stops at %s connections: package net has one descriptor table, and the descriptor limit (ulimit -n) is %s", grouped(most), grouped(limit))
	b.r.show.line("gonet %s", b.stopped)
}

// serverArgs is the server's command line.
func (b *backend) serverArgs(polling time.Duration) []string {
	last := b.targets[len(b.targets)-1]
	args := append(b.doorArgs(),
		"--channels="+strconv.Itoa(max(articleChannels, b.o.channels(b.o.To))),
		"--max-connections="+strconv.Itoa(last+serverSpare),
		"--polling-timeout="+polling.String(), "--drain-timeout=0")
	if b.o.Prefault {
		args = append(args, "--prefault")
	}
	if b.o.Loops > 0 {
		args = append(args, "--loops="+strconv.Itoa(b.o.Loops))
	}
	return args
}

// doorArgs is the part of it that an empty server has, too.
func (b *backend) doorArgs() []string {
	return append([]string{"--engine=" + b.name}, b.doors.Args()...)
}

// logPath is the log of the backend's servers, one after the other.
func (b *backend) logPath() string {
	return filepath.Join(b.r.folder.Path(), fmt.Sprintf("server-%d-%s.log", b.order, b.name))
}

// measureEmpty reads the memory of a server without a channel or a connection.
func (b *backend) measureEmpty(parent context.Context) error {
	if err := b.findDoors(); err != nil {
		return err
	}
	ctx, cancel, err := b.startServer(parent, append(b.doorArgs(), "--channels=0"))
	if err != nil {
		return err
	}
	defer cancel()
	if _, err := sample.Settle(ctx, b.server.PID(), b.o.settleEmpty()); err != nil {
		return errors.Join(context.Cause(ctx), err)
	}
	if b.empty, err = readServerMemory(ctx, b.server.PID(), b.doors); err != nil {
		return err
	}
	cancel() // its end is no death
	if err := b.server.Stop(b.o.Force); err != nil {
		return err
	}
	b.server = nil
	return b.findDoors()
}

// findDoors takes the next free ports.
func (b *backend) findDoors() (err error) {
	b.doors, b.r.nextPort, err = process.FindDoors(b.r.nextPort)
	return err
}

// startServer starts a server and waits until it answers. The context ends with
// the server, or by cancel.
func (b *backend) startServer(parent context.Context, args []string) (context.Context, context.CancelFunc, error) {
	server, err := process.Start(b.o.Server, args, b.logPath(), b.r.cpus.server)
	if err != nil {
		return nil, nil, err
	}
	b.server = server
	ctx, cancel := context.WithCancelCause(parent)
	go func() {
		select {
		case <-server.Ended():
			cancel(errServerDied)
		case <-ctx.Done():
		}
	}()
	end := func() { cancel(context.Canceled) }
	if err := process.WaitReady(ctx, b.doors); err != nil {
		end()
		return nil, nil, err
	}
	return ctx, end, nil
}

// startLoad starts a fresh load and opens the meters of both processes.
func (b *backend) startLoad(ctx context.Context) error {
	var err error
	if b.load, err = startLoad(ctx, b.o, b.doors, b.r.cpus.load); err != nil {
		return err
	}
	if b.serverCPU, err = sample.NewCPUMeter(b.server.PID()); err != nil {
		return err
	}
	b.loadCPU, err = sample.NewCPUMeter(b.load.PID())
	return err
}

// record keeps what the backend is.
func (b *backend) record(ctx context.Context) error {
	f, err := askFacts(ctx, b.doors)
	if err != nil {
		return err
	}
	b.loops = f.Loops
	zero := b.zero
	loadArgs := loadArgs(b.o, b.doors)
	return b.r.keep(result.Record{Backend: &result.Backend{
		Name: b.name, Order: b.order, Loops: f.Loops, Rings: f.Rings, Tables: f.Tables,
		DescriptorLimit: descriptorLimit(b.server.PID()), Banner: b.server.Banner(),
		FeaturesAsked: f.Asked, FeaturesGot: f.Got,
		Command: commandLine(b.o.Server, b.server.Args()), Binary: fileHash(b.o.Server),
		LoadCommand: commandLine(loadArgs[0], loadArgs[1:]), LoadBinary: fileHash(b.o.Load[0]),
		Empty: b.empty, KernelZero: &zero, Stopped: b.stopped,
	}})
}

// checkMemory refuses a step that the machine has not the memory for.
func (b *backend) checkMemory(target int) error {
	b.target = target
	available, err := b.o.MemoryAvailable()
	if err != nil {
		return err
	}
	short := memoryFor(target-b.held, available)
	if short == nil {
		return nil
	}
	err = b.r.fail(result.Failure{
		Backend: b.name, Order: b.order, Target: target, During: phaseOpen, Process: "ladder",
		Reason: fmt.Sprintf("stopped before this step: %v. Everything up to %s is kept", short, grouped(b.held)),
	})
	return errors.Join(err, errStopped)
}

// stop ends load and server, in this order, so that no client sees a reset. What
// has ended already is left alone.
func (b *backend) stop() error {
	var err error
	if b.load != nil {
		if e := b.load.end(b.o.Force); e != nil && b.server != nil && !b.server.Gone() {
			err = b.load.explain(e)
		}
		b.load = nil
	}
	for _, m := range []*sample.CPUMeter{b.serverCPU, b.loadCPU} {
		if m != nil {
			m.Close()
		}
	}
	b.serverCPU, b.loadCPU = nil, nil
	if b.server != nil {
		err = errors.Join(err, b.server.Stop(b.o.Force))
	}
	b.server = nil
	return err
}
