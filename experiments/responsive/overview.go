package responsive

import (
	"fmt"
	"io"

	"c1000k/experiments/result"
	"c1000k/experiments/stats"
)

// seed is of the bootstrap, so that the same cells give the same table.
const seed = 1

// kind is what was measured in each round.
type kind struct {
	backend string
	nice    int
}

// overview sums up the rounds: medians with intervals, and in how many of them a bar
// was held.
func overview(w io.Writer, all []result.Responsive) {
	fmt.Fprintln(w, "99th percentiles during broadcasts: medians of the rounds [95 % by bootstrap], and in how many of them the bar was held.")
	fmt.Fprintln(w)
	fmt.Fprintf(w, "| ms | rounds | ping, worst loop | below %v | push | more than idle | at most %v | echo | answer, longest | last delivery, longest |\n", PingBar, PushBar)
	fmt.Fprintln(w, "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
	cells := map[kind][]*result.Responsive{}
	var order []kind
	for i := range all {
		k := kind{all[i].Backend, all[i].LoadNice}
		if cells[k] == nil {
			order = append(order, k)
		}
		cells[k] = append(cells[k], &all[i])
	}
	for _, k := range order {
		overviewRow(w, cells[k])
	}
	fmt.Fprintln(w)
}

// overviewRow is of one kind.
func overviewRow(w io.Writer, cells []*result.Responsive) {
	var ping, push, more, echo, answer, last []float64
	pingsHeld, pushesHeld := 0, 0
	for _, r := range cells {
		if worst, _, ok := worstPing(r); ok {
			ping = append(ping, worst)
			pingsHeld += count(pingHeld(worst))
		}
		if during, over, ok := pushes(r); ok {
			push, more = append(push, during), append(more, over)
			pushesHeld += count(pushHeld(over))
		}
		if during, ok := p99(r, result.PhaseDuring, result.ProbeEcho, result.AllLoops); ok {
			echo = append(echo, during)
		}
		a, l := longest(r)
		answer, last = append(answer, a), append(last, l*1e3)
	}
	text := func(values []float64, verb string) string { return stats.Bootstrap(values, seed).Text(verb) }
	fmt.Fprintf(w, "| %s | %d | %s | %d of %d | %s | %s | %d of %d | %s | %s | %s |\n", title(cells[0]), len(cells),
		text(ping, "%.1f"), pingsHeld, len(ping), text(push, "%.1f"), text(more, "%.1f"), pushesHeld, len(more),
		text(echo, "%.1f"), text(answer, "%.2f"), text(last, "%.0f"))
}

func count(ok bool) int {
	if ok {
		return 1
	}
	return 0
}
