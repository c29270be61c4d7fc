package turns

import (
	"bytes"
	"strings"
	"testing"

	"c1000k/experiments/floor"
)

// rounds are seven of them, of subjects with the CPU given for each; the second is
// twice as slow for all.
func rounds(cpu map[string]float64) (all []Cell) {
	for round, slow := range []float64{1, 2, 1.1, 1, 1.1, 1.2, 1.2} {
		for subject, us := range cpu {
			all = append(all, Cell{
				Version: version, Round: round, Subject: subject, Connections: 100, Messages: 5, Server: us * slow, Load: 10, Last: 0.1,
				Counters: map[string]float64{"enters": 0.02},
			})
		}
	}
	return all
}

// TestJudge proves that the baseline is judged by the cheaper of its own ways and
// by no other's, on both sides of the bound, and that a run which cannot tell says
// so; and that the line stands under the table.
func TestJudge(t *testing.T) {
	for _, test := range []struct {
		name  string
		cpu   map[string]float64
		tuned bool
		floor string
		says  string // of the table; "" is no word of the baseline
	}{
		{"below", map[string]float64{"epoll": 12.9, "uring": 9, floor.TurnWrite: 10}, true, floor.TurnWrite, "Baseline tuned: epoll takes 1.29 [1.29, 1.29] times its own floor, write+epoll,"},
		{"above", map[string]float64{"epoll": 13.1, "uring": 9, floor.TurnWrite: 10}, false, floor.TurnWrite, "Baseline not tuned: epoll takes 1.31 [1.31, 1.31] times its own floor, write+epoll,"},
		{"the cheaper way counts", map[string]float64{"epoll": 12.9, floor.TurnWrite: 10, floor.TurnWriteRest: 8}, false, floor.TurnWriteRest, "Baseline not tuned: epoll takes 1.61 [1.61, 1.61] times its own floor, write+epoll+rest,"},
		{"another's floor does not", map[string]float64{"epoll": 12, floor.TurnWrite: 10, floor.TurnPoll: 1}, true, floor.TurnWrite, "Baseline tuned: epoll takes 1.2 [1.2, 1.2] times"},
		{"without its floor", map[string]float64{"epoll": 12, "uring": 9, floor.TurnPoll: 6}, false, "", "Baseline: whether epoll is tuned was not measured in this run"},
		{"without the baseline", map[string]float64{"uring": 9, floor.TurnWrite: 8}, false, floor.TurnWrite, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			cells := rounds(test.cpu)
			got := Judge(cells)
			if got.Tuned() != test.tuned || got.Floor != test.floor {
				t.Errorf("%+v, want tuned %v by %q", got, test.tuned, test.floor)
			}
			var b bytes.Buffer
			Table(&b, cells)
			if test.says == "" && strings.Contains(b.String(), "Baseline") || !strings.Contains(b.String(), test.says) {
				t.Errorf("want %q in\n%s", test.says, b.String())
			}
		})
	}
}

// TestJudgeUndecided proves that the median judges, and that a verdict says that it is
// none where the interval holds the bound, and where the rounds are too few for one.
func TestJudgeUndecided(t *testing.T) {
	for _, test := range []struct {
		name      string
		multiples []float64 // of each round
		says      string
	}{
		{"below", []float64{1.1, 1.15, 1.2, 1.2, 1.25, 1.29}, "Baseline tuned: epoll takes 1.2 ["},
		{"above", []float64{1.31, 1.35, 1.4, 1.4, 1.45, 1.5}, "Baseline not tuned: epoll takes 1.4 ["},
		{"holds it from below", []float64{1.2, 1.2, 1.25, 1.25, 1.5, 1.5}, "Baseline tuned by the median, but the interval [1.2, 1.5] holds 1.3: undecided: epoll takes 1.25 [1.2, 1.5] times"},
		{"holds it from above", []float64{1.2, 1.2, 1.4, 1.4, 1.5, 1.5}, "Baseline not tuned by the median, but the interval [1.2, 1.5] holds 1.3: undecided: epoll"},
		{"few", []float64{1.1, 1.15, 1.2}, "Baseline tuned by the median, but fewer than 6 rounds have no interval: undecided: epoll takes 1.15 (1.1 to 1.2) times"},
	} {
		var cells []Cell
		for round, m := range test.multiples {
			cells = append(cells, Cell{Round: round, Subject: floor.TurnWrite, Server: 10}, Cell{Round: round, Subject: "epoll", Server: 10 * m})
		}
		if got := Judge(cells).String(); !strings.HasPrefix(got, test.says) {
			t.Errorf("%s: %s", test.name, got)
		}
	}
}

// TestJudgeOtherRounds proves that a floor of other rounds judges nothing: a run
// that was interrupted may have one.
func TestJudgeOtherRounds(t *testing.T) {
	got := Judge([]Cell{{Subject: "epoll", Round: 0, Server: 12}, {Subject: floor.TurnWrite, Round: 1, Server: 10}})
	if got.Measured() || got.Tuned() || !strings.Contains(got.String(), "not measured") {
		t.Errorf("%+v: %s", got, got)
	}
}

// TestControls proves that a subject named twice is held against itself round by
// round and counts once a round, by the mean of its cells there, also in its multiple
// and as the floor; and that a stream's table speaks of no next poll.
func TestControls(t *testing.T) {
	var cells []Cell
	for round, slow := range []float64{1, 2, 1, 1, 1, 1} {
		for _, us := range []float64{10, 11} {
			cells = append(cells, Cell{Kind: Stream, Round: round, Subject: "uring", Server: us * slow})
			cells = append(cells, Cell{Kind: Stream, Round: round, Subject: floor.TurnPoll, Server: us * slow / 2.1})
		}
		cells = append(cells, Cell{Kind: Stream, Round: round, Subject: "epoll", Server: 15 * slow})
	}
	var b bytes.Buffer
	Table(&b, cells)
	for _, want := range []string{
		"| uring | 0/0 | 6 | 10.5 [10.5, 15.8] | 2.1 [2.1, 2.1] |", "| epoll | 0/0 | 6 | 15 [15, 22.5] | 3 [3, 3] |",
		"A/A: uring is 1.1 [1.1, 1.1] times itself", "A/A: send+poll is 1.1 [1.1, 1.1]", "counts by its mean of the round", "streams of one channel",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	for _, not := range []string{"A/A: epoll", "next poll"} {
		if strings.Contains(b.String(), not) {
			t.Errorf("%q in\n%s", not, b.String())
		}
	}
	b.Reset()
	if Table(&b, rounds(map[string]float64{"uring": 1})); strings.Contains(b.String(), "its mean of the round") {
		t.Errorf("nothing was measured twice a round:\n%s", b.String())
	}
}
