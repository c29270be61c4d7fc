package responsive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"c1000k/experiments/ladder"
	"c1000k/experiments/load"
	"c1000k/experiments/process"
	"c1000k/experiments/result"
	"c1000k/experiments/sample"
)

// The server may hold an eighth more connections than there are polls, and some:
// the last of several loops is then no small rest.
const (
	spareShare = 8
	spareConns = 512
)

// cell is one backend's measurement.
type cell struct {
	o      *Options
	folder *result.Folder
	name   string
	nice   int
	round  int
	order  int

	server     *process.Server
	load       *load.Client
	client     *http.Client
	candidates []*exchanger
	metronome  *metronome
	pings      []*track // by loop
	push, echo *track
	out        *result.Responsive
	began      [phases]time.Time
	ended      [phases]time.Time
}

// Run measures each backend and returns the results folder, and how many cells of
// the plan are in it: with an error, those that were measured until then.
func Run(ctx context.Context, o Options) (folder string, cells int, err error) {
	if err := o.Check(); err != nil {
		return "", 0, err
	}
	if err := process.CheckProgram(o.Server); err != nil {
		return "", 0, err
	}
	now := time.Now()
	f, err := result.Create(o.Results, "responsive", now)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	run := result.Run{
		Name: "responsive", Spec: o.Spec, Started: now.UTC(), Backends: o.Backends, Targets: []int{o.Connections},
		Arguments: o.arguments(), Environment: sample.ReadEnvironment(""),
		Pinning: "Server, load and instrument are not pinned: the kernel places them.",
	}
	if err := f.WriteRun(run); err != nil {
		return f.Path(), 0, err
	}
	port := o.PortBase
	for i, plan := range o.plan() {
		c := &cell{o: &o, folder: f, name: plan.backend, nice: plan.nice, round: plan.round, order: i}
		if port, err = c.run(ctx, port); err != nil {
			err = fmt.Errorf("%s: %w", c.name, err)
			break
		}
		cells++
	}
	run.Finished, run.Interrupted = time.Now().UTC(), ctx.Err() != nil
	return f.Path(), cells, errors.Join(err, f.WriteRun(run))
}

// say tells what is done.
func (c *cell) say(format string, args ...any) {
	if c.o.Rounds > 1 {
		fmt.Fprintf(c.o.Out, "round %d of %d, ", c.round+1, c.o.Rounds)
	}
	fmt.Fprintf(c.o.Out, "%s: %s\n", c.name, fmt.Sprintf(format, args...))
}

// run measures, with processes of its own, and returns the next ports to try.
func (c *cell) run(ctx context.Context, port int) (next int, err error) {
	if err := ladder.CheckMemory(c.o.Connections); err != nil {
		return port, err
	}
	doors, next, err := process.FindDoors(port)
	if err != nil {
		return port, err
	}
	before, err := sample.ReadMachine()
	if err != nil {
		return next, err
	}
	log := filepath.Join(c.folder.Path(), fmt.Sprintf("server-%d-%s.log", c.order, c.name))
	c.server, err = process.StartServer(ctx, c.o.Server, doors, log, "--engine="+c.name,
		"--channels="+strconv.Itoa(c.o.Channels+1), // and ownChannel
		"--max-connections="+strconv.Itoa(c.o.Connections+c.o.Connections/spareShare+spareConns),
		"--polling-timeout=1h", "--channel-timeout=1h", "--idle-timeout=1h", "--header-timeout=1h", "--drain-timeout=0")
	if err != nil {
		return next, err
	}
	defer func() { err = errors.Join(err, c.server.Stop(c.o.Force)) }()
	var words bytes.Buffer
	program := c.o.Load
	if c.nice > 0 {
		program = append([]string{"nice", "-n", strconv.Itoa(c.nice)}, program...)
	}
	c.load, err = load.Start(ctx, ladder.LoadArgs(program, doors, c.o.Connections, 1), &words)
	if err != nil {
		return next, fmt.Errorf("%w: %s", err, words.Bytes())
	}
	defer c.load.Close()
	if err := c.measure(ctx); err != nil {
		return next, c.server.Explain(err)
	}
	after, err := sample.ReadMachine()
	if err != nil {
		return next, err
	}
	c.out.MachineBefore, c.out.MachineAfter, c.out.Noisy = &before, &after, ladder.Noisy(before, after)
	return next, c.folder.Append(result.Record{Responsive: c.out})
}

