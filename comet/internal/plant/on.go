//go:build plant

package plant

// Enabled says whether bugs can be planted in this build.
const Enabled = true

var planted Bug

// Is reports whether b is switched on.
func Is(b Bug) bool { return planted == b }

var spin func()

// Spin costs what SetSpin was given, once for each delivery of a poll: a known
// cost, which an experiment must find.
func Spin() {
	if spin != nil {
		spin()
	}
}

// SetSpin has Spin call f. Call it while no loop runs.
func SetSpin(f func()) { spin = f }

// Set switches b on, and any other off. Call it while no loop runs.
func Set(b Bug) { planted = b }
