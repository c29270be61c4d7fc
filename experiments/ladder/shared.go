package ladder

import (
	"context"

	"c1000k/experiments/process"
	"c1000k/experiments/result"
	"c1000k/experiments/sample"
)

// What other experiments take from the ladder.

// Structure is how many loops, rings and descriptor tables a server has now.
func Structure(ctx context.Context, d process.Doors) (loops, rings, tables int, err error) {
	f, err := askFacts(ctx, d)
	return f.Loops, f.Rings, f.Tables, err
}

// Noisy says by which limits of the specs the machine was not quiet between two
// looks.
func Noisy(before, after sample.Machine) []string { return noisy(before, after) }

// KernelAtRest reads the kernel's memory once it has stopped freeing sockets, or
// after three seconds.
func KernelAtRest(ctx context.Context) (sample.Kernel, error) { return kernelAtRest(ctx) }

// Grouped writes a number with its thousands apart.
func Grouped(n int) string { return grouped(n) }

// ForeignSockets says where the kernel's memory at a step holds sockets that are
// not its own.
func ForeignSockets(s *result.Step) []string { return foreignSockets(s) }

// CheckMemory refuses to hold so many connections, which are not open yet, where
// the machine has not the memory.
func CheckMemory(connections int) error {
	available, err := memoryAvailable()
	if err != nil {
		return err
	}
	return memoryFor(connections, available)
}
