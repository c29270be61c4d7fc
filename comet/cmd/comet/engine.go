package main

import (
	"fmt"

	"c1000k/comet"
	"c1000k/comet/slack"
	"c1000k/experiments/baseline/epoll"
	"c1000k/experiments/baseline/gonet"
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
	epoll func(maxConns, listeners int) error // whether one table or several hold them
	gonet func(maxConns, listeners int) error // whether one table holds them
}

var kernel = probes{uring: uring.Probe, epoll: epoll.Probe, gonet: gonet.Probe}

// chooseEngine finds the engine and tests that the kernel, with a descriptor
// limit of limit, carries it, before anything is opened.
func chooseEngine(o *options, limit int, k probes) (choice, error) {
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
	if c.name != "uring" && o.Uring != "" && c.why != "" {
		return choice{}, refuse("--uring=%s: these are choices of the io_uring engine, and %s: leave them out", o.Uring, c.why)
	}
	if c.name != "uring" && o.Uring != "" {
		return choice{}, refuse("--uring=%s: these are choices of the io_uring engine, and the engine is %s: leave them out, or ask for --engine=uring", o.Uring, c.name)
	}
	if c.name != "epoll" && o.Epoll != "" {
		return choice{}, refuse("--epoll=%s: these are choices of the epoll engine, and the engine is %s: leave them out, or ask for --engine=epoll", o.Epoll, c.name)
	}
	switch c.name {
	case "uring":
		return c, checkUring(o, limit)
	case "epoll":
		if err := k.epoll(o.MaxConnections, o.listeners); err != nil && c.why != "" {
			return choice{}, refuse("--max-connections=%d: %s; and with epoll, which --engine=auto takes then: %w", o.MaxConnections, c.why, err)
		} else if err != nil {
			return choice{}, refuse("--max-connections=%d: %w", o.MaxConnections, err)
		}
	case "gonet":
		// It stops accepting at the limit by itself and says so; a size that
		// was asked for is a promise.
		if err := k.gonet(o.MaxConnections, o.listeners); err != nil && o.sizeAsked {
			return choice{}, refuse("--max-connections=%d: %w", o.MaxConnections, err)
		}
	}
	return c, nil
}

// chosen names the engine in a refusal: by the flag where it was asked for.
func (o *options) chosen(engine string) string {
	switch {
	case o.Engine != "auto":
		return "--engine=" + o.Engine
	case engine == "uring":
		return "io_uring, which --engine=auto chose since the kernel has it"
	default:
		return engine + ", which --engine=auto chose since io_uring is not to be had"
	}
}

// ringDescriptors are what each ring takes of the process's own table: its own
// and that of its eventfd. Its connections take none.
const ringDescriptors = 2

// leastListeners is one of each door.
const leastListeners = 2

// checkUring refuses what would need more rings than the limit has descriptors
// for. With 300 descriptors that is beyond some 30,000 connections, with 20,000
// beyond a hundred million.
func checkUring(o *options, limit int) error {
	slots := limit
	if o.TableLimit > 0 {
		slots = min(limit, o.TableLimit)
	}
	loops := o.loops
	if loops == 0 {
		loops = slack.Processors()
	}
	if o.uring.PlainFDs {
		return checkPlain(o, limit, loops)
	}
	// Each loop's last ring may be partly used.
	rings := (o.MaxConnections+slots-1)/slots + loops
	need := rings*ringDescriptors + o.listeners + descriptorsBeside
	if need <= limit {
		return nil
	}
	most := func(listeners int) int {
		return ((limit-listeners-descriptorsBeside)/ringDescriptors - loops) * slots
	}
	works := "a higher limit"
	if n := most(o.listeners); n > adminReserve {
		works = fmt.Sprintf("--max-connections=%d, or %s", n, works)
	} else if most(leastListeners) > adminReserve {
		works = fmt.Sprintf("fewer than the %d ports of --front and --admin, or %s", o.listeners, works)
	}
	return refuse("%s: --max-connections=%d needs %d rings of %d slots, whose descriptors need a limit of %d; it is %d. "+
		"What works: %s (scripts/tune --for %d says how)",
		o.chosen("uring"), o.MaxConnections, rings, slots, need, limit, works, o.MaxConnections)
}

// checkPlain refuses more plain descriptors than the limit leaves beside what the
// loops need.
func checkPlain(o *options, limit, loops int) error {
	beside := o.listeners + descriptorsBeside + loops*(1+ringDescriptors)
	if o.MaxConnections+beside <= limit {
		return nil
	}
	return refuse("--uring=%s: --max-connections=%d in plain descriptors need a limit of %d; it is %d. "+
		"What works: fds=direct, or --max-connections=%d, or a higher limit (scripts/tune --for %d says how)",
		o.Uring, o.MaxConnections, o.MaxConnections+beside, limit, max(0, limit-beside), o.MaxConnections)
}

// open makes the engine; it does not start it.
func (c choice) open(service *comet.Service, o *options) (comet.Engine, error) {
	shared := o.engineOptions()
	switch c.name {
	case "uring":
		uringOptions := o.uring
		uringOptions.EngineOptions = shared
		return uring.New(service, uringOptions)
	case "epoll":
		epollOptions := o.epoll
		epollOptions.EngineOptions = shared
		return epoll.New(service, epollOptions)
	default:
		return gonet.New(service, gonet.Options{EngineOptions: shared})
	}
}

// engineOptions is the part of the options that all engines know.
func (o *options) engineOptions() comet.EngineOptions {
	return comet.EngineOptions{
		Loops:        o.loops,
		MaxConns:     o.MaxConnections,
		TableLimit:   o.TableLimit,
		AdminReserve: adminReserve,
	}
}

// running is how many loops of the engine may run at a time: epoll's take turns where
// they are more than the processors.
func (c choice) running(o *options) int {
	if c.name == "uring" && o.loops > 0 {
		return o.loops
	}
	return slack.Processors()
}
