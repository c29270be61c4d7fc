package ladder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"c1000k/experiments/load"
	"c1000k/experiments/result"
)

// screen collects what a ladder prints, and may act on a text when it comes.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
	on   string
	do   func()
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Write(p)
	if s.on != "" && strings.Contains(s.text.String(), s.on) {
		s.on = ""
		s.do()
	}
	return len(p), nil
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// climb runs a ladder of the fake server and reads its folder.
func climb(t *testing.T, ctx context.Context, o Options) (Outcome, *result.Data, string) {
	t.Helper()
	out, ok := o.Out.(*screen)
	if !ok {
		out = &screen{}
		o.Out = out
	}
	outcome, err := Run(ctx, o)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	d, err := result.Read(outcome.Folder)
	if err != nil {
		t.Fatalf("the folder cannot be read: %v\n%s", err, out)
	}
	for _, f := range []string{"report.md", "summary.csv", "bench.txt", "figures/memory.svg"} {
		if st, err := os.Stat(filepath.Join(outcome.Folder, f)); err != nil || st.Size() == 0 {
			t.Errorf("%s was not written: %v", f, err)
		}
	}
	return outcome, d, out.String()
}

// TestWholeLadder proves that a ladder over two backends measures every part of
// every step: counts by all witnesses, memory, idle CPU, pushes, broadcasts where
// due, and the floor; and that nothing fails.
func TestWholeLadder(t *testing.T) {
	o := quick(self(t), t.TempDir())
	o.NoFloor, o.FloorCount, o.Floor = false, 200, []string{self(t), "floor-accept"}
	outcome, d, text := climb(t, context.Background(), o)
	if len(outcome.Failures) > 0 || outcome.Interrupted {
		t.Fatalf("%+v\n%s", outcome, text)
	}
	if len(d.Backends) != 2 || len(d.Steps) != 6 || len(d.Floors) != 2 || d.Run.Finished.IsZero() {
		t.Fatalf("%d backends, %d steps, %d floors, finished %v\n%s", len(d.Backends), len(d.Steps), len(d.Floors), d.Run.Finished, text)
	}
	for _, b := range d.Backends {
		if b.Empty == nil || b.KernelZero == nil || len(b.Banner) == 0 || b.Loops != 2 || b.Binary == "" || b.DescriptorLimit == 0 {
			t.Errorf("backend %+v lacks something", b)
		}
	}
	for _, s := range d.Steps {
		checkStep(t, &s, &o)
	}
	if !strings.Contains(text, outcome.Folder) {
		t.Errorf("the folder is not named:\n%s", text)
	}
}

// TestFloorTellsTheLoadsWords proves that where the load cannot start, the ceiling that
// was not measured says so with the load's own words, which name the cause, and the
// ladder goes on to the backends.
func TestFloorTellsTheLoadsWords(t *testing.T) {
	o := quick(self(t), t.TempDir())
	o.NoFloor, o.FloorCount, o.Floor = false, 1, []string{self(t), "floor-accept"}
	o.Load = []string{"/bin/sh", "-c", "echo no room here >&2; exit 1"}
	out := &screen{}
	o.Out = out
	outcome, err := Run(context.Background(), o) // nothing is measured: not what climb wants
	if err != nil || len(outcome.Failures) != 3 {
		t.Fatalf("the ceiling and both backends should have failed: %v, %+v\n%s", err, outcome.Failures, out)
	}
	f := outcome.Failures[0]
	if f.Process != "floor" || len(f.LastLines) != 1 || f.LastLines[0] != "no room here" || strings.Count(f.Reason, "exit status 1") != 1 {
		t.Errorf("%+v", f)
	}
	if text := out.String(); !strings.Contains(text, "    no room here\n") {
		t.Errorf("the load's words are not printed:\n%s", text)
	}
}

