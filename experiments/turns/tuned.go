package turns

import (
	"fmt"

	"c1000k/experiments/floor"
	"c1000k/experiments/result"
	"c1000k/experiments/stats"
)

// Baseline is the engine that others are compared with.
const Baseline = result.Epoll

// baselineWays are the bare loops that do what the baseline does.
var baselineWays = []string{floor.TurnWrite, floor.TurnWriteRest}

// Tuning is how far the baseline was from its own floor in a run.
type Tuning struct {
	// Compared says that the baseline was measured at all.
	Compared bool
	// Floor is the cheapest of the baseline's own ways in the run; "" if none was
	// measured, and then nothing is known of the tuning.
	Floor string
	// Multiple is the baseline's CPU over that floor's, by the rounds that have both;
	// N is 0 if none has.
	Multiple stats.Interval
}

// Judge judges the baseline by the cells of one run.
func Judge(cells []Cell) (t Tuning) {
	t.Compared = len(byRound(cells, Baseline)) > 0
	if t.Floor = cheapest(cells, baselineWays); t.Compared && t.Floor != "" {
		t.Multiple = stats.Bootstrap(ratios(cells, Baseline, t.Floor), seed)
	}
	return t
}

// Measured says whether the run tells anything of the baseline's tuning.
func (t Tuning) Measured() bool { return t.Multiple.N > 0 }

// Tuned says that the baseline was near enough to its own floor, by the median.
func (t Tuning) Tuned() bool { return t.Measured() && t.Multiple.Median <= result.MostTuned }

// Undecided says that the interval holds the bound: another run might as well judge
// otherwise.
func (t Tuning) Undecided() bool {
	return t.Multiple.Known() && t.Multiple.Low <= result.MostTuned && result.MostTuned < t.Multiple.High
}

// String is the line that stands under a comparison; empty where the baseline has
// no part in it.
func (t Tuning) String() string {
	if !t.Compared {
		return ""
	}
	if !t.Measured() {
		return fmt.Sprintf("Baseline: whether %s is tuned was not measured in this run; it takes %s or %s beside it.",
			Baseline, baselineWays[0], baselineWays[1])
	}
	verdict := "tuned"
	if !t.Tuned() {
		verdict = "not tuned"
	}
	switch {
	case t.Undecided():
		verdict += fmt.Sprintf(" by the median, but the interval [%.3g, %.3g] holds %v: undecided", t.Multiple.Low, t.Multiple.High, result.MostTuned)
	case !t.Multiple.Known():
		verdict += fmt.Sprintf(" by the median, but fewer than %d rounds have no interval: undecided", stats.MinimumRuns)
	}
	return fmt.Sprintf("Baseline %s: %s takes %s times its own floor, %s, of this run; at most %v counts as tuned.",
		verdict, Baseline, t.Multiple.Text("%.3g"), t.Floor, result.MostTuned)
}
