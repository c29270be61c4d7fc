package main

import (
	"fmt"
	"time"

	"github.com/alecthomas/kong"

	"c1000k/comet/access"
	"c1000k/comet/switches"
	"c1000k/experiments/baseline/epoll"
	"c1000k/uring"
)

// options are the settings, in the order and the groups in which --help shows
// them. Each is a flag, a variable of the environment and a key of the file.
type options struct {
	Front string `group:"doors" default:"127.0.0.1:8100-8199" placeholder:"ADDRESS" help:"Where subscribers come in: HOST:PORT, HOST:FIRST-LAST for one listener a port, or unix:PATH; several parted by commas. Many ports, because one client address has some 28,000 source ports for each. Default ${default}."`
	Admin string `group:"doors" default:"127.0.0.1:8000" placeholder:"ADDRESS" help:"Where publishers come in. Default ${default}."`
	Debug string `group:"doors" default:"127.0.0.1:8001" placeholder:"HOST:PORT" help:"A dashboard (/), metrics (/metrics), health (/healthz, /readyz), profiles (/debug/pprof/, /debug/fgprof) and /facts, by plain net/http. Keep it on loopback; 'none' for no such door. Default ${default}."`

	AdminAllow      string `group:"who" placeholder:"LIST" help:"Addresses and networks that may publish: 10.0.0.0/8,2001:db8::/32,192.0.2.7. With such a list nobody else may; without one everybody whom --admin-deny does not name. The longest prefix that holds an address decides, in whichever of the two lists it stands."`
	AdminDeny       string `group:"who" placeholder:"LIST" help:"Addresses and networks that may not publish; they are answered with 403."`
	TrustedProxies  string `group:"who" placeholder:"LIST" help:"Proxies before the admin door whose X-Forwarded-For is believed: the lists above then judge the client that it names."`
	AdminSecretFile string `group:"who" placeholder:"FILE" help:"A file with the secret that publishers must show: Authorization: Bearer SECRET. White space at its end does not count."`
	Auth            string `group:"who" default:"none" enum:"none,token" placeholder:"NAME" help:"Who may subscribe: none, everybody; token, those who show the token that /sign gave for the channel. Tokens end with the process. Default ${default}."`
	CorsOrigin      string `group:"who" default:"*" placeholder:"ORIGIN" help:"The origin whose pages may read the front door's replies: one, * for all, or empty for none. Default ${default}."`

	Channels                   int   `group:"limits" default:"1000000" placeholder:"N" help:"Most channels at once. Address space is reserved for them at start, memory is used as they come. 0: nobody can subscribe. Default ${default}."`
	MaxConnections             int   `group:"limits" default:"0" placeholder:"N" help:"Most connections at once, both doors together; of these 64 are kept for the admin door. Past it, clients wait in the listen queue. Default: --channels and 64 more, but at least 1024."`
	MaxSubscribersPerChannel   int   `group:"limits" default:"0" placeholder:"N" help:"Most subscribers of one channel; the next one is answered with type 429. 0, the default: no limit."`
	MaxChannelsPerSubscription int   `group:"limits" default:"16" placeholder:"N" help:"Most channels that one subscription may name, by cname repeated, 1 to 128; more is answered with 400. Each of several takes 32 bytes while it is held. Default ${default}."`
	ChannelBufferSize          int   `group:"limits" default:"10" placeholder:"N" help:"Messages a channel keeps as its history; the oldest go first. 0: none. Default ${default}."`
	ChannelBufferBytes         int64 `group:"limits" default:"0" placeholder:"BYTES" help:"Most bytes of the messages in one channel's history; the newest stays whatever it takes. 0, the default: no limit."`
	MaxContentBytes            int   `group:"limits" default:"1048576" placeholder:"BYTES" help:"Longest content of a message, escaped for JSON; a longer one is answered with 413. Default ${default}."`
	MaxMessageBytes            int64 `group:"limits" default:"4294967296" placeholder:"BYTES" help:"Memory of all messages together; at the limit histories lose their oldest. Default ${default}."`

	ChannelTimeout time.Duration `group:"timeouts" default:"30s" placeholder:"DURATION" help:"How long a channel without subscribers lives after its last subscriber or message (30s, 5m, 1h). Default ${default}."`
	PollingTimeout time.Duration `group:"timeouts" default:"30s" placeholder:"DURATION" help:"How long a subscriber is held without a message until it is sent a noop. Default ${default}."`
	HeaderTimeout  time.Duration `group:"timeouts" default:"30s" placeholder:"DURATION" help:"How long a client may take to send a request, from the accept or from the request's first byte. Default ${default}."`
	IdleTimeout    time.Duration `group:"timeouts" default:"75s" placeholder:"DURATION" help:"How long a connection stays between requests. Default ${default}."`
	StallTimeout   time.Duration `group:"timeouts" default:"30s" placeholder:"DURATION" help:"How long sending a reply may take. Default ${default}."`
	DrainTimeout   time.Duration `group:"timeouts" default:"10s" placeholder:"DURATION" help:"How long a server that was told to stop lets its clients go: they are told (--drain), each reply is the last, nobody new is accepted. 0: every connection is closed at once. Default ${default}."`
	Drain          string        `group:"timeouts" default:"noop" enum:"noop,close" placeholder:"NAME" help:"What held clients are told then: noop, and they poll again, whichever server is there; or close, as if their channel was closed. Default ${default}."`
	EarlyHead      bool          `group:"timeouts" help:"Send a held poll's head at once and its body later, for proxies and clients that do not wait for a head as long as --polling-timeout."`

	Engine   string `group:"engine" default:"auto" enum:"auto,uring,epoll,gonet" placeholder:"NAME" help:"What carries bytes to the kernel and back: auto, uring, epoll or gonet. auto, the default: io_uring where the kernel gives it, else epoll, with a line saying why. gonet: package net with a goroutine a connection, to compare with; it stops accepting at the descriptor limit."`
	Loops    string `group:"engine" default:"auto" placeholder:"auto|N" help:"Event loops, each a thread. auto: one a core, and with epoll more where one descriptor table cannot hold --max-connections."`
	Prefault bool   `group:"engine" help:"Touch all reserved memory at start, so that none is found missing later."`

	Uring string `group:"engine" default:"" placeholder:"NAME=VALUE,..." help:"Choices of the io_uring engine to make otherwise, to see what they buy: ${uring}."`
	Epoll string `group:"engine" default:"" placeholder:"NAME=VALUE,..." help:"The same of the epoll engine: ${epoll}."`

	Demo      bool             `group:"operation" help:"Serve a chat for browsers at the debug door's /demo/, to try and to read. Who reaches it publishes to channels chat-*: so the debug door must be on loopback."`
	Config    string           `group:"operation" placeholder:"FILE" help:"A file of settings, see below."`
	LogLevel  string           `group:"operation" default:"info" enum:"debug,info,warn,error" placeholder:"LEVEL" help:"What is logged to standard error: debug, info, warn or error. Default ${default}."`
	LogFormat string           `group:"operation" default:"text" enum:"text,json" placeholder:"FORMAT" help:"How it is written: text, or json with one object a line. Default ${default}."`
	Version   kong.VersionFlag `group:"operation" help:"Print the version and stop."`

	TableLimit int    `group:"engine" hidden:"" default:"0" help:"Slots of one ring or descriptors of one table; 0 takes the descriptor limit."`
	Seed       uint64 `group:"engine" hidden:"" default:"0" help:"Seed of the jitter and of the hash of names; 0 draws one."`

	loops     int           // Loops as a number, 0 for auto
	uring     uring.Options // the choices of Uring
	epoll     epoll.Options // the choices of Epoll
	sizeAsked bool          // MaxConnections was given and is not the default
	listeners int           // of the front and admin doors together
	access    *access.List  // of AdminAllow, AdminDeny and TrustedProxies; nil admits all
	secret    []byte        // of AdminSecretFile
	flags     []*kong.Flag  // the flags, which point at the fields above (of what parse made, not of a copy)
	sources   *sources      // where their values are from
	given     settings      // the values as they were given, before any was filled in
	inForce   settings      // the values with all filled in
}

