package ladder

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"c1000k/experiments/result"
)

// Proves that the window is long enough for the latest poll to expire twice, and
// that no more noops are due than it must have.
func TestExpiryWindow(t *testing.T) {
	if w := expiryWindow(ExpiryTimeout); w != 65*time.Second {
		t.Errorf("the window of the default is %v", w)
	}
	for _, timeout := range []time.Duration{leastExpiry, time.Second, ExpiryTimeout, 10 * time.Minute} {
		w := expiryWindow(timeout)
		if latest := 2 * (timeout + noopWithin); w <= latest {
			t.Errorf("%v: a poll may expire for the second time after %v, and the window is %v", timeout, latest, w)
		}
		if due := noopsDue(7, timeout, w); due != 14 {
			t.Errorf("%v: 7 polls are due %d noops", timeout, due)
		}
	}
	if due := noopsDue(7, ExpiryTimeout, 30*time.Second); due != 0 {
		t.Errorf("%d noops are due before the first has to come", due)
	}
}

// expiring is a small ladder whose polls expire at its end.
func expiring(t *testing.T) Options {
	o := quick(self(t), t.TempDir())
	o.Backends, o.To, o.Step, o.NoBroadcast, o.Push = []string{"uring"}, 20, 20, true, 0
	o.Expiry, o.ExpiryTimeout = true, leastExpiry
	return o
}

// Proves that the polls of a second server expire and come again, with
// everything counted that the report shows.
func TestExpiry(t *testing.T) {
	outcome, d, text := climb(t, context.Background(), expiring(t))
	if len(outcome.Failures) > 0 || len(d.Expiries) != 1 {
		t.Fatalf("%+v, %d windows\n%s", outcome, len(d.Expiries), text)
	}
	e := d.Expiries[0]
	if e.Backend != "uring" || e.Order != 0 || e.Target != 20 || e.Loops != 2 || e.PollingTimeout != 0.1 || e.Cut != "" {
		t.Errorf("%+v", e)
	}
	if e.Connections() != 20 || e.UserAndKernelBefore() == nil || e.UserAndKernelAfter() == nil {
		t.Errorf("%d held; memory %+v, %+v, %+v, %+v", e.Connections(), e.MemoryBefore, e.KernelBefore, e.MemoryAfter, e.KernelAfter)
	}
	m := e.Measured
	if m == nil || m.Expected != 40 || m.Noops < m.Expected || m.Wrong() != 0 || m.Seconds < e.Window || m.ServerCPU == nil || m.LoadCPU == nil {
		t.Errorf("%+v", m)
	}
	if len(d.Steps) != 2 || !strings.Contains(text, "expiring after 0.1s") {
		t.Errorf("%d steps\n%s", len(d.Steps), text)
	}
}

// Proves that a window which is cut, by Ctrl-C or by a server that dies, keeps what
// was seen until then and says why it is not whole.
func TestExpiryCut(t *testing.T) {
	t.Run("interrupted", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		o := expiring(t)
		o.ExpiryTimeout = time.Minute // no poll expires; the window would last two
		o.Out = &screen{on: "polls expire", do: func() { time.AfterFunc(expiryLook*5/2, cancel) }}
		outcome, d, text := climb(t, ctx, o)
		if !outcome.Interrupted || len(d.Expiries) != 1 {
			t.Fatalf("%+v, %d windows\n%s", outcome, len(d.Expiries), text)
		}
		checkCut(t, outcome, d.Expiries[0], "interrupted during expiry")
		if m := d.Expiries[0].Measured; m != nil && m.Expected != 0 {
			t.Errorf("%d noops due", m.Expected)
		}
	})
	t.Run("server dies", func(t *testing.T) {
		o := expiring(t)
		o.ExpiryTimeout = time.Second
		t.Setenv(fakeDieAfter, "60") // in the third second of four
		outcome, d, text := climb(t, context.Background(), o)
		if len(outcome.Failures) != 1 || outcome.Failures[0].During != phaseExpiry || outcome.Failures[0].ExitStatus == nil || len(d.Expiries) != 1 {
			t.Fatalf("%+v, %d windows\n%s", outcome, len(d.Expiries), text)
		}
		checkCut(t, outcome, d.Expiries[0], "the server died during expiry")
		if m := d.Expiries[0].Measured; m != nil && (m.Noops == 0 || m.Noops > 60) {
			t.Errorf("%d noops", m.Noops)
		}
	})
}

// checkCut tests that a cut window holds what came before its end, and that the
// report says why it ended.
func checkCut(t *testing.T, outcome Outcome, e result.Expiry, want string) {
	t.Helper()
	if e.Cut != want || e.Measured == nil || e.Measured.Seconds <= 0 || e.Measured.Seconds >= e.Window || e.MemoryBefore == nil || e.MemoryAfter != nil {
		t.Errorf("%+v", e)
	}
	md, err := os.ReadFile(filepath.Join(outcome.Folder, "report.md"))
	if err != nil || !strings.Contains(string(md), "the window is not whole: "+want) {
		t.Errorf("the report does not say %q: %v", want, err)
	}
}
