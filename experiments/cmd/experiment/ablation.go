package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"c1000k/experiments/ablation"
)

// plantedServer is the program beside this one that can have planted costs.
const plantedServer = "comet-plant"

// ablationCommand are the flags of experiment ablation. Settings that are not given
// are empty, so that a run that is gone on with keeps its own.
type ablationCommand struct {
	Sizes       []string      `placeholder:"N,..." help:"Held connections, one size after the other. Default 18000."`
	Subjects    []string      `placeholder:"SUBJECT,..." help:"What is measured: uring, uring:accept=single,batch=1, epoll:loops=6, uring:config=FILE (of the server's settings), uring:tokens=on (which each subscriber shows), uring+1us. The first is what the others are compared with. Default: see below."`
	Rounds      []int         `placeholder:"N,..." help:"How often each subject is measured, with fresh processes: one number, or one for each size. Default 6, the least for a claim."`
	Kind        string        `placeholder:"KIND" help:"broadcast: one message to all channels, of one subscriber each; fanout: one to a channel that all subscribe to. Default broadcast."`
	Messages    int           `placeholder:"N" help:"Messages measured of each server. Default: as many as make some 200,000 deliveries, 20 at most."`
	MessagesTo  string        `placeholder:"N" help:"The largest size at which messages are sent; beyond it only opening and memory are measured. Default: all."`
	Settle      time.Duration `placeholder:"DURATION" help:"How long memory must stand still before it is read; eight times as long is waited for it at most. Default 500ms."`
	Plan        bool          `help:"Measure nothing: list the subjects and say how long it takes."`
	Resume      string        `placeholder:"DIR" help:"Go on with the run of this folder; settings that are given must be its own."`
	Again       string        `placeholder:"DIR" help:"Measure nothing: make table, figures and summary of a folder's data anew."`
	Results     string        `default:"results" placeholder:"DIR" help:"Where the run's own folder, named by its time, is made. Default ${default}."`
	Server      string        `placeholder:"PATH" help:"The server's binary. Default: comet beside this program."`
	PlantServer string        `placeholder:"PATH" help:"The server built with the tag plant, for subjects with a planted cost. Default: comet-plant beside this program, if it is there."`
}

// The settings where nothing is given.
const (
	defaultSize   = 18_000
	defaultRounds = 6
	defaultSettle = 500 * time.Millisecond
	defaultKind   = "broadcast"
)

// Run measures, or makes a table anew.
func (c *ablationCommand) Run(e *environment) error {
	if c.Again != "" {
		return c.write(e, c.Again)
	}
	given, err := c.settings()
	if err != nil {
		return usageError{err}
	}
	o, err := c.options(e)
	if err != nil {
		return err
	}
	if c.Resume != "" {
		d, err := ablation.Read(c.Resume)
		if err != nil {
			return usageError{fmt.Errorf("--resume: %w", err)}
		}
		if err := merge(&given, d.Settings); err != nil {
			return usageError{err}
		}
		o.Settings, o.Dir = given, c.Resume
		return c.measure(e, o, true)
	}
	if o.Settings, err = c.complete(e, &o, given); err != nil {
		return err
	}
	if c.Plan {
		for _, s := range o.Subjects {
			fmt.Fprintln(e.stdout, s)
		}
		for _, why := range o.LeftOut {
			fmt.Fprintln(e.stdout, "  left out:", why)
		}
		fmt.Fprintf(e.stdout, "about %v by guess\n", ablation.Guess(o.Settings).Round(time.Minute))
		return nil
	}
	o.Dir = filepath.Join(c.Results, time.Now().UTC().Format("20060102-150405")+"-ablation")
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return fmt.Errorf("results folder %s cannot be made: %w", o.Dir, err)
	}
	return c.measure(e, o, false)
}

// settings are those that were given.
func (c *ablationCommand) settings() (s ablation.Settings, err error) {
	s = ablation.Settings{Kind: c.Kind, Rounds: c.Rounds, Messages: c.Messages, Settle: c.Settle}
	for _, text := range c.Sizes {
		n, err := number(text)
		if err != nil {
			return s, fmt.Errorf("--sizes: %w", err)
		}
		s.Sizes = append(s.Sizes, n)
	}
	if c.MessagesTo != "" {
		if s.MessagesTo, err = number(c.MessagesTo); err != nil {
			return s, fmt.Errorf("--messages-to: %w", err)
		}
	}
	subjects, err := ablation.ParseSubjects(c.Subjects)
	if err != nil {
		return s, fmt.Errorf("--subjects: %w", err)
	}
	for _, one := range subjects {
		s.Subjects = append(s.Subjects, one.String())
	}
	return s, nil
}

