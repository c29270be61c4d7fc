//go:build plant

package plant

// Enabled says whether bugs can be planted in this build.
const Enabled = true

var planted Bug

// Is reports whether b is switched on.
func Is(b Bug) bool { return planted == b }

// Set switches b on, and any other off. Call it while no loop runs.
func Set(b Bug) { planted = b }
