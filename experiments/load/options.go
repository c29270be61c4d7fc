package load

import (
	"errors"
	"fmt"
	"net/netip"

	"c1000k/comet/slack"
	"c1000k/experiments/fdtable"
	"c1000k/experiments/load/rawnet"
)

// DefaultOpeners keeps two processors busy together with the server: one thread
// alone leaves the server's idle for a third of the time.
const DefaultOpeners = 2

// Limits of the load generator.
const (
	// MostConnections is what channel names of seven digits allow.
	MostConnections = 9_999_999
	// tableConnections is how many connections a thread with a descriptor table
	// of its own holds at most, of the usual 20,000.
	tableConnections = 19_000
	// tableReserve is kept back in a table for what else is open in it.
	tableReserve = 300
)

// Options are those of a load process, with the tags of its command line.
type Options struct {
	Host        string   `help:"IPv4 loopback address of the server, or localhost for 127.0.0.1." default:"127.0.0.1"`
	Port        int      `help:"First front port." default:"8100"`
	Ports       int      `help:"Number of front ports." default:"100"`
	Addresses   []string `help:"Further IPv4 loopback addresses of the server, used in turn with --host."`
	Connections int      `help:"Most connections that will be asked for." default:"1000000"`
	Subscribers int      `help:"Subscribers of each channel; 0 puts all on one channel." default:"1"`
	Stream      bool     `help:"Open endless streams instead of long-polls: every message is a chunk, and nothing is sent but the first request."`
	Reactors    int      `help:"Threads that hold connections; 0 is one a core below the descriptor limit, and past it one for each 19,000 connections. Past the limit it may only be raised." default:"0"`
	Openers     int      `help:"Threads that open connections at the same time." default:"2"`
	Protocol    string   `help:"What the server speaks: icomet, or nchan (a module of nginx). Empty is icomet." enum:"icomet,nchan" default:"icomet"`
}

// layout says which thread holds which connections.
type layout struct {
	reactors int
	capacity int  // connections a reactor
	own      bool // each reactor has a descriptor table of its own
}

// id is the number, among all connections, of a reactor's slot. Below the limit
// the reactors take turns, so that each has its part of any number; past it a
// reactor is filled before the next, so that few threads are busy.
func (l layout) id(reactor, slot int) int {
	if l.own {
		return reactor*l.capacity + slot
	}
	return slot*l.reactors + reactor
}

// share is how many of the first n connections a reactor holds.
func (l layout) share(reactor, n int) int {
	if l.own {
		return min(max(n-reactor*l.capacity, 0), l.capacity)
	}
	return (n + l.reactors - 1 - reactor) / l.reactors
}

// check refuses what cannot be, and returns the server's addresses.
func (o Options) check() ([]netip.Addr, error) {
	if o.Connections < 1 || o.Connections > MostConnections {
		return nil, fmt.Errorf("%d connections: it must be from 1 to %d", o.Connections, MostConnections)
	}
	if o.Ports < 1 || o.Port < 1 || o.Port+o.Ports-1 > 65535 {
		return nil, fmt.Errorf("%d ports from %d on: they must lie within 1 to 65535", o.Ports, o.Port)
	}
	if o.Subscribers < 0 || o.Reactors < 0 || o.Openers < 1 {
		return nil, errors.New("subscribers and reactors must not be negative, openers at least 1")
	}
	switch o.Protocol {
	case "", ProtocolIcomet, ProtocolNchan:
	default:
		return nil, fmt.Errorf("%q is no protocol: %s or %s", o.Protocol, ProtocolIcomet, ProtocolNchan)
	}
	if o.Stream && o.Protocol == ProtocolNchan {
		return nil, fmt.Errorf("streams are only known of protocol %s", ProtocolIcomet)
	}
	var ips []netip.Addr
	for _, host := range append([]string{o.Host}, o.Addresses...) {
		ip, err := loopback(host)
		if err != nil {
			return nil, err
		}
		ips = append(ips, ip)
	}
	return ips, nil
}

// loopback reads a host that is this machine: an address, or the name localhost, which
// is not looked up. Loads are for one's own servers: nothing else is ever connected to.
func loopback(host string) (netip.Addr, error) {
	if host == "localhost" {
		host = "127.0.0.1"
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || !ip.Is4() || !ip.IsLoopback() {
		return netip.Addr{}, fmt.Errorf("%q is not an IPv4 loopback address or localhost: this load speaks to 127.0.0.0/8 only", host)
	}
	return ip, nil
}

// plan chooses the layout, raising the descriptor limit where that is permitted.
func (o Options) plan() (layout, error) {
	soft := fdtable.RaiseLimit(o.Connections + tableReserve)
	if o.Connections+tableReserve <= soft {
		n := o.Reactors
		if n == 0 {
			n = slack.Processors()
		}
		return layout{reactors: n, capacity: (o.Connections + n - 1) / n}, nil
	}
	if err := fdtable.Probe(); err != nil {
		return layout{}, fmt.Errorf("%d connections exceed the limit of %d descriptors: %w", o.Connections, soft, err)
	}
	most := min(tableConnections, soft-tableReserve)
	if most < 1 {
		return layout{}, fmt.Errorf("a limit of %d descriptors leaves no room for connections beside %d of each thread's own: raise it (ulimit -n)", soft, tableReserve)
	}
	n := max(o.Reactors, (o.Connections+most-1)/most)
	return layout{reactors: n, capacity: (o.Connections + n - 1) / n, own: true}, nil
}

// targets lists where connection i goes, i modulo the length: the ports change
// first, then the addresses.
func (o Options) targets(ips []netip.Addr) []rawnet.Addr {
	var all []rawnet.Addr
	for _, ip := range ips {
		for p := range o.Ports {
			all = append(all, rawnet.NewAddr(ip, o.Port+p))
		}
	}
	return all
}

// channels is how many channels the connections are spread over.
func (o Options) channels() int {
	if o.Subscribers == 0 {
		return 1
	}
	return (o.Connections + o.Subscribers - 1) / o.Subscribers
}

// channel is the one that connection id subscribes to.
func (o Options) channel(id int) uint32 {
	if o.Subscribers == 0 {
		return 0
	}
	return uint32(id / o.Subscribers)
}
