package ablation

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"c1000k/experiments/ladder"
	"c1000k/experiments/result"
	"c1000k/experiments/stats"
	"c1000k/experiments/turns"
)

// missing stands for what was not measured.
const missing = "–"

// Table prints everything that is to be said of a run.
func Table(w io.Writer, d *Data) {
	rounds := "forwards and backwards in turn"
	if d.Order == drawn {
		rounds = "whose order was drawn by lot"
	}
	fmt.Fprintf(w, "What each choice buys: %s, each cell a fresh server and a fresh load, in rounds\n%s.\n", kindText(d.Kind), rounds)
	fmt.Fprintf(w, "%s. CPU is the server's, the sum over its threads. On loopback the sender pays for the receiver's\n", result.Sentence(stats.MediansOf(d.rounds()...)))
	fmt.Fprintf(w, "TCP work, and server and load share the %d processors. User bytes: resident with all held, less a server's without channels, before any\n", d.Environment.CPU.Logical)
	fmt.Fprintln(w, "message; kernel: for the server's end, by cache, the load's part taken out by its objects' sizes; \"over the bare loop\": less the same of a bare accept loop.")
	if line := result.TuningElsewhere(d.engines()...); line != "" {
		fmt.Fprintln(w, line)
	}
	if len(d.Cells) == 0 {
		fmt.Fprintln(w, "\nNothing was measured.")
	}
	for _, size := range d.Sizes {
		if d.anyAt(size) {
			d.tableAt(w, size)
		}
	}
	if len(d.LeftOut) > 0 {
		fmt.Fprint(w, "\nNot among the subjects, or not by itself:\n\n")
		for _, text := range d.LeftOut {
			fmt.Fprintf(w, "- %s\n", text)
		}
	}
	fmt.Fprint(w, "\nWhat was expected of the other choice, before it was measured:\n\n")
	for _, h := range d.Hypotheses {
		fmt.Fprintf(w, "- `%s=%s`: %s\n", h.Switch, h.Values, h.Text)
	}
}

// rounds is in how many of them each subject was measured at each size.
func (d *Data) rounds() (all []int) {
	for _, size := range d.Sizes {
		for place := range d.Subjects {
			all = append(all, len(d.at(size, place)))
		}
	}
	return all
}

// engines are the subjects'.
func (d *Data) engines() (names []string) {
	for _, label := range d.Subjects {
		if s, err := parseSubject(label); err == nil {
			names = append(names, s.Engine)
		}
	}
	return names
}

func kindText(kind string) string {
	if kind == turns.Fanout {
		return "fan-out (one message to one channel that all subscribe to)"
	}
	return "broadcast (one message to all channels, of one subscriber each)"
}

func (d *Data) anyAt(size int) bool {
	return slices.ContainsFunc(d.Cells, func(c Cell) bool { return c.Size == size }) ||
		slices.ContainsFunc(d.Failed, func(f Failed) bool { return f.Size == size })
}

func (d *Data) tableAt(w io.Writer, size int) {
	fmt.Fprintf(w, "\n## %s connections\n\n", ladder.Grouped(size))
	d.figures(w, size)
	d.primary(w, size)
	d.others(w, size)
	fmt.Fprintln(w)
	for _, line := range d.notes(size) {
		fmt.Fprintf(w, "- %s\n", line)
	}
}

// figures prints each subject's figures.
func (d *Data) figures(w io.Writer, size int) {
	fmt.Fprint(w, "| subject | loops/rings/tables | rounds |")
	for _, m := range metrics {
		fmt.Fprintf(w, " %s, %s |", m.title, m.unit)
	}
	fmt.Fprint(w, " system calls | completions |\n|---|---:|---:|")
	fmt.Fprintln(w, strings.Repeat("---:|", len(metrics)+2))
	labels := Labels(d.Subjects)
	for place, label := range labels {
		cells := d.at(size, place)
		if len(cells) == 0 {
			if why := d.why(size, place); why != "" {
				fmt.Fprintf(w, "| %s | not measured: %s |\n", label, strings.ReplaceAll(why, "|", "/"))
			}
			continue
		}
		last := cells[len(cells)-1]
		fmt.Fprintf(w, "| %s | %d/%d/%d | %d |", label, last.Loops, last.Rings, last.Tables, len(cells))
		for _, m := range metrics {
			fmt.Fprintf(w, " %s |", interval(stats.Bootstrap(d.values(m, cells), seed)))
		}
		fmt.Fprintf(w, " %s | %s |\n", perMessage(cells, "enters", "waits", "lulls", "polls", "reads", "writes"), perMessage(cells, "completions", "events"))
	}
}

