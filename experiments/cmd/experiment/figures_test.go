package main

import (
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// figure is a median with its interval, as it is written: 1.41 [1.26, 1.48], or
// 8.24 us [7.41, 8.48].
type figure struct {
	text   string
	values [3]float64
	least  float64 // the last place of the median: one half of it is what rounding changes
	ends   float64 // the last place of the interval's ends
}

var figureForm = regexp.MustCompile(`([-+]?[\d,]*\d(?:\.\d+)?)(?: (?:us|ms|bytes))? \[([-+]?[\d,]*\d(?:\.\d+)?), ([-+]?[\d,]*\d(?:\.\d+)?)\]`)

// linkForm finds the tables that a section links to.
var linkForm = regexp.MustCompile(`\]\((experiments/results/[^)]*\.md)\)`)

// place is the last place of a number as it is written: 0.01 of 1.41.
func place(text string) float64 {
	if _, after, ok := strings.Cut(text, "."); ok {
		return math.Pow10(-len(after))
	}
	return 1
}

// figures are those of a text.
func figures(t *testing.T, text string) (all []figure) {
	t.Helper()
	for _, m := range figureForm.FindAllStringSubmatch(text, -1) {
		f := figure{text: m[0], least: place(m[1]), ends: place(m[2])}
		for i := range f.values {
			v, err := strconv.ParseFloat(strings.ReplaceAll(m[i+1], ",", ""), 64)
			if err != nil {
				t.Fatalf("%q: %v", m[0], err)
			}
			f.values[i] = v
		}
		all = append(all, f)
	}
	return all
}

// is says whether f is what g is, rounded to the places of f. Both may be rounded.
func (f figure) is(g figure) bool {
	near := func(i int, last, others float64) bool {
		return math.Abs(f.values[i]-g.values[i]) <= last/2+others/2+1e-9
	}
	return near(0, f.least, min(g.least, f.least)) && near(1, f.ends, min(g.ends, f.ends)) && near(2, f.ends, min(g.ends, f.ends))
}

// TestQuotedFigures proves that every figure with an interval on the page of
// experiments stands in a table of its section's raw data, or in one that the section links to.
func TestQuotedFigures(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	page, err := os.ReadFile(filepath.Join(root, "EXPERIMENTS.md"))
	if err != nil {
		t.Fatal(err)
	}
	all := 0
	for _, section := range strings.Split(string(page), "\n## ")[1:] {
		id, _, _ := strings.Cut(section, ":")
		folders, err := filepath.Glob(filepath.Join(root, "experiments", "results", id+"*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range linkForm.FindAllStringSubmatch(section, -1) {
			folders = append(folders, filepath.Join(root, link[1]))
		}
		var known []figure
		for _, folder := range folders {
			err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
				if err != nil || filepath.Ext(path) != ".md" {
					return err
				}
				table, err := os.ReadFile(path)
				known = append(known, figures(t, strings.ReplaceAll(string(table), "**", ""))...)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, quoted := range figures(t, strings.ReplaceAll(section, "**", "")) {
			all++
			found := false
			for _, g := range known {
				found = found || quoted.is(g)
			}
			if !found {
				t.Errorf("%s: %s stands in no table of %v", id, quoted.text, folders)
			}
		}
	}
	if all < 100 {
		t.Errorf("only %d figures were found on the page", all)
	}
}