// checkStep tests that a step is whole.
func checkStep(t *testing.T, s *result.Step, o *Options) {
	t.Helper()
	at := fmt.Sprintf("%s at %d", s.Backend, s.Target)
	if s.Cut != "" || s.Settled == nil || s.Memory == nil || s.Memory.GoHeap == nil || s.Kernel == nil ||
		s.Sockets == nil || s.LoadMemory == nil || s.MachineBefore == nil || s.MachineAfter == nil {
		t.Errorf("%s: not whole: %+v", at, s)
		return
	}
	want := int64(s.Target)
	for name, n := range map[string]*int64{"server": s.Held.Server, "kernel, server's end": s.Held.KernelServer, "kernel, load's end": s.Held.KernelLoad, "load": s.Held.Load} {
		if n == nil || *n != want {
			t.Errorf("%s: %s counts %v", at, name, n)
		}
	}
	if s.Idle == nil || s.Idle.Seconds < o.Idle.Seconds() || s.Idle.GCCycles == nil || s.Idle.LoadCore == nil {
		t.Errorf("%s: idle %+v", at, s.Idle)
	}
	if s.Target == 0 {
		return
	}
	if s.Opening == nil || s.Opening.Connections != 150 || s.Opening.Rate <= 0 || s.Opening.ServerCPU == nil {
		t.Errorf("%s: opening %+v", at, s.Opening)
	}
	checkPhase(t, at+", push", s.Push, 100)
	if p := s.Push; p != nil && (p.Latency == nil || p.Latency.Samples != 100 || p.HDR == "" || p.Seed != o.Seed) {
		t.Errorf("%s: push %+v", at, p)
	}
	checkPhase(t, at+", broadcast", s.Broadcast, want)
	if s.Broadcast != nil && s.Broadcast.ToLast == nil || s.MemoryAfter == nil || s.KernelAfter == nil {
		t.Errorf("%s: after the broadcast %+v", at, s)
	}
	if s.BroadcastsBefore != s.Index-1 {
		t.Errorf("%s: %d broadcasts before", at, s.BroadcastsBefore)
	}
}

// checkPhase tests that all messages of a phase came.
func checkPhase(t *testing.T, at string, p *result.Phase, n int64) {
	t.Helper()
	if p == nil || p.Sent != n || p.Delivered != n || p.Lost+p.Repeated+p.OutOfOrder != 0 || p.ServerCPU == nil || p.LoadCPU == nil {
		t.Errorf("%s: %+v, want %d messages", at, p, n)
	}
}

// TestInterrupted proves that Ctrl-C in mid-ladder ends the children, keeps the
// steps measured and the one begun, and leaves a report that says so.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	o := quick(self(t), t.TempDir())
	o.Out = &screen{on: "150 held", do: cancel}
	outcome, d, text := climb(t, ctx, o)
	if !outcome.Interrupted || !d.Run.Interrupted || len(outcome.Failures) > 0 {
		t.Fatalf("%+v, run interrupted: %v\n%s", outcome, d.Run.Interrupted, text)
	}
	if len(d.Backends) != 1 || len(d.Steps) < 2 || d.Steps[1].Cut != "" {
		t.Fatalf("%d backends, %d steps\n%s", len(d.Backends), len(d.Steps), text)
	}
	if last := d.Steps[len(d.Steps)-1]; len(d.Steps) > 2 && !strings.Contains(last.Cut, "interrupted") {
		t.Errorf("the last step is cut by %q", last.Cut)
	}
	if left := running(t, d.Backends[0].Command); left != "" {
		t.Errorf("a child is left: %s", left)
	}
	md, err := os.ReadFile(filepath.Join(outcome.Folder, "report.md"))
	if err != nil || !strings.Contains(string(md), "interrupted") {
		t.Errorf("the report does not say that the run was interrupted: %v", err)
	}
}

// running finds a process with the doors of a server's command line.
func running(t *testing.T, command []string) string {
	t.Helper()
	found, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range found {
		text, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(text), command[2]) {
			return path
		}
	}
	return ""
}

