package turns

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"c1000k/experiments/floor"
	"c1000k/experiments/ladder"
	"c1000k/experiments/load"
	"c1000k/experiments/process"
	"c1000k/experiments/sample"
)

// The kinds of message.
const (
	Fanout    = "fanout"    // one push to one channel that all subscribe to
	Broadcast = "broadcast" // one message to all channels, each with one subscriber
	Stream    = "stream"    // one push to one channel that all are streams of: no next poll follows
)

// Ways are those of the floor that a kind of message can be sent by.
func Ways(kind string) []string {
	if kind == Stream {
		return floor.Sends
	}
	return floor.Turns
}

// Options are what a measurement is told.
type Options struct {
	// Server is the comet server's binary; Load and Floor start those processes.
	Server      string
	Load, Floor []string
	Kind        string
	Connections int
	Loops       int // of the server; 0 leaves it to the server
	// Subjects are what is measured: engines, ways of the floor; a subject that
	// is named twice is measured twice a round, which shows the noise.
	Subjects []string
	Messages int // measured, of each cell
	Rounds   int
	Dir      string    // where logs and data.jsonl are written
	Log      io.Writer // data.jsonl
	Progress io.Writer
	Force    <-chan struct{} // closed by a second Ctrl-C
}

// warmup is how many messages each cell gets before the measured ones: the first
// makes the channels' histories and the stacks' memory.
const warmup = 3

// settle is how long after a message is over CPU is read: by then all loops have
// read what their connections sent.
const settle = 100 * time.Millisecond

// Header is the first line of the data.
type Header struct {
	Version     int                `json:"version"`
	Kind        string             `json:"kind"`
	Connections int                `json:"connections"`
	Subjects    []string           `json:"subjects"`
	Messages    int                `json:"messages"`
	Rounds      int                `json:"rounds"`
	ServerHash  string             `json:"server_sha256"`
	Environment sample.Environment `json:"environment"`
}

// Cell is one measured cell.
type Cell struct {
	Version     int    `json:"version"`
	Kind        string `json:"kind,omitempty"` // "" in data of before there were streams
	Round       int    `json:"round"`
	Order       int    `json:"order"` // since the start of the run
	Subject     string `json:"subject"`
	Loops       int    `json:"loops"`
	Rings       int    `json:"rings"`
	Connections int    `json:"connections"`
	Messages    int    `json:"messages"`
	Deliveries  int64  `json:"deliveries"`
	// Server and Load are CPU a delivery in microseconds.
	Server float64 `json:"server_cpu_us"`
	Load   float64 `json:"load_cpu_us"`
	// Last is the median of the times from a message to its last delivery, in
	// seconds.
	Last float64 `json:"last_seconds"`
	// Counters are the engine's, a delivery; the floor has none.
	Counters map[string]float64 `json:"counters,omitempty"`
	Machine  sample.MachineCPU  `json:"machine"`
}

// version counts up when a field changes its meaning.
const version = 1

// Measure measures every cell and returns those that were. It stops with the
// context.
func Measure(ctx context.Context, o Options) ([]Cell, error) {
	h := Header{
		Version: version, Kind: o.Kind, Connections: o.Connections, Subjects: o.Subjects, Messages: o.Messages,
		Rounds: o.Rounds, Environment: sample.ReadEnvironment(""),
	}
	var err error
	if h.ServerHash, err = sample.HashFile(o.Server); err != nil {
		return nil, err
	}
	data := json.NewEncoder(o.Log)
	if err := data.Encode(h); err != nil {
		return nil, err
	}
	var all []Cell
	port := firstPort
	for round := range o.Rounds {
		subjects := slices.Clone(o.Subjects)
		if round%2 == 1 {
			slices.Reverse(subjects)
		}
		for _, subject := range subjects {
			c := &cell{o: o, subject: subject}
			result, err := c.measure(ctx, &port)
			if err != nil {
				return all, fmt.Errorf("%s in round %d: %w", subject, round+1, err)
			}
			result.Round, result.Order = round, len(all)
			if err := data.Encode(result); err != nil {
				return all, err
			}
			all = append(all, result)
			fmt.Fprintf(o.Progress, "round %d of %d: %s: %.2f us of the server's CPU a delivery, %.2f of the load's\n",
				round+1, o.Rounds, subject, result.Server, result.Load)
		}
	}
	return all, nil
}

// firstPort is where doors are looked for; the next server takes the next.
const firstPort = 8000

// cell is one server with its load.
type cell struct {
	o       Options
	subject string
	doors   process.Doors
	server  *process.Process
	load    *load.Client
}

