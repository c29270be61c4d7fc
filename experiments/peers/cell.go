package peers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"c1000k/experiments/ladder"
	"c1000k/experiments/load"
	"c1000k/experiments/process"
	"c1000k/experiments/sample"
	"c1000k/experiments/stats"
)

// Cell is what was measured of one cell, at one rate.
type Cell struct {
	Version     int    `json:"version"`
	Round       int    `json:"round"`
	Order       int    `json:"order"` // since the start of the run
	Subject     string `json:"subject"`
	Slot        int    `json:"slot"` // which of the subjects it is, where one is named twice
	Workload    string `json:"workload"`
	Connections int    `json:"connections"`
	Deliveries  int64  `json:"deliveries"`
	// Server and Load are CPU a delivery in microseconds, with the next poll, and
	// of pushes with the push itself.
	Server float64 `json:"server_cpu_us"`
	Load   float64 `json:"load_cpu_us"`
	// Busy is the server's part of one processor while it was measured.
	Busy float64 `json:"server_core"`
	// Last is the median of the times from a fan-out's publish to its last
	// delivery, in seconds.
	Last float64 `json:"last_seconds,omitempty"`
	// RateAsked is how many pushes a second were asked for, Rate what was sent;
	// Pushes are their latencies, from the intended time, of each pass.
	RateAsked float64        `json:"pushes_per_second_asked,omitempty"`
	Rate      float64        `json:"pushes_per_second,omitempty"`
	Pushes    []load.Latency `json:"pushes,omitempty"`
	// User is what the server's memory grew by, in bytes a held connection: before
	// any message, and after all of this cell's. Kernel is the kernel's before any message, for
	// both ends.
	User      float64           `json:"user_bytes"`
	UserAfter float64           `json:"user_bytes_after"`
	Kernel    float64           `json:"kernel_bytes"`
	Estimated bool              `json:"kernel_estimated"` // without root
	Settled   bool              `json:"settled"`
	Machine   sample.MachineCPU `json:"machine"`
}

// Sizes of a cell.
const (
	// warmMessages is how many messages a fan-out gets before the measured ones.
	warmMessages = 3
	// pause is how long a fan-out waits after all have polled again, so that the
	// server has taken what the load has sent.
	pause = 50 * time.Millisecond
	// settle is how long after a message is over CPU is read.
	settle = 100 * time.Millisecond
)

// Memory has come to rest when it has changed by less for as long as the options
// say; it is waited for so long at most.
const (
	settleChange  = 0.001
	settleLongest = 10 * time.Second
	settleEvery   = 50 * time.Millisecond
)

// cell is one server with its load.
type cell struct {
	o *Options
	place
	round  int
	server *server
	load   *load.Client
	zero   memory
	held   Cell // what all figures of the cell have in common
}

// startLoad starts a load on its processors for one server.
func startLoad(ctx context.Context, o *Options, d process.Doors, protocol string, subscribers int) (c *load.Client, err error) {
	argv := append(ladder.LoadArgs(o.Load, d, o.Connections, subscribers), "--protocol="+protocol)
	err = process.OnCPUs(o.loadCPU, func() (err error) {
		c, err = load.Start(ctx, argv, os.Stderr)
		return err
	})
	return c, err
}

