package ablation

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"c1000k/experiments/ladder"
	"c1000k/experiments/result"
	"c1000k/experiments/sample"
	"c1000k/experiments/turns"
)

// Cell is what was measured of one server.
type Cell struct {
	Size    int    `json:"connections"`
	Round   int    `json:"round"`
	Place   int    `json:"place"` // of the subject in the list
	Order   int    `json:"order"` // since the start of the run
	Subject string `json:"subject"`
	Loops   int    `json:"loops"`
	Rings   int    `json:"rings"`
	Tables  int    `json:"tables"`
	// Empty is a server without channels, Held this one before any message.
	Empty   sample.Memory      `json:"empty"`
	Held    sample.Memory      `json:"held"`
	Settled sample.Settled     `json:"settled"`
	Kernel  sample.KernelDelta `json:"kernel"` // since before the server's start
	// Opening is of each connection: accept and first poll. Turns, of each
	// delivery with the next poll; Deliveries and Polls, of each alone. Those of
	// messages are nil where none were sent.
	Opening    Phase  `json:"opening"`
	Turns      *Phase `json:"turns,omitempty"`
	Deliveries *Phase `json:"deliveries,omitempty"`
	Polls      *Phase `json:"polls,omitempty"`

	Last    float64  `json:"last_seconds,omitempty"` // median from a message to its last delivery
	Seconds float64  `json:"cell_seconds"`
	Noisy   []string `json:"noisy,omitempty"`
}

// Phase is the CPU of both processes while something was done Count times.
type Phase struct {
	Count  int64           `json:"count"`
	Server float64         `json:"server_cpu_us"` // each
	Load   float64         `json:"load_cpu_us"`
	CPU    sample.CPUDelta `json:"server"`
	// Counters are the engine's, each.
	Counters map[string]float64 `json:"counters,omitempty"`
}

func newPhase(count int64, server, load sample.CPUDelta, before, after turns.Facts) *Phase {
	return &Phase{
		Count: count, Server: turns.Each(server.Process, count), Load: turns.Each(load.Process, count),
		CPU: server, Counters: turns.Counted(before, after, count),
	}
}

// UserBytes is what a connection takes of the server's resident memory.
func (c *Cell) UserBytes() float64 {
	return (float64(c.Held.Resident) - float64(c.Empty.Resident)) / float64(c.Size)
}

// KernelBytes is what the kernel keeps for the server's end of a connection.
func (c *Cell) KernelBytes() float64 {
	return float64(c.step().Share().Server) / float64(c.Size)
}

// OwnBytes is what the kernel keeps for it above what it does for a connection of
// the bare accept loop; false where either was not read by cache.
func (c *Cell) OwnBytes(bare *result.Floor) (float64, bool) { return c.step().OverBare(bare) }

func (c *Cell) step() *result.Step { return &result.Step{Target: c.Size, Kernel: &c.Kernel} }

// cell is a measurement under way.
type cell struct {
	turns.Pair
	o       *Options
	subject Subject
	size    int
	out     Cell
	meters  *turns.Meters
}

// portTries is how often something is begun at other ports where somebody else took
// one meanwhile.
const portTries = 3

// atFreePorts calls do until no port was taken under it.
func atFreePorts(do func() error) (err error) {
	for range portTries {
		var refused *turns.RefusedError
		if err = do(); !errors.As(err, &refused) || !refused.PortTaken {
			break
		}
	}
	return err
}

// measure measures a cell. The error is a *turns.RefusedError where the server does
// not start.
func (o *Options) measure(ctx context.Context, subject Subject, size int) (out Cell, err error) {
	began := time.Now()
	c := &cell{o: o, subject: subject, size: size, Pair: turns.Pair{Kind: o.Kind}}
	c.out = Cell{Size: size, Subject: subject.String()}
	defer func() {
		if c.meters != nil {
			c.meters.Close()
		}
		err = errors.Join(c.explain(ctx, err), c.End(o.Force))
		c.out.Seconds = time.Since(began).Seconds()
		out = c.out
	}()
	before, err := sample.ReadMachine()
	if err != nil {
		return out, err
	}
	if err := c.empty(ctx); err != nil {
		return out, err
	}
	if err := c.hold(ctx); err != nil {
		return out, err
	}
	if o.sends(size) {
		if err := c.messages(ctx); err != nil {
			return out, err
		}
	}
	after, err := sample.ReadMachine()
	c.out.Noisy = append(ladder.Noisy(before, after), ladder.ForeignSockets(c.out.step())...)
	return out, err
}

// explain adds to an error that the server died and its last words, if it did.
func (c *cell) explain(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil || errors.As(err, new(*turns.RefusedError)) || c.Server == nil || !c.Server.Died() {
		return err
	}
	return fmt.Errorf("%w; the server ended: %s", err, strings.Join(c.Server.Failure().LastLines, "; "))
}

// emptySettle is how long a server without channels may take to come to rest.
var emptySettle = sample.SettleLimits{Change: 0.001, Window: 300 * time.Millisecond, Longest: 2 * time.Second, Every: 100 * time.Millisecond}

// empty reads the memory of a server without channels.
func (c *cell) empty(ctx context.Context) (err error) {
	p := turns.Pair{Kind: c.Kind}
	if err := p.FindDoors(&c.o.port); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.End(c.o.Force)) }()
	if err := c.o.startServer(ctx, &p, c.subject, append(turns.ServerArgs(p.Doors, c.size), "--channels=0")...); err != nil {
		return err
	}
	if _, err := sample.Settle(ctx, p.Server.PID(), emptySettle); err != nil {
		return err
	}
	c.out.Empty, err = sample.ReadMemory(p.Server.PID())
	return err
}

