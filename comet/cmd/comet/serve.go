package main

import (
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"c1000k/comet"
	"c1000k/experiments/fdtable"
)

// gcPercent keeps the Go heap near what is live in it. With io_uring and epoll
// the heap holds only what was made at start and the debug door's requests.
const gcPercent = 50

// tuneGC sets the collector for an engine. gonet keeps Go's default: its heap is
// the goroutines, and it shall show what Go gives without tuning. The user's own
// GOGC stands in any case.
func tuneGC(engine string) {
	if engine != "gonet" && os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}

// serve starts the server and returns when it has stopped. The order is part of
// its correctness: the debug door first, for it starts the Go runtime's poller;
// then every listener, because threads with descriptor tables of their own take
// a copy; the engine last.
func serve(o *options, log *slog.Logger) error {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	// A log that nobody reads any more is no reason to drop a million clients.
	signal.Ignore(syscall.SIGPIPE)

	limit := fdtable.RaiseLimit(o.descriptors())
	choice, err := chooseEngine(o, limit, kernel)
	if err != nil {
		return err
	}
	tuneGC(choice.name)
	warnShort(o, log)
	door, err := openDebugDoor(o.Debug, o.Demo, log)
	if err != nil {
		return err
	}
	defer door.close()
	front, err := listen("front", o.Front, comet.DoorFront)
	if err != nil {
		return err
	}
	defer front.Close()
	admin, err := listen("admin", o.Admin, comet.DoorAdmin)
	if err != nil {
		return err
	}
	defer admin.Close()

	service, err := comet.NewService(o.serviceConfig())
	if err != nil {
		return refuse("%w", err)
	}
	engine, err := choice.open(service, o)
	if err != nil {
		return refuse("--engine=%s: %w", choice.name, err)
	}
	if err := engine.Start(append(admin.listeners, front.listeners...)); err != nil {
		engine.Stop()
		return refuse("--engine=%s: %w", choice.name, err)
	}
	facts := engine.Facts()
	if facts.Why == "" {
		facts.Why = choice.why
	}
	door.served.Store(&served{engine: engine, why: choice.why, config: o.config(), doors: map[string][]string{
		"front": front.addrs(), "admin": admin.addrs(), "debug": door.addrs,
	}})
	logStart(log, o, facts, limit, front.brief(), admin.brief(), door.brief())
	// What the start left behind in the Go heap goes back to the kernel.
	debug.FreeOSMemory()
	return waitAndStop(engine, door, signals, log)
}

// serviceConfig is the core's part of the options.
func (o *options) serviceConfig() comet.Config {
	c := comet.DefaultConfig()
	c.Channels = o.Channels
	c.MaxSubscribersPerChannel = o.MaxSubscribersPerChannel
	c.ChannelBufferSize = o.ChannelBufferSize
	c.ChannelTimeout = o.ChannelTimeout
	c.PollingTimeout = o.PollingTimeout
	c.Seed = o.Seed
	c.Prefault = o.Prefault
	return c
}

// logStart prints what the kernel gave on one line, one more for each loop that
// differs, and the settings that are not the defaults.
func logStart(log *slog.Logger, o *options, f comet.Facts, limit int, front, admin, debug string) {
	a := []any{
		"version", readBuild().Version, "pid", os.Getpid(),
		"engine", f.Engine, "loops", f.Loops, "rings", f.Rings, "tables", f.Tables, "table_limit", f.TableLimit,
		"descriptor_limit", limit, "max_connections", f.MaxConns,
		"got", strings.Join(f.Got, ","), "front", front, "admin", admin, "debug", debug,
	}
	if f.Why != "" {
		a = append(a, "why", f.Why)
	}
	log.Info("serving", a...)
	for _, line := range f.LoopLines {
		log.Info(line)
	}
	if len(o.changed) > 0 {
		a = nil
		for _, s := range o.changed {
			a = append(a, s.Name, s.Value)
		}
		log.Info("settings other than the defaults", a...)
	}
}

// waitAndStop waits for the signal to stop, or for a failure, and stops.
func waitAndStop(engine comet.Engine, door *debugDoor, signals <-chan os.Signal, log *slog.Logger) error {
	var failure error
	for stop := false; !stop; {
		select {
		case s := <-signals:
			if s == syscall.SIGHUP {
				log.Info("hang-up signal: there is nothing to reload, going on")
				continue
			}
			log.Info("stopping: closing every connection; a second signal stops at once", "signal", s.String())
			stop = true
		case err := <-door.failed:
			failure = fmt.Errorf("the debug door failed: %w", err)
			stop = true
		}
	}
	began := time.Now()
	stopped := make(chan struct{})
	go func() {
		engine.Stop()
		close(stopped)
	}()
	for {
		select {
		case <-stopped:
			log.Info("stopped", "seconds", fmt.Sprintf("%.1f", time.Since(began).Seconds()))
			return failure
		case s := <-signals:
			if s != syscall.SIGHUP {
				return fmt.Errorf("forced to stop by a second signal (%v) after %.1f s", s, time.Since(began).Seconds())
			}
		}
	}
}