// groups are the titles of the groups above.
var groups = []kong.Group{
	{Key: "doors", Title: "Doors:"},
	{Key: "who", Title: "Who may publish and subscribe:"},
	{Key: "limits", Title: "Limits:"},
	{Key: "timeouts", Title: "Timeouts:"},
	{Key: "engine", Title: "Engine:"},
	{Key: "operation", Title: "Operation:"},
}

// setting is a flag, its value and where that is from.
type setting struct {
	Name  string
	Value string
	From  string // flag, env, file or default
}

// settings are all flags in their order.
type settings []setting

// changed are those whose value is not the default, by where they are from.
func (s settings) changed(from string) settings {
	var changed settings
	for _, one := range s {
		if one.From == from && from != fromDefault {
			changed = append(changed, one)
		}
	}
	return changed
}

// readSettings lists every flag that sets something. A value equal to the
// default is one, wherever it was given.
func (o *options) readSettings() settings {
	var all settings
	for _, f := range o.flags {
		if !isSetting(f) {
			continue
		}
		usual := f.Default
		if f.IsBool() {
			usual = "false"
		}
		s := setting{Name: f.Name, Value: otherChoices(f.Name, fmt.Sprint(f.Target.Interface())), From: fromDefault}
		if s.Value != usual {
			s.From = o.sources.of(f.Name)
		}
		all = append(all, s)
	}
	return all
}

// otherChoices leaves out of a setting's value, where it is of choices of an engine, those
// that are the default.
func otherChoices(name, value string) string {
	switch name {
	case "uring":
		return switches.Other(uring.Switches, value)
	case "epoll":
		return switches.Other(epoll.Switches, value)
	}
	return value
}

// isSetting says whether a flag sets something, rather than printing it.
func isSetting(f *kong.Flag) bool { return f.Name != "help" && f.Name != "version" }

// descriptors is the limit that one table with everything needs.
func (o *options) descriptors() int {
	return o.MaxConnections + o.listeners + descriptorsBeside
}
