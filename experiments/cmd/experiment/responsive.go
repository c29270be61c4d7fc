package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"c1000k/experiments/responsive"
)

// responsiveCommand are the flags of experiment responsive.
type responsiveCommand struct {
	Channels    string        `default:"1000000" placeholder:"N" help:"Channels that broadcasts go to. Default ${default}."`
	Connections string        `default:"100000" placeholder:"N" help:"How many of them are held by a long-poll each. Default ${default}."`
	Backends    []string      `default:"uring,epoll" placeholder:"NAME" help:"Which engines, in this order. Default ${default}."`
	PingRate    int           `default:"650" placeholder:"N" help:"Pings a second on each loop. Default ${default}."`
	PushRate    int           `default:"650" placeholder:"N" help:"Pushes a second. Default ${default}."`
	Idle        time.Duration `default:"16s" placeholder:"DURATION" help:"Length of the idle phase, and the least of the other. Default ${default}."`
	Broadcasts  int           `default:"5" placeholder:"N" help:"Broadcasts at the least, one after the other. Default ${default}."`
	LoadNice    []int         `default:"0,19" placeholder:"N" help:"Niceness of the load, 0 to 19; each is measured: clients on other machines would not take the processors from the server. Default ${default}."`
	Rounds      int           `default:"1" placeholder:"N" help:"How often each cell is measured, with fresh processes. Default ${default}."`
	Results     string        `default:"results" placeholder:"DIR" help:"Where the run's own folder, named by its time, is made. Default ${default}."`
	Server      string        `default:"" placeholder:"PATH" help:"The server's binary. Default: comet beside this program."`
	Port        int           `default:"8000" placeholder:"N" help:"First port tried. Default ${default}."`
	Spec        string        `default:"" placeholder:"FILE" help:"The spec under experiments/specs that declares this run, for the record."`
	From        string        `default:"" placeholder:"DIR" help:"Measure nothing; make the table of a results folder anew."`
}

// Run measures, or makes a table anew.
func (c *responsiveCommand) Run(e *environment) error {
	if c.From != "" {
		return responsive.Write(c.From, e.stdout)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	o := responsive.Options{
		Backends: c.Backends, PingRate: c.PingRate, PushRate: c.PushRate, Idle: c.Idle, Broadcasts: c.Broadcasts, LoadNice: c.LoadNice,
		Rounds: c.Rounds,
		Load:   []string{self, "load"}, Results: c.Results, PortBase: c.Port, Spec: c.Spec, Out: e.stdout, Force: e.force,
	}
	if o.Server, err = serverPath(c.Server); err != nil {
		return err
	}
	if o.Channels, err = number(c.Channels); err != nil {
		return usageError{fmt.Errorf("--channels: %w", err)}
	}
	if o.Connections, err = number(c.Connections); err != nil {
		return usageError{fmt.Errorf("--connections: %w", err)}
	}
	if err := o.Check(); err != nil {
		return usageError{err}
	}
	folder, cells, err := responsive.Run(e.ctx, o)
	if cells == 0 {
		return err
	}
	// A run that was cut short has a table of what was measured.
	if err := errors.Join(err, responsive.Write(folder, e.stdout)); err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.stdout, "\nTable and raw data are in %s\n", folder)
	return err
}
