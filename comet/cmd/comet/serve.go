package main

import (
	"crypto/rand"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

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
func serve(in inputs, o *options, signals signals, log logger) error {
	// A log that nobody reads any more is no reason to drop a million clients.
	signal.Ignore(syscall.SIGPIPE)

	limit := fdtable.RaiseLimit(o.descriptors())
	choice, err := chooseEngine(o, limit, kernel)
	if err != nil {
		return err
	}
	begin(choice.running(o), signals.leave)
	signals.heed() // again, where the process has not begun anew after all
	for _, d := range o.sources.doubtful(o.flags) {
		log.Warn("a variable of the environment is no setting", "variable", d.Name, "nearest", d.Value)
	}
	warnSpace(log.Logger)
	tuneGC(choice.name)
	warnShort(o, log.Logger)
	door, err := openDebugDoor(o.Debug, o.Demo, log.Logger)
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
	o.setAccess(service)
	engine, err := choice.open(service, o)
	if err != nil {
		return refuse("%s: %w", o.chosen(choice.name), err)
	}
	if err := engine.Start(append(admin.listeners, front.listeners...)); err != nil {
		engine.Stop()
		return refuse("%s: %w", o.chosen(choice.name), err)
	}
	facts := engine.Facts()
	if facts.Why == "" {
		facts.Why = choice.why
	}
	door.serve(&served{engine: engine, service: service, why: choice.why, options: o, doors: map[string][]string{
		"front": front.addrs(), "admin": admin.addrs(), "debug": door.addrs,
	}})
	logStart(log, o, facts, limit, front.brief(), admin.brief(), door.brief())
	// What the start left behind in the Go heap goes back to the kernel.
	debug.FreeOSMemory()
	notify("READY=1")
	r := &running{engine: engine, service: service, door: door, in: in, options: o, log: log}
	return r.untilStopped(signals)
}

// serviceConfig is the core's part of the options.
func (o *options) serviceConfig() comet.Config {
	c := comet.DefaultConfig()
	c.Channels = o.Channels
	c.MaxSubscribersPerChannel = o.MaxSubscribersPerChannel
	c.MaxChannelsPerSubscription = o.MaxChannelsPerSubscription
	c.ChannelBufferSize = o.ChannelBufferSize
	c.ChannelBufferBytes = o.ChannelBufferBytes
	c.MaxContentBytes = o.MaxContentBytes
	c.MaxMessageBytes = o.MaxMessageBytes
	c.ChannelTimeout = o.ChannelTimeout
	c.PollingTimeout = o.PollingTimeout
	c.HeaderTimeout = o.HeaderTimeout
	c.IdleTimeout = o.IdleTimeout
	c.StallTimeout = o.StallTimeout
	c.EarlyHead = o.EarlyHead
	c.CORSOrigin = o.CorsOrigin
	c.TokenAuth = o.Auth == "token"
	rand.Read(c.TokenKey[:]) // from the kernel; it does not fail
	c.AdminSecret = o.secret
	c.Seed = o.Seed
	c.Prefault = o.Prefault
	return c
}

// setAccess has publishers admitted by the options' address lists.
func (o *options) setAccess(service *comet.Service) {
	if o.access == nil {
		service.SetAccess(nil) // not the interface around a nil list
		return
	}
	service.SetAccess(o.access)
}

// logStart prints what the kernel gave on one line, one more for each loop that
// differs, and the settings that are not the defaults, by where they are from.
func logStart(log logger, o *options, f comet.Facts, limit int, front, admin, debug string) {
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
	for _, from := range []string{fromFlag, fromEnv, fromFile} {
		changed := o.given.changed(from)
		if len(changed) == 0 {
			continue
		}
		a = []any{"from", from}
		for _, s := range changed {
			a = append(a, s.Name, s.Value)
		}
		log.Info("settings other than the defaults", a...)
	}
}
