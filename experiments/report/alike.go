package report

import (
	"fmt"
	"slices"
	"strings"

	"c1000k/experiments/result"
)

// likeForLikeSpec declares the run at equal loops.
const likeForLikeSpec = "experiments/specs/E01c.md"

// tuningNote says of a comparison with epoll where to see whether that is tuned: a
// ladder has no bare loop of epoll beside it.
func tuningNote(all []*ladder) string {
	if len(all) < 2 {
		return ""
	}
	var engines []string
	for _, l := range all {
		engines = append(engines, l.backend.Name)
	}
	return result.TuningElsewhere(engines...)
}

// mostALoop is how many connections a loop may have at most in a row that
// compares the engines: beyond it one of them needs more loops.
const mostALoop = 19_000

// loopsAt are the loops of each ladder at a step, in their order.
func loopsAt(all []*ladder, target int) []int {
	var loops []int
	for _, l := range all {
		if s := l.step(target); s != nil {
			loops = append(loops, s.Loops)
		}
	}
	return loops
}

// equal tells whether all of at least two are the same.
func equal(loops []int) bool {
	return len(loops) > 1 && !slices.ContainsFunc(loops, func(n int) bool { return n != loops[0] })
}

// alikeCell says of a row whether its engines had equal loops, and few enough
// connections on each.
func alikeCell(all []*ladder, target int) string {
	loops := loopsAt(all, target)
	switch {
	case len(loops) < 2:
		return missing
	case !equal(loops):
		words := make([]string, len(loops))
		for i, n := range loops {
			words[i] = fmt.Sprint(n)
		}
		return strings.Join(words, " against ")
	case target > loops[0]*mostALoop:
		return "equal loops, each above " + grouped(mostALoop)
	}
	return "equal loops"
}

// alikeNote says below the CPU whether it compares the engines alone, and where
// it does not, which run does.
func alikeNote(all []*ladder) string {
	if len(all) < 2 {
		return ""
	}
	alike, first, compared := 0, "", 0
	for _, target := range targets(all) {
		loops := loopsAt(all, target)
		if len(loops) < 2 {
			continue
		}
		compared++
		if equal(loops) {
			alike++
		} else if first == "" {
			first = fmt.Sprintf("at %s connections %s", grouped(int64(target)), namedLoops(all, target))
		}
	}
	switch compared {
	case 0:
		return ""
	case alike:
		return "Like for like: equal loops on all backends at every step, " + namedLoops(all, targets(all)[0]) + "."
	}
	return fmt.Sprintf("The backends differ in loops (%s): such a row is not one engine against another, but threads too. The like-for-like row, at equal loops, is %s.", first, likeForLikeSpec)
}

// namedLoops tells how many loops each ladder had at a step.
func namedLoops(all []*ladder, target int) string {
	var words []string
	for _, l := range all {
		if s := l.step(target); s != nil {
			words = append(words, fmt.Sprintf("%s %d", l.label, s.Loops))
		}
	}
	return strings.Join(words, ", ")
}
