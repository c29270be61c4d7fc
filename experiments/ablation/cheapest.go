package ablation

import (
	"cmp"
	"math"
	"slices"

	"c1000k/experiments/stats"
)

// nearBest is how near to the least CPU a choice must be to be asked for its bytes.
const nearBest = 1.03

// choice is an io_uring subject of which the cheapest is looked for. Planted costs,
// configurations and tokens are no choices of the engine.
type choice struct {
	place int
	// cpu is its CPU a delivery with its next poll, as a ratio to the first subject's
	// of the same round; where that was measured several times in a round (A/A), to
	// the mean of these. The first subject's own is 1.
	cpu   stats.Interval
	bytes stats.Interval // user + kernel a connection
}

// cheapest are the choices whose CPU at cpuSize is within 3 % of the least of them,
// the fewest bytes at size first and those last that were not measured there, and the
// one that has the least CPU. The first subject stands for those that are the same
// again.
func (d *Data) cheapest(cpuSize, size int) (near []choice, least choice) {
	cpu := metrics[0]
	var firsts []Cell
	for place, label := range d.Subjects {
		if label == d.Subjects[0] {
			firsts = append(firsts, d.at(cpuSize, place)...)
		}
	}
	base := d.byRound(cpu, firsts)
	for place := range d.Subjects {
		if !d.isChoice(place) {
			continue
		}
		c := choice{place: place, bytes: stats.Bootstrap(d.values(metricNamed("both"), d.at(size, place)), seed)}
		if place == 0 {
			c.cpu = stats.Interval{Median: 1, Low: 1, High: 1, N: len(base)}
		} else {
			_, ratios := d.paired(cpu, base, d.at(cpuSize, place))
			c.cpu = stats.Bootstrap(ratios, seed)
		}
		if c.cpu.N > 0 {
			near = append(near, c)
		}
	}
	if len(near) == 0 {
		return nil, choice{}
	}
	least = slices.MinFunc(near, func(a, b choice) int { return cmp.Compare(a.cpu.Median, b.cpu.Median) })
	near = slices.DeleteFunc(near, func(c choice) bool { return c.cpu.Median > least.cpu.Median*nearBest })
	slices.SortStableFunc(near, func(a, b choice) int { return cmp.Compare(a.rank(), b.rank()) })
	return near, least
}

// rank is by bytes.
func (c choice) rank() float64 {
	if c.bytes.N == 0 {
		return math.Inf(1)
	}
	return c.bytes.Median
}

// isChoice says whether a subject is one, and not the first again.
func (d *Data) isChoice(place int) bool {
	label := d.Subjects[place]
	s, err := parseSubject(label)
	return err == nil && s.Engine == "uring" && !s.Planted && s.Config == "" && !s.Tokens && (place == 0 || label != d.Subjects[0])
}

// cpuSize is the size whose CPU counts for a size: the same where messages were sent,
// else the largest at which they were; 0 if there is none.
func (d *Data) cpuSize(size int) (found int) {
	if d.sends(size) {
		return size
	}
	for _, s := range d.Sizes {
		if d.sends(s) {
			found = max(found, s)
		}
	}
	return found
}
