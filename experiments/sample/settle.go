package sample

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/procfs"
)

// SettleLimits says when memory counts as settled.
type SettleLimits struct {
	// Change is the largest relative change allowed within Window: 0.001 is 0.1 %.
	Change float64
	// Window is how long the figures must have stood still.
	Window time.Duration
	// Longest is when to give up waiting.
	Longest time.Duration
	// Every is the time between two looks.
	Every time.Duration
}

// DefaultSettle is the rule of the ladder: less than 0.1 % in 3 s, at most 20 s.
func DefaultSettle() SettleLimits {
	return SettleLimits{Change: 0.001, Window: 3 * time.Second, Longest: 20 * time.Second, Every: 250 * time.Millisecond}
}

// Settled tells how a wait for quiet memory ended.
type Settled struct {
	Waited time.Duration `json:"waited_ns"`
	// Settled is false when the longest wait passed before memory stood still.
	Settled bool `json:"settled"`
	// ResidentChange and SlabChange are the relative changes within the last
	// window, or within the whole wait where that was shorter.
	ResidentChange float64 `json:"resident_change"`
	SlabChange     float64 `json:"slab_change"`
}

// Settle waits until the resident memory of process pid and the kernel's slabs
// stand still. It returns early with the context's error when ctx ends, and
// with an error when the process does; what it saw until then is returned too.
func Settle(ctx context.Context, pid int, limits SettleLimits) (Settled, error) {
	proc, err := procfs.NewDefaultFS()
	if err != nil {
		return Settled{}, fmt.Errorf("wait for memory to settle: %w", err)
	}
	look := func() (look, error) {
		resident, err := Resident(pid)
		if err != nil {
			return look{}, err
		}
		info, err := proc.Meminfo()
		if err != nil {
			return look{}, fmt.Errorf("read /proc/meminfo: %w", err)
		}
		return look{at: time.Now(), resident: float64(resident), slab: float64(signed(info.SlabBytes))}, nil
	}
	return settle(ctx, limits, look, sleep)
}

// look is one look at the two figures.
type look struct {
	at             time.Time
	resident, slab float64
}

// settle is Settle without the kernel: the figures and the sleep are arguments.
func settle(ctx context.Context, limits SettleLimits, read func() (look, error), pause func(context.Context, time.Duration) error) (Settled, error) {
	var window []look
	var start time.Time
	var result Settled
	for {
		now, err := read()
		if err != nil {
			return result, err
		}
		if start.IsZero() {
			start = now.at
		}
		window = append(window, now)
		// Keep one look that is at least a window old, so that the looks span it.
		for len(window) > 1 && now.at.Sub(window[1].at) >= limits.Window {
			window = window[1:]
		}
		result.Waited = now.at.Sub(start)
		result.ResidentChange = relativeChange(window, func(l look) float64 { return l.resident })
		result.SlabChange = relativeChange(window, func(l look) float64 { return l.slab })
		spans := now.at.Sub(window[0].at) >= limits.Window
		if spans && result.ResidentChange < limits.Change && result.SlabChange < limits.Change {
			result.Settled = true
			return result, nil
		}
		if result.Waited >= limits.Longest {
			return result, nil
		}
		if err := pause(ctx, limits.Every); err != nil {
			return result, err
		}
	}
}

// relativeChange is the distance between the largest and the smallest value,
// relative to the largest.
func relativeChange(window []look, value func(look) float64) float64 {
	low, high := value(window[0]), value(window[0])
	for _, l := range window[1:] {
		low, high = min(low, value(l)), max(high, value(l))
	}
	if high == 0 {
		return 0
	}
	return (high - low) / high
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