// measure fills the server, finds its loops, and times both phases.
func (c *cell) measure(ctx context.Context) error {
	c.client = &http.Client{Transport: &http.Transport{Proxy: nil}}
	began := time.Now()
	if err := c.fill(ctx); err != nil {
		return err
	}
	c.client.CloseIdleConnections()
	loops, rings, tables, err := ladder.Structure(ctx, c.server.Doors)
	if err != nil {
		return err
	}
	c.out = &result.Responsive{
		Backend: c.name, Order: c.order, Loops: loops, Rings: rings, Tables: tables,
		Channels: c.o.Channels, Connections: c.o.Connections, LoadNice: c.nice, Round: c.round,
	}
	pings, err := locateAll(ctx, c.server, c.candidates, loops)
	if err != nil {
		return err
	}
	e, err := c.prepare(pings)
	if err != nil {
		return err
	}
	defer e.close()
	info, err := c.server.Info(ctx)
	if err != nil {
		return err
	}
	if info.Channels != c.o.Channels+1 || info.Subscribers != c.o.Connections {
		return fmt.Errorf("the server has %d channels and %d subscribers, not %d and %d", info.Channels, info.Subscribers, c.o.Channels+1, c.o.Connections)
	}
	c.say("%d channels, %d of them held, %d loops, after %.0f s; idle for %v", info.Channels, info.Subscribers, loops, time.Since(began).Seconds(), c.o.Idle)
	c.metronome.start()
	defer c.metronome.end()
	if err := c.phases(ctx); err != nil {
		return err
	}
	if err := c.metronome.end(); err != nil {
		return err
	}
	return c.keep(pings)
}

// prepare connects everything that is sent on.
func (c *cell) prepare(pings [][]*exchanger) (*echo, error) {
	admin := c.server.Doors.AdminAddr()
	cast, err := dial("broadcast", admin, get("/broadcast?content=to+all+of+them"))
	if err != nil {
		return nil, err
	}
	push, err := newExchanger("push", admin, get("/push?cname="+ownChannel+"&content=hello"))
	if err != nil {
		return nil, err
	}
	c.metronome = newMetronome(cast)
	for loop, list := range pings {
		t := newTrack()
		c.pings = append(c.pings, t)
		for i, x := range list {
			part := (float64(i) + float64(loop)/float64(len(pings))) / float64(len(list))
			c.metronome.add(x, t, float64(c.o.PingRate)/float64(len(list)), part)
		}
	}
	c.push, c.echo = newTrack(), newTrack()
	c.metronome.add(push, c.push, float64(c.o.PushRate), 0.5)
	e, err := startEcho()
	if err != nil {
		return nil, err
	}
	x, err := newExchanger(result.ProbeEcho, e.addr(), echoRequest)
	if err != nil {
		e.close()
		return nil, err
	}
	c.metronome.add(x, c.echo, float64(c.o.PingRate), 0.25)
	return e, nil
}

// enter begins a phase, and ends the one before.
func (c *cell) enter(p phase) {
	now := time.Now()
	c.ended[c.metronome.phase.Swap(int32(p))] = now
	c.began[p] = now
}

// phases are the idle one and the one during broadcasts.
func (c *cell) phases(ctx context.Context) error {
	if err := pause(ctx, time.Second); err != nil { // what was not warm is
		return err
	}
	c.out.Realtime = c.metronome.realtime.Load()
	c.enter(phaseIdle)
	if err := pause(ctx, c.o.Idle); err != nil {
		return err
	}
	c.enter(phaseNone)
	if err := c.metronome.failed(); err != nil {
		return err
	}
	server, err := sample.NewCPUMeter(c.server.PID())
	if err != nil {
		return err
	}
	defer server.Close()
	loads, err := sample.NewCPUMeter(c.load.PID())
	if err != nil {
		return err
	}
	defer loads.Close()
	before, err := work(ctx, c.server)
	if err != nil {
		return err
	}
	s0, err0 := server.Read()
	l0, err1 := loads.Read()
	c.enter(phaseDuring)
	for i := 0; i < c.o.Broadcasts || time.Since(c.began[phaseDuring]) < c.o.Idle; i++ {
		if err := c.castOnce(ctx, i); err != nil {
			return err
		}
	}
	c.enter(phaseNone)
	s1, err2 := server.Read()
	l1, err3 := loads.Read()
	c.out.ServerCPU, c.out.LoadCPU = (s1.Process - s0.Process).Seconds(), (l1.Process - l0.Process).Seconds()
	c.out.IdleSeconds = c.ended[phaseIdle].Sub(c.began[phaseIdle]).Seconds()
	c.out.DuringSeconds = c.ended[phaseDuring].Sub(c.began[phaseDuring]).Seconds()
	if err := errors.Join(err0, err1, err2, err3); err != nil {
		return err
	}
	if c.out.Work, err = work(ctx, c.server); err != nil {
		return err
	}
	for i := range min(len(before), len(c.out.Work)) {
		c.out.Work[i].Turns -= before[i].Turns
		c.out.Work[i].Actions -= before[i].Actions
	}
	counts, err := c.load.Counts(ctx)
	c.out.Lost, c.out.Repeated, c.out.OutOfOrder = counts.Lost, counts.Repeated, counts.OutOfOrder
	if err != nil {
		return err
	}
	if !counts.Clean() {
		return fmt.Errorf("not every message came once and in order: %+v", counts)
	}
	return c.drain(ctx)
}