// TestServerDies proves that a server which dies in mid-ladder is reported with
// step, phase, exit and last lines, that its steps are kept, and that the next
// backend is measured all the same.
func TestServerDies(t *testing.T) {
	t.Setenv(fakeDieAt, "200")
	t.Setenv(fakeDieOn, "uring")
	outcome, d, text := climb(t, context.Background(), quick(self(t), t.TempDir()))
	if len(outcome.Failures) != 1 || len(d.Failures) != 1 {
		t.Fatalf("%+v\n%s", outcome, text)
	}
	f := d.Failures[0]
	if f.Backend != "uring" || f.Target != 300 || f.During != phaseOpen || f.Process != "server" || f.ExitStatus == nil || *f.ExitStatus != fakeExit {
		t.Errorf("%+v", f)
	}
	if n := len(f.LastLines); n == 0 || f.LastLines[n-1] != "fake: out of something important" {
		t.Errorf("last lines %q", f.LastLines)
	}
	if !strings.Contains(text, "fake: out of something important") || !strings.Contains(text, "uring at 300") {
		t.Errorf("not told:\n%s", text)
	}
	if uring, epoll := d.StepsOf(0), d.StepsOf(1); len(uring) != 3 || uring[2].Cut == "" || len(epoll) != 3 || epoll[2].Cut != "" {
		t.Errorf("%d steps of uring, %d of epoll\n%s", len(uring), len(epoll), text)
	}
}

// TestRepeatedMessages proves that a server which sends messages twice is found
// out: the step is kept with its counts, and the run counts a failure.
func TestRepeatedMessages(t *testing.T) {
	t.Setenv(fakeTwice, "1")
	o := quick(self(t), t.TempDir())
	o.Backends, o.To, o.Step, o.NoBroadcast, o.Push = []string{"uring"}, 20, 20, true, 5
	outcome, d, text := climb(t, context.Background(), o)
	if len(outcome.Failures) != 1 || outcome.Failures[0].During != phasePush {
		t.Fatalf("%+v\n%s", outcome, text)
	}
	if p := d.Steps[1].Push; p == nil || p.Repeated != 5 || p.Delivered != 5 {
		t.Errorf("push %+v", p)
	}
}

// TestMemoryTooSmall proves that a step is not begun for which memory is too
// small, that the steps before are kept, and that the message says how much.
func TestMemoryTooSmall(t *testing.T) {
	o := quick(self(t), t.TempDir())
	o.Backends = []string{"uring"}
	asked := 0
	o.MemoryAvailable = func() (int64, error) {
		if asked++; asked < 3 {
			return 64 << 30, nil
		}
		return memoryNeeded(150) - 1, nil
	}
	outcome, d, text := climb(t, context.Background(), o)
	if len(d.Steps) != 2 || d.Steps[1].Cut != "" || len(outcome.Failures) != 1 {
		t.Fatalf("%d steps, %+v\n%s", len(d.Steps), outcome, text)
	}
	if f := outcome.Failures[0]; f.Target != 300 || f.Process != "ladder" || !strings.Contains(f.Reason, "150 more connections take up to 2,149 MB") || !strings.Contains(f.Reason, "2,148 MB are available") {
		t.Errorf("%+v", f)
	}
}

// TestUnwritableResults proves that a results folder that cannot be made is
// refused before anything is started.
func TestUnwritableResults(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	o := quick(self(t), filepath.Join(file, "results"))
	o.Out = &screen{}
	if _, err := Run(context.Background(), o); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("%v", err)
	}
}

// TestServerThatIsNone proves that a server's binary that is not there is
// refused before anything is started.
func TestServerThatIsNone(t *testing.T) {
	o := quick(self(t), t.TempDir())
	o.Out, o.Server = &screen{}, filepath.Join(t.TempDir(), "none")
	if _, err := Run(context.Background(), o); err == nil || !strings.Contains(err.Error(), "--server") {
		t.Errorf("%v", err)
	}
}

// TestPause proves that the ladder waits for Enter at each step, and that an
// input that ends is told instead of being taken for Enter.
func TestPause(t *testing.T) {
	o := quick(self(t), t.TempDir())
	o.Backends, o.To, o.Step, o.NoBroadcast = []string{"uring"}, 20, 20, true
	o.Pause, o.Input = true, strings.NewReader("\n")
	outcome, d, text := climb(t, context.Background(), o)
	if len(outcome.Failures) != 1 || !strings.Contains(outcome.Failures[0].Reason, "--pause") {
		t.Fatalf("one Enter for two steps: %+v\n%s", outcome, text)
	}
	if len(d.Steps) != 2 || d.Steps[0].Cut != "" || d.Steps[1].Cut == "" || d.Steps[1].Memory == nil {
		t.Errorf("%d steps\n%s", len(d.Steps), text)
	}
}

