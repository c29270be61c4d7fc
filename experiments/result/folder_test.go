package result

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"c1000k/experiments/sample"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func ptr[T any](v T) *T { return &v }

func newFolder(t *testing.T) *Folder {
	t.Helper()
	f, err := Create(t.TempDir(), "test", start)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func fullStep() Step {
	return Step{
		Backend: Epoll, Order: 1, Index: 2, Target: 1000, Loops: 3, Tables: 3, BroadcastsBefore: 1, Cut: "interrupted",
		Opening: &Opening{Connections: 500, Seconds: 0.5, Rate: 1000, ServerCPU: ptr(7.5)},
		Held:    &Held{Server: ptr(int64(1000)), KernelServer: ptr(int64(1000)), Witness: BySockDiag},
		Settled: &sample.Settled{Waited: 3 * time.Second, Settled: true},
		Memory:  &Memory{Memory: sample.Memory{Virtual: 9, Resident: 8, Proportional: ptr(uint64(7)), Threads: 6}, GoHeap: ptr(uint64(5))},
		Kernel:  &sample.KernelDelta{Bytes: 77, Caches: []sample.CacheDelta{{Name: "TCP", Objects: 2, ObjectSize: 2368, Bytes: 4736}}},
		Idle:    &Idle{Seconds: 5, ServerCore: 0.001, GCCycles: ptr(uint32(0)), Server: &sample.CPUDelta{Process: 3, Ksoftirqd: ptr(time.Duration(4))}},
		Push: &Phase{Sent: 10, Delivered: 9, Lost: 1, ServerCPU: ptr(3.25), Seed: math.MaxUint64,
			Latency: &Percentiles{Samples: 9, P50: ptr(1.5), Max: 2}},
	}
}

func window() Expiry {
	return Expiry{
		Backend: Epoll, Order: 1, Target: 1000, Loops: 3, Tables: 3, PollingTimeout: 30, Window: 65, Cut: "interrupted",
		Held:         &Held{Server: ptr(int64(990)), KernelServer: ptr(int64(1000)), Witness: BySockDiag},
		MemoryBefore: &Memory{Memory: sample.Memory{Resident: 8}}, MemoryAfter: &Memory{Memory: sample.Memory{Resident: 9}},
		KernelBefore: &sample.KernelDelta{Bytes: 77},
		Measured: &Expired{
			Seconds: 65, Noops: 2130, Expected: 2000, Rate: 32.77, Repeated: 1, ServerCore: 0.02, LoadCore: 0.03,
			ServerCPU: ptr(15.5), LoadCPU: ptr(0.0), Server: &sample.CPUDelta{Process: 3},
		},
	}
}

// Proves that every kind of record comes back as it was written, what was not
// measured as nil and what was 0 as 0.
func TestRoundTrip(t *testing.T) {
	f := newFolder(t)
	step := fullStep()
	backend := Backend{Name: URing, Order: 0, Loops: 2, Rings: 6, Banner: []string{"a", "b"}, Empty: &Memory{Memory: sample.Memory{Resident: 4}}}
	failure := Failure{Backend: URing, Target: 1000, During: "push", Process: "server", Reason: "it died", ExitStatus: ptr(2), LastLines: []string{"x"}}
	floor := Floor{What: FloorTurn, Variant: "epoll", Rate: 5, ServerCPU: ptr(7.4)}
	expiry := window()
	machine := Machine{When: "before uring", State: sample.Machine{At: start, MemoryTotal: 1}, Quiet: ptr(false), Noisy: []string{"load"}}
	for _, r := range []Record{{Backend: &backend}, {Step: &step}, {Failure: &failure}, {Floor: &floor}, {Machine: &machine}, {Expiry: &expiry}} {
		if err := f.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	run := Run{Name: "test", Started: start, Backends: []string{URing}, Targets: []int{0, 1000}, Seed: 42, Arguments: map[string]string{"to": "1000"}}
	if err := f.WriteRun(run); err != nil {
		t.Fatal(err)
	}
	d, err := Read(f.Path())
	if err != nil {
		t.Fatal(err)
	}
	run.Version = Version
	for _, c := range []struct{ got, want any }{
		{d.Run, run}, {d.Backends, []Backend{backend}}, {d.Steps, []Step{step}}, {d.Failures, []Failure{failure}},
		{d.Floors, []Floor{floor}}, {d.Machines, []Machine{machine}}, {d.Expiries, []Expiry{expiry}},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("read\n%+v\nwant\n%+v", c.got, c.want)
		}
	}
	if d.Steps[0].Push.LoadCPU != nil || *d.Steps[0].Idle.GCCycles != 0 || len(d.StepsOf(1)) != 1 || len(d.StepsOf(0)) != 0 {
		t.Error("not measured and zero were mixed up, or steps of another server were taken")
	}
}

// Proves that a record is on disk when Append returns: a second reader sees it
// while the folder is still open, as it would after the program was killed.
func TestAppendIsSeenAtOnce(t *testing.T) {
	f := newFolder(t)
	if err := f.WriteRun(Run{Name: "test", Started: start}); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 3; n++ {
		step := fullStep()
		if err := f.Append(Record{Step: &step}); err != nil {
			t.Fatal(err)
		}
		d, err := Read(f.Path())
		if err != nil || len(d.Steps) != n {
			t.Fatalf("after %d records %d are seen, %v", n, len(d.Steps), err)
		}
	}
}

// Proves that a record which cannot be written leaves no trace and the next
// ones go on: an unwritable number, and parts missing or too many.
func TestAppendRefuses(t *testing.T) {
	f := newFolder(t)
	if err := f.WriteRun(Run{Started: start}); err != nil {
		t.Fatal(err)
	}
	good, bad := fullStep(), fullStep()
	bad.Push.Rate = math.NaN()
	for _, r := range []Record{{Step: &bad}, {}, {Step: &good, Floor: &Floor{}}} {
		if err := f.Append(r); err == nil || !strings.Contains(err.Error(), DataFile) {
			t.Errorf("a bad record was written, or the error names no file: %v", err)
		}
	}
	if err := f.Append(Record{Step: &good}); err != nil {
		t.Fatal(err)
	}
	if d, err := Read(f.Path()); err != nil || len(d.Steps) != 1 {
		t.Errorf("%v, %v", d, err)
	}
}

// Proves that a full disk loses nothing that was written before, leaves no torn
// line, says what happened, and that writing goes on once there is room. The
// limit on the size of files stands in for the disk.
func TestFullDisk(t *testing.T) {
	f := newFolder(t)
	if err := f.WriteRun(Run{Started: start}); err != nil {
		t.Fatal(err)
	}
	step := fullStep()
	for range 3 {
		if err := f.Append(Record{Step: &step}); err != nil {
			t.Fatal(err)
		}
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	full := limit
	full.Cur = uint64(f.size + 100) // room for a part of the next line
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full); err != nil {
		t.Fatal(err)
	}
	err := f.Append(Record{Step: &step})
	if restore := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); restore != nil {
		t.Fatal(restore)
	}
	if !errors.Is(err, syscall.EFBIG) || !strings.Contains(err.Error(), "kept") {
		t.Fatalf("writing to a full disk: %v", err)
	}
	d, err := Read(f.Path())
	if err != nil || len(d.Steps) != 3 || len(d.Warnings) != 0 {
		t.Fatalf("after the disk was full: %d steps, warnings %v, %v", len(d.Steps), d.Warnings, err)
	}
	if err := f.Append(Record{Step: &step}); err != nil {
		t.Fatal(err)
	}
	if d, err := Read(f.Path()); err != nil || len(d.Steps) != 4 {
		t.Errorf("with room again: %v, %v", d, err)
	}
}

