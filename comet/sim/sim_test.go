package sim

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// wanted is a number from the environment, if it is there.
func wanted(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	v := os.Getenv(variable)
	if v == "" {
		return otherwise
	}
	n, err := strconv.Atoi(v)
	if err != nil || n <= 0 {
		t.Fatalf("%s is %q, not a number from 1 on", variable, v)
	}
	return n
}

// forSeeds runs n seeds from first on, on all processors, until visit says stop.
func forSeeds(first, n int, visit func(seed uint64, r Result) (stop bool)) {
	var (
		next    atomic.Uint64
		stopped atomic.Bool
		mu      sync.Mutex
		workers sync.WaitGroup
	)
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for !stopped.Load() {
				i := next.Add(1)
				if i > uint64(n) {
					return
				}
				seed := uint64(first) + i - 1
				r := Run(seed)
				mu.Lock()
				if visit(seed, r) {
					stopped.Store(true)
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
}

// TestSeeds proves that the service is right under every seed: what that
// means is said in the package's comment. C1000K_SIM_SEED names one seed to
// run alone, C1000K_SIM_SEEDS how many, C1000K_SIM_FIRST the first of them.
func TestSeeds(t *testing.T) {
	if v := os.Getenv("C1000K_SIM_SEED"); v != "" {
		seed, err := strconv.ParseUint(v, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		tell(t, seed)
		return
	}
	n := wanted(t, "C1000K_SIM_SEEDS", seedsPlain)
	if testing.Short() {
		n = min(n, 50)
	}
	calls, replies, states := 0, 0, 0
	counters := map[string]uint64{}
	var faults [NumFaults]int
	forSeeds(wanted(t, "C1000K_SIM_FIRST", 1), n, func(seed uint64, r Result) bool {
		for name, v := range r.Counters {
			counters[name] += v
		}
		for f, n := range r.Faults {
			faults[f] += n
		}
		calls, replies, states = calls+r.Calls, replies+r.Replies, max(states, r.States)
		if r.Err != nil {
			t.Errorf("%v\nrun it alone: C1000K_SIM_SEED=%d go test -run TestSeeds ./comet/sim", r.Err, seed)
		}
		return r.Err != nil
	})
	t.Logf("%d seeds: %d calls, %d replies, at most %d possible states of a channel", n, calls, replies, states)
	for f, n := range faults {
		t.Logf("%v: %d", Fault(f), n)
	}
	if t.Failed() || n < enoughSeeds {
		return
	}
	for _, name := range happens {
		if counters[name] == 0 {
			t.Errorf("%d seeds and never did it happen: %s", n, name)
		}
	}
	for f, found := range faults {
		if found == 0 {
			t.Errorf("%d seeds and never did this go wrong: %v", n, Fault(f))
		}
	}
}

// enoughSeeds come to every case; fewer, as under the race detector, may leave out
// a rare one.
const enoughSeeds = 100

// happens are counters that the seeds together must move: a
// simulator that no longer comes to a case proves nothing about it.
var happens = []string{
	"connections_opened", "hangups", "bad_requests", "published", "broadcasts", "publishes_refused",
	"delivered", "replayed", "noops", "send_errors", "stale_completions", "readers_paused",
	"header_timeouts", "idle_timeouts", "stall_timeouts", "too_many_channels", "too_many_subscribers",
	"inbox_behind", "caught_up", "wakes", "stream_overruns", "token_errors", "channels_closed",
	"several_at_once", "several_late", "several_refused", "several_closed", "several_events",
	"publishers_barred", "farewells",
	"tours", // lists read to their end, which the simulator counts
}

// tell runs one seed and, if it fails, says what came before.
func tell(t *testing.T, seed uint64) {
	const lastLines = 200
	var lines []string
	r := RunAndTell(seed, func(line string) {
		if len(lines) == 2*lastLines {
			lines = append(lines[:0], lines[lastLines:]...)
		}
		lines = append(lines, line)
	})
	if r.Err != nil {
		t.Logf("the last calls (time in ns, loop, time, slot, ...):\n%s", strings.Join(lines[max(0, len(lines)-lastLines):], "\n"))
		t.Fatal(r.Err)
	}
	t.Logf("seed %d: %d calls, %d replies, trace %x", seed, r.Calls, r.Replies, r.Trace)
}

// TestSameSeedSameTrace proves that a run is a function of its seed: without
// it a seed that fails would be worth nothing.
func TestSameSeedSameTrace(t *testing.T) {
	seeds := map[uint64]uint64{} // by trace
	for seed := uint64(1); seed <= seedsTwice; seed++ {
		a, b := Run(seed), Run(seed)
		if a.Trace != b.Trace || a.Calls != b.Calls {
			t.Fatalf("seed %d: trace %x after %d calls, then %x after %d", seed, a.Trace, a.Calls, b.Trace, b.Calls)
		}
		if other, same := seeds[a.Trace]; same {
			t.Fatalf("seeds %d and %d have the same trace", seed, other)
		}
		seeds[a.Trace] = seed
	}
}
