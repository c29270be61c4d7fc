package profdiff

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

// DefaultTop is the number of functions shown unless told.
const DefaultTop = 20

// noiseSigmas is how many standard errors a difference must exceed to be
// called more than sampling noise.
const noiseSigmas = 2

// Options say what to compare. The zero value takes the defaults.
type Options struct {
	// Sample is the sample type to compare (cpu, alloc_space, time, ...); empty
	// takes alloc_space of a heap profile, else the profile's last type.
	Sample string
	// Top is the number of functions kept; 0 is DefaultTop.
	Top int
	// ByCumulative ranks by the cumulative difference instead of the flat one.
	ByCumulative bool
	// Ignore drops the samples that have a matching frame; nil drops none.
	Ignore *regexp.Regexp
	// Raw leaves CPU profiles as they were sampled. Otherwise their values are
	// scaled to what the kernel's clock says, where both sidecars tell it.
	Raw bool
}

// Input is one profile and the number of messages it covers.
type Input struct {
	Path     string
	Messages int64
	// CPU is what the process used by the kernel's clock, in seconds; 0 where it is
	// not known.
	CPU     float64
	Profile *profile.Profile
}

// Row is one function. Values are in the table's unit, for each message.
type Row struct {
	Function     string
	FlatA, FlatB float64
	CumA, CumB   float64
	// Noise says that the difference of the flat values is within the sampling error.
	Noise bool
}

// FlatDiff is B less A, flat.
func (r Row) FlatDiff() float64 { return r.FlatB - r.FlatA }

// CumDiff is B less A, cumulative.
func (r Row) CumDiff() float64 { return r.CumB - r.CumA }

// Table is the outcome of a comparison.
type Table struct {
	A, B           *Input
	Sample, Unit   string
	TotalA, TotalB float64 // for each message
	Rows           []Row   // those that differ most, first
	Functions      int     // that occur in either profile
	ByCumulative   bool
	SampledA       int64 // samples in all; 0 where the profile does not count them
	SampledB       int64
	// ScaleA and ScaleB are by what the sampled values were multiplied; 1: not.
	ScaleA, ScaleB float64
}

