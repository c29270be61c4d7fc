package turns

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"c1000k/experiments/floor"
)

// cells are two engines and two ways of the floor in seven rounds, of which the
// second is twice as slow for all.
func cells() (all []Cell) {
	return rounds(map[string]float64{"uring": 9, "epoll": 12, floor.TurnWrite: 8, floor.TurnPoll: 6})
}

// TestRatio proves that the floor is the cheapest way, and that a multiple is of
// the same round, so that a slow round changes none.
func TestRatio(t *testing.T) {
	all := cells()
	if name := Floor(all); name != floor.TurnPoll {
		t.Fatalf("the floor is %q", name)
	}
	for subject, want := range map[string]float64{"uring": 1.5, "epoll": 2} {
		got := ratios(all, subject, floor.TurnPoll)
		for _, r := range got {
			if r < want-1e-9 || r > want+1e-9 {
				t.Errorf("%s: %v, want %v in each round", subject, got, want)
			}
		}
		if len(got) != 7 {
			t.Errorf("%s: %d rounds", subject, len(got))
		}
	}
	var b bytes.Buffer
	Table(&b, all)
	if !strings.Contains(b.String(), "| 7 | 9.9 [9, 10.8] | 1.5 [1.5, 1.5] |") {
		t.Error(b.String())
	}
}

// TestTableWithout proves that a run without a floor, and one without anything,
// say so.
func TestTableWithout(t *testing.T) {
	var b bytes.Buffer
	Table(&b, []Cell{{Subject: "uring", Server: 9}})
	if s := b.String(); strings.Contains(s, "The floor is") || !strings.Contains(s, "| 9 | – |") {
		t.Error(s)
	}
	b.Reset()
	if Table(&b, nil); !strings.Contains(b.String(), "Nothing") {
		t.Error(b.String())
	}
}

// TestRead proves that data is read as it was written, and that what cannot be
// read is told with its place.
func TestRead(t *testing.T) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.Encode(Header{Version: version, Kind: Fanout, Subjects: []string{"uring"}})
	e.Encode(cells()[0])
	text := b.String()
	h, got, err := Read(strings.NewReader(text))
	if err != nil || h.Kind != Fanout || len(got) != 1 || got[0].Counters["enters"] != 0.02 {
		t.Fatalf("%v, %+v, %+v", err, h, got)
	}
	for _, test := range []struct{ text, says string }{
		{"", "header"},
		{text + "{", "cell 2"},
		{strings.Replace(text, `"version":1`, `"version":7`, 1), "version 7"},
		{`{"version":1,"kind":"machine"}`, "of another"},
	} {
		if _, _, err := Read(strings.NewReader(test.text)); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%q: %v", test.text, err)
		}
	}
}
