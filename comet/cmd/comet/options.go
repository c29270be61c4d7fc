package main

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"c1000k/comet"
	"c1000k/comet/hub"
)

const (
	// maxLoops is what a channel's mask of loops has bits for.
	maxLoops = hub.MaxLoops
	// maxChannels bounds the address space that is reserved at start.
	maxChannels = 1 << 27
	// maxConnections is what 24-bit loops and slots address with room to spare.
	maxConnections = 1 << 27
	// adminReserve is the part of --max-connections that is kept for publishers.
	adminReserve = 64
	// leastConnections is the default of --max-connections for few channels.
	leastConnections = 1024
	// minTableLimit leaves a table room for its doors and a few connections.
	minTableLimit = 32
	// maxHistory bounds a mistyped --channel-buffer-size.
	maxHistory = 65535
	// minTimeout is the shortest timeout; the longest is the core's.
	minTimeout = time.Millisecond
)

// options are the flags, in the order in which --help shows them.
type options struct {
	Engine string `default:"auto" enum:"auto,uring,epoll,gonet" placeholder:"NAME" help:"What carries bytes to the kernel and back: auto, uring, epoll or gonet. auto, the default: io_uring where the kernel gives it, else epoll, with a line saying why. gonet: package net with a goroutine a connection, to compare with; it stops accepting at the descriptor limit."`
	Front  string `default:"127.0.0.1:8100-8199" placeholder:"ADDRESS" help:"Where subscribers come in: HOST:PORT, HOST:FIRST-LAST for one listener a port, or unix:PATH; several parted by commas. Many ports, because one client address has some 28,000 source ports for each. Default ${default}."`
	Admin  string `default:"127.0.0.1:8000" placeholder:"ADDRESS" help:"Where publishers come in; who reaches it may push to every channel. Default ${default}."`
	Debug  string `default:"127.0.0.1:8001" placeholder:"HOST:PORT" help:"Profiles (/debug/pprof/, /debug/fgprof), /facts and /healthz, by plain net/http. Keep it on loopback; 'none' for no such door. Default ${default}."`

	Channels                 int           `default:"1000000" placeholder:"N" help:"Most channels at once. Address space is reserved for them at start, memory is used as they come. 0: nobody can subscribe. Default ${default}."`
	MaxConnections           int           `default:"0" placeholder:"N" help:"Most connections at once, both doors together; of these 64 are kept for the admin door. Past it, clients wait in the listen queue. Default: --channels and 64 more, but at least 1024."`
	MaxSubscribersPerChannel int           `default:"0" placeholder:"N" help:"Most subscribers of one channel; the next one is answered with type 429. 0, the default: no limit."`
	ChannelBufferSize        int           `default:"10" placeholder:"N" help:"Messages a channel keeps as its history; the oldest go first. 0: none. Default ${default}."`
	ChannelTimeout           time.Duration `default:"30s" placeholder:"DURATION" help:"How long a channel without subscribers lives after its last subscriber or message (30s, 5m, 1h). Default ${default}."`
	PollingTimeout           time.Duration `default:"30s" placeholder:"DURATION" help:"How long a subscriber is held without a message until it is sent a noop. Default ${default}."`

	Loops    string `default:"auto" placeholder:"auto|N" help:"Event loops, each a thread. auto: one a core, and with epoll more where one descriptor table cannot hold --max-connections."`
	Prefault bool   `help:"Touch all reserved memory at start, so that none is found missing later."`
	Demo     bool   `help:"Serve a chat for browsers at the debug door's /demo/, to try and to read. Who reaches it publishes to channels chat-*: so the debug door must be on loopback."`
	Version  bool   `help:"Print the version and stop."`

	TableLimit int    `hidden:"" default:"0" help:"Slots of one ring or descriptors of one table; 0 takes the descriptor limit."`
	Seed       uint64 `hidden:"" default:"0" help:"Seed of the jitter and of the hash of names; 0 draws one."`

	loops     int          // Loops as a number, 0 for auto
	sizeAsked bool         // MaxConnections was given and is not the default
	listeners int          // of the front and admin doors together
	flags     []*kong.Flag // the flags, which point at the fields above
	changed   []setting    // flags that were given another value than the default
}

// setting is a flag and its value, for the log and for /facts.
type setting struct {
	Name  string
	Value string
}

