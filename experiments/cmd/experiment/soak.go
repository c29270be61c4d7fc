package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"c1000k/experiments/process"
	"c1000k/experiments/soak"
)

// soakCommand are the flags of experiment soak.
type soakCommand struct {
	Time        time.Duration `default:"10m" placeholder:"DURATION" help:"How long clients come and go, over all rounds: each engine has two, without tokens and with them. Coming, leaving and expiring take a minute more a round. Default ${default}."`
	Connections int           `default:"20000" placeholder:"N" help:"Clients. Default ${default}."`
	Engines     []string      `default:"uring,epoll" placeholder:"NAME,..." help:"The server's engines, one after the other. Default ${default}."`
	Seed        uint64        `default:"0" placeholder:"N" help:"Of what is drawn; 0, the default, draws one, which is printed."`
	Server      string        `default:"" placeholder:"PATH" help:"The server's binary. Default: comet beside this program."`
	Logs        string        `default:"" placeholder:"DIR" help:"Where the servers' logs are kept. Default: a folder that is removed unless something was wrong."`
}

// Run soaks.
func (c *soakCommand) Run(e *environment) (err error) {
	server, err := serverPath(c.Server)
	if err != nil {
		return err
	}
	for c.Seed == 0 {
		c.Seed = rand.Uint64()
	}
	o := soak.Options{
		Server: server, Engines: c.Engines, Time: c.Time, Connections: c.Connections, Seed: c.Seed,
		Logs: c.Logs, Progress: e.stdout, Force: e.force,
	}
	if err := o.Check(); err != nil {
		return usageError{err}
	}
	if err := process.CheckProgram(server); err != nil {
		return err
	}
	if o.Logs == "" {
		if o.Logs, err = os.MkdirTemp("", "soak"); err != nil {
			return err
		}
		defer func() {
			if err == nil || e.ctx.Err() != nil {
				os.RemoveAll(o.Logs)
			} else {
				fmt.Fprintf(e.stdout, "soak: the servers' logs are in %s\n", o.Logs)
			}
		}()
	} else if err := os.MkdirAll(o.Logs, 0o777); err != nil {
		return fmt.Errorf("--logs: %w", err)
	}
	err = soak.Run(e.ctx, o)
	if errors.Is(err, soak.ErrFaults) {
		return errFailures
	}
	return err
}
