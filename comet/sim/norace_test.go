//go:build !race

package sim

// seedsPlain is how many seeds run where nobody says, and seedsTwice how many are
// run twice.
const (
	seedsPlain = 200
	seedsTwice = 12
)
