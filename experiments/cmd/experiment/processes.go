package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"c1000k/comet/slack"
	"c1000k/experiments/floor"
	"c1000k/experiments/load"
)

// serverPath is the server's program that was asked for: by default comet beside
// this one.
func serverPath(asked string) (string, error) {
	if asked != "" {
		return asked, nil
	}
	self, err := os.Executable()
	return filepath.Join(filepath.Dir(self), "comet"), err
}

// newFolder makes a run's own folder below results, named by its time, and the file
// of its data.
func newFolder(results, experiment string) (dir string, data *os.File, err error) {
	dir = filepath.Join(results, time.Now().UTC().Format("20060102-150405")+"-"+experiment)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", nil, fmt.Errorf("results folder %s cannot be made: %w", dir, err)
	}
	data, err = os.Create(filepath.Join(dir, "data.jsonl"))
	return dir, data, err
}

// keepTable prints a table and keeps it beside the data of its folder.
func keepTable(e *environment, dir string, table func(io.Writer)) error {
	f, err := os.Create(filepath.Join(dir, "table.md"))
	if err != nil {
		return err
	}
	table(f)
	table(e.stdout)
	fmt.Fprintf(e.stdout, "\nTable and data are in %s\n", dir)
	return f.Close()
}

// loadCommand is the load process that a ladder starts.
type loadCommand struct {
	load.Options `embed:""`
}

// Run speaks with the ladder until it closes the input.
func (c *loadCommand) Run(e *environment) error {
	return load.Run(c.Options, e.stdin, e.stdout)
}

// leave is for a process that is about to begin anew: until it heeds signals again, one
// ends it. It reports false if one has come, which would be lost.
func (e *environment) leave() bool {
	signal.Reset(syscall.SIGINT, syscall.SIGTERM)
	return e.ctx.Err() == nil
}

// floorAcceptCommand is the server of the bare accept floor.
type floorAcceptCommand struct {
	floor.ServeOptions `embed:""`
}

// Run speaks with the ladder until it closes the input.
func (c *floorAcceptCommand) Run(e *environment) error {
	slack.Process(c.Threads(), e.leave)
	return floor.Serve(c.ServeOptions, e.stdin, e.stdout)
}

// floorTurnCommand is the server of the floor of turns.
type floorTurnCommand struct {
	floor.TurnOptions `embed:""`
}

// Run serves until a signal ends it.
func (c *floorTurnCommand) Run(e *environment) error {
	slack.Process(c.Threads(), e.leave)
	return floor.ServeTurns(e.ctx, c.TurnOptions)
}

// benchmarkCommand is the article's tool.
type benchmarkCommand struct {
	load.BenchmarkOptions `embed:""`
}

// Run opens long-polls in steps, and waits for Enter at each.
func (c *benchmarkCommand) Run(e *environment) error {
	if c.Port < 1 || c.Ports < 1 || c.Port+c.Ports-1 > maxPort {
		return usageError{fmt.Errorf("%d ports from %d on: they must lie within 1 to %d", c.Ports, c.Port, maxPort)}
	}
	if c.Step < 1 || c.To < 1 || c.Rate < 0 {
		return usageError{fmt.Errorf("--step=%d --to=%d --rate=%g: steps and end must be at least 1, the rate not below 0", c.Step, c.To, c.Rate)}
	}
	return load.Benchmark(e.ctx, c.BenchmarkOptions, e.stdin, e.stdout)
}

const maxPort = 65535
