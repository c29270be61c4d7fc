//go:build !plant

package plant

// Enabled says whether bugs can be planted in this build.
const Enabled = false

// Is reports whether b is switched on: never, in this build.
func Is(Bug) bool { return false }

// Set switches nothing on in this build.
func Set(Bug) {}

// Spin costs nothing in this build.
func Spin() {}
