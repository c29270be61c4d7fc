// Package profdiff compares two profiles of one kind and names the functions
// that differ most for each message.
//
// Two runs of different length or load cannot be compared by their totals, so
// every value is divided by the number of messages its profile covers. The
// number comes from the caller or from the sidecar, a small JSON file beside
// the profile that says what was measured (see Sidecar).
//
// # What the numbers mean
//
// Flat is what a function spent itself, cumulative includes what it called; a
// function that stands in a stack more than once is counted once. A row is
// marked with ~ where the difference of its flat values is within twice the
// sampling error: each sample is one draw, so a value made of n samples is
// uncertain by its square root.
//
// # The kernel's clock
//
// Go's CPU profiler is driven by timers that the kernel looks at when its tick
// meets the thread. A thread that runs some thirty microseconds and sleeps again
// is met less often than it runs: profiles of a server at 5,000 messages a second
// held 35 to 50 % of the CPU that the kernel's own clock told, and not the same
// part on two engines. The sidecar therefore tells that clock's CPU, and the
// values are scaled to it (Options.Raw leaves them). This assumes that what was
// missed is spent as what was seen.
//
// # Caveats
//
// A CPU profile of Go sees no kernel function: what the kernel does for a
// process is charged to the system call that asked for it, and what it does in
// soft interrupts to whoever was running. A wall-clock profile (fgprof) counts
// waiting as well as working; Options.Ignore drops frames by name. A heap
// profile covers a process from its start, so its allocations include the
// set-up; its sidecar counts the messages from the start, too.
package profdiff
