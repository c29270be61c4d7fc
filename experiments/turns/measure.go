package turns

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"

	"c1000k/comet/slack"
	"c1000k/experiments/floor"
	"c1000k/experiments/sample"
	"c1000k/experiments/stats"
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
	port := 0
	for round := range o.Rounds {
		for _, place := range stats.Drawn(round, len(o.Subjects)) {
			subject := o.Subjects[place]
			c := &cell{o: o, subject: subject, Pair: Pair{Kind: o.Kind, Bare: slices.Contains(floor.Turns, subject)}}
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

// cell is one server with its load, and what is asked of it.
type cell struct {
	Pair
	o       Options
	subject string
}

func (c *cell) measure(ctx context.Context, port *int) (r Cell, err error) {
	if err := c.FindDoors(port); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, c.End(c.o.Force)) }()
	if err := c.start(ctx); err != nil {
		return r, err
	}
	if _, err := c.Load.Open(ctx, c.o.Connections, 0, nil); err != nil {
		return r, err
	}
	if err := c.AwaitHeld(ctx, c.o.Connections); err != nil {
		return r, err
	}
	for range warmup {
		if _, err := c.Turn(ctx, c.o.Connections); err != nil {
			return r, err
		}
	}
	m, err := c.Meter(ctx, c.o.Connections, c.o.Messages)
	if err != nil {
		return r, err
	}
	n := int64(c.o.Messages) * int64(c.o.Connections)
	return Cell{
		Version: version, Kind: c.o.Kind, Subject: c.subject, Loops: m.After.Loops, Rings: m.After.Rings,
		Connections: c.o.Connections, Messages: c.o.Messages, Deliveries: n,
		Server: Each(m.Server.Process, n), Load: Each(m.Load.Process, n), Last: m.Last,
		Counters: Counted(m.Before, m.After, n), Machine: m.Server.Machine,
	}, nil
}

// start starts the server and the load.
func (c *cell) start(ctx context.Context) error {
	path, args := c.o.Server, append([]string{"--engine=" + c.subject}, ServerArgs(c.Doors, c.o.Connections)...)
	if c.o.Loops > 0 {
		args = append(args, "--loops="+strconv.Itoa(c.o.Loops))
	}
	if c.Bare {
		path, args = c.o.Floor[0], append(slices.Clone(c.o.Floor[1:]),
			"--front="+c.Doors.FrontFlag(), "--admin="+c.Doors.AdminAddr(),
			"--connections="+strconv.Itoa(c.o.Connections), "--way="+c.subject,
			"--loops="+strconv.Itoa(cmp.Or(c.o.Loops, slack.Processors())))
		if c.o.Kind == Stream {
			args = append(args, "--stream")
		}
	}
	if err := c.StartServer(ctx, path, args, filepath.Join(c.o.Dir, "server.log")); err != nil {
		return err
	}
	return c.StartLoad(ctx, c.o.Load, c.o.Connections)
}
