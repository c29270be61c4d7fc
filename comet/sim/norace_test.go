//go:build !race

package sim

// seedsPlain is how many seeds run where nobody says.
const seedsPlain = 200
