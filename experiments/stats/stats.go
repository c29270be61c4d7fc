// Package stats is the arithmetic by which runs are summed up and compared:
// medians with an interval, the rank test for two samples, the correction for
// many tests, and the line that gives bytes a connection.
//
// The unit is the run, not the request. Every function is pure and gives the
// same answer for the same input; the bootstrap takes its seed as an argument.
//
// It rests on golang.org/x/perf/benchmath for the rank test and on gonum for
// the fit. What it cannot do: with fewer than six runs a side no difference can
// be shown (three against three cannot go below p = 0.1); Compare warns.
package stats

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"

	"golang.org/x/perf/benchmath"
	"gonum.org/v1/gonum/stat"
)

// Median returns the middle of the values, the mean of the middle two where
// their number is even, NaN where there are none. The values stay as they are.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	return medianSorted(sorted(values))
}

func sorted(values []float64) []float64 {
	s := slices.Clone(values)
	sort.Float64s(s)
	return s
}

func medianSorted(s []float64) float64 {
	middle := len(s) / 2
	if len(s)%2 == 1 {
		return s[middle]
	}
	return (s[middle-1] + s[middle]) / 2
}

// Interval is a median with its confidence interval. Of fewer than MinimumRuns values
// Low and High are the least and the greatest.
type Interval struct {
	Median, Low, High float64
	N                 int
}

// Known says that there are values enough for an interval of 95 %. The median lies
// outside of all of n values with a probability of 2 in 2 to the n: with five the
// widest interval there can be, from the least to the greatest, is one of 94 %.
func (i Interval) Known() bool { return i.N >= MinimumRuns }

// String prints the median and, where there is one, the interval.
func (i Interval) String() string { return i.Text("%.4g") }

// Text is String with another verb for each number; – where there are no values.
func (i Interval) Text(verb string) string {
	return i.Format(func(v float64) string { return fmt.Sprintf(verb, v) })
}

// Format is String with each number as text gives it. Where there are too few values
// for an interval, the least and the greatest stand in round brackets.
func (i Interval) Format(text func(float64) string) string {
	switch {
	case i.N == 0:
		return "–"
	case i.N == 1:
		return text(i.Median)
	case !i.Known():
		return text(i.Median) + " (" + text(i.Low) + " to " + text(i.High) + ")"
	}
	return text(i.Median) + " [" + text(i.Low) + ", " + text(i.High) + "]"
}

// MediansOf says what a table holds whose rows are of so many rounds each: what
// Format writes. A row of none counts for nothing.
func MediansOf(rounds ...int) string {
	const intervals = "medians of the rounds [95 % by bootstrap]"
	least, most := 0, 0
	for _, n := range rounds {
		if most = max(most, n); n > 0 && (least == 0 || n < least) {
			least = n
		}
	}
	switch {
	case least >= MinimumRuns:
		return intervals
	case most < 2:
		return "of one round, without intervals"
	case most < MinimumRuns:
		return fmt.Sprintf("medians of the rounds (least to greatest: an interval takes %d rounds)", MinimumRuns)
	}
	return intervals + fmt.Sprintf(" (least to greatest where there are fewer than %d)", MinimumRuns)
}

// Resamples is how often Bootstrap draws: enough for the third digit of the
// interval's ends.
const Resamples = 10_000

// Bootstrap returns the median with its 95 % interval, by the percentiles of
// the medians of resampled values. The same seed gives the same interval. With
// fewer than MinimumRuns values there is no interval, but the least and the
// greatest; with none all is NaN.
func Bootstrap(values []float64, seed uint64) Interval {
	n := len(values)
	result := Interval{Median: Median(values), N: n}
	switch {
	case n == 0:
		result.Low, result.High = result.Median, result.Median
		return result
	case !result.Known():
		result.Low, result.High = slices.Min(values), slices.Max(values)
		return result
	}
	random := rand.New(rand.NewPCG(seed, uint64(n)))
	medians := make([]float64, Resamples)
	draw := make([]float64, n)
	for i := range medians {
		for j := range draw {
			draw[j] = values[random.IntN(n)]
		}
		sort.Float64s(draw)
		medians[i] = medianSorted(draw)
	}
	sort.Float64s(medians)
	result.Low = stat.Quantile(0.025, stat.Empirical, medians, nil)
	result.High = stat.Quantile(0.975, stat.Empirical, medians, nil)
	return result
}

