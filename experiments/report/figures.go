package report

import (
	"bytes"
	"fmt"
	"image/color"
	"io"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"c1000k/experiments/result"
)

// The size of a panel; a figure is some of them beside each other.
const (
	panelWidth  = 4.4 * vg.Inch
	panelHeight = 3.7 * vg.Inch
)

// Ink of the figures. The lines differ in colour, in the shape of the points
// and, the article's and the load's, in dashes, so that they can be told apart
// in grey too.
var (
	ink      = color.RGBA{R: 0x33, G: 0x36, B: 0x3b, A: 0xff}
	faint    = color.RGBA{R: 0xe3, G: 0xe5, B: 0xe8, A: 0xff}
	paper    = color.White
	grey     = color.RGBA{R: 0x80, G: 0x84, B: 0x8a, A: 0xff}
	palettes = map[string]color.RGBA{
		result.URing: {R: 0x1f, G: 0x6f, B: 0xc4, A: 0xff},
		result.Epoll: {R: 0xd9, G: 0x6a, B: 0x0b, A: 0xff},
		result.Gonet: {R: 0x2e, G: 0x8b, B: 0x57, A: 0xff},
	}
)

// mark is how the line of a backend looks. The first is wide with open points,
// the next lie narrow upon it: where two backends agree, both are seen.
type mark struct {
	color  color.Color
	shape  draw.GlyphDrawer
	radius vg.Length
	width  vg.Length
}

func markOf(backend string) mark {
	switch c := palettes[backend]; backend {
	case result.URing:
		return mark{c, draw.RingGlyph{}, vg.Points(3.8), vg.Points(2.6)}
	case result.Epoll:
		return mark{c, draw.BoxGlyph{}, vg.Points(1.9), vg.Points(1.2)}
	case result.Gonet:
		return mark{c, draw.PyramidGlyph{}, vg.Points(2.4), vg.Points(1.2)}
	}
	return mark{grey, draw.CrossGlyph{}, vg.Points(2.4), vg.Points(1.2)}
}

// series is one line of a panel.
type series struct {
	label  string
	points plotter.XYs
	mark
	dashes []vg.Length
}

// panel is one plot of a figure.
type panel struct {
	title  string
	unit   string
	series []series
	// level is a horizontal line with a name, such as a floor; 0 is none.
	level     float64
	levelName string
}

// series is the line of a ladder through one value of its steps.
func (l *ladder) series(label string, value func(s *result.Step) *float64) series {
	s := series{label: label, mark: markOf(l.backend.Name)}
	for i := range l.steps {
		if v := value(&l.steps[i]); v != nil && !math.IsNaN(*v) && !math.IsInf(*v, 0) {
			s.points = append(s.points, plotter.XY{X: float64(l.steps[i].Connections()), Y: *v})
		}
	}
	return s
}

func scaled(value func(s *result.Step) *float64, factor float64) func(s *result.Step) *float64 {
	return func(s *result.Step) *float64 {
		v := value(s)
		if v == nil {
			return nil
		}
		w := *v * factor
		return &w
	}
}

// memoryFigure is memory against connections: user memory beside the article's,
// the same without it, where the backends can be told apart, and user + kernel.
func memoryFigure(all []*ladder) []panel {
	user := panel{title: "User memory (RES) and the article's", unit: "MB"}
	closer := panel{title: "User memory (RES), closer", unit: "MB"}
	sum := panel{title: "User + kernel memory (server's share)", unit: "MB"}
	highest := 0
	for _, l := range all {
		resident := l.series(l.label, scaled(residentOf, 1e-6))
		user.series, closer.series = append(user.series, resident), append(closer.series, resident)
		label := l.label
		if s := l.last(); s != nil {
			highest = max(highest, s.Target)
			if k := s.Share(); k != nil && k.Estimated {
				label += " (estimate)"
			}
		}
		sum.series = append(sum.series, l.series(label, scaled(userAndKernelOf, 1e-6)))
	}
	then := series{label: "article 2013 (icomet)", mark: mark{grey, draw.RingGlyph{}, vg.Points(2.4), vg.Points(1.4)}, dashes: []vg.Length{vg.Points(5), vg.Points(3)}}
	for _, p := range article {
		if p.connections <= highest {
			then.points = append(then.points, plotter.XY{X: float64(p.connections), Y: float64(p.resident) * topMegabyte / 1e6})
		}
	}
	if len(then.points) < 2 {
		closer.title = "User memory (RES)"
		return []panel{closer, sum}
	}
	user.series = append(user.series, then)
	return []panel{user, closer, sum}
}