// Proves that a folder that cannot be made is refused with its path: a parent
// that is a file, a name that is none, and a folder that exists already.
func TestCreateRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(file, "test", start); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("below a file: %v", err)
	}
	for _, name := range []string{"", "a/b", "..", ".hidden"} {
		if _, err := Create(dir, name, start); err == nil {
			t.Errorf("the name %q was taken", name)
		}
	}
	f, err := Create(dir, "twice", start)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if _, err := Create(dir, "twice", start); !errors.Is(err, os.ErrExist) {
		t.Errorf("a folder was made twice: %v", err)
	}
	if want := filepath.Join(dir, "20260102-030405-twice"); f.Path() != want {
		t.Errorf("path %s, want %s", f.Path(), want)
	}
}

// Proves that a folder without permission is refused with its path. Root may
// write anywhere, so it is tried on a file system that cannot be written.
func TestCreateUnwritable(t *testing.T) {
	parent := "/proc/sys"
	if os.Geteuid() != 0 {
		parent = filepath.Join(t.TempDir(), "closed")
		if err := os.Mkdir(parent, 0o500); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Create(parent, "test", start); err == nil || !strings.Contains(err.Error(), parent) {
		t.Errorf("%v", err)
	}
}

// Proves that a file which cannot be finished leaves neither a part nor harm to
// the file that was there.
func TestWriteFileWhole(t *testing.T) {
	f := newFolder(t)
	if err := f.WriteRun(Run{Name: "first", Started: start}); err != nil {
		t.Fatal(err)
	}
	if err := f.WriteRun(Run{Name: "second", Started: time.Date(123456, 1, 1, 0, 0, 0, 0, time.UTC)}); err == nil {
		t.Fatal("a time that JSON cannot hold was written")
	}
	d, err := Read(f.Path())
	if err != nil || d.Run.Name != "first" {
		t.Errorf("%v, %v", d, err)
	}
	entries, err := os.ReadDir(f.Path())
	if err != nil || len(entries) != 2 {
		t.Errorf("left in the folder: %v, %v", entries, err)
	}
}

// Proves that a whole histogram is kept: read again it has every value and the
// same percentiles, within the precision it was recorded with.
func TestHistogram(t *testing.T) {
	f := newFolder(t)
	h := hdrhistogram.New(1, 60_000_000, 3)
	for v := int64(1); v <= 10_000; v++ {
		if err := h.RecordValue(v * 3); err != nil {
			t.Fatal(err)
		}
	}
	name, err := f.WriteHistogram("uring-1000-push", h, start, start.Add(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(filepath.Join(f.Path(), name))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	got, err := hdrhistogram.NewHistogramLogReader(file).NextIntervalHistogram()
	if err != nil || got == nil {
		t.Fatal(got, err)
	}
	if got.TotalCount() != h.TotalCount() || got.ValueAtPercentile(99) != h.ValueAtPercentile(99) || got.Max() != h.Max() {
		t.Errorf("read again: %d values, p99 %d, want %d, %d", got.TotalCount(), got.ValueAtPercentile(99), h.TotalCount(), h.ValueAtPercentile(99))
	}
}

// Proves that no percentile is told with fewer than 100 samples beyond it, and
// that those which are told are right.
func TestPercentilesOf(t *testing.T) {
	if p := PercentilesOf(hdrhistogram.New(1, 1000, 3)); p != nil {
		t.Errorf("of nothing: %+v", p)
	}
	h := hdrhistogram.New(1, 60_000_000, 3)
	for v := int64(1); v <= 10_000; v++ {
		if err := h.RecordValue(v); err != nil {
			t.Fatal(err)
		}
	}
	p := PercentilesOf(h)
	if p.P99 == nil || math.Abs(*p.P99-9900) > 10 || p.P50 == nil || math.Abs(*p.P50-5000) > 5 {
		t.Errorf("%+v", p)
	}
	if p.P999 != nil || p.P9999 != nil {
		t.Error("10,000 samples have 10 beyond p99.9, and yet it is told")
	}
	small := hdrhistogram.New(1, 1000, 3)
	for range 199 {
		if err := small.RecordValue(5); err != nil {
			t.Fatal(err)
		}
	}
	if p := PercentilesOf(small); p.P50 != nil || p.Samples != 199 || p.Max != 5 {
		t.Errorf("199 samples have 99 beyond the median: %+v", p)
	}
}
