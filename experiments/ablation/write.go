package ablation

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/perf/benchfmt"

	"c1000k/experiments/result"
	"c1000k/experiments/stats"
)

// TableFile is the name of the table in the results folder.
const TableFile = "table.md"

// Write makes what is made of a folder's data: the table, which goes to out too, a
// figure for each size, a summary as CSV, and lines for benchstat. The same data
// gives the same bytes.
func Write(dir string, out io.Writer) error {
	d, err := Read(dir)
	if err != nil {
		return err
	}
	files := map[string]func(w io.Writer) error{
		TableFile: func(w io.Writer) error {
			Table(io.MultiWriter(w, out), d)
			return nil
		},
		result.SummaryFile: func(w io.Writer) error { return summary(w, d) },
		result.BenchFile:   func(w io.Writer) error { return bench(w, d) },
	}
	for _, size := range d.Sizes {
		if d.anyAt(size) {
			files[fmt.Sprintf("figure-%d.svg", size)] = func(w io.Writer) error { return Figure(w, d, size) }
		}
	}
	for name, write := range files {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// summary has a line for each subject and figure of each size.
func summary(w io.Writer, d *Data) error {
	lines := csv.NewWriter(w)
	lines.Write([]string{"connections", "subject", "figure", "unit", "rounds", "median", "low", "high",
		"difference", "difference_low", "difference_high", "ratio", "ratio_low", "ratio_high", "p", "p_holm"})
	labels := Labels(d.Subjects)
	for _, size := range d.Sizes {
		for _, m := range metrics {
			for _, c := range d.compare(m, size) {
				line := []string{strconv.Itoa(size), labels[c.place], m.name, m.unit, strconv.Itoa(c.N)}
				for _, i := range []stats.Interval{c.Interval, c.difference, c.ratio} {
					if i.N == 0 {
						line = append(line, "", "", "")
						continue
					}
					if !i.Known() {
						line = append(line, plain(i.Median), "", "")
						continue
					}
					line = append(line, plain(i.Median), plain(i.Low), plain(i.High))
				}
				lines.Write(append(line, plain(c.p), plain(c.holm)))
			}
		}
	}
	lines.Flush()
	return lines.Error()
}

// plain has six digits; what is none is empty.
func plain(v float64) string {
	if math.IsNaN(v) {
		return ""
	}
	return strconv.FormatFloat(v, 'g', 6, 64)
}

// bench has a line for each cell.
func bench(w io.Writer, d *Data) error {
	lines := benchfmt.NewWriter(w)
	for i := range d.Cells {
		c := &d.Cells[i]
		name := fmt.Sprintf("Ablation/subject=%s/place=%d/connections=%d", strings.ReplaceAll(c.Subject, "=", ":"), c.Place, c.Size)
		line := &benchfmt.Result{Name: benchfmt.Name(name), Iters: 1, Config: []benchfmt.Config{
			{Key: "kernel", Value: []byte(d.Environment.Kernel), File: true}, {Key: "cpu", Value: []byte(d.Environment.CPU.Model), File: true},
		}}
		for _, m := range metrics {
			if v, ok := m.value(c, d.bare(c.Size)); ok {
				line.Values = append(line.Values, benchfmt.Value{Value: v, Unit: m.name + "-" + m.unit})
			}
		}
		if err := lines.Write(line); err != nil {
			return err
		}
	}
	return nil
}