// answerPatience is how long the last requests of a phase may take.
const answerPatience = 30 * time.Second

// drain waits until no request of a phase is open.
func (c *cell) drain(ctx context.Context) error {
	for end := time.Now().Add(answerPatience); c.metronome.open.Load() > 0; {
		if err := errors.Join(c.metronome.failed(), pause(ctx, countEvery)); err != nil {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("%d requests are not answered after %v", c.metronome.open.Load(), answerPatience)
		}
	}
	return nil
}

// note keeps the times of a broadcast.
func (c *cell) note(answer, last time.Duration, delivered int64) {
	c.out.Broadcasts = append(c.out.Broadcasts, result.BroadcastTimes{
		AnswerUs: float64(answer) / 1e3, LastSeconds: last.Seconds(), Delivered: delivered,
	})
	c.say("broadcast %d: answered after %.2f ms, delivered after %.2f s", len(c.out.Broadcasts), float64(answer)/1e6, last.Seconds())
}

// keep writes the histograms and fills the record.
func (c *cell) keep(pings [][]*exchanger) error {
	for p, name := range map[phase]string{phaseIdle: result.PhaseIdle, phaseDuring: result.PhaseDuring} {
		all := hdrhistogram.New(1, longestUs, latencyDigits)
		late := hdrhistogram.New(1, longestUs, latencyDigits)
		rate := float64(c.o.PingRate)
		connections := 0
		for loop, t := range c.pings {
			all.Merge(t.latency[p])
			late.Merge(t.late[p])
			connections += len(pings[loop])
			if err := c.probe(p, name, result.ProbePing, loop, len(pings[loop]), rate, t.latency[p], t.late[p]); err != nil {
				return err
			}
			if p == phaseIdle {
				c.out.Refused += t.refused
			}
		}
		c.out.Probes = append(c.out.Probes, result.Probe{
			Phase: name, What: result.ProbePing, Loop: result.AllLoops, Connections: connections, Rate: rate * float64(len(c.pings)),
			Latency: result.PercentilesOf(all), Late: result.PercentilesOf(late),
		})
		err := errors.Join(
			c.probe(p, name, result.ProbePush, result.AllLoops, 1, float64(c.o.PushRate), c.push.latency[p], c.push.late[p]),
			c.probe(p, name, result.ProbeEcho, result.AllLoops, 1, rate, c.echo.latency[p], c.echo.late[p]))
		if err != nil {
			return err
		}
	}
	c.out.Refused += c.push.refused
	if c.out.Refused > 0 {
		return fmt.Errorf("%d pings or pushes were refused", c.out.Refused)
	}
	return nil
}

// probe keeps one kind of request in one phase.
func (c *cell) probe(p phase, name, what string, loop, connections int, rate float64, latency, late *hdrhistogram.Histogram) error {
	file := fmt.Sprintf("%d-%s-%s-%s", c.order, c.name, [...]string{phaseIdle: "idle", phaseDuring: "during"}[p], what)
	if loop != result.AllLoops {
		file += fmt.Sprintf("-%d", loop)
	}
	hdr, err := c.folder.WriteHistogram(file, latency, c.began[p], c.ended[p])
	if err != nil {
		return err
	}
	c.out.Probes = append(c.out.Probes, result.Probe{
		Phase: name, What: what, Loop: loop, Connections: connections, Rate: rate,
		Latency: result.PercentilesOf(latency), Late: result.PercentilesOf(late), HDR: hdr,
	})
	return nil
}

// Write makes table.md of a results folder, and prints it.
func Write(folder string, out io.Writer) error {
	d, err := result.Read(folder)
	if err != nil {
		return err
	}
	if len(d.Responsives) == 0 {
		return fmt.Errorf("%s holds nothing of this experiment", folder)
	}
	var b bytes.Buffer
	Table(&b, d.Responsives, d.Run.Interrupted)
	if err := os.WriteFile(filepath.Join(folder, "table.md"), b.Bytes(), 0o666); err != nil {
		return err
	}
	_, err = out.Write(b.Bytes())
	return err
}
