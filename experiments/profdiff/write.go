package profdiff

import (
	"fmt"
	"io"
	"math"
	"text/tabwriter"
)

// fewSamples is the number of samples below which a profile says little.
const fewSamples = 500

// Write prints the table for people.
func (t *Table) Write(w io.Writer) error {
	unit, scale := displayUnit(t.Unit)
	fmt.Fprintf(w, "A: %s (%d messages, %s)\nB: %s (%d messages, %s)\n",
		t.A.Path, t.A.Messages, sampled(t.SampledA), t.B.Path, t.B.Messages, sampled(t.SampledB))
	by := "flat"
	if t.ByCumulative {
		by = "cumulative"
	}
	fmt.Fprintf(w, "%s, in %s a message; the %d of %d functions whose %s value differs most\n\n", t.Sample, unit, len(t.Rows), t.Functions, by)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(tw, "flat A\tflat B\tB-A\t\tcum A\tcum B\tB-A\t\n")
	for _, r := range t.Rows {
		mark := ""
		if r.Noise {
			mark = "~"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t  %s\n",
			num(r.FlatA*scale), num(r.FlatB*scale), diff(r.FlatDiff()*scale), mark,
			num(r.CumA*scale), num(r.CumB*scale), diff(r.CumDiff()*scale), r.Function)
	}
	fmt.Fprintf(tw, "%s\t%s\t%s\t\t\t\t\t  in all\n", num(t.TotalA*scale), num(t.TotalB*scale), diff((t.TotalB-t.TotalA)*scale))
	if err := tw.Flush(); err != nil {
		return err
	}
	return t.writeNotes(w)
}

// writeNotes says what the marks mean and what weakens the table.
func (t *Table) writeNotes(w io.Writer) error {
	fmt.Fprintln(w)
	for _, r := range t.Rows {
		if r.Noise {
			fmt.Fprintf(w, "~ the flat difference is within %d standard errors of the sampling\n", noiseSigmas)
			break
		}
	}
	for _, in := range []struct {
		path string
		n    int64
	}{{t.A.Path, t.SampledA}, {t.B.Path, t.SampledB}} {
		if in.n > 0 && in.n < fewSamples {
			fmt.Fprintf(w, "%s has only %d samples: read it as a hint\n", in.path, in.n)
		}
	}
	if t.ScaleA != 1 || t.ScaleB != 1 {
		fmt.Fprintf(w, "scaled to the CPU by the kernel's clock, A by %.2f and B by %.2f: the profiler's own sum falls short,\n"+
			"since it samples at the kernel's ticks and misses threads that run in shorter bursts; --raw leaves it so\n", t.ScaleA, t.ScaleB)
	}
	_, err := fmt.Fprintln(w, "one profile of each: this describes two runs and proves no difference")
	return err
}

// displayUnit turns a profile's unit into the one shown, and the factor.
func displayUnit(unit string) (string, float64) {
	switch unit {
	case "nanoseconds":
		return "us", 1e-3
	case "count":
		return "count", 1
	default:
		return unit, 1
	}
}

// sampled words a number of samples.
func sampled(n int64) string {
	if n == 0 {
		return "samples not counted"
	}
	return fmt.Sprintf("%d samples", n)
}

// num prints a value with three digits that matter.
func num(v float64) string {
	switch a := math.Abs(v); {
	case a == 0:
		return "0"
	case a < 10:
		return fmt.Sprintf("%.3f", v)
	case a < 100:
		return fmt.Sprintf("%.2f", v)
	default:
		return fmt.Sprintf("%.1f", v)
	}
}

// diff prints a difference with its sign.
func diff(v float64) string {
	if v > 0 {
		return "+" + num(v)
	}
	return num(v)
}
