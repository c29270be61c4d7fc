package ablation

import (
	"fmt"
	"image/color"
	"io"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"c1000k/experiments/ladder"
	"c1000k/experiments/report"
	"c1000k/experiments/stats"
)

// The size of a panel: the subjects stand below each other.
const (
	figureWidth = 5.6 * vg.Inch
	rowHeight   = 0.2 * vg.Inch
	headHeight  = 1.1 * vg.Inch
)

// Ink of the figures: a difference that was found is dark, the others are pale.
var (
	foundInk = color.RGBA{R: 0x1f, G: 0x6f, B: 0xc4, A: 0xff}
	paleInk  = color.RGBA{R: 0x9a, G: 0xa0, B: 0xa8, A: 0xff}
	lineInk  = color.RGBA{R: 0x33, G: 0x36, B: 0x3b, A: 0xff}
)

// Figure draws each subject against the first one at a size: by how many per cent
// its CPU a delivery with its next poll is more, and the difference in user and kernel
// bytes, with their intervals. Where no messages were sent the CPU is of an accept.
func Figure(w io.Writer, d *Data, size int) error {
	cpu := metrics[0]
	if !d.sends(size) {
		cpu = metricNamed("accept")
	}
	left, err := d.panel(size, cpu, fmt.Sprintf("CPU: %s, %s connections", cpu.title, ladder.Grouped(size)), "% more than "+d.Subjects[0], true)
	if err != nil {
		return err
	}
	right, err := d.panel(size, metricNamed("both"), "User + kernel memory", "bytes a connection more than "+d.Subjects[0], false)
	if err != nil {
		return err
	}
	return report.Draw(w, []*plot.Plot{left, right}, figureWidth, headHeight+rowHeight*vg.Length(len(d.Subjects)))
}

// intervals are points with what stands left and right of them.
type intervals struct {
	plotter.XYs
	plotter.XErrors
}

func (d *Data) panel(size int, m metric, title, unit string, ofRatio bool) (*plot.Plot, error) {
	made := plot.New()
	report.Style(made)
	made.Title.Text, made.X.Label.Text = title, unit
	made.Title.Padding = vg.Points(8)
	made.Y.Padding = vg.Points(8)
	var pale, found intervals
	low, high := 0.0, 0.0
	for _, c := range d.compare(m, size) {
		i := c.difference
		if ofRatio {
			i = percent(c.ratio)
		}
		if i.N == 0 {
			continue
		}
		if !i.Known() {
			i.Low, i.High = i.Median, i.Median // a point
		}
		into := &pale
		if c.found() {
			into = &found
		}
		// The first subject stands at the top.
		into.XYs = append(into.XYs, plotter.XY{X: i.Median, Y: float64(len(d.Subjects) - 1 - c.place)})
		into.XErrors = append(into.XErrors, struct{ Low, High float64 }{i.Median - i.Low, i.High - i.Median})
		low, high = min(low, i.Low), max(high, i.High)
	}
	for _, set := range []struct {
		intervals
		ink color.Color
	}{{pale, paleInk}, {found, foundInk}} {
		if err := addIntervals(made, set.intervals, set.ink); err != nil {
			return nil, err
		}
	}
	line, err := plotter.NewLine(plotter.XYs{{X: 0, Y: -0.5}, {X: 0, Y: float64(len(d.Subjects)) - 0.5}})
	if err != nil {
		return nil, err
	}
	line.Color, line.Width, line.Dashes = lineInk, vg.Points(0.8), []vg.Length{vg.Points(1.5), vg.Points(2)}
	made.Add(line)
	labels := Labels(d.Subjects)
	for i, label := range labels {
		labels[i] = short(label)
	}
	slices.Reverse(labels)
	made.NominalY(labels...)
	made.Y.Min, made.Y.Max = -0.5, float64(len(d.Subjects))-0.5
	room := max((high-low)*0.06, 1e-3)
	made.X.Min, made.X.Max = low-room, high+room
	return made, nil
}

// percent is by how many per cent a ratio is more than 1.
func percent(i stats.Interval) stats.Interval {
	for _, v := range []*float64{&i.Median, &i.Low, &i.High} {
		*v = (*v - 1) * 100
	}
	return i
}

// mostLabel is how many letters a label has room for.
const mostLabel = 34

// short leaves out of a long label all choices but the first.
func short(label string) string {
	first, others, ok := strings.Cut(label, ",")
	if len(label) <= mostLabel || !ok {
		return label
	}
	return fmt.Sprintf("%s and %d more", first, strings.Count(others, ",")+1)
}

func addIntervals(made *plot.Plot, set intervals, ink color.Color) error {
	if len(set.XYs) == 0 {
		return nil
	}
	bars, err := plotter.NewXErrorBars(set)
	if err != nil {
		return err
	}
	bars.Color, bars.Width, bars.CapWidth = ink, vg.Points(1.4), vg.Points(4)
	points, err := plotter.NewScatter(set.XYs)
	if err != nil {
		return err
	}
	points.GlyphStyle = draw.GlyphStyle{Color: ink, Radius: vg.Points(3), Shape: draw.CircleGlyph{}}
	made.Add(bars, points)
	return nil
}
