package result

import (
	"fmt"
	"slices"
)

// MostTuned is the multiple of its own floor up to which epoll counts as a tuned
// baseline. Above it a comparison says more of epoll than of what it is compared with.
const MostTuned = 1.3

// TuningSpec declares the runs that tell whether epoll is tuned.
const TuningSpec = "experiments/specs/E04.md"

// TuningElsewhere is the line of a comparison that has epoll among its engines, and no
// bare loop of epoll beside it: it says where to see whether that is tuned. It is
// empty where there is no epoll.
func TuningElsewhere(engines ...string) string {
	if !slices.Contains(engines, Epoll) {
		return ""
	}
	return fmt.Sprintf("Whether epoll is tuned, within %v times a bare loop of its own, is not measured here: `experiment turns` judges it in each of its runs, as declared in %s.",
		MostTuned, TuningSpec)
}
