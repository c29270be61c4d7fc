package ladder

import (
	"fmt"
	"slices"
)

// steps lists the numbers of connections of a ladder: 0, then every step, then
// the last, be it a whole step or not.
func steps(to, step int) []int {
	targets := []int{0}
	for n := step; n < to; n += step {
		targets = append(targets, n)
	}
	return append(targets, to)
}

// defaultBroadcasts chooses the steps that are followed by a broadcast: the
// first, the first that has at least half of the last, and the last. Of the
// ladder to a million these are 100,000, 500,000 and 1,000,000.
func defaultBroadcasts(targets []int) []int {
	last := targets[len(targets)-1]
	half := slices.IndexFunc(targets, func(n int) bool { return 2*n >= last })
	return slices.Compact([]int{targets[1], max(targets[half], targets[1]), last})
}

// What a ladder needs in memory for each connection still to be opened, and
// what it leaves to the rest of the machine, in bytes: both ends' sockets are
// 7.4 KB, then come the server's and the load's own.
const (
	connectionNeed = 8.5 * 1000
	memoryReserve  = 2 << 30
)

// memoryNeeded is the available memory, in bytes, below which the ladder does
// not open remaining more connections.
func memoryNeeded(remaining int) int64 {
	return int64(float64(remaining)*connectionNeed) + memoryReserve
}

// memoryFor refuses to open remaining more connections with so many bytes of
// memory available. It rounds so that the two figures never look alike.
func memoryFor(remaining int, available int64) error {
	need := memoryNeeded(remaining)
	if available >= need {
		return nil
	}
	const mega = 1_000_000
	return fmt.Errorf("%s more connections take up to %s MB (8.5 KB each, and 2 GiB stay free), and %s MB are available: end what else takes memory, or ask for fewer connections",
		grouped(remaining), grouped(int((need+mega-1)/mega)), grouped(int(available/mega)))
}

// The rates by which the remaining time is guessed until this run's own are
// known: openings and deliveries a second, and the seconds of what has a fixed
// length.
const (
	guessOpenRate      = 20_000.0
	guessBroadcastRate = 25_000.0
	guessSettleSeconds = 4.0
	guessStartSeconds  = 4.0
	guessReturnSeconds = 8.0
)

// phase is a part of the plan, and how long it is expected to take, in seconds.
type phase struct {
	name    string
	seconds float64
}

// floorPhase is what comes before the first backend.
func floorPhase(o *Options) phase {
	if o.NoFloor {
		return phase{phaseFloor, 0}
	}
	return phase{phaseFloor, float64(o.FloorCount)/guessOpenRate + ceilingTime.Seconds() + guessReturnSeconds}
}

// plannedSeconds is how long the floor and so many backends are expected to take.
func plannedSeconds(o *Options, backends int) float64 {
	seconds := floorPhase(o).seconds
	for _, ph := range planBackend(o) {
		seconds += float64(backends) * ph.seconds
	}
	return seconds
}

// planBackend lists the phases of one backend in their order.
func planBackend(o *Options) []phase {
	p := []phase{{phaseStart, guessStartSeconds}}
	before := 0
	for i, n := range o.targets() {
		p = append(p, phase{phaseOpen, float64(n-before) / guessOpenRate})
		p = append(p, phase{phaseSettle, o.settle().Window.Seconds() + 1})
		p = append(p, phase{phaseIdle, o.idleAt(i).Seconds()})
		if n > 0 {
			p = append(p, phase{phasePush, float64(o.pushes(n))/float64(o.PushRate) + 1})
		}
		if o.broadcastDue(n) {
			p = append(p, phase{phaseBroadcast, float64(o.Broadcasts) * float64(n) / guessBroadcastRate})
			p = append(p, phase{phaseSettle, o.settle().Window.Seconds() + 1})
		}
		if o.Profile != "" && n > 0 {
			p = append(p, phase{phaseProfile, 2 * (o.ProfileTime.Seconds() + 2)})
		}
		before = n
	}
	if o.Expiry {
		p = append(p, phase{phaseExpiry, expirySeconds(o, o.To)})
	}
	return append(p, phase{phaseReturn, guessReturnSeconds})
}