// Comparison is b against a.
type Comparison struct {
	A, B Interval
	// P is the two-sided p-value of the Mann-Whitney U test, before any
	// correction.
	P float64
	// Difference is the median of b less that of a, Ratio the quotient; Ratio
	// is NaN where a's median is 0.
	Difference, Ratio float64
	// Smallest is the lowest p that samples of these sizes could have given:
	// where it is not below 0.05, "no difference found" says nothing.
	Smallest float64
	Warnings []string
}

// Compare tests whether two samples of runs come from one distribution.
func Compare(a, b []float64, seed uint64) (Comparison, error) {
	if len(a) == 0 || len(b) == 0 {
		return Comparison{}, errors.New("compare: a side has no values")
	}
	c := Comparison{A: Bootstrap(a, seed), B: Bootstrap(b, seed+1), Ratio: math.NaN()}
	test := rankTest(a, b)
	c.P = test.P
	c.Difference = c.B.Median - c.A.Median
	if c.A.Median != 0 {
		c.Ratio = c.B.Median / c.A.Median
	}
	c.Smallest = smallestP(len(a), len(b))
	for _, w := range test.Warnings {
		c.Warnings = append(c.Warnings, w.Error())
	}
	if len(a) < MinimumRuns || len(b) < MinimumRuns {
		c.Warnings = append(c.Warnings, fmt.Sprintf("%d against %d runs describe; a claim needs %d a side", len(a), len(b), MinimumRuns))
	}
	return c, nil
}

// rankTest is the Mann-Whitney U test.
func rankTest(a, b []float64) benchmath.Comparison {
	thresholds := benchmath.DefaultThresholds
	return benchmath.AssumeNothing.Compare(
		benchmath.NewSample(slices.Clone(a), &thresholds), benchmath.NewSample(slices.Clone(b), &thresholds))
}

// MinimumRuns is the smallest number of runs for an interval, and of a side for a claim.
const MinimumRuns = 6

// smallestP is the two-sided p of two samples that do not overlap at all.
func smallestP(n, m int) float64 {
	logChoose := func(n, k int) float64 {
		a, _ := math.Lgamma(float64(n + 1))
		b, _ := math.Lgamma(float64(k + 1))
		c, _ := math.Lgamma(float64(n - k + 1))
		return a - b - c
	}
	return min(1, 2*math.Exp(-logChoose(n+m, n)))
}

// Holm corrects p-values for their number and returns them in the same order:
// one below 0.05 holds although many were tested.
func Holm(p []float64) []float64 {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(i, j int) bool { return p[order[i]] < p[order[j]] })
	corrected := make([]float64, len(p))
	highest := 0.0
	for rank, i := range order {
		highest = max(highest, min(1, p[i]*float64(len(p)-rank)))
		corrected[i] = highest
	}
	return corrected
}

// Line is a least-squares fit: y = Intercept + Slope*x.
type Line struct {
	Intercept, Slope float64
	// Residual is the standard deviation of the points around the line, with
	// two degrees of freedom taken off; 0 where two points leave none.
	Residual float64
	// Largest is the greatest distance of a point from the line.
	Largest float64
	N       int
}

// FitLine fits a line, such as bytes over connections, whose slope is then the
// bytes a connection. It needs two different x.
func FitLine(x, y []float64) (Line, error) {
	if len(x) != len(y) {
		return Line{}, fmt.Errorf("fit a line: %d x and %d y", len(x), len(y))
	}
	if len(x) < 2 || slices.Min(x) == slices.Max(x) {
		return Line{}, errors.New("fit a line: two different x are needed")
	}
	l := Line{N: len(x)}
	l.Intercept, l.Slope = stat.LinearRegression(x, y, nil, false)
	var squares float64
	for i := range x {
		distance := y[i] - l.At(x[i])
		squares += distance * distance
		l.Largest = max(l.Largest, math.Abs(distance))
	}
	if l.N > 2 {
		l.Residual = math.Sqrt(squares / float64(l.N-2))
	}
	return l, nil
}

// At is the line's value at x.
func (l Line) At(x float64) float64 { return l.Intercept + l.Slope*x }
