package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"c1000k/experiments/process"
	"c1000k/experiments/proxy"
)

// mostProxied bounds the connections of a measurement: nginx takes two
// descriptors for each, and this process one.
const mostProxied = 4000

// proxyCommand are the flags of experiment proxy.
type proxyCommand struct {
	Steps       []int  `default:"1000,2000,4000" placeholder:"N" help:"Held connections at which memory is read. Default ${default}."`
	Repetitions int    `default:"3" placeholder:"N" help:"How often each path is measured, with fresh processes. Default ${default}."`
	Engine      string `default:"auto" enum:"auto,uring,epoll,gonet" placeholder:"NAME" help:"The server's engine. Default ${default}."`
	Results     string `default:"results/proxy" placeholder:"DIR" help:"Where data.jsonl and table.md are written. Default ${default}."`
	Config      string `default:"scripts/nginx.conf" placeholder:"FILE" help:"The nginx configuration. Default ${default}."`
	Server      string `default:"" placeholder:"PATH" help:"The server's binary. Default: comet beside this program."`
}

// Run measures.
func (c *proxyCommand) Run(e *environment) error {
	for i, n := range c.Steps {
		if n < 1 || n > mostProxied || i > 0 && n <= c.Steps[i-1] {
			return usageError{fmt.Errorf("--steps=%v: want rising numbers from 1 to %d", c.Steps, mostProxied)}
		}
	}
	if c.Repetitions < 1 || len(c.Steps) == 0 {
		return usageError{fmt.Errorf("--repetitions=%d --steps=%v: want one of each at least", c.Repetitions, c.Steps)}
	}
	server, err := serverPath(c.Server)
	if err != nil {
		return err
	}
	if err := process.CheckProgram(server); err != nil {
		return err
	}
	if _, err := os.Stat(c.Config); err != nil {
		return fmt.Errorf("--config: %w", err)
	}
	if err := os.MkdirAll(c.Results, 0o755); err != nil {
		return fmt.Errorf("results folder %s cannot be made: %w", c.Results, err)
	}
	log, err := os.Create(filepath.Join(c.Results, "data.jsonl"))
	if err != nil {
		return fmt.Errorf("results folder %s cannot be written: %w", c.Results, err)
	}
	defer log.Close()
	readings, err := proxy.Measure(e.ctx, proxy.Options{
		Server: server, Recommended: c.Config, Engine: c.Engine, Steps: c.Steps, Repetitions: c.Repetitions,
		Log: log, Progress: e.stdout,
	})
	if len(readings) == 0 {
		return err
	}
	// A run that was cut short has a table of what was measured.
	table, tableErr := os.Create(filepath.Join(c.Results, "table.md"))
	if tableErr != nil {
		return errors.Join(err, tableErr)
	}
	defer table.Close()
	proxy.Table(table, readings)
	proxy.Table(e.stdout, readings)
	return err
}
