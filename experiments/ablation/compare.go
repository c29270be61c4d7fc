package ablation

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"c1000k/experiments/result"
	"c1000k/experiments/stats"
	"c1000k/experiments/turns"
)

// seed is of the bootstrap, so that the same cells give the same table.
const seed = 1

// significant is the corrected p below which a difference is found.
const significant = 0.05

// metric is a figure of a cell.
type metric struct {
	name  string // in the summary
	title string
	unit  string
	// differs: it may be near 0, where a ratio says little.
	differs bool
	// value is false where it was not measured. bare is the bare accept loop of the
	// cell's size, nil where there is none.
	value func(c *Cell, bare *result.Floor) (float64, bool)
}

// The figures, the primary one first.
var metrics = []metric{
	{"turn", "delivery + next poll", "us", false, phaseOf(func(c *Cell) *Phase { return c.Turns })},
	{"delivery", "delivery", "us", false, phaseOf(func(c *Cell) *Phase { return c.Deliveries })},
	{"poll", "poll", "us", false, phaseOf(func(c *Cell) *Phase { return c.Polls })},
	{"accept", "accept + first poll", "us", false, phaseOf(func(c *Cell) *Phase { return &c.Opening })},
	{"user", "user", "B", true, func(c *Cell, _ *result.Floor) (float64, bool) { return c.UserBytes(), true }},
	{"kernel", "kernel", "B", false, func(c *Cell, _ *result.Floor) (float64, bool) { return c.KernelBytes(), true }},
	{"own", "kernel over the bare loop", "B", true, (*Cell).OwnBytes},
	{"both", "user + kernel", "B", false, func(c *Cell, _ *result.Floor) (float64, bool) { return c.UserBytes() + c.KernelBytes(), true }},
	{"load", "the load's, delivery + next poll", "us", false, loadOf},
	{"threads", "ksoftirqd and kworkers, the same", "us", true, threadsOf},
}

// loadOf is the load's CPU a delivery with its next poll.
func loadOf(c *Cell, _ *result.Floor) (float64, bool) {
	if c.Turns == nil {
		return 0, false
	}
	return c.Turns.Load, true
}

// threadsOf is what the kernel's own threads, which work for everybody, used
// meanwhile.
func threadsOf(c *Cell, _ *result.Floor) (float64, bool) {
	if c.Turns == nil || c.Turns.CPU.Ksoftirqd == nil || c.Turns.CPU.Kworkers == nil {
		return 0, false
	}
	return turns.Each(*c.Turns.CPU.Ksoftirqd+*c.Turns.CPU.Kworkers, c.Turns.Count), true
}

func phaseOf(phase func(c *Cell) *Phase) func(*Cell, *result.Floor) (float64, bool) {
	return func(c *Cell, _ *result.Floor) (float64, bool) {
		if p := phase(c); p != nil {
			return p.Server, true
		}
		return 0, false
	}
}

// metricNamed is one of them.
func metricNamed(name string) metric {
	return metrics[slices.IndexFunc(metrics, func(m metric) bool { return m.name == name })]
}

// comparison is a subject's figure, and how it differs from the first subject's.
type comparison struct {
	place int
	stats.Interval
	// difference and ratio are medians over the rounds, each of the same round; N is
	// 0 for the first subject itself.
	difference, ratio stats.Interval
	p, holm           float64
	smallest          float64 // the least p that so many rounds could have given
}

// found says that the difference holds although many were tested, and each side has
// the runs that a claim needs.
func (c comparison) found() bool {
	return c.N >= stats.MinimumRuns && c.difference.N >= stats.MinimumRuns && c.holm < significant
}

// at are the cells of a subject at a size, in the order of the rounds.
func (d *Data) at(size, place int) (cells []Cell) {
	for _, c := range d.Cells {
		if c.Size == size && c.Place == place {
			cells = append(cells, c)
		}
	}
	slices.SortFunc(cells, func(a, b Cell) int { return a.Round - b.Round })
	return cells
}

// values are a figure of some cells, where it was measured.
func (d *Data) values(m metric, cells []Cell) (values []float64) {
	for i := range cells {
		if v, ok := m.value(&cells[i], d.bare(cells[i].Size)); ok {
			values = append(values, v)
		}
	}
	return values
}

// compare sets every subject's figure beside the first one's; those that were not
// measured are left out. Holm's correction is over the subjects.
func (d *Data) compare(m metric, size int) (all []comparison) {
	first := d.at(size, 0)
	base, rounds := d.values(m, first), d.byRound(m, first)
	for place := range d.Subjects {
		cells := d.at(size, place)
		values := d.values(m, cells)
		if len(values) == 0 {
			continue
		}
		c := comparison{place: place, Interval: stats.Bootstrap(values, seed), p: math.NaN(), holm: math.NaN()}
		if place > 0 && len(base) > 0 {
			differences, ratios := d.paired(m, rounds, cells)
			c.difference, c.ratio = stats.Bootstrap(differences, seed), stats.Bootstrap(ratios, seed)
			test, err := stats.Compare(base, values, seed)
			if err != nil {
				panic(err) // neither side is empty
			}
			c.p, c.smallest = test.P, test.Smallest
		}
		all = append(all, c)
	}
	correct(all)
	return all
}

// correct fills in Holm's.
func correct(all []comparison) {
	var p []float64
	var at []int
	for i, c := range all {
		if !math.IsNaN(c.p) {
			p, at = append(p, c.p), append(at, i)
		}
	}
	for i, holm := range stats.Holm(p) {
		all[at[i]].holm = holm
	}
}

// byRound is a figure of some cells by round, the mean where a round has several.
func (d *Data) byRound(m metric, cells []Cell) map[int]float64 {
	values := map[int][]float64{}
	for i := range cells {
		if v, ok := m.value(&cells[i], d.bare(cells[i].Size)); ok {
			values[cells[i].Round] = append(values[cells[i].Round], v)
		}
	}
	means := map[int]float64{}
	for round, v := range values {
		means[round] = stat.Mean(v, nil)
	}
	return means
}

// paired are the differences and ratios to base in the rounds that both have.
func (d *Data) paired(m metric, base map[int]float64, cells []Cell) (differences, ratios []float64) {
	for i := range cells {
		v, ok := m.value(&cells[i], d.bare(cells[i].Size))
		was, had := base[cells[i].Round]
		if ok && had {
			differences = append(differences, v-was)
			if was != 0 {
				ratios = append(ratios, v/was)
			}
		}
	}
	return differences, ratios
}