// TestRemaining proves that the remaining time falls with the phases that end,
// and follows the pace of those that were measured.
func TestRemaining(t *testing.T) {
	p := newProgress(&screen{}, 20)
	defer p.close()
	p.begin(phase{"a", 10})
	p.began = p.began.Add(-20 * time.Second) // a took twice its guess
	p.begin(phase{"b", 10})
	p.at(0.5)
	if got := p.remaining().Seconds(); got < 6 || got > 6.5 { // 15 of 20 took 20 s, which is 30 for 25 with the weight; 5 are left
		t.Errorf("remaining %v s", got)
	}
	p.at(1)
	if got := p.remaining(); got != 0 {
		t.Errorf("at the end: %v", got)
	}
	p.begin(phase{"c", 10})
	p.reach(10)
	if got := p.remaining(); got == 0 {
		t.Error("nothing remains after half of the plan")
	}
}

// TestRecordThatCannotBeWritten proves that a record for which there is no room
// is printed whole instead, and that the run knows that it must end.
func TestRecordThatCannotBeWritten(t *testing.T) {
	folder, err := result.Create(t.TempDir(), "ladder", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	folder.Close() // whatever is written now fails
	out := &screen{}
	r := &run{o: &Options{}, folder: folder, show: newProgress(out, 0)}
	err = r.keep(result.Record{Floor: &result.Floor{What: result.FloorAccept, Count: 4711}})
	var keep keepError
	if !errors.As(err, &keep) {
		t.Errorf("%v", err)
	}
	if text := out.String(); !strings.Contains(text, `"count":4711`) || !strings.Contains(text, `"kind":"floor"`) || !strings.Contains(text, folder.Path()) {
		t.Errorf("the record was not printed:\n%s", text)
	}
}

// TestReportThatCannotBeWritten proves that tables for which there is no room are
// printed all the same, with how to make them later, and that the run fails.
func TestReportThatCannotBeWritten(t *testing.T) {
	folder, err := result.Create(t.TempDir(), "ladder", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	if err := os.WriteFile(filepath.Join(folder.Path(), "figures"), nil, 0o644); err != nil { // where a folder shall be
		t.Fatal(err)
	}
	out := &screen{}
	r := &run{o: &Options{Out: out}, folder: folder, show: newProgress(out, 0), meta: result.Run{Name: "ladder"}}
	if err := r.fail(result.Failure{Process: "disk", Reason: "4711"}); err != nil {
		t.Fatal(err)
	}
	if err := r.finish(context.Background()); err == nil || !strings.Contains(err.Error(), "figures") {
		t.Errorf("%v", err)
	}
	if text := out.String(); !strings.Contains(text, "Nothing was measured") || !strings.Contains(text, "experiment report "+folder.Path()) {
		t.Errorf("neither tables nor the way to them:\n%s", text)
	}
}

// TestHistogramKeepsItsShape proves that a load's histogram of nanoseconds
// becomes one of microseconds with the same number of samples and the same
// percentiles, to the precision of both.
func TestHistogramKeepsItsShape(t *testing.T) {
	ns := hdrhistogram.New(1, int64(time.Minute), 3)
	for i := int64(1); i <= 10_000; i++ {
		if err := ns.RecordValue(i * 1_000); err != nil {
			t.Fatal(err)
		}
	}
	text, err := ns.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		t.Fatal(err)
	}
	us, err := histogram(load.Latency{Samples: 10_000, HDR: string(text)})
	if err != nil {
		t.Fatal(err)
	}
	if us.TotalCount() != 10_000 {
		t.Errorf("%d samples", us.TotalCount())
	}
	for _, p := range []float64{50, 90, 99} {
		want := 100 * p
		if got := float64(us.ValueAtPercentile(p)); got < 0.998*want || got > 1.002*want {
			t.Errorf("p%v is %v us, want %v", p, got, want)
		}
	}
	if h, err := histogram(load.Latency{}); h != nil || err != nil {
		t.Errorf("of no samples: %v, %v", h, err)
	}
	if _, err := histogram(load.Latency{Samples: 1, HDR: "no histogram"}); err == nil {
		t.Error("nonsense was taken for a histogram")
	}
}
