package stats

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

func near(a, b, tolerance float64) bool { return math.Abs(a-b) <= tolerance }

// Proves that the median takes the middle, the mean of the middle two, leaves
// its argument alone and has no answer for nothing.
func TestMedian(t *testing.T) {
	values := []float64{9, 1, 5}
	if got := Median(values); got != 5 {
		t.Errorf("median of three: %v", got)
	}
	if values[0] != 9 {
		t.Error("the values were sorted in place")
	}
	if got := Median([]float64{4, 1, 2, 9}); got != 3 {
		t.Errorf("median of four: %v", got)
	}
	if got := Median(nil); !math.IsNaN(got) {
		t.Errorf("median of none: %v", got)
	}
}

// Proves that the bootstrap is reproducible by its seed, brackets the median,
// and covers the true median about as often as it says.
func TestBootstrap(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	covered := 0
	const trials, runs = 60, 11
	for trial := range trials {
		values := make([]float64, runs)
		for i := range values {
			values[i] = 100 + 10*random.NormFloat64()
		}
		a, b := Bootstrap(values, uint64(trial)), Bootstrap(values, uint64(trial))
		if a != b {
			t.Fatalf("the same seed gave %v and %v", a, b)
		}
		if a.Low > a.Median || a.High < a.Median {
			t.Fatalf("the median lies outside of its interval: %v", a)
		}
		if a.Low <= 100 && 100 <= a.High {
			covered++
		}
	}
	if share := float64(covered) / trials; share < 0.85 {
		t.Errorf("95 %% intervals held the true median in %.3f of the trials", share)
	}
}

// Proves that a single run has no spread to tell and prints none, and that too few
// for an interval print their least and greatest and claim none.
func TestFewHaveNoInterval(t *testing.T) {
	i := Bootstrap([]float64{7}, 1)
	if i.Low != 7 || i.High != 7 || i.String() != "7" {
		t.Errorf("one value: %+v %q", i, i)
	}
	for _, test := range []struct {
		values []float64
		want   string
		known  bool
	}{
		{nil, "–", false}, {[]float64{7.04}, "7.0", false}, {[]float64{9, 7}, "8.0 (7.0 to 9.0)", false},
		{[]float64{5, 4, 3, 2, 1}, "3.0 (1.0 to 5.0)", false}, {[]float64{7, 7, 7, 7, 7, 7}, "7.0 [7.0, 7.0]", true},
	} {
		if got := Bootstrap(test.values, 1); got.Text("%.1f") != test.want || got.Known() != test.known {
			t.Errorf("%v: %q, known %v", test.values, got.Text("%.1f"), got.Known())
		}
	}
	for _, test := range []struct {
		least, most int
		intervals   bool
		ranges      bool
	}{{1, 1, false, false}, {2, 2, false, true}, {1, 5, false, true}, {2, 6, true, true}, {6, 12, true, false}} {
		text := MediansOf(test.least, test.most)
		if strings.Contains(text, "95 %") != test.intervals || strings.Contains(text, "least to greatest") != test.ranges {
			t.Errorf("%d to %d rounds: %q", test.least, test.most, text)
		}
	}
}

// Proves the p-values of the rank test where they can be counted by hand: sides
// that do not overlap at all have 2 of C(n+m, n) orders, and three against three
// cannot go below 0.1.
func TestCompareKnown(t *testing.T) {
	low, high := []float64{1, 2, 3}, []float64{4, 5, 6}
	c, err := Compare(low, high, 1)
	if err != nil {
		t.Fatal(err)
	}
	if !near(c.P, 0.1, 1e-9) || !near(c.Smallest, 0.1, 1e-9) {
		t.Errorf("3 against 3: p %v, smallest %v, want 0.1", c.P, c.Smallest)
	}
	if c.Difference != 3 || c.Ratio != 2.5 {
		t.Errorf("difference %v, ratio %v", c.Difference, c.Ratio)
	}
	if len(c.Warnings) == 0 {
		t.Error("three runs a side bring no warning")
	}
	six, err := Compare([]float64{1, 2, 3, 4, 5, 6}, []float64{11, 12, 13, 14, 15, 16}, 1)
	if err != nil || !near(six.P, 2.0/924, 1e-9) {
		t.Errorf("6 against 6: p %v, want 2/924, error %v", six.P, err)
	}
	if _, err := Compare(nil, high, 1); err == nil {
		t.Error("a side without values was compared")
	}
}

// Proves that equal distributions are called different about as seldom as 0.05
// promises.
func TestCompareFalseAlarms(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	alarms := 0
	const trials = 400
	for range trials {
		a, b := make([]float64, 10), make([]float64, 10)
		for i := range a {
			a[i], b[i] = random.Float64(), random.Float64()
		}
		if rankTest(a, b).P < 0.05 {
			alarms++
		}
	}
	if share := float64(alarms) / trials; share > 0.09 {
		t.Errorf("false alarms in %.3f of the trials", share)
	}
}

// Proves Holm's correction on an example worked by hand, that it keeps the
// order of its input, grows monotonically and never passes 1.
func TestHolm(t *testing.T) {
	got := Holm([]float64{0.01, 0.04, 0.03, 0.005})
	want := []float64{0.03, 0.06, 0.06, 0.02}
	for i := range want {
		if !near(got[i], want[i], 1e-12) {
			t.Fatalf("corrected %v, want %v", got, want)
		}
	}
	if got := Holm([]float64{0.9, 0.8}); got[0] != 1 || got[1] != 1 {
		t.Errorf("corrected beyond 1: %v", got)
	}
}

// Proves that the fit finds a known slope and intercept exactly without noise,
// and with noise finds them and the size of the noise again.
func TestFitLine(t *testing.T) {
	var x, y, noisy []float64
	random := rand.New(rand.NewPCG(5, 6))
	for n := 0; n <= 1_000_000; n += 50_000 {
		x = append(x, float64(n))
		y = append(y, 12e6+160*float64(n))
		noisy = append(noisy, 12e6+160*float64(n)+50_000*random.NormFloat64())
	}
	line, err := FitLine(x, y)
	if err != nil || !near(line.Slope, 160, 1e-6) || !near(line.Intercept, 12e6, 1) || line.Residual > 1 {
		t.Errorf("exact line: %+v, %v", line, err)
	}
	line, err = FitLine(x, noisy)
	if err != nil || !near(line.Slope, 160, 0.2) || line.Residual < 25_000 || line.Residual > 80_000 || line.Largest < line.Residual {
		t.Errorf("noisy line: %+v, %v", line, err)
	}
}

// Proves that a line is refused where there is none.
func TestFitLineRefuses(t *testing.T) {
	for _, c := range []struct{ x, y []float64 }{
		{nil, nil}, {[]float64{1}, []float64{1}}, {[]float64{2, 2}, []float64{1, 3}}, {[]float64{1, 2}, []float64{1}},
	} {
		if _, err := FitLine(c.x, c.y); err == nil {
			t.Errorf("a line through %v, %v", c.x, c.y)
		}
	}
}
