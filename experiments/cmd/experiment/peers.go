package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"c1000k/experiments/peers"
)

// peersCommand are the flags of experiment peers.
type peersCommand struct {
	Connections int           `default:"10000" placeholder:"N" help:"Held connections, at most 19,000. Default ${default}."`
	Workloads   []string      `default:"fanout,push" placeholder:"NAME,..." help:"fanout: one push to a channel that all subscribe to; push: one to each of as many channels, in turn. Default ${default}."`
	Subjects    []string      `default:"nchan,uring,epoll,nchan" placeholder:"NAME,..." help:"nchan and engines of this server; what is named twice is measured twice a round, which shows the noise. Default ${default}."`
	Messages    int           `default:"20" placeholder:"N" help:"Fan-outs measured of each server. Default ${default}."`
	Passes      int           `default:"3" placeholder:"N" help:"Passes of pushes over all channels measured of each server. Default ${default}."`
	Rates       []float64     `default:"5000,20000" placeholder:"N,..." help:"Pushes a second, each measured of the same server. Default ${default}."`
	Rounds      int           `default:"6" placeholder:"N" help:"How often each subject is measured, with fresh processes. Default ${default}."`
	Settle      time.Duration `default:"1s" placeholder:"DURATION" help:"How long memory must have stood still before it is read. Default ${default}."`
	Results     string        `default:"results" placeholder:"DIR" help:"Where the run's own folder, named by its time, is made. Default ${default}."`
	Again       string        `placeholder:"DIR" help:"Measure nothing: make the table of a folder's data anew."`
	Server      string        `placeholder:"PATH" help:"The server's binary. Default: comet beside this program."`
}

// mostRate is more pushes a second than any loop here can take.
const mostRate = 1_000_000

// check refuses what cannot be measured.
func (c *peersCommand) check() error {
	if c.Connections < 1 || c.Connections > peers.MostConnections {
		return fmt.Errorf("--connections=%d: it must be from 1 to %d, what one loop holds", c.Connections, peers.MostConnections)
	}
	if c.Messages < 1 || c.Passes < 1 || c.Rounds < 1 {
		return fmt.Errorf("--messages=%d --passes=%d --rounds=%d: want one of each at least", c.Messages, c.Passes, c.Rounds)
	}
	for _, rate := range c.Rates {
		if !(rate > 0) || rate > mostRate {
			return fmt.Errorf("--rates: %v is not above 0 and at most %d", rate, mostRate)
		}
	}
	if c.Settle <= 0 {
		return fmt.Errorf("--settle=%v: it must be above 0", c.Settle)
	}
	if len(c.Rates) == 0 {
		return errors.New("--rates: none")
	}
	for flag, of := range map[string]struct{ given, known []string }{
		"subjects":  {c.Subjects, []string{peers.Nchan, "uring", "epoll"}},
		"workloads": {c.Workloads, []string{peers.Fanout, peers.Push}},
	} {
		if len(of.given) == 0 {
			return fmt.Errorf("--%s: none", flag)
		}
		for _, s := range of.given {
			if !slices.Contains(of.known, s) {
				return fmt.Errorf("--%s: %q is none of %s", flag, s, strings.Join(of.known, " "))
			}
		}
	}
	return nil
}

// Run measures, or makes a table anew.
func (c *peersCommand) Run(e *environment) error {
	if c.Again != "" {
		return c.again(e)
	}
	if err := c.check(); err != nil {
		return usageError{err}
	}
	if slices.Contains(c.Subjects, peers.Nchan) {
		if _, err := peers.FindNchan(); err != nil {
			return err
		}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	server, err := serverPath(c.Server)
	if err != nil {
		return err
	}
	dir, data, err := newFolder(c.Results, "peers")
	if err != nil {
		return err
	}
	defer data.Close()
	run, err := peers.Measure(e.ctx, peers.Options{
		Server: server, Load: []string{self, "load"}, Subjects: c.Subjects, Workloads: c.Workloads, Connections: c.Connections,
		Messages: c.Messages, Passes: c.Passes, Rates: c.Rates, Rounds: c.Rounds, Settle: c.Settle,
		Dir: dir, Log: data, Progress: e.stdout, Force: e.force,
	})
	return errors.Join(err, c.tell(e, dir, run))
}

// again makes the table of kept data.
func (c *peersCommand) again(e *environment) error {
	data, err := os.Open(filepath.Join(c.Again, "data.jsonl"))
	if err != nil {
		return usageError{err}
	}
	defer data.Close()
	run, err := peers.Read(data)
	if err != nil {
		return fmt.Errorf("%s: %w", data.Name(), err)
	}
	return c.tell(e, c.Again, run)
}

// tell prints the table and keeps it beside the data.
func (c *peersCommand) tell(e *environment, dir string, run peers.Run) error {
	return keepTable(e, dir, func(w io.Writer) { peers.Table(w, run) })
}