// options are the programs.
func (c *ablationCommand) options(e *environment) (o ablation.Options, err error) {
	self, err := os.Executable()
	if err != nil {
		return o, err
	}
	o = ablation.Options{
		Load: []string{self, "load"}, Floor: []string{self, "floor-accept"}, PlantedServer: c.PlantServer,
		Progress: e.stdout, Force: e.force,
	}
	if o.PlantedServer == "" {
		beside := filepath.Join(filepath.Dir(self), plantedServer)
		if _, err := os.Stat(beside); err == nil {
			o.PlantedServer = beside
		}
	}
	o.Server, err = serverPath(c.Server)
	return o, err
}

// complete fills in what was not given; the subjects by asking the server.
func (c *ablationCommand) complete(e *environment, o *ablation.Options, s ablation.Settings) (ablation.Settings, error) {
	usual := ablation.Settings{
		Kind: defaultKind, Sizes: []int{defaultSize}, Rounds: []int{defaultRounds}, Settle: defaultSettle, Subjects: s.Subjects,
	}
	if len(s.Sizes) > 0 {
		usual.Sizes = s.Sizes
	}
	if s.Kind != "" {
		usual.Kind = s.Kind
	}
	if len(s.Rounds) > 0 {
		usual.Rounds = s.Rounds
	}
	if s.Settle != 0 {
		usual.Settle = s.Settle
	}
	usual.Messages, usual.MessagesTo = s.Messages, s.MessagesTo
	chosen := len(s.Subjects) == 0
	if chosen { // for the check: the list has two at least
		usual.Subjects = []string{"uring", "uring"}
	}
	if err := usual.Check(); err != nil {
		return usual, usageError{err}
	}
	if !chosen {
		return usual, nil
	}
	logs, err := os.MkdirTemp("", "ablation")
	if err != nil {
		return usual, err
	}
	defer os.RemoveAll(logs)
	asked := *o
	asked.Dir, asked.Settings = logs, usual
	plan, err := ablation.Choose(e.ctx, asked)
	if err != nil {
		return usual, err
	}
	usual.Subjects, o.LeftOut = nil, plan.LeftOut
	for _, one := range plan.Subjects {
		usual.Subjects = append(usual.Subjects, one.String())
	}
	return usual, nil
}

// merge fills in the settings of an earlier run, and refuses what was given
// otherwise.
func merge(given *ablation.Settings, was ablation.Settings) error {
	differs := func(flag string, given, was any, isGiven bool) error {
		if isGiven && fmt.Sprint(given) != fmt.Sprint(was) {
			return fmt.Errorf("--%s=%v: the run that is gone on with has %v", flag, given, was)
		}
		return nil
	}
	err := errors.Join(
		differs("sizes", given.Sizes, was.Sizes, len(given.Sizes) > 0),
		differs("subjects", strings.Join(given.Subjects, ","), strings.Join(was.Subjects, ","), len(given.Subjects) > 0),
		differs("rounds", given.Rounds, was.Rounds, len(given.Rounds) > 0),
		differs("kind", given.Kind, was.Kind, given.Kind != ""),
		differs("messages", given.Messages, was.Messages, given.Messages != 0),
		differs("messages-to", given.MessagesTo, was.MessagesTo, given.MessagesTo != 0),
		differs("settle", given.Settle, was.Settle, given.Settle != 0),
	)
	*given = was
	return err
}

// measure measures what is missing in o.Dir, and writes what is made of it, also
// where the run was ended early.
func (c *ablationCommand) measure(e *environment, o ablation.Options, resume bool) error {
	d, err := ablation.Run(e.ctx, o, resume)
	if d == nil {
		return err
	}
	err = errors.Join(err, c.write(e, o.Dir))
	if err != nil {
		fmt.Fprintf(e.stdout, "What was measured is kept; --resume %s goes on\n", o.Dir)
	}
	if err == nil && d.Broken() {
		return errFailures
	}
	return err
}

// write makes table, figures and summary.
func (c *ablationCommand) write(e *environment, dir string) error {
	if err := ablation.Write(dir, e.stdout); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return usageError{err}
		}
		return err
	}
	fmt.Fprintf(e.stdout, "\nTable, figures, summary and data are in %s\n", dir)
	return nil
}