func (c *cell) measure(ctx context.Context, port *int) (r Cell, err error) {
	if c.doors, *port, err = process.FindDoors(*port); err != nil {
		if c.doors, *port, err = process.FindDoors(firstPort); err != nil {
			return r, err
		}
	}
	defer func() { err = errors.Join(err, c.end()) }()
	if err := c.start(ctx); err != nil {
		return r, err
	}
	if _, err := c.load.Open(ctx, c.o.Connections, 0, nil); err != nil {
		return r, err
	}
	for range warmup {
		if _, err := c.message(ctx); err != nil {
			return r, err
		}
	}
	return c.meter(ctx)
}

// start starts the server and the load.
func (c *cell) start(ctx context.Context) (err error) {
	path, args := c.o.Server, []string{
		"--engine=" + c.subject, "--front=" + c.doors.FrontFlag(), "--admin=" + c.doors.AdminAddr(), "--debug=" + c.doors.DebugAddr(),
		"--polling-timeout=1h", "--drain-timeout=0", "--max-connections=" + strconv.Itoa(c.o.Connections+serverSpare),
	}
	if c.o.Loops > 0 {
		args = append(args, "--loops="+strconv.Itoa(c.o.Loops))
	}
	if c.bare() {
		path, args = c.o.Floor[0], append(slices.Clone(c.o.Floor[1:]),
			"--front="+c.doors.FrontFlag(), "--admin="+c.doors.AdminAddr(),
			"--connections="+strconv.Itoa(c.o.Connections), "--way="+c.subject,
			"--loops="+strconv.Itoa(cmp.Or(c.o.Loops, runtime.NumCPU())))
		if c.o.Kind == Stream {
			args = append(args, "--stream")
		}
	}
	if c.server, err = process.Start(path, args, filepath.Join(c.o.Dir, "server.log"), nil); err != nil {
		return err
	}
	err = c.server.Await(func() bool {
		_, err := process.AskInfo(ctx, c.doors)
		return err == nil || ctx.Err() != nil
	})
	if err != nil && c.server.Gone() {
		return fmt.Errorf("the server does not start: %w: %s", err, strings.Join(c.server.Failure().LastLines, "; "))
	}
	if err = errors.Join(err, context.Cause(ctx)); err != nil {
		return err
	}
	subscribers := 0 // all on one channel
	if c.o.Kind == Broadcast && !c.bare() {
		subscribers = 1
	}
	argv := ladder.LoadArgs(c.o.Load, c.doors, c.o.Connections, subscribers)
	if c.o.Kind == Stream {
		argv = append(argv, "--stream")
	}
	c.load, err = load.Start(ctx, argv, os.Stderr)
	return err
}

// serverSpare is how many connections the server may hold beside the load's.
const serverSpare = 64

// bare says that the subject is a way of the floor.
func (c *cell) bare() bool { return slices.Contains(floor.Turns, c.subject) }

// message sends one message and returns when all have it, and have polled again
// where they poll, with the seconds to the last delivery.
func (c *cell) message(ctx context.Context) (last float64, err error) {
	if c.o.Kind == Broadcast {
		r, err := c.load.Broadcast(ctx, load.BroadcastOptions{Count: 1, Admin: c.doors.AdminAddr()}, nil)
		if err == nil && !r.Clean() {
			err = fmt.Errorf("a broadcast was not delivered as it must be: %+v", r.Counts)
		}
		if err != nil {
			return 0, err
		}
		return r.Rounds[0].Last, nil
	}
	r, err := c.load.Push(ctx, load.PushOptions{Count: 1, Seed: 1, Admin: c.doors.AdminAddr()}, nil)
	if err == nil && !r.Clean() {
		err = fmt.Errorf("a push was not delivered as it must be: %d missing, %+v", r.Missing, r.Counts)
	}
	return r.Seconds, err
}

// meter sends the messages that count.
func (c *cell) meter(ctx context.Context) (r Cell, err error) {
	server, err := sample.NewCPUMeter(c.server.PID())
	if err != nil {
		return r, err
	}
	defer server.Close()
	loaded, err := sample.NewCPUMeter(c.load.PID())
	if err != nil {
		return r, err
	}
	defer loaded.Close()
	time.Sleep(settle)
	before, err := c.facts(ctx)
	if err != nil {
		return r, err
	}
	serverFrom, err := server.Read()
	if err != nil {
		return r, err
	}
	loadFrom, err := loaded.Read()
	if err != nil {
		return r, err
	}
	var lasts []float64
	for range c.o.Messages {
		last, err := c.message(ctx)
		if err != nil {
			return r, err
		}
		lasts = append(lasts, last)
	}
	time.Sleep(settle)
	serverTo, err := server.Read()
	if err != nil {
		return r, err
	}
	loadTo, err := loaded.Read()
	if err != nil {
		return r, err
	}
	after, err := c.facts(ctx)
	if err != nil {
		return r, err
	}
	return c.sum(lasts, serverTo.Since(serverFrom), loadTo.Since(loadFrom), before, after), nil
}
