package sample

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"
)

// fakeLooks plays figures against a clock that only the pause advances.
type fakeLooks struct {
	now      time.Time
	resident func(after time.Duration) float64
	slab     func(after time.Duration) float64
	fail     time.Duration // when the process ends; 0 never
	cancel   time.Duration // when the context ends; 0 never
	start    time.Time
}

var errGone = errors.New("the process is gone")

func (f *fakeLooks) read() (look, error) {
	after := f.now.Sub(f.start)
	if f.fail > 0 && after >= f.fail {
		return look{}, errGone
	}
	return look{at: f.now, resident: f.resident(after), slab: f.slab(after)}, nil
}

func (f *fakeLooks) pause(_ context.Context, d time.Duration) error {
	f.now = f.now.Add(d)
	if f.cancel > 0 && f.now.Sub(f.start) >= f.cancel {
		return context.Canceled
	}
	return nil
}

func newFake(resident, slab func(time.Duration) float64) *fakeLooks {
	start := time.Unix(1000, 0)
	return &fakeLooks{now: start, start: start, resident: resident, slab: slab}
}

func still(time.Duration) float64 { return 1e9 }

// growing until the given time by 1 % a second.
func growingUntil(end time.Duration) func(time.Duration) float64 {
	return func(after time.Duration) float64 { return 1e9 * (1 + 0.01*min(after, end).Seconds()) }
}

// Proves the rule of settling: quiet figures take one whole window, a figure
// that grows is waited for and a window more, whichever of the two it is, and
// one that never rests ends the wait at its longest, told as not settled.
func TestSettle(t *testing.T) {
	limits := DefaultSettle()
	for _, c := range []struct {
		name           string
		resident, slab func(time.Duration) float64
		least, most    time.Duration
		settled        bool
	}{
		{"quiet", still, still, 3 * time.Second, 3500 * time.Millisecond, true},
		{"resident grows for 5 s", growingUntil(5 * time.Second), still, 7500 * time.Millisecond, 8500 * time.Millisecond, true},
		{"slab grows for 5 s", still, growingUntil(5 * time.Second), 7500 * time.Millisecond, 8500 * time.Millisecond, true},
		{"never rests", growingUntil(time.Hour), still, 20 * time.Second, 20500 * time.Millisecond, false},
		{"nothing there", func(time.Duration) float64 { return 0 }, still, 3 * time.Second, 3500 * time.Millisecond, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(c.resident, c.slab)
			got, err := settle(context.Background(), limits, f.read, f.pause)
			if err != nil || got.Settled != c.settled || got.Waited < c.least || got.Waited > c.most {
				t.Errorf("%+v, %v; want settled %v after %v to %v", got, err, c.settled, c.least, c.most)
			}
		})
	}
}

// Proves that a change just below the limit counts as rest and one just above
// does not.
func TestSettleLimit(t *testing.T) {
	drift := func(rate float64) func(time.Duration) float64 {
		return func(after time.Duration) float64 { return 1e9 * (1 + rate*after.Seconds()/3) }
	}
	below, above := newFake(drift(0.0009), still), newFake(drift(0.0012), still)
	if got, _ := settle(context.Background(), DefaultSettle(), below.read, below.pause); !got.Settled {
		t.Errorf("0.09 %% in a window is no rest: %+v", got)
	}
	if got, _ := settle(context.Background(), DefaultSettle(), above.read, above.pause); got.Settled {
		t.Errorf("0.12 %% in a window is rest: %+v", got)
	}
}

// Proves that the end of the process and of the context end the wait with their
// error, and that the time waited until then is told.
func TestSettleEnds(t *testing.T) {
	f := newFake(growingUntil(time.Hour), still)
	f.fail = 2 * time.Second
	got, err := settle(context.Background(), DefaultSettle(), f.read, f.pause)
	if !errors.Is(err, errGone) || got.Settled || got.Waited < time.Second {
		t.Errorf("a process that ended: %+v, %v", got, err)
	}
	f = newFake(growingUntil(time.Hour), still)
	f.cancel = 2 * time.Second
	if _, err := settle(context.Background(), DefaultSettle(), f.read, f.pause); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that ended: %v", err)
	}
}

// Proves that the real figures can be read and a short wait ends by itself.
func TestSettleReal(t *testing.T) {
	limits := SettleLimits{Change: 1.1, Window: 20 * time.Millisecond, Longest: time.Minute, Every: 5 * time.Millisecond}
	got, err := Settle(context.Background(), os.Getpid(), limits)
	if err != nil || !got.Settled {
		t.Errorf("%+v, %v", got, err)
	}
}
