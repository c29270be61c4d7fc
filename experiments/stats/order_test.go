package stats

import (
	"slices"
	"testing"
)

// TestDrawn proves that a round's order has each cell once and is that round's own, and
// that a cell stands early and late, and has many different ones before it.
func TestDrawn(t *testing.T) {
	const n, rounds = 11, 20
	var at, before [n]map[int]bool
	for c := range n {
		at[c], before[c] = map[int]bool{}, map[int]bool{}
	}
	for round := range rounds {
		order := Drawn(round, n)
		if !slices.Equal(order, Drawn(round, n)) {
			t.Errorf("round %d has two orders", round)
		}
		sorted := slices.Sorted(slices.Values(order))
		for i, c := range sorted {
			if i != c {
				t.Fatalf("round %d: %v", round, order)
			}
		}
		for i, c := range order {
			at[c][i] = true
			if i > 0 {
				before[c][order[i-1]] = true
			}
		}
	}
	for c := range n {
		if len(at[c]) < n/2 || len(before[c]) < n/2 {
			t.Errorf("cell %d stood at %d places, behind %d others, in %d rounds", c, len(at[c]), len(before[c]), rounds)
		}
	}
}
