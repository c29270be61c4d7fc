package main

import (
	"fmt"

	"c1000k/comet"
	"c1000k/experiments/baseline/epoll"
	"c1000k/uring"
)

// choice is the engine that was asked for, or that --engine=auto found.
type choice struct {
	name string
	why  string // why this one, where another was preferred
}

// probes ask the kernel what it gives; the errors are fit to be printed.
type probes struct {
	uring func() error
	epoll func(maxConns int) error // also whether one table or several hold them
}

var kernel = probes{uring: uring.Probe, epoll: epoll.Probe}

// chooseEngine finds the engine and tests that the kernel carries it,
// before anything is opened.
func chooseEngine(o *options, k probes) (choice, error) {
	c := choice{name: o.Engine}
	if c.name == "auto" || c.name == "uring" {
		err := k.uring()
		switch {
		case err == nil:
			c.name = "uring"
		case c.name == "auto":
			c = choice{"epoll", fmt.Sprintf("io_uring is not to be had here: %v", err)}
		default:
			return choice{}, refuse("--engine=uring: %w; what works: --engine=epoll", err)
		}
	}
	if c.name == "epoll" {
		if err := k.epoll(o.MaxConnections); err != nil {
			return choice{}, refuse("--max-connections=%d: %w", o.MaxConnections, err)
		}
	}
	return c, nil
}

// open makes the engine; it does not start it.
func (c choice) open(service *comet.Service, o *options) (comet.Engine, error) {
	shared := comet.EngineOptions{
		Loops:        o.loops,
		MaxConns:     o.MaxConnections,
		TableLimit:   o.TableLimit,
		AdminReserve: adminReserve,
	}
	switch c.name {
	case "uring":
		return uring.New(service, uring.Options{EngineOptions: shared})
	default:
		return epoll.New(service, epoll.Options{EngineOptions: shared})
	}
}