// cpuFigure is idle CPU, and CPU a message, against connections.
func cpuFigure(all []*ladder, r references) []panel {
	idle := panel{title: "Idle CPU, server process", unit: "% of a core"}
	each := panel{title: "CPU a pushed message", unit: "us a message"}
	for _, l := range all {
		idle.series = append(idle.series, l.series(l.label, func(s *result.Step) *float64 {
			if s.Idle == nil {
				return nil
			}
			p := s.Idle.ServerCore * 100
			return &p
		}))
		push := func(get func(p *result.Phase) *float64) func(s *result.Step) *float64 {
			return func(s *result.Step) *float64 {
				if s.Push == nil {
					return nil
				}
				return get(s.Push)
			}
		}
		each.series = append(each.series, l.series(l.label+", server", push(func(p *result.Phase) *float64 { return p.ServerCPU })))
		load := l.series(l.label+", load", push(func(p *result.Phase) *float64 { return p.LoadCPU }))
		load.dashes = []vg.Length{vg.Points(4), vg.Points(3)}
		each.series = append(each.series, load)
	}
	if r.turn != nil {
		each.level, each.levelName = *r.turn.ServerCPU, "floor (bare turn)"
	}
	return []panel{idle, each}
}

// writeFigure draws the panels beside each other as SVG.
func writeFigure(w io.Writer, panels []panel) error {
	plots := make([]*plot.Plot, len(panels))
	for i, p := range panels {
		made, err := p.plot()
		if err != nil {
			return fmt.Errorf("draw %q: %w", p.title, err)
		}
		plots[i] = made
	}
	return Draw(w, plots, panelWidth, panelHeight)
}

// Draw draws plots of one size beside each other as SVG.
func Draw(w io.Writer, plots []*plot.Plot, width, height vg.Length) error {
	canvas := vgsvg.NewWith(vgsvg.UseWH(width*vg.Length(len(plots)), height))
	area := draw.New(canvas)
	area.SetColor(paper)
	area.Fill(area.Rectangle.Path())
	tiles := draw.Tiles{Rows: 1, Cols: len(plots), PadX: vg.Points(18), PadTop: vg.Points(8), PadBottom: vg.Points(6), PadLeft: vg.Points(6), PadRight: vg.Points(14)}
	for i, c := range plot.Align([][]*plot.Plot{plots}, tiles, area)[0] {
		plots[i].Draw(c)
	}
	var out bytes.Buffer
	if _, err := canvas.WriteTo(&out); err != nil {
		return err
	}
	_, err := w.Write(withFallbackFonts(out.Bytes()))
	return err
}

// withFallbackFonts names fonts of the same metrics for readers that have not
// the one the figure was laid out with.
func withFallbackFonts(svg []byte) []byte {
	return bytes.ReplaceAll(svg, []byte("font-family:Liberation Sans;"), []byte("font-family:'Liberation Sans',Arial,Helvetica,sans-serif;"))
}

func (p panel) plot() (*plot.Plot, error) {
	made := plot.New()
	made.BackgroundColor = paper
	made.Title.Text = p.title
	made.Title.Padding = vg.Points(8)
	made.X.Label.Text = "held connections"
	made.Y.Label.Text = p.unit
	made.Y.Min, made.X.Min = 0, 0
	Style(made)
	grid := plotter.NewGrid()
	grid.Vertical.Width = 0
	grid.Horizontal.Color = faint
	grid.Horizontal.Width = vg.Points(0.7)
	made.Add(grid)
	top, right := 0.0, 0.0
	for _, s := range p.series {
		if len(s.points) == 0 {
			continue
		}
		if err := s.addTo(made); err != nil {
			return nil, err
		}
		for _, xy := range s.points {
			top, right = max(top, xy.Y), max(right, xy.X)
		}
	}
	if p.level > 0 {
		p.addLevel(made, right)
		top = max(top, p.level)
	}
	if top == 0 {
		top = 1
	}
	if right == 0 {
		right = 1
	}
	// Room above the lines for the legend.
	made.Y.Max, made.X.Max = top*1.34, right
	made.X.Tick.Marker = ticks{highest: right, print: shortCount}
	made.Y.Tick.Marker = ticks{highest: top * 1.02, print: shortNumber}
	return made, nil
}

