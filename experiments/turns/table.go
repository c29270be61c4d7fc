package turns

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"c1000k/experiments/floor"
	"c1000k/experiments/stats"
)

// seed is of the bootstrap, so that the same cells give the same table.
const seed = 1

// Floor names the cheapest way of the floor by the medians, "" if none was
// measured.
func Floor(cells []Cell) string { return cheapest(cells, floor.Turns) }

// cheapest is the one of some ways with the lowest median, "" if none of them was
// measured.
func cheapest(cells []Cell, ways []string) string {
	best, name := math.Inf(1), ""
	for _, way := range ways {
		if m := stats.Median(column(cells, way, serverCPU)); m < best {
			best, name = m, way
		}
	}
	return name
}

// byRound are a subject's cells of each round in which it was measured, in the order
// of the rounds. The round is what is counted: cells of the same one share what went
// on meanwhile, and are no more values for being more.
func byRound(cells []Cell, subject string) (rounds [][]Cell) {
	place := map[int]int{}
	for _, c := range cells {
		if c.Subject != subject {
			continue
		}
		at, known := place[c.Round]
		if !known {
			at = len(rounds)
			place[c.Round] = at
			rounds = append(rounds, nil)
		}
		rounds[at] = append(rounds[at], c)
	}
	return rounds
}

// mean is of a value of some cells.
func mean(cells []Cell, value func(Cell) float64) (sum float64) {
	for _, c := range cells {
		sum += value(c)
	}
	return sum / float64(len(cells))
}

// column is a subject's values, one for each round: the mean of its cells there.
func column(cells []Cell, subject string, value func(Cell) float64) (values []float64) {
	for _, round := range byRound(cells, subject) {
		values = append(values, mean(round, value))
	}
	return values
}

// ratios are a subject's CPU over the floor's, one for each round that has both.
func ratios(cells []Cell, subject, floor string) (values []float64) {
	under := map[int]float64{}
	for _, round := range byRound(cells, floor) {
		under[round[0].Round] = mean(round, serverCPU)
	}
	for _, round := range byRound(cells, subject) {
		if f, ok := under[round[0].Round]; ok {
			values = append(values, mean(round, serverCPU)/f)
		}
	}
	return values
}

func serverCPU(c Cell) float64 { return c.Server }

// Table prints each subject's medians with their intervals, and their multiple of
// the floor.
func Table(w io.Writer, cells []Cell) {
	if len(cells) == 0 {
		fmt.Fprintln(w, "Nothing was measured.")
		return
	}
	lowest := Floor(cells)
	fmt.Fprintf(w, "%s, %d connections, %d messages a cell: %s.\n",
		what(cells[0].Kind), cells[0].Connections, cells[0].Messages, stats.MediansOf(roundsOf(cells)...))
	fmt.Fprintf(w, "On loopback the sender pays for the receiver's TCP work; server and load share the processors.\n")
	if lowest != "" {
		fmt.Fprintf(w, "The floor is %s, the cheapest of the bare loops; a multiple is of the same round.\n", lowest)
	}
	fmt.Fprint(w, "\n| subject | loops/rings | rounds | server CPU, us | of the floor | load CPU, us | last delivery, ms | enters | completions |\n")
	fmt.Fprint(w, "|---|---:|---:|---:|---:|---:|---:|---:|---:|\n")
	seen := map[string]bool{}
	for _, c := range cells {
		if seen[c.Subject] {
			continue
		}
		seen[c.Subject] = true
		server := column(cells, c.Subject, serverCPU)
		fmt.Fprintf(w, "| %s | %d/%d | %d | %s | %s | %s | %s | %s | %s |\n", c.Subject, c.Loops, c.Rings, len(server),
			interval(server), interval(ratios(cells, c.Subject, lowest)),
			interval(column(cells, c.Subject, func(c Cell) float64 { return c.Load })),
			interval(column(cells, c.Subject, func(c Cell) float64 { return c.Last * 1e3 })),
			counter(cells, c.Subject, "enters"), counter(cells, c.Subject, "completions"))
	}
	notes := controls(cells)
	if line := Judge(cells).String(); line != "" {
		notes = append(notes, line)
	}
	if len(notes) > 0 {
		fmt.Fprintf(w, "\n%s\n", strings.Join(notes, "\n"))
	}
}

// what is measured, by the kind of message.
func what(kind string) string {
	if kind == Stream {
		return "A delivery to one of many streams of one channel"
	}
	return "A delivery with its next poll"
}

// roundsOf is in how many rounds each cell's subject was measured.
func roundsOf(cells []Cell) (all []int) {
	for _, c := range cells {
		all = append(all, len(byRound(cells, c.Subject)))
	}
	return all
}

// controls tell of each subject that was measured more than once a round how far it
// was from itself: differences of that size between two subjects are noise. Last they
// say how such a subject is counted.
func controls(cells []Cell) (lines []string) {
	seen := map[string]bool{}
	for _, c := range cells {
		if seen[c.Subject] {
			continue
		}
		seen[c.Subject] = true
		var against []float64
		for _, round := range byRound(cells, c.Subject) {
			if len(round) > 1 {
				against = append(against, mean(round[1:], serverCPU)/round[0].Server)
			}
		}
		if len(against) > 0 {
			lines = append(lines, fmt.Sprintf("A/A: %s is %s times itself, the later cell of a round over the earlier.", c.Subject, interval(against)))
		}
	}
	if len(lines) > 0 {
		lines = append(lines, "A subject that was measured more than once a round counts by its mean of the round: values and intervals are of the rounds, not of the cells.")
	}
	return lines
}

func interval(values []float64) string { return stats.Bootstrap(values, seed).Text("%.3g") }

// counter is the median of an engine's counter, a delivery.
func counter(cells []Cell, subject, name string) string {
	values := column(cells, subject, func(c Cell) float64 { return c.Counters[name] })
	if m := stats.Median(values); m > 0 {
		return fmt.Sprintf("%.3g", m)
	}
	return "–"
}

// Read reads the lines that Measure wrote.
func Read(r io.Reader) (h Header, cells []Cell, err error) {
	d := json.NewDecoder(r)
	if err := d.Decode(&h); err != nil {
		return h, nil, fmt.Errorf("the first line is no header: %w", err)
	}
	if h.Version != version {
		return h, nil, fmt.Errorf("the data has version %d, this program reads %d", h.Version, version)
	}
	if len(h.Subjects) == 0 {
		return h, nil, errors.New("the first line is no header of experiment turns: the data is of another")
	}
	for {
		var c Cell
		if err := d.Decode(&c); err == io.EOF {
			return h, cells, nil
		} else if err != nil {
			return h, cells, fmt.Errorf("cell %d: %w", len(cells)+1, err)
		}
		cells = append(cells, c)
	}
}