// startServer starts a server of a subject: where it has a planted cost, the one
// that can have it.
func (o *Options) startServer(ctx context.Context, p *turns.Pair, s Subject, args ...string) error {
	path, args := o.Server, append(s.args(), args...)
	if s.Planted {
		env, err := exec.LookPath("env")
		if err != nil {
			return err
		}
		path, args = env, append([]string{spinVariable + "=" + s.Spin.String(), o.PlantedServer}, args...)
	}
	return p.StartServer(ctx, path, args, filepath.Join(o.Dir, "server.log"))
}

// spinVariable tells a server that was built with the tag plant what each delivery
// shall cost more.
const spinVariable = "C1000K_PLANT_SPIN"

// hold opens the connections and reads what they take.
func (c *cell) hold(ctx context.Context) error {
	zero, err := ladder.KernelAtRest(ctx)
	if err != nil {
		return err
	}
	if err := ladder.CheckMemory(c.size); err != nil {
		return err
	}
	if err := c.FindDoors(&c.o.port); err != nil {
		return err
	}
	if err := c.o.startServer(ctx, &c.Pair, c.subject, turns.ServerArgs(c.Doors, c.size)...); err != nil {
		return err
	}
	if err := c.StartLoad(ctx, c.o.Load, c.size); err != nil {
		return err
	}
	if err := c.open(ctx); err != nil {
		return err
	}
	if c.out.Settled, err = sample.Settle(ctx, c.Server.PID(), c.o.settle()); err != nil {
		return err
	}
	kernel, err := sample.ReadKernel()
	if err != nil {
		return err
	}
	c.out.Kernel = kernel.Since(zero)
	c.out.Held, err = sample.ReadMemory(c.Server.PID())
	return err
}

// open measures the opening, until the server has taken every first poll. Where
// tokens are asked for, channels are signed before.
func (c *cell) open(ctx context.Context) (err error) {
	if c.subject.Tokens {
		if _, err := c.Load.Sign(ctx, c.Doors.AdminAddr(), c.size, nil); err != nil {
			return err
		}
	}
	if c.meters, err = c.Meters(); err != nil {
		return err
	}
	before, err := c.Facts(ctx)
	if err != nil {
		return err
	}
	if err := c.meters.Mark(); err != nil {
		return err
	}
	r, err := c.Load.Open(ctx, c.size, 0, nil)
	if err == nil && !r.Counts.Clean() {
		err = fmt.Errorf("not every connection was held as it must be: %+v", r.Counts)
	}
	if err != nil {
		return err
	}
	if err := c.AwaitHeld(ctx, c.size); err != nil {
		return err
	}
	server, load, err := c.meters.Since()
	if err != nil {
		return err
	}
	after, err := c.Facts(ctx)
	c.out.Loops, c.out.Rings, c.out.Tables = after.Loops, after.Rings, after.Tables
	c.out.Opening = *newPhase(int64(c.size), server, load, before, after)
	return err
}

// messages measures deliveries and polls, together and apart.
func (c *cell) messages(ctx context.Context) error {
	for range c.o.warmups(c.size) {
		if _, err := c.Turn(ctx, c.size); err != nil {
			return err
		}
	}
	n := c.o.messages(c.size)
	m, err := c.Meter(ctx, c.size, n)
	if err != nil {
		return err
	}
	c.out.Turns = newPhase(int64(n)*int64(c.size), m.Server, m.Load, m.Before, m.After)
	c.out.Last = m.Last
	return c.apart(ctx, c.o.apart(c.size))
}

// apart sends messages after which no client polls, and has all poll at once after
// each.
func (c *cell) apart(ctx context.Context, n int) error {
	var deliveries, polls parts
	for range n {
		if err := c.Load.Withhold(ctx); err != nil {
			return err
		}
		err := deliveries.add(ctx, c, func() error {
			_, err := c.Message(ctx)
			return err
		})
		if err != nil {
			return err
		}
		err = polls.add(ctx, c, func() error {
			r, err := c.Load.Repoll(ctx)
			if err == nil && r.Polls != int64(c.size) {
				err = fmt.Errorf("%d withheld polls were sent and not %d", r.Polls, c.size)
			}
			return err
		})
		if err != nil {
			return err
		}
		if err := c.AwaitHeld(ctx, c.size); err != nil {
			return err
		}
	}
	count := int64(n) * int64(c.size)
	c.out.Deliveries, c.out.Polls = deliveries.phase(count), polls.phase(count)
	return nil
}

// parts sums up what was done in turns with something else.
type parts struct {
	server, load sample.CPUDelta
	stats        map[string]uint64
}

// add measures do, and what the server does of it afterwards.
func (p *parts) add(ctx context.Context, c *cell, do func() error) error {
	time.Sleep(turns.Settle)
	before, err := c.Facts(ctx)
	if err != nil {
		return err
	}
	if err := c.meters.Mark(); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	time.Sleep(turns.Settle)
	server, load, err := c.meters.Since()
	if err != nil {
		return err
	}
	after, err := c.Facts(ctx)
	if err != nil {
		return err
	}
	p.server, p.load = p.server.Plus(server), p.load.Plus(load)
	if p.stats == nil {
		p.stats = map[string]uint64{}
	}
	for name, v := range after.Stats {
		if was := before.Stats[name]; v > was {
			p.stats[name] += v - was
		}
	}
	return nil
}

func (p *parts) phase(count int64) *Phase {
	return newPhase(count, p.server, p.load, turns.Facts{}, turns.Facts{Stats: p.stats})
}
