package soak

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"c1000k/experiments/fdtable"
	"c1000k/experiments/result"
)

// Options are those of a soak.
type Options struct {
	Server      string        // path of the server's program
	Engines     []string      // each gets its part of Time
	Time        time.Duration // while clients come and go, over all rounds
	Connections int           // clients; when all have come and before the first leaves, so many connections
	Seed        uint64
	Logs        string // folder of the servers' logs
	Progress    io.Writer
	Force       <-chan struct{} // closed: end servers by force
}

// Limits of a soak.
const (
	leastConnections = 100
	mostConnections  = 200_000
	leastRound       = time.Second
	perChannel       = 10     // clients of a channel, but for one that has a twentieth of all
	torrentPart      = 100    // of so many clients one has the channel of long contents
	mostTorrent      = 20     // and not more than these
	tableClients     = 15_000 // clients of a thread with a table of its own
	leastRate        = 200    // of publishers
	longestLife      = 30 * time.Second
	tableReserve     = 300 // descriptors for what else is open in a table
)

// The server's timeouts: short, so that a round sees each of them.
const (
	pollingTimeout = 5 * time.Second
	headerTimeout  = 5 * time.Second
	stallTimeout   = 10 * time.Second
)

// Check refuses what cannot be soaked.
func (o Options) Check() error {
	known := []string{result.URing, result.Epoll, result.Gonet}
	if len(o.Engines) == 0 {
		return fmt.Errorf("--engines: name at least one of %s", strings.Join(known, ", "))
	}
	for _, engine := range o.Engines {
		if !slices.Contains(known, engine) {
			return fmt.Errorf("--engines: %q is none of %s", engine, strings.Join(known, ", "))
		}
	}
	if o.Connections < leastConnections || o.Connections > mostConnections {
		return fmt.Errorf("--connections %d: must be from %d to %d", o.Connections, leastConnections, mostConnections)
	}
	if o.roundTime() < leastRound {
		return fmt.Errorf("--time %v: that is less than %v for each of %d rounds", o.Time, leastRound, o.rounds())
	}
	return nil
}

// rounds is how many there are: each engine without tokens and with them.
func (o Options) rounds() int { return 2 * len(o.Engines) }

// roundTime is how long clients come and go in a round.
func (o Options) roundTime() time.Duration { return o.Time / time.Duration(o.rounds()) }

// layout says on how many threads the clients are, and whether each has a
// descriptor table of its own.
func (o Options) layout() (threads int, own bool, err error) {
	if fdtable.RaiseLimit(o.Connections+tableReserve) >= o.Connections+tableReserve {
		return 2, false, nil
	}
	if err := fdtable.Probe(); err != nil {
		soft, _ := fdtable.Limit()
		return 0, false, fmt.Errorf("%d connections need more descriptors than the limit of %d: at most %d can be soaked here: %w",
			o.Connections, soft, soft-tableReserve, err)
	}
	soft, _ := fdtable.Limit()
	each := min(tableClients, soft-tableReserve)
	return (o.Connections + each - 1) / each, true, nil
}

// rate is how many actions of publishers there are in a second.
func (o Options) rate() float64 { return max(leastRate, float64(o.Connections)/20) }

// channelTimeout is the server's: longer than a channel may be without a subscriber
// or a message while clients come, so that none expires which should not.
func (o Options) channelTimeout() time.Duration {
	return 5*time.Second + time.Duration(o.Connections)*500*time.Microsecond
}

// meanLife is how long a connection lasts, while clients come and go: so that each
// has several in a round.
func (o Options) meanLife() time.Duration { return min(longestLife, o.roundTime()/5) }