// Load reads the profile at path, packed or not. Where messages is 0 the
// number is read from the sidecar.
func Load(path string, messages int64) (*Input, error) {
	if messages < 0 {
		return nil, fmt.Errorf("%s: %d messages: must be above 0", path, messages)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p, err := profile.Parse(f)
	if err != nil {
		return nil, fmt.Errorf("%s is no profile that can be read: %w", path, err)
	}
	if len(p.Sample) == 0 {
		return nil, fmt.Errorf("%s holds no samples: the program did nothing while it ran, or it was cut short", path)
	}
	if messages > 0 {
		return &Input{Path: path, Messages: messages, Profile: p}, nil
	}
	s, err := ReadSidecar(path)
	if err != nil {
		return nil, err
	}
	return &Input{Path: path, Messages: s.Messages, CPU: s.CPU, Profile: p}, nil
}

// Diff compares two profiles of one kind. It changes the profiles where
// o.Ignore drops samples.
func Diff(a, b *Input, o Options) (*Table, error) {
	if ta, tb := typesOf(a.Profile), typesOf(b.Profile); ta != tb {
		return nil, fmt.Errorf("the profiles are of different types and cannot be compared: %s has %s, %s has %s", a.Path, ta, b.Path, tb)
	}
	index, err := sampleIndex(a.Profile, o.Sample)
	if err != nil {
		return nil, err
	}
	scaleA, scaleB := scales(a, b, index, o.Raw)
	if o.Ignore != nil {
		for _, in := range []*Input{a, b} {
			in.Profile.FilterSamplesByName(nil, o.Ignore, nil, nil)
			if len(in.Profile.Sample) == 0 {
				return nil, fmt.Errorf("%s: every sample matches %q: nothing is left to compare", in.Path, o.Ignore)
			}
		}
	}
	t := &Table{A: a, B: b, ByCumulative: o.ByCumulative, ScaleA: scaleA, ScaleB: scaleB}
	t.Sample, t.Unit = a.Profile.SampleType[index].Type, a.Profile.SampleType[index].Unit
	sa, sb := tally(a.Profile, index), tally(b.Profile, index)
	t.SampledA, t.SampledB = sa.count, sb.count
	perA, perB := scaleA/float64(a.Messages), scaleB/float64(b.Messages)
	t.TotalA, t.TotalB = float64(sa.total)*perA, float64(sb.total)*perB
	t.Rows = merge(sa, sb, perA, perB)
	t.Functions = len(t.Rows)
	sortRows(t.Rows, o.ByCumulative)
	top := o.Top
	if top == 0 {
		top = DefaultTop
	}
	if top < 0 {
		return nil, errors.New("the number of functions must be above 0")
	}
	t.Rows = t.Rows[:min(top, len(t.Rows))]
	return t, nil
}

// scales are the factors between what the two profiles sampled and what the
// kernel's clock says. Both are 1 unless both are known: values of different
// measures are not compared.
func scales(a, b *Input, index int, raw bool) (float64, float64) {
	if st := a.Profile.SampleType[index]; raw || st.Type != "cpu" || a.CPU <= 0 || b.CPU <= 0 {
		return 1, 1
	}
	factor := func(in *Input) float64 {
		var sampled int64
		for _, s := range in.Profile.Sample {
			sampled += s.Value[index]
		}
		return in.CPU * 1e9 / float64(sampled)
	}
	return factor(a), factor(b)
}

// typesOf spells a profile's sample types, as they must agree.
func typesOf(p *profile.Profile) string {
	var names []string
	for _, st := range p.SampleType {
		names = append(names, st.Type+"/"+st.Unit)
	}
	return strings.Join(names, ",")
}

// sampleIndex finds the sample type to compare.
func sampleIndex(p *profile.Profile, want string) (int, error) {
	if len(p.SampleType) == 0 {
		return 0, errors.New("the profiles name no sample type")
	}
	find := func(name string) int {
		return slices.IndexFunc(p.SampleType, func(st *profile.ValueType) bool { return st.Type == name })
	}
	if want != "" {
		if i := find(want); i >= 0 {
			return i, nil
		}
		return 0, fmt.Errorf("the profiles have no sample type %q, but %s", want, typesOf(p))
	}
	if i := find("alloc_space"); i >= 0 {
		return i, nil // what is in use now does not grow with the messages
	}
	return len(p.SampleType) - 1, nil
}

// sums are the values of one profile by function.
type sums struct {
	flat, cum map[string]int64
	samples   map[string]int64 // samples behind each flat value
	total     int64
	count     int64
	counted   bool // the profile tells the number of samples
}

// tally adds up a profile.
func tally(p *profile.Profile, index int) sums {
	s := sums{flat: map[string]int64{}, cum: map[string]int64{}, samples: map[string]int64{}}
	countIndex := slices.IndexFunc(p.SampleType, func(st *profile.ValueType) bool { return st.Type == "samples" })
	s.counted = countIndex >= 0
	for _, sample := range p.Sample {
		v := sample.Value[index]
		s.total += v
		var n int64
		if s.counted {
			n = sample.Value[countIndex]
			s.count += n
		}
		seen := map[string]bool{}
		for i, name := range stack(sample) {
			if i == 0 {
				s.flat[name] += v
				s.samples[name] += n
			}
			if !seen[name] {
				seen[name] = true
				s.cum[name] += v
			}
		}
	}
	return s
}

// stack is a sample's functions, the innermost first, inlined ones included.
func stack(sample *profile.Sample) []string {
	var names []string
	for _, loc := range sample.Location {
		if len(loc.Line) == 0 {
			names = append(names, fmt.Sprintf("0x%x", loc.Address))
			continue
		}
		for _, line := range loc.Line {
			if line.Function == nil {
				names = append(names, fmt.Sprintf("0x%x", loc.Address))
				continue
			}
			names = append(names, line.Function.Name)
		}
	}
	return names
}

// merge makes a row of each function of either profile.
// perA and perB turn values into those for a message.
func merge(a, b sums, perA, perB float64) []Row {
	names := map[string]bool{}
	for n := range a.cum {
		names[n] = true
	}
	for n := range b.cum {
		names[n] = true
	}
	rows := make([]Row, 0, len(names))
	for n := range names {
		r := Row{
			Function: n,
			FlatA:    float64(a.flat[n]) * perA, FlatB: float64(b.flat[n]) * perB,
			CumA: float64(a.cum[n]) * perA, CumB: float64(b.cum[n]) * perB,
		}
		if a.counted && b.counted {
			spread := math.Hypot(sampleError(r.FlatA, a.samples[n]), sampleError(r.FlatB, b.samples[n]))
			r.Noise = math.Abs(r.FlatDiff()) <= noiseSigmas*spread
		}
		rows = append(rows, r)
	}
	return rows
}

// sampleError is the standard error of a value made of n samples.
func sampleError(value float64, n int64) float64 {
	if n <= 0 {
		return 0
	}
	return value / math.Sqrt(float64(n))
}

// sortRows puts the largest difference first; names decide a tie, so that the
// same profiles always give the same table.
func sortRows(rows []Row, byCumulative bool) {
	key := Row.FlatDiff
	other := Row.CumDiff
	if byCumulative {
		key, other = other, key
	}
	slices.SortFunc(rows, func(x, y Row) int {
		return cmp.Or(
			cmp.Compare(math.Abs(key(y)), math.Abs(key(x))),
			cmp.Compare(math.Abs(other(y)), math.Abs(other(x))),
			strings.Compare(x.Function, y.Function))
	})
}