func (s series) addTo(made *plot.Plot) error {
	line, points, err := plotter.NewLinePoints(s.points)
	if err != nil {
		return err
	}
	line.Color, line.Width, line.Dashes = s.color, s.width, s.dashes
	points.GlyphStyle = draw.GlyphStyle{Color: s.color, Radius: s.radius, Shape: s.shape}
	made.Add(line, points)
	made.Legend.Add(s.label, line, points)
	return nil
}

func (p panel) addLevel(made *plot.Plot, right float64) {
	level := plotter.NewFunction(func(float64) float64 { return p.level })
	level.XMin, level.XMax = 0, right
	level.Samples = 2
	level.Color, level.Width, level.Dashes = ink, vg.Points(0.8), []vg.Length{vg.Points(1.5), vg.Points(2)}
	made.Add(level)
	made.Legend.Add(p.levelName, level)
}

// Style sets fonts and ink as in all figures.
func Style(made *plot.Plot) {
	sans := func(size float64) font.Font {
		return font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Points(size)}
	}
	made.Title.TextStyle.Font, made.Title.TextStyle.Color = sans(11), ink
	for _, axis := range []*plot.Axis{&made.X, &made.Y} {
		axis.Label.TextStyle.Font, axis.Label.TextStyle.Color = sans(9.5), ink
		axis.Tick.Label.Font, axis.Tick.Label.Color = sans(8.5), ink
		axis.LineStyle.Color, axis.Tick.LineStyle.Color = grey, grey
		axis.LineStyle.Width, axis.Tick.LineStyle.Width = vg.Points(0.7), vg.Points(0.7)
		axis.Tick.Length = vg.Points(4)
		axis.Padding = 0
	}
	made.Legend.TextStyle.Font, made.Legend.TextStyle.Color = sans(8.5), ink
	made.Legend.Top, made.Legend.Left = true, true
	made.Legend.XOffs, made.Legend.YOffs = vg.Points(8), vg.Points(-2)
	made.Legend.ThumbnailWidth = vg.Points(24)
	made.Legend.Padding = vg.Points(1.5)
}

// ticks puts three to six marks at round numbers, up to the highest value: the
// room above it belongs to the legend.
type ticks struct {
	highest float64
	print   func(float64) string
}

// Ticks implements plot.Ticker.
func (t ticks) Ticks(_, _ float64) []plot.Tick {
	step := roundStep(t.highest / 5)
	var marks []plot.Tick
	for i := 0; ; i++ {
		v := float64(i) * step
		if v > t.highest*(1+1e-9) {
			return marks
		}
		marks = append(marks, plot.Tick{Value: v, Label: t.print(v)})
	}
}

// roundStep is the least of 1, 2, 2.5 and 5 times a power of ten that is not
// below want.
func roundStep(want float64) float64 {
	if want <= 0 || math.IsNaN(want) {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(want)))
	for _, f := range []float64{1, 2, 2.5, 5} {
		if f*unit >= want*(1-1e-9) {
			return f * unit
		}
	}
	return 10 * unit
}

// shortCount prints 200,000 as 200k and 1,000,000 as 1M.
func shortCount(v float64) string {
	switch {
	case v >= 1e6:
		return strconv.FormatFloat(v/1e6, 'f', -1, 64) + "M"
	case v >= 1e3:
		return strconv.FormatFloat(v/1e3, 'f', -1, 64) + "k"
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

func shortNumber(v float64) string {
	if v >= 1000 {
		return grouped(int64(math.Round(v)))
	}
	return strconv.FormatFloat(v, 'g', 6, 64)
}