func (c *cell) measure(ctx context.Context, port *int) (all []Cell, err error) {
	doors, err := findDoors(port)
	if err != nil {
		return nil, err
	}
	subject := c.o.Subjects[c.slot]
	c.held = Cell{Version: version, Round: c.round, Subject: subject, Slot: c.slot, Workload: c.workload, Connections: c.o.Connections}
	defer func() { err = errors.Join(err, c.end()) }()
	if c.server, err = startServer(ctx, c.o, subject, doors); err != nil {
		return nil, err
	}
	subscribers := 1
	if c.workload == Fanout {
		subscribers = 0 // all on one channel
	}
	if c.load, err = startLoad(ctx, c.o, doors, c.server.protocol, subscribers); err != nil {
		return nil, err
	}
	if err := c.open(ctx); err != nil {
		return nil, err
	}
	rates := c.rates()
	if _, err := c.send(ctx, c.warm(), rates[0]); err != nil {
		return nil, err
	}
	for _, rate := range rates {
		one, err := c.meter(ctx, rate)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	after, err := c.memory(ctx)
	for i := range all {
		all[i].UserAfter = float64(after.user-c.zero.user) / float64(c.o.Connections)
	}
	return all, err
}

// rates are those of the pushes, in the order of the round; a fan-out has none,
// which is 0.
func (c *cell) rates() []float64 {
	if c.workload == Fanout {
		return []float64{0}
	}
	rates := slices.Clone(c.o.Rates)
	if c.round%2 == 1 {
		slices.Reverse(rates)
	}
	return rates
}

// end ends the load and then the server.
func (c *cell) end() (err error) {
	if c.load != nil {
		err = c.load.Close()
	}
	if c.server != nil {
		err = errors.Join(err, c.server.stop())
	}
	return err
}

// open opens the connections, proves by two witnesses that all are held, and reads
// what memory they took.
func (c *cell) open(ctx context.Context) (err error) {
	if c.zero, err = c.memory(ctx); err != nil {
		return err
	}
	n := c.o.Connections
	if _, err := c.load.Open(ctx, n, 0, nil); err != nil {
		return err
	}
	if err := c.server.awaitHeld(ctx, n); err != nil {
		return err
	}
	d := c.server.doors
	established, err := sample.CountEstablished(ctx, uint16(d.FirstPort), uint16(d.LastPort))
	if err != nil {
		return err
	}
	if established.Server != int64(n) {
		return fmt.Errorf("the server says that it holds %d polls, the kernel has %d connections", n, established.Server)
	}
	held, err := c.memory(ctx)
	if err != nil {
		return err
	}
	kernel := held.kernel.Since(c.zero.kernel)
	c.held.User = float64(held.user-c.zero.user) / float64(n)
	c.held.Kernel, c.held.Estimated = float64(kernel.Bytes)/float64(n), kernel.Estimated
	c.held.Settled = c.zero.settled && held.settled
	return nil
}

// memory is what the server and the kernel have at one moment.
type memory struct {
	user    int64 // resident bytes of all the server's processes
	kernel  sample.Kernel
	settled bool
}

// memory waits until memory has come to rest, and reads it.
func (c *cell) memory(ctx context.Context) (m memory, err error) {
	settled, err := sample.Settle(ctx, c.server.pids[0], sample.SettleLimits{
		Change: settleChange, Window: c.o.Settle, Longest: settleLongest, Every: settleEvery,
	})
	if err != nil {
		return m, err
	}
	m.settled = settled.Settled
	for _, pid := range c.server.pids {
		resident, err := sample.Resident(pid)
		if err != nil {
			return m, err
		}
		m.user += int64(resident)
	}
	m.kernel, err = sample.ReadKernel()
	return m, err
}

// warm is how much is sent unmeasured, measured how much is measured: messages of
// a fan-out, passes of pushes.
func (c *cell) warm() int {
	if c.workload == Fanout {
		return warmMessages
	}
	return 1
}

func (c *cell) measured() int {
	if c.workload == Fanout {
		return c.o.Messages
	}
	return c.o.Passes
}

// send sends so many messages, or passes at a rate, each when the one before has
// come to all and all have polled again.
func (c *cell) send(ctx context.Context, times int, rate float64) (all []load.PushResult, err error) {
	for i := range times {
		o := load.PushOptions{Count: 1, Seed: 1, Admin: c.server.doors.AdminAddr()}
		if c.workload == Push {
			o.Count, o.Seed, o.Rate = c.o.Connections, uint64(1+i), rate
		}
		r, err := c.load.Push(ctx, o, nil)
		if err == nil && (!r.Clean() || r.Delivered != int64(c.o.Connections)) {
			err = fmt.Errorf("not delivered as it must be: %d of %d came, %d missing, %d refused, %+v",
				r.Delivered, c.o.Connections, r.Missing, r.Refused, r.Counts)
		}
		if err != nil {
			return all, err
		}
		all = append(all, r)
		time.Sleep(pause)
	}
	return all, nil
}

// meter sends the messages that count.
func (c *cell) meter(ctx context.Context, rate float64) (r Cell, err error) {
	server, err := newMeters(c.server.pids)
	if err != nil {
		return r, err
	}
	defer server.close()
	loaded, err := newMeters([]int{c.load.PID()})
	if err != nil {
		return r, err
	}
	defer loaded.close()
	time.Sleep(settle)
	if err := errors.Join(server.start(), loaded.start()); err != nil {
		return r, err
	}
	results, err := c.send(ctx, c.measured(), rate)
	if err != nil {
		return r, err
	}
	time.Sleep(settle)
	used, err := server.since()
	if err != nil {
		return r, err
	}
	usedByLoad, err := loaded.since()
	if err != nil {
		return r, err
	}
	return c.sum(results, rate, used, usedByLoad), nil
}

// sum makes the cell's figures of what was read.
func (c *cell) sum(results []load.PushResult, rate float64, server, loaded []sample.CPUDelta) Cell {
	r := c.held
	r.RateAsked = rate
	r.Deliveries = int64(c.measured()) * int64(c.o.Connections)
	each := func(all []sample.CPUDelta) (us float64) {
		for _, d := range all {
			us += float64(d.Process) / 1e3 / float64(r.Deliveries)
		}
		return us
	}
	r.Server, r.Load = each(server), each(loaded)
	r.Machine = loaded[0].Machine
	for _, d := range server {
		r.Busy += d.CoreFraction()
	}
	var lasts, rates []float64
	for _, p := range results {
		lasts, rates = append(lasts, p.Seconds), append(rates, p.RateSent)
		if c.workload == Push {
			r.Pushes = append(r.Pushes, p.Latency)
		}
	}
	if c.workload == Fanout {
		r.Last = stats.Median(lasts)
	} else {
		r.Rate = stats.Median(rates)
	}
	return r
}

// meters read the CPU of some processes.
type meters struct {
	all  []*sample.CPUMeter
	from []sample.CPU
}

func newMeters(pids []int) (m meters, err error) {
	for _, pid := range pids {
		one, err := sample.NewCPUMeter(pid)
		if err != nil {
			m.close()
			return m, err
		}
		m.all = append(m.all, one)
	}
	return m, nil
}

func (m *meters) start() error {
	for _, one := range m.all {
		c, err := one.Read()
		if err != nil {
			return err
		}
		m.from = append(m.from, c)
	}
	return nil
}

// since returns what each has used since start.
func (m *meters) since() (all []sample.CPUDelta, err error) {
	for i, one := range m.all {
		c, err := one.Read()
		if err != nil {
			return nil, err
		}
		all = append(all, c.Since(m.from[i]))
	}
	return all, nil
}

func (m *meters) close() {
	for _, one := range m.all {
		one.Close()
	}
}
