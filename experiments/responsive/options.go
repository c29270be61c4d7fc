package responsive

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"c1000k/experiments/process"
	"c1000k/experiments/result"
	"c1000k/experiments/stats"
)

// How the server is filled: in turns, so that held channels lie evenly among the
// others in its table, and pings come to every loop as loops fill.
const (
	turns = 20 // at the least
	// perLoopTurns keeps a turn shorter than a loop takes to fill where there is one
	// for each descriptor table.
	perLoopTurns = 10_000 // connections
	perTurn      = 16     // candidates for pings that are opened in each, and at the end
	// candidateEvery is the time between two: they come among those who connect
	// meanwhile.
	candidateEvery = 4 * time.Millisecond
	namesPerPush   = 1000 // channels made by one request; the server takes 1024
)

// pingsPerLoop is how many connections share a loop's pings.
const pingsPerLoop = 2

// The bars, as the spec has them.
const (
	PingBar = 20 * time.Millisecond
	PushBar = 5 * time.Millisecond
	// AnswerPart is the part of the time to the last delivery in which the publisher
	// must have its answer.
	AnswerPart = 0.01
)

// turns is how many times some channels are made and some polls held.
func (o *Options) turns() int { return max(turns, o.Connections/perLoopTurns) }

// Options are the settings of a run.
type Options struct {
	Backends []string
	// Channels is how many there are, beside the one that pushes go to; Connections how
	// many of them are held.
	Channels, Connections int
	// PingRate is a second and loop, PushRate a second; the echo has PingRate.
	PingRate, PushRate int
	// Idle is the length of the idle phase, and the least of the other, in which
	// there are Broadcasts at the least.
	Idle       time.Duration
	Broadcasts int
	// LoadNice are the loads' priorities: lowered, clients, which would be on other
	// machines, do not take the processors from the server; 0 leaves it as usual.
	LoadNice []int
	// Rounds is how often all cells are measured, each time in an order drawn by lot.
	Rounds int
	// Server is the server's binary, Load leads to a load process.
	Server   string
	Load     []string
	Results  string // the folder in which the run's own is made
	PortBase int
	Spec     string
	Out      io.Writer
	Force    <-chan struct{}
}

// Check refuses what cannot be run, with a reason.
func (o *Options) Check() error {
	switch {
	case len(o.Backends) == 0:
		return errors.New("--backends: name at least one")
	case slices.ContainsFunc(o.Backends, func(b string) bool { return b != result.URing && b != result.Epoll }):
		return fmt.Errorf("--backends %v: each must be %s or %s", o.Backends, result.URing, result.Epoll)
	case o.Connections < turns:
		return fmt.Errorf("--connections %d: must be at least %d", o.Connections, turns)
	case o.Channels < o.Connections || o.Channels > mostChannels:
		return fmt.Errorf("--channels %d: must be as many as the connections at least, and at most %d", o.Channels, mostChannels)
	case o.PingRate < 1 || o.PushRate < 1 || o.PingRate > mostRate || o.PushRate > mostRate:
		return fmt.Errorf("--ping-rate %d --push-rate %d: must be 1 to %d", o.PingRate, o.PushRate, mostRate)
	case o.Broadcasts < 1:
		return fmt.Errorf("--broadcasts %d: must be at least 1", o.Broadcasts)
	case len(o.LoadNice) == 0 || slices.Min(o.LoadNice) < 0 || slices.Max(o.LoadNice) > mostNice:
		return fmt.Errorf("--load-nice %v: each must be 0 to %d", o.LoadNice, mostNice)
	case twice(o.Backends) || twice(o.LoadNice):
		return fmt.Errorf("--backends %v, --load-nice %v: each must be named once; --rounds measures again", o.Backends, o.LoadNice)
	case o.Rounds < 1 || o.Rounds > mostRounds:
		return fmt.Errorf("--rounds %d: must be 1 to %d", o.Rounds, mostRounds)
	case o.Idle < time.Second:
		return fmt.Errorf("--idle %v: must be at least 1s", o.Idle)
	}
	if err := process.CheckBase(o.PortBase); err != nil {
		return fmt.Errorf("--port %d: %w", o.PortBase, err)
	}
	if err := result.CheckSpec(o.Spec); err != nil {
		return fmt.Errorf("--spec: %w", err)
	}
	return nil
}

const (
	mostChannels = 9_999_999 // names have seven digits
	mostRate     = 10_000    // that one thread sends and reads
	mostNice     = 19
	mostRounds   = 100
)

// twice says whether a value is there more than once.
func twice[T cmp.Ordered](values []T) bool {
	return len(slices.Compact(slices.Sorted(slices.Values(values)))) < len(values)
}

// arguments are all settings by name, for run.json.
func (o *Options) arguments() map[string]string {
	return map[string]string{
		"channels": fmt.Sprint(o.Channels), "connections": fmt.Sprint(o.Connections), "ping-rate": fmt.Sprint(o.PingRate),
		"push-rate": fmt.Sprint(o.PushRate), "idle": o.Idle.String(), "broadcasts": fmt.Sprint(o.Broadcasts), "load-nice": fmt.Sprint(o.LoadNice),
		"rounds": fmt.Sprint(o.Rounds),
	}
}

// planned is a cell of the run.
type planned struct {
	backend     string
	nice, round int
}

// plan is the order of the cells: each round has every backend with every priority
// of the load, drawn by lot.
func (o *Options) plan() (list []planned) {
	n := len(o.Backends)
	for round := range o.Rounds {
		for _, i := range stats.Drawn(round, len(o.LoadNice)*n) {
			list = append(list, planned{backend: o.Backends[i%n], nice: o.LoadNice[i/n], round: round})
		}
	}
	return list
}
