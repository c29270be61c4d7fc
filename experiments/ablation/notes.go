package ablation

import (
	"fmt"
	"strings"

	"c1000k/experiments/ladder"
	"c1000k/experiments/stats"
)

// notes are the sentences under a size's tables: whether the controls hold, what
// could have been shown, and which choice is the cheapest.
func (d *Data) notes(size int) (lines []string) {
	if all := d.compare(metrics[0], size); len(all) > 1 {
		lines = append(lines, d.sameAgain(all)...)
		lines = append(lines, d.plantedSeen(all)...)
		lines = append(lines, d.reach(all, size))
	}
	lines = append(lines, d.cheapestNote(size)...)
	noisy, unsettled, estimated := 0, 0, false
	cells := 0
	for _, c := range d.Cells {
		if c.Size != size {
			continue
		}
		cells++
		if len(c.Noisy) > 0 {
			noisy++
		}
		if !c.Settled.Settled {
			unsettled++
		}
		estimated = estimated || c.Kernel.Estimated
	}
	lines = append(lines, fmt.Sprintf("Of %d cells %d were measured while the machine was not quiet, by the limits of the spec; in %d memory did not come to rest in time.", cells, noisy, unsettled))
	if estimated {
		lines = append(lines, "The kernel's memory is an estimate by pages: without root its caches are not told by name.")
	}
	if failed := d.failedAt(size); failed > 0 {
		lines = append(lines, fmt.Sprintf("%d cells failed, and are in the data with the reason.", failed))
	}
	return lines
}

func (d *Data) failedAt(size int) (n int) {
	for _, f := range d.Failed {
		if f.Size == size && !f.Refused {
			n++
		}
	}
	return n
}

// sameAgain judges the A/A control: the first subject, named again.
func (d *Data) sameAgain(all []comparison) (lines []string) {
	for _, c := range all {
		if c.place == 0 || d.Subjects[c.place] != d.Subjects[0] {
			continue
		}
		verdict := "no difference, as it must be"
		if c.N < stats.MinimumRuns {
			verdict = "too few rounds to say whether it is one"
		}
		if c.found() {
			verdict = "A DIFFERENCE, though there is none: do not believe the others of this size"
		}
		lines = append(lines, fmt.Sprintf("A/A control: %s against itself: %s us, ratio %s, p %.3f: %s.", d.Subjects[0], interval(c.difference), ratio(c.ratio), c.p, verdict))
	}
	if lines == nil {
		lines = []string{"There is no A/A control: the first subject was not named twice."}
	}
	return lines
}

// plantedSeen judges the positive control: a known cost a delivery.
func (d *Data) plantedSeen(all []comparison) (lines []string) {
	for _, c := range all {
		s, err := parseSubject(d.Subjects[c.place])
		if err != nil || !s.Planted || c.place == 0 {
			continue
		}
		want := float64(s.Spin) / 1e3
		verdict := "NOT SEEN: a difference of this size cannot be told by this run"
		if c.found() && c.difference.Median > 0 {
			verdict = "seen"
		}
		if c.N < stats.MinimumRuns {
			verdict = "too few rounds to say whether it is seen"
		}
		lines = append(lines, fmt.Sprintf("Positive control: %s, %.3g us planted a delivery: %s us more, p by Holm %.3f: %s.", s, want, interval(c.difference), c.holm, verdict))
	}
	if lines == nil {
		lines = []string{"There is no positive control: no subject has a planted cost."}
	}
	return lines
}

// reach says what this run could have shown.
func (d *Data) reach(all []comparison, size int) string {
	base := d.values(metrics[0], d.at(size, 0))
	least := 0.0
	for _, c := range all {
		least = max(least, c.smallest)
	}
	rows := len(all) - 1
	text := fmt.Sprintf("The least p that %d rounds can give is %.4f, by Holm over %d rows %.3f", len(base), least, rows, min(1, least*float64(rows)))
	if least*float64(rows) >= significant {
		return text + ": too many rows for so few rounds, nothing can be found."
	}
	return text + "."
}

// cheapestNote names the cheapest in bytes of those whose CPU is near the best.
func (d *Data) cheapestNote(size int) []string {
	from := d.cpuSize(size)
	if from == 0 {
		return nil
	}
	near, least := d.cheapest(from, size)
	if len(near) == 0 || near[0].bytes.N == 0 {
		return nil
	}
	labels := Labels(d.Subjects)
	var names []string
	first := -1
	for i, c := range near {
		bytes := "not measured"
		if c.bytes.N > 0 {
			bytes = interval(c.bytes) + " B"
		}
		names = append(names, fmt.Sprintf("%s (%s; %s)", labels[c.place], ratio(c.cpu), bytes))
		if c.place == 0 {
			first = i
		}
	}
	text := fmt.Sprintf("Choices of io_uring whose CPU a delivery with its next poll, against the first subject's, is within 3 %% of the least (%s, %s) at %s connections, the cheapest in user + kernel bytes at %s first: %s.",
		labels[least.place], ratio(least.cpu), ladder.Grouped(from), ladder.Grouped(size), strings.Join(names, ", "))
	switch {
	case !d.isChoice(0):
	case first < 0:
		text += fmt.Sprintf(" %s is not among them.", theFirst(labels[0]))
	case near[first].bytes.N == 0:
		text += fmt.Sprintf(" %s was not measured at %s.", theFirst(labels[0]), ladder.Grouped(size))
	case first == 0:
		text += fmt.Sprintf(" %s is the cheapest.", theFirst(labels[0]))
	default:
		text += fmt.Sprintf(" %s takes %s B more than the cheapest.", theFirst(labels[0]), number(near[first].bytes.Median-near[0].bytes.Median))
		if !d.foundBytes(size, near[0].place) {
			text += " That is no difference found."
		}
	}
	return []string{text}
}

// foundBytes says whether a subject's bytes were found to differ from the first's.
func (d *Data) foundBytes(size, place int) bool {
	for _, c := range d.compare(metricNamed("both"), size) {
		if c.place == place {
			return c.found()
		}
	}
	return false
}

// theFirst begins a sentence with it.
func theFirst(label string) string { return "The first subject, " + label + "," }
