package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"c1000k/experiments/ladder"
)

// ladderCommand are the flags of experiment ladder. Those of number 0 take a
// default that depends on others.
type ladderCommand struct {
	To       string   `default:"" placeholder:"N" help:"Last step, in connections. Default 1,000,000; with --quick 50,000."`
	Step     string   `default:"" placeholder:"N" help:"Distance of two steps. Default 100,000; with --quick 10,000."`
	Quick    bool     `help:"A small ladder in two minutes: 50,000 in steps of 10,000, shorter idle windows and settling."`
	Backends []string `default:"uring,epoll" placeholder:"NAME" help:"Which of uring, epoll and gonet, in this order. Default ${default}."`

	Push        string        `default:"10000" placeholder:"N" help:"Channels that get one message each in a step's push phase; 0 leaves it out. Default ${default}."`
	PushRate    string        `default:"5000" placeholder:"N" help:"Pushes a second, the same for every backend. Default ${default}."`
	BroadcastAt []string      `placeholder:"N" help:"Steps that are followed by a broadcast to all. Default: the first, the middle and the last (100,000, 500,000 and 1,000,000). 'none' for no broadcast."`
	Broadcasts  string        `default:"1" placeholder:"N" help:"Broadcasts at each of these steps, of which the last is measured; ten fill every history. Default ${default}."`
	Seed        uint64        `default:"1" placeholder:"N" help:"Draws the channels of the push phases; recorded. Default ${default}."`
	Idle        time.Duration `default:"0s" placeholder:"DURATION" help:"Length of the idle window; three times as long at 0 and at the last step. Default 5s; with --quick 1s."`
	Settle      time.Duration `default:"0s" placeholder:"DURATION" help:"How long memory must stand still before it is read; five times as long is waited for it, and for the kernel to give back what a backend held, at most. Default 3s, and 20s and 15s at most; with --quick 1s, and 5s and 8s."`

	SubscribersPerChannel string        `default:"1" placeholder:"N" help:"Connections that share a channel. Default ${default}."`
	PollingTimeout        time.Duration `default:"1h" placeholder:"DURATION" help:"The server's; long, so that no poll expires while it is counted. Default ${default}."`
	Expiry                bool          `help:"After the last step, a second server with its default polling timeout of 30s, filled as far, and 65 s in which each poll expires at least twice: noops, CPU and memory are recorded."`
	ExpiryTimeout         time.Duration `default:"30s" placeholder:"DURATION" help:"The polling timeout of that server; the window is twice this and a second, and a tenth of it more. Default ${default}."`
	Prefault              bool          `help:"Let the server touch all its memory at start."`
	Loops                 int           `default:"0" placeholder:"N" help:"The server's event loops; 0 leaves it to the server. Default ${default}."`
	Pin                   string        `default:"none" enum:"none,apart" placeholder:"none|apart" help:"apart: the server on the first half of the processors, the load on the second. Default ${default}."`

	Floor string `default:"" placeholder:"N" help:"Connections of the bare accept floor, measured before the first backend; 0 leaves it out. Default: as many as the last step, since each costs the more the more there are."`

	Results     string        `default:"results" placeholder:"DIR" help:"Where the run's own folder, named by its time, is made. Default ${default}."`
	Pause       bool          `help:"Wait for Enter at each step, with the server up to be looked at."`
	Profile     string        `placeholder:"DIR" help:"Keep CPU, wall-clock and heap profiles of each step and backend there. Such a run is for its profiles."`
	ProfileTime time.Duration `default:"30s" placeholder:"DURATION" help:"Length of one profile. Default ${default}."`
	Server      string        `default:"" placeholder:"PATH" help:"The server's binary. Default: comet beside this program."`
	Port        int           `default:"8000" placeholder:"N" help:"First port tried; a server takes N, N+1 and N+100 to N+199, or the next thousand where one is taken. Default ${default}."`
	Spec        string        `default:"" placeholder:"FILE" help:"The spec under experiments/specs that declares this run, for the record."`
}

// Run climbs the ladder.
func (c *ladderCommand) Run(e *environment) error {
	o, err := c.options()
	if err != nil {
		return usageError{err}
	}
	o.Out, o.Input, o.Force = e.stdout, e.stdin, e.force
	if err := o.Check(); err != nil {
		return usageError{err}
	}
	outcome, err := ladder.Run(e.ctx, o)
	if err != nil {
		return err
	}
	if len(outcome.Failures) > 0 {
		return errFailures
	}
	return nil
}

// options makes the ladder's settings of the flags.
func (c *ladderCommand) options() (ladder.Options, error) {
	self, err := os.Executable()
	if err != nil {
		return ladder.Options{}, fmt.Errorf("this program does not find itself, and so cannot start a load: %w", err)
	}
	server, err := serverPath(c.Server)
	if err != nil {
		return ladder.Options{}, err
	}
	o := ladder.Options{
		Quick: c.Quick, Backends: c.Backends, Seed: c.Seed, Idle: c.Idle,
		PollingTimeout: c.PollingTimeout, Expiry: c.Expiry, ExpiryTimeout: c.ExpiryTimeout, Prefault: c.Prefault, Loops: c.Loops, Pin: c.Pin,
		Results: c.Results, Pause: c.Pause, Profile: c.Profile, ProfileTime: c.ProfileTime,
		Server: server, Load: []string{self, "load"}, Floor: []string{self, "floor-accept"}, PortBase: c.Port, Spec: c.Spec,
	}
	if c.Settle != 0 {
		o.SettleFor(c.Settle)
	}
	for _, f := range []struct {
		flag, text string
		into       *int
	}{
		{"to", c.To, &o.To}, {"step", c.Step, &o.Step}, {"push", c.Push, &o.Push}, {"push-rate", c.PushRate, &o.PushRate},
		{"subscribers-per-channel", c.SubscribersPerChannel, &o.SubscribersPerChannel}, {"broadcasts", c.Broadcasts, &o.Broadcasts},
	} {
		if f.text == "" {
			continue
		}
		if *f.into, err = number(f.text); err != nil {
			return o, fmt.Errorf("--%s: %w", f.flag, err)
		}
		if *f.into == 0 && (f.flag == "to" || f.flag == "step" || f.flag == "broadcasts") {
			return o, fmt.Errorf("--%s 0: must be at least 1", f.flag)
		}
	}
	if c.Floor != "" {
		if o.FloorCount, err = number(c.Floor); err != nil {
			return o, fmt.Errorf("--floor: %w", err)
		}
		o.NoFloor = o.FloorCount == 0
	}
	for _, text := range c.BroadcastAt {
		if text == "none" && len(c.BroadcastAt) == 1 {
			o.NoBroadcast = true
			return o, nil
		}
		n, err := number(text)
		if err != nil {
			return o, fmt.Errorf("--broadcast-at: %w", err)
		}
		o.BroadcastAt = append(o.BroadcastAt, n)
	}
	return o, nil
}

// number reads a whole number as people write it: 50000, 50_000, 50k, 1m.
func number(text string) (int, error) {
	digits, factor := strings.ReplaceAll(strings.ToLower(text), "_", ""), 1
	if d, ok := strings.CutSuffix(digits, "k"); ok {
		digits, factor = d, 1_000
	} else if d, ok := strings.CutSuffix(digits, "m"); ok {
		digits, factor = d, 1_000_000
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n > 1_000_000_000/factor {
		return 0, fmt.Errorf("%q is no number up to a thousand million (as 50000, 50_000, 50k, 1m)", text)
	}
	return n * factor, nil
}
