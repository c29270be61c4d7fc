package report

import (
	"fmt"
	"slices"
	"sort"

	"c1000k/experiments/result"
	"c1000k/experiments/stats"
)

// ladder is the steps of one server process.
type ladder struct {
	backend result.Backend
	// label names the ladder in headings: the kernel interface, and a number
	// where the run started several servers of one backend.
	label    string
	steps    []result.Step
	failures []result.Failure
	expiries []result.Expiry
}

// labels are the names readers know the backends by.
var labels = map[string]string{result.URing: "io_uring", result.Epoll: "epoll", result.Gonet: "gonet", result.Icomet: "icomet"}

// ladders groups the records by server process, in the order of the run.
func ladders(d *result.Data) []*ladder {
	byOrder := map[int]*ladder{}
	at := func(order int, backend string) *ladder {
		l := byOrder[order]
		if l == nil {
			l = &ladder{backend: result.Backend{Name: backend, Order: order}}
			byOrder[order] = l
		}
		return l
	}
	for _, b := range d.Backends {
		l := at(b.Order, b.Name)
		l.backend = b
	}
	for _, s := range d.Steps {
		l := at(s.Order, s.Backend)
		l.steps = append(l.steps, s)
	}
	for _, e := range d.Expiries {
		l := at(e.Order, e.Backend)
		l.expiries = append(l.expiries, e)
	}
	for _, f := range d.Failures {
		if f.Backend == "" {
			continue // of the run, not of a server
		}
		l := at(f.Order, f.Backend)
		l.failures = append(l.failures, f)
	}
	all := make([]*ladder, 0, len(byOrder))
	for _, l := range byOrder {
		sort.SliceStable(l.steps, func(i, j int) bool { return l.steps[i].Target < l.steps[j].Target })
		all = append(all, l)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].backend.Order < all[j].backend.Order })
	count := map[string]int{}
	for _, l := range all {
		name := l.backend.Name
		count[name]++
		l.label = name
		if known, ok := labels[name]; ok {
			l.label = known
		}
		if count[name] > 1 {
			l.label = fmt.Sprintf("%s #%d", l.label, count[name])
		}
	}
	return all
}

// measured leaves out the ladders that never came to a step.
func measured(all []*ladder) []*ladder {
	var some []*ladder
	for _, l := range all {
		if len(l.steps) > 0 {
			some = append(some, l)
		}
	}
	return some
}

// step finds the step of a target.
func (l *ladder) step(target int) *result.Step {
	for i := range l.steps {
		if l.steps[i].Target == target {
			return &l.steps[i]
		}
	}
	return nil
}

// last is the highest step whose memory was read, nil where there is none.
func (l *ladder) last() *result.Step {
	for i := len(l.steps) - 1; i >= 0; i-- {
		if l.steps[i].Memory != nil && l.steps[i].Connections() > 0 {
			return &l.steps[i]
		}
	}
	return nil
}

// fit draws a line through a figure over the connections of the steps.
func (l *ladder) fit(value func(s *result.Step) *float64) (stats.Line, bool) {
	var x, y []float64
	for i := range l.steps {
		s := &l.steps[i]
		if v := value(s); v != nil {
			x, y = append(x, float64(s.Connections())), append(y, *v)
		}
	}
	line, err := stats.FitLine(x, y)
	return line, err == nil
}

func residentOf(s *result.Step) *float64 {
	if s.Memory == nil {
		return nil
	}
	v := float64(s.Memory.Resident)
	return &v
}

func userAndKernelOf(s *result.Step) *float64 {
	sum := s.UserAndKernel()
	if sum == nil {
		return nil
	}
	v := float64(*sum)
	return &v
}

// targets are the steps of all ladders and of the article within them.
func targets(all []*ladder) []int {
	seen := map[int]bool{}
	for _, l := range all {
		for _, s := range l.steps {
			seen[s.Target] = true
		}
	}
	var list []int
	for t := range seen {
		list = append(list, t)
	}
	slices.Sort(list)
	return list
}

// structureOf prints the loops of a step and its rings or descriptor tables.
func structureOf(s *result.Step) string { return structureText(s.Loops, s.Rings, s.Tables) }

func structureText(loops, rings, tables int) string {
	text := fmt.Sprintf("%d", loops)
	switch {
	case rings > 0:
		text += fmt.Sprintf("/%d", rings)
	case tables > 0:
		text += fmt.Sprintf("/%d", tables)
	}
	return text
}

// structureHead is the heading above structureOf.
func (l *ladder) structureHead() string {
	for _, s := range l.steps {
		switch {
		case s.Rings > 0:
			return "loops/rings"
		case s.Tables > 0:
			return "loops/tables"
		}
	}
	return "loops"
}

// articlePoint is a row of the table of the article of 2013 (icomet), in MB as
// top printed them.
type articlePoint struct {
	connections       int
	virtual, resident int64
}

// article is the one to set ours beside.
var article = []articlePoint{
	{0, 39, 24}, {100_000, 302, 288}, {200_000, 579, 565}, {500_000, 1441, 1427}, {1_000_000, 2734, 2720},
}

// topMegabyte is the unit of top's "m": 2^20 bytes.
const topMegabyte = 1 << 20

func articleAt(connections int) (articlePoint, bool) {
	for _, p := range article {
		if p.connections == connections {
			return p, true
		}
	}
	return articlePoint{}, false
}
