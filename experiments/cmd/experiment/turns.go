package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"c1000k/experiments/process"
	"c1000k/experiments/turns"
)

// turnsCommand are the flags of experiment turns.
type turnsCommand struct {
	Kind        string   `enum:"fanout,broadcast,stream" default:"fanout" help:"fanout: one push to a channel that all subscribe to; broadcast: one message to all channels, of one subscriber each; stream: one push to a channel that all are streams of, which send nothing back. Default ${default}."`
	Connections int      `default:"15000" placeholder:"N" help:"Held connections. Default ${default}."`
	Messages    int      `default:"20" placeholder:"N" help:"Messages measured of each server. Default ${default}."`
	Rounds      int      `default:"6" placeholder:"N" help:"How often each subject is measured, with fresh processes. Default ${default}."`
	Subjects    []string `placeholder:"NAME,..." help:"Engines and ways of the floor; one named twice is a control. Default uring, epoll and the ways of the floor for this kind."`
	Loops       int      `default:"0" placeholder:"N" help:"The server's event loops; 0 leaves it to the server."`
	Results     string   `default:"results" placeholder:"DIR" help:"Where the run's own folder, named by its time, is made. Default ${default}."`
	Again       string   `placeholder:"DIR" help:"Measure nothing: make the table of a folder's data anew."`
	Server      string   `placeholder:"PATH" help:"The server's binary. Default: comet beside this program."`
}

// Run measures, or makes a table anew.
func (c *turnsCommand) Run(e *environment) error {
	if c.Again != "" {
		return c.again(e)
	}
	if c.Connections < 1 || c.Messages < 1 || c.Rounds < 1 || c.Loops < 0 {
		return usageError{fmt.Errorf("--connections=%d --messages=%d --rounds=%d --loops=%d: want one of each at least, and no negative loops",
			c.Connections, c.Messages, c.Rounds, c.Loops)}
	}
	ways := turns.Ways(c.Kind)
	known := append([]string{"uring", "epoll", "gonet"}, ways...)
	if len(c.Subjects) == 0 {
		c.Subjects = append([]string{"uring", "epoll"}, ways...)
	}
	for _, s := range c.Subjects {
		if !slices.Contains(known, s) {
			return usageError{fmt.Errorf("--subjects: %q is none of %s", s, strings.Join(known, " "))}
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
	if err := process.CheckProgram(server); err != nil {
		return err
	}
	dir, data, err := newFolder(c.Results, "turns")
	if err != nil {
		return err
	}
	defer data.Close()
	cells, err := turns.Measure(e.ctx, turns.Options{
		Server: server, Load: []string{self, "load"}, Floor: []string{self, "floor-turn"},
		Kind: c.Kind, Connections: c.Connections, Loops: c.Loops, Subjects: c.Subjects, Messages: c.Messages, Rounds: c.Rounds,
		Dir: dir, Log: data, Progress: e.stdout, Force: e.force,
	})
	return errors.Join(err, c.tell(e, dir, cells))
}

// again makes the table of kept data.
func (c *turnsCommand) again(e *environment) error {
	data, err := os.Open(filepath.Join(c.Again, "data.jsonl"))
	if err != nil {
		return usageError{err}
	}
	defer data.Close()
	_, cells, err := turns.Read(data)
	if err != nil {
		return fmt.Errorf("%s: %w", data.Name(), err)
	}
	return c.tell(e, c.Again, cells)
}

// tell prints the table and keeps it beside the data.
func (c *turnsCommand) tell(e *environment, dir string, cells []turns.Cell) error {
	return keepTable(e, dir, func(w io.Writer) { turns.Table(w, cells) })
}