// parseOptions reads and checks the command line. Where that is the end of the
// program already, done is true and exit its code.
func parseOptions(args []string, stdout, stderr io.Writer) (o *options, exit int, done bool) {
	o = &options{}
	defer func() {
		// kong ends the program after printing help by this panic.
		if code, ok := recover().(kongExit); ok {
			exit, done = int(code), true
		}
	}()
	parser, err := kong.New(o,
		kong.Name("comet"),
		kong.Description(description),
		kong.Help(help),
		kong.ConfigureHelp(kong.HelpOptions{WrapUpperBound: helpWidth, NoAppDescFormat: true}),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { panic(kongExit(code)) }),
	)
	if err != nil {
		panic(err) // the struct tags above are wrong
	}
	ctx, err := parser.Parse(args)
	if err == nil && o.Version {
		fmt.Fprintln(stdout, versionLine())
		return o, exitClean, true
	}
	if err == nil {
		o.flags = ctx.Model.Flags
		o.changed = o.changedFlags()
		err = o.check()
	}
	if err != nil {
		fmt.Fprintf(stderr, "comet: %v\ncomet: see comet --help\n", err)
		return o, exitUsage, true
	}
	return o, exitClean, false
}

// kongExit carries an exit code out of kong.
type kongExit int

// changedFlags lists the flags whose value is not the default.
func (o *options) changedFlags() []setting {
	var changed []setting
	for _, f := range o.flags {
		usual := f.Default
		if f.IsBool() {
			usual = "false"
		}
		if value := fmt.Sprint(f.Target.Interface()); value != usual {
			changed = append(changed, setting{f.Name, value})
		}
	}
	return changed
}

// config is every flag's value in force, by its name.
func (o *options) config() map[string]string {
	values := map[string]string{}
	for _, f := range o.flags {
		if f.Name != "help" && f.Name != "version" {
			values[f.Name] = fmt.Sprint(f.Target.Interface())
		}
	}
	return values
}

// descriptors is the limit that one table with everything needs.
func (o *options) descriptors() int {
	return o.MaxConnections + o.listeners + descriptorsBeside
}

// check tests every value and fills in what depends on others. It touches
// nothing outside the options.
func (o *options) check() error {
	o.Loops = strings.ToLower(o.Loops)
	if o.Loops != "auto" {
		n, err := strconv.Atoi(o.Loops)
		if err != nil || n < 1 || n > maxLoops {
			return fmt.Errorf("--loops=%s: want auto or a number from 1 to %d", o.Loops, maxLoops)
		}
		o.loops = n
	}
	if o.Seed == 0 {
		o.Seed = drawSeed()
	}
	o.sizeAsked = o.MaxConnections != 0
	if !o.sizeAsked {
		o.MaxConnections = max(min(o.Channels, maxConnections-adminReserve)+adminReserve, leastConnections)
	}
	for _, n := range []struct {
		flag       string
		value      int
		low, high  int
		zeroIsNone bool
	}{
		{flag: "channels", value: o.Channels, low: 0, high: maxChannels},
		{flag: "max-connections", value: o.MaxConnections, low: adminReserve + 1, high: maxConnections},
		{flag: "max-subscribers-per-channel", value: o.MaxSubscribersPerChannel, low: 0, high: math.MaxInt32},
		{flag: "channel-buffer-size", value: o.ChannelBufferSize, low: 0, high: maxHistory},
		{flag: "table-limit", value: o.TableLimit, low: minTableLimit, high: math.MaxInt32, zeroIsNone: true},
	} {
		if n.zeroIsNone && n.value == 0 {
			continue
		}
		if n.value < n.low || n.value > n.high {
			return fmt.Errorf("--%s=%d: want a number from %d to %d", n.flag, n.value, n.low, n.high)
		}
	}
	for _, d := range []struct {
		flag  string
		value time.Duration
	}{
		{"channel-timeout", o.ChannelTimeout},
		{"polling-timeout", o.PollingTimeout},
	} {
		if d.value < minTimeout || d.value > comet.MaxTimeout {
			return fmt.Errorf("--%s=%v: want a duration from %v to %v", d.flag, d.value, minTimeout, comet.MaxTimeout)
		}
	}
	return o.checkDoors()
}

// drawSeed draws a seed that is not 0. It comes from the kernel: whoever knows it
// can choose names that collide.
func drawSeed() uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.LittleEndian.Uint64(b[:]) | 1
}
