package soak

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// mostTold is how many faults are told in full; all are counted.
const mostTold = 20

// faults are what went wrong. Any thread may add to them.
type faults struct {
	began time.Time
	mu    sync.Mutex
	told  []string
	kinds map[string]int
	order []string
}

// The kinds of faults that a soak is about.
const (
	faultLost     = "lost"
	faultRepeated = "repeated"
)

func newFaults() *faults { return &faults{began: time.Now(), kinds: map[string]int{}} }

// add notes a fault of a kind.
func (f *faults) add(kind, format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.kinds[kind]++; f.kinds[kind] == 1 {
		f.order = append(f.order, kind)
	}
	if len(f.told) < mostTold {
		at := time.Since(f.began).Seconds()
		f.told = append(f.told, fmt.Sprintf("%8.3f s  %s: ", at, kind)+fmt.Sprintf(format, args...))
	}
}

// count is how many there are, of a kind or in all ("").
func (f *faults) count(kind string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if kind != "" {
		return f.kinds[kind]
	}
	n := 0
	for _, k := range f.kinds {
		n += k
	}
	return n
}

// write tells the faults.
func (f *faults) write(w io.Writer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, kind := range f.order {
		fmt.Fprintf(w, "  %d x %s\n", f.kinds[kind], kind)
	}
	if len(f.told) > 0 {
		fmt.Fprintln(w, "  the first of them, by the time since the round began:")
	}
	for _, line := range f.told {
		fmt.Fprintln(w, "  "+line)
	}
}

// tally counts what was done and seen. Any thread may add to it.
type tally struct {
	connects, messages, broadcasts, noops, gaps, gone, jumps, anew, closes, refused atomic.Int64
	resets, ends, halves, partials, floods, pauses, cuts, retries, bytes            atomic.Int64
	pushes, clears, ended, signs                                                    atomic.Int64
}
