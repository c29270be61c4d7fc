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
	cells := map[kind][]*result.Responsive{}
	var order []kind
	for i := range all {
		k := kind{all[i].Backend, all[i].LoadNice}
		if cells[k] == nil {
			order = append(order, k)
		}
		cells[k] = append(cells[k], &all[i])
	}
	var rounds []int
	for _, k := range order {
		rounds = append(rounds, len(cells[k]))
	}
	fmt.Fprintf(w, "99th percentiles during broadcasts: %s, and in how many of them the bar was held.\n\n", stats.MediansOf(rounds...))
	fmt.Fprintf(w, "| ms | rounds | ping, worst loop | below %v | push | more than idle | at most %v | echo | answer, longest | within %v of the last delivery | last delivery, longest |\n", PingBar, PushBar, AnswerPart)
	fmt.Fprintln(w, "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
	for _, k := range order {
		overviewRow(w, cells[k])
	}
	fmt.Fprintln(w)
}

// overviewRow is of one kind. A round that had too few samples for a verdict is told.
func overviewRow(w io.Writer, cells []*result.Responsive) {
	var ping, push, more, echo, answer, last []float64
	var pings, pushed, answers tally
	noisy := 0
	for _, r := range cells {
		worst, _, ok := worstPing(r)
		if pings.count(ok, pingHeld(worst)); ok {
			ping = append(ping, worst)
		}
		during, over, ok := pushes(r)
		if pushed.count(ok, pushHeld(over)); ok {
			push, more = append(push, during), append(more, over)
		}
		answers.count(true, answerPart(r) < AnswerPart)
		if during, ok := p99(r, result.PhaseDuring, result.ProbeEcho, result.AllLoops); ok {
			echo = append(echo, during)
		}
		a, l := longest(r)
		answer, last = append(answer, a), append(last, l*1e3)
		if len(r.Noisy) > 0 {
			noisy++
		}
	}
	rounds := fmt.Sprint(len(cells))
	if noisy > 0 {
		rounds += fmt.Sprintf(", %d NOISY", noisy)
	}
	text := func(values []float64, verb string) string { return stats.Bootstrap(values, seed).Text(verb) }
	fmt.Fprintf(w, "| %s | %s | %s | %v | %s | %s | %v | %s | %s | %v | %s |\n", title(cells[0]), rounds,
		text(ping, "%.1f"), pings, text(push, "%.1f"), text(more, "%.1f"), pushed,
		text(echo, "%.1f"), text(answer, "%.2f"), answers, text(last, "%.0f"))
}

// tally is in how many rounds a bar was held.
type tally struct{ held, rounds, unknown int }

// count adds a round; known is false where it had no verdict.
func (t *tally) count(known, held bool) {
	t.rounds++
	switch {
	case !known:
		t.unknown++
	case held:
		t.held++
	}
}

func (t tally) String() string {
	text := fmt.Sprintf("%d of %d", t.held, t.rounds)
	if t.unknown > 0 {
		text += fmt.Sprintf(", %d without a verdict", t.unknown)
	}
	return text
}
