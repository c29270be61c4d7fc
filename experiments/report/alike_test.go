package report

import (
	"strings"
	"testing"

	"c1000k/experiments/result"
)

// Proves that a report says of each row whether the engines had equal loops, and
// points to the run at equal loops where one of them had more.
func TestLikeForLike(t *testing.T) {
	r := generate(t, syntheticFolder(t, true, 100_000, result.URing, result.Epoll))
	const loops = "like for like: loops"
	expect(t, row(t, r.Markdown, "## CPU side by side", "0"), map[string]string{loops: "equal loops"})
	expect(t, row(t, r.Markdown, "## CPU side by side", "100,000"), map[string]string{loops: "2 against 6"})
	for _, text := range []string{r.Markdown, strings.Join(strings.Fields(r.Terminal), " ")} {
		if !strings.Contains(text, "differ in loops (at 100,000 connections io_uring 2, epoll 6)") || !strings.Contains(text, likeForLikeSpec) {
			t.Error("the report does not say that the loops differ, or not where they do not")
		}
	}
	alike := []*ladder{
		{label: "io_uring", steps: []result.Step{{Target: 0, Loops: 2}, {Target: 36_000, Loops: 2}, {Target: 40_000, Loops: 2}}},
		{label: "epoll", steps: []result.Step{{Target: 0, Loops: 2}, {Target: 36_000, Loops: 2}, {Target: 40_000, Loops: 2}}},
	}
	if got := alikeNote(alike); got != "Like for like: equal loops on all backends at every step, io_uring 2, epoll 2." {
		t.Errorf("%q", got)
	}
	if at, above := alikeCell(alike, 36_000), alikeCell(alike, 40_000); at != "equal loops" || above != "equal loops, each above 19,000" {
		t.Errorf("%q at 18,000 a loop, %q at 20,000", at, above)
	}
	if got := alikeNote(alike[:1]); got != "" {
		t.Errorf("of one backend: %q", got)
	}
}

// Proves that a comparison with epoll says where to see whether that is tuned, and
// that what holds no epoll, or nothing else, says nothing of it.
func TestTuningIsNotGuessed(t *testing.T) {
	both := generate(t, syntheticFolder(t, true, 100_000, result.URing, result.Epoll))
	for _, text := range []string{both.Markdown, strings.Join(strings.Fields(both.Terminal), " ")} {
		if !strings.Contains(text, "Whether epoll is tuned") || !strings.Contains(text, result.TuningSpec) {
			t.Error("the report does not say where epoll's tuning is judged")
		}
	}
	for _, backends := range [][]string{{result.Epoll}, {result.URing, result.Gonet}} {
		if r := generate(t, syntheticFolder(t, true, 100_000, backends...)); strings.Contains(r.Markdown, "is tuned") {
			t.Errorf("%v: the report speaks of epoll's tuning", backends)
		}
	}
}
