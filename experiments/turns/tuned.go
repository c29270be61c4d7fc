package turns

import (
	"fmt"

	"c1000k/experiments/floor"
	"c1000k/experiments/stats"
)

// Baseline is the engine that others are compared with.
const Baseline = "epoll"

// MostTuned is the multiple of its own floor up to which the baseline counts as
// tuned. Above it a comparison says more of the baseline than of the other.
const MostTuned = 1.3

// baselineWays are the bare loops that do what the baseline does.
var baselineWays = []string{floor.TurnWrite, floor.TurnWriteRest}

// Tuning is how far the baseline was from its own floor in a run.
type Tuning struct {
	// Compared says that the baseline was measured at all.
	Compared bool
	// Floor is the cheapest of the baseline's own ways in the run; "" if none was
	// measured, and then nothing is known of the tuning.
	Floor string
	// Multiple is the baseline's CPU over that floor's: the median of the rounds.
	// 0 if no round has both.
	Multiple float64
}

// Judge judges the baseline by the cells of one run.
func Judge(cells []Cell) (t Tuning) {
	t.Compared = len(column(cells, Baseline, func(c Cell) float64 { return c.Server })) > 0
	if t.Floor = cheapest(cells, baselineWays); t.Compared && t.Floor != "" {
		if r := ratios(cells, Baseline, t.Floor); len(r) > 0 {
			t.Multiple = stats.Median(r)
		}
	}
	return t
}

// Measured says whether the run tells anything of the baseline's tuning.
func (t Tuning) Measured() bool { return t.Multiple > 0 }

// Tuned says that the baseline was near enough to its own floor.
func (t Tuning) Tuned() bool { return t.Measured() && t.Multiple <= MostTuned }

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
	return fmt.Sprintf("Baseline %s: %s takes %.3g times its own floor, %s, of this run; at most %v counts as tuned.",
		verdict, Baseline, t.Multiple, t.Floor, MostTuned)
}
