package stats

import "math/rand/v2"

// Drawn is the order of n cells in a round, counted from 0: drawn by lot, each round
// anew, so that neither what drifts nor what a cell leaves to the next falls on the same
// ones in every round. It is the same whenever that round is measured, so that a run
// which was broken off goes on with it.
func Drawn(round, n int) []int {
	return rand.New(rand.NewPCG(uint64(round)+1, uint64(n))).Perm(n)
}
