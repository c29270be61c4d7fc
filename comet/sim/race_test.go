//go:build race

package sim

// seedsPlain is how many seeds run where nobody says, and seedsTwice how many are
// run twice: fewer here, as the race detector makes a run ten times as long and
// one goroutine has no races.
const (
	seedsPlain = 30
	seedsTwice = 2
)