// why says why a subject was not measured at a size; "" if it was not tried.
func (d *Data) why(size, place int) string {
	if text := d.refused(size, place); text != "" {
		return text
	}
	for _, f := range slices.Backward(d.Failed) {
		if f.Size == size && f.Place == place {
			return f.Reason
		}
	}
	return ""
}

// perMessage is the median of an engine's counter for each delivery with its next
// poll: the first name of io_uring, else the sum of the others, which are epoll's.
func perMessage(cells []Cell, ring string, others ...string) string {
	var values []float64
	for _, c := range cells {
		if c.Turns == nil {
			continue
		}
		v, ok := c.Turns.Counters[ring]
		if !ok {
			for _, name := range others {
				v += c.Turns.Counters[name]
			}
		}
		values = append(values, v)
	}
	if m := stats.Median(values); m > 0 {
		return fmt.Sprintf("%.3g", m)
	}
	return missing
}

func interval(i stats.Interval) string { return i.Format(number) }

// number has three digits, and no exponent.
func number(v float64) string {
	switch a := math.Abs(v); {
	case a >= 100:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// ratio has three decimals, since a few per cent are looked for.
func ratio(i stats.Interval) string { return i.Text("%.3f") }

// primary prints how the primary figure differs from the first subject's.
func (d *Data) primary(w io.Writer, size int) {
	all := d.compare(metrics[0], size)
	if len(all) < 2 {
		return
	}
	labels := Labels(d.Subjects)
	fmt.Fprintf(w, "\n%s, against %s (differences and ratios are of the same round; p by Mann-Whitney, then Holm's over the %d rows):\n\n",
		result.Sentence(metrics[0].title), labels[0], len(all)-1)
	fmt.Fprint(w, "| subject | difference, us | ratio | p | p by Holm | found | CPU within 3 % of the best |\n|---|---:|---:|---:|---:|---|---|\n")
	near := map[int]string{}
	choices, _ := d.cheapest(size, size)
	for _, c := range choices {
		near[c.place] = "yes"
	}
	for place, label := range d.Subjects {
		if label == d.Subjects[0] {
			near[place] = near[0] // the same again
		}
	}
	for _, c := range all {
		if c.place == 0 {
			fmt.Fprintf(w, "| %s | 0 | 1 | | | | %s |\n", labels[0], near[0])
			continue
		}
		fmt.Fprintf(w, "| %s | %s | %s | %.4f | %.4f | %s | %s |\n", labels[c.place], interval(c.difference), ratio(c.ratio), c.p, c.holm, c.verdict(), near[c.place])
	}
}

// verdict words what was found.
func (c comparison) verdict() string {
	switch {
	case c.N < stats.MinimumRuns || c.difference.N < stats.MinimumRuns:
		return "too few rounds for a claim"
	case !c.found():
		return "no difference found"
	case c.difference.Median > 0:
		return "more"
	default:
		return "less"
	}
}

// others prints the ratios of the further figures, those found in bold.
func (d *Data) others(w io.Writer, size int) {
	labels := Labels(d.Subjects)
	rows := map[int][]string{}
	head := ""
	for i, m := range metrics[1:] {
		head += " " + m.title + " |"
		for _, c := range d.compare(m, size) {
			if rows[c.place] == nil {
				rows[c.place] = make([]string, len(metrics)-1)
			}
			text := ratio(c.ratio)
			if m.differs {
				text = interval(c.difference) + " " + m.unit
			}
			if c.found() {
				text = "**" + text + "**"
			}
			rows[c.place][i] = text
		}
	}
	if len(rows) < 2 {
		return
	}
	fmt.Fprintf(w, "\nThe others against %s: ratios, and with a unit differences, of what may be near 0; **bold** where p by Holm over the column is below %.2f:\n\n", labels[0], significant)
	fmt.Fprintf(w, "| subject |%s\n|---|%s\n", head, strings.Repeat("---:|", len(metrics)-1))
	for place, label := range labels {
		if cells := rows[place]; cells != nil && place > 0 {
			for i := range cells {
				if cells[i] == "" {
					cells[i] = missing
				}
			}
			fmt.Fprintf(w, "| %s | %s |\n", label, strings.Join(cells, " | "))
		}
	}
}
