package turns

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"c1000k/experiments/floor"
	"c1000k/experiments/stats"
)

// seed is of the bootstrap, so that the same cells give the same table.
const seed = 1

// Floor names the cheapest way of the floor by the medians, "" if none was
// measured.
func Floor(cells []Cell) string {
	best, name := math.Inf(1), ""
	for _, way := range floor.Turns {
		if m := stats.Median(column(cells, way, func(c Cell) float64 { return c.Server })); m < best {
			best, name = m, way
		}
	}
	return name
}

// column is a subject's values in the order of the rounds.
func column(cells []Cell, subject string, value func(Cell) float64) (values []float64) {
	for _, c := range cells {
		if c.Subject == subject {
			values = append(values, value(c))
		}
	}
	return values
}

// ratios are a subject's CPU over the floor's, round by round.
func ratios(cells []Cell, subject, floor string) (values []float64) {
	for _, c := range cells {
		if c.Subject != subject {
			continue
		}
		for _, f := range cells {
			if f.Subject == floor && f.Round == c.Round {
				values = append(values, c.Server/f.Server)
				break
			}
		}
	}
	return values
}

// Table prints each subject's medians with their intervals, and their multiple of
// the floor.
func Table(w io.Writer, cells []Cell) {
	if len(cells) == 0 {
		fmt.Fprintln(w, "Nothing was measured.")
		return
	}
	lowest := Floor(cells)
	fmt.Fprintf(w, "A delivery with its next poll, %d connections, %d messages a cell: medians of the rounds [95 %% by bootstrap].\n",
		cells[0].Connections, cells[0].Messages)
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
		server := column(cells, c.Subject, func(c Cell) float64 { return c.Server })
		fmt.Fprintf(w, "| %s | %d/%d | %d | %s | %s | %s | %s | %s | %s |\n", c.Subject, c.Loops, c.Rings, len(server),
			interval(server), interval(ratios(cells, c.Subject, lowest)),
			interval(column(cells, c.Subject, func(c Cell) float64 { return c.Load })),
			interval(column(cells, c.Subject, func(c Cell) float64 { return c.Last * 1e3 })),
			counter(cells, c.Subject, "enters"), counter(cells, c.Subject, "completions"))
	}
}

func interval(values []float64) string {
	if len(values) == 0 {
		return "–"
	}
	i := stats.Bootstrap(values, seed)
	if i.N < 2 {
		return fmt.Sprintf("%.3g", i.Median)
	}
	return fmt.Sprintf("%.3g [%.3g, %.3g]", i.Median, i.Low, i.High)
}

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
