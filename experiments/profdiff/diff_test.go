package profdiff

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
)

// stacked is one sample of a made profile: frames from the innermost, and how
// many samples of 10 ms.
type stacked struct {
	frames []string
	n      int64
}

// cpuProfile makes a profile as the Go runtime would write it.
func cpuProfile(samples ...stacked) *profile.Profile {
	p := &profile.Profile{
		SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}},
		PeriodType: &profile.ValueType{Type: "cpu", Unit: "nanoseconds"},
		Period:     10e6,
	}
	byName := map[string]*profile.Location{}
	for _, s := range samples {
		sample := &profile.Sample{Value: []int64{s.n, s.n * 10e6}}
		for _, name := range s.frames {
			loc := byName[name]
			if loc == nil {
				f := &profile.Function{ID: uint64(len(p.Function) + 1), Name: name}
				p.Function = append(p.Function, f)
				loc = &profile.Location{ID: f.ID, Address: f.ID * 16, Line: []profile.Line{{Function: f}}}
				p.Location = append(p.Location, loc)
				byName[name] = loc
			}
			sample.Location = append(sample.Location, loc)
		}
		p.Sample = append(p.Sample, sample)
	}
	return p
}

// write keeps a profile in a test folder, with a sidecar where messages > 0.
func write(t *testing.T, name string, p *profile.Profile, messages int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	if messages > 0 {
		if err := WriteSidecar(path, Sidecar{Kind: "cpu", Messages: messages}); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// load is Load that must succeed.
func load(t *testing.T, path string, messages int64) *Input {
	t.Helper()
	in, err := Load(path, messages)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// TestPerMessage proves that values are divided by each profile's own number
// of messages: B runs twice as long for four times the messages, so its cost a
// message is half; and that a recursive function is counted once in cum.
func TestPerMessage(t *testing.T) {
	a := load(t, write(t, "a.pb.gz", cpuProfile(
		stacked{[]string{"write", "turn", "main"}, 100},
		stacked{[]string{"turn", "turn", "main"}, 50}), 1000), 0)
	b := load(t, write(t, "b.pb.gz", cpuProfile(
		stacked{[]string{"write", "turn", "main"}, 200},
		stacked{[]string{"turn", "turn", "main"}, 100}), 4000), 0)
	tab, err := Diff(a, b, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if tab.Sample != "cpu" || tab.Unit != "nanoseconds" {
		t.Fatalf("compared %s in %s", tab.Sample, tab.Unit)
	}
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-6*math.Abs(want) {
			t.Errorf("%s = %g, want %g", what, got, want)
		}
	}
	near("total A", tab.TotalA, 150*10e6/1000.0)
	near("total B", tab.TotalB, 300*10e6/4000.0)
	top := tab.Rows[0]
	if top.Function != "write" {
		t.Fatalf("first row is %q", top.Function)
	}
	near("write flat A", top.FlatA, 1e6)
	near("write flat B", top.FlatB, 0.5e6)
	if top.Noise {
		t.Error("a halved cost over 100 and 200 samples is marked as noise")
	}
	for _, r := range tab.Rows {
		if r.Function == "turn" {
			near("turn cum A", r.CumA, 1.5e6) // twice in one stack, once in the sum
			near("turn flat A", r.FlatA, 0.5e6)
		}
	}
}

// TestRank proves that --top and the two orders do what they say: leaf differs
// most itself, caller differs most with what it calls.
func TestRank(t *testing.T) {
	profiles := func() (*Input, *Input) {
		a := load(t, write(t, "a.pb.gz", cpuProfile(
			stacked{[]string{"leaf", "caller"}, 100}, stacked{[]string{"other", "caller"}, 100}), 100), 0)
		b := load(t, write(t, "b.pb.gz", cpuProfile(
			stacked{[]string{"leaf", "caller"}, 300}, stacked{[]string{"other", "caller"}, 200}), 100), 0)
		return a, b
	}
	a, b := profiles()
	tab, err := Diff(a, b, Options{Top: 1})
	if err != nil || len(tab.Rows) != 1 || tab.Rows[0].Function != "leaf" || tab.Functions != 3 {
		t.Fatalf("flat: %+v, %v", tab, err)
	}
	a, b = profiles()
	tab, err = Diff(a, b, Options{Top: 1, ByCumulative: true})
	if err != nil || tab.Rows[0].Function != "caller" {
		t.Fatalf("cumulative: %+v, %v", tab, err)
	}
}

// TestKernelClock proves that CPU profiles are scaled to the kernel's clock where
// both tell it: A sampled half of what it used, B all of it, and so the two cost
// the same; and that Raw leaves them as sampled, as does one clock alone.
func TestKernelClock(t *testing.T) {
	inputs := func(cpuB float64) (*Input, *Input) {
		a := load(t, write(t, "a.pb.gz", cpuProfile(stacked{[]string{"f"}, 100}), 1000), 0)
		b := load(t, write(t, "b.pb.gz", cpuProfile(stacked{[]string{"f"}, 200}), 1000), 0)
		a.CPU, b.CPU = 2, cpuB // 100 samples are 1 s
		return a, b
	}
	for _, c := range []struct {
		cpuB             float64
		raw              bool
		totalA, totalB   float64 // us
		scaleA, scaleB   float64
		mentionsTheClock bool
	}{
		{2, false, 2000, 2000, 2, 1, true},
		{2, true, 1000, 2000, 1, 1, false},
		{0, false, 1000, 2000, 1, 1, false},
	} {
		a, b := inputs(c.cpuB)
		tab, err := Diff(a, b, Options{Raw: c.raw})
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(tab.TotalA-1e3*c.totalA) > 1 || math.Abs(tab.TotalB-1e3*c.totalB) > 1 || tab.ScaleA != c.scaleA || tab.ScaleB != c.scaleB {
			t.Errorf("%+v: totals %v and %v ns, scales %v and %v", c, tab.TotalA, tab.TotalB, tab.ScaleA, tab.ScaleB)
		}
		var out bytes.Buffer
		if err := tab.Write(&out); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), "clock") != c.mentionsTheClock {
			t.Errorf("%+v:\n%s", c, out.String())
		}
	}
}

// TestNoise proves that a difference the sampling can explain is marked: 10
// against 13 samples over the same messages.
func TestNoise(t *testing.T) {
	a := load(t, write(t, "a.pb.gz", cpuProfile(stacked{[]string{"f"}, 10}), 1000), 0)
	b := load(t, write(t, "b.pb.gz", cpuProfile(stacked{[]string{"f"}, 13}), 1000), 0)
	tab, err := Diff(a, b, Options{})
	if err != nil || !tab.Rows[0].Noise {
		t.Fatalf("10 against 13 samples is not marked as noise: %+v, %v", tab, err)
	}
	var out bytes.Buffer
	if err := tab.Write(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"~", "only 10 samples", "in all", "1000 messages"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the printed table lacks %q:\n%s", want, out.String())
		}
	}
}

// TestIgnore proves that samples with a matching frame leave both the rows and
// the totals, and that dropping all of them is an error.
func TestIgnore(t *testing.T) {
	make2 := func() *Input {
		return load(t, write(t, "a.pb.gz", cpuProfile(
			stacked{[]string{"work", "loop"}, 10}, stacked{[]string{"epollwait", "loop"}, 90}), 10), 0)
	}
	tab, err := Diff(make2(), make2(), Options{Ignore: regexp.MustCompile("epollwait")})
	if err != nil || tab.TotalA != 10*10e6/10.0 {
		t.Fatalf("total %v, %v", tab, err)
	}
	if _, err = Diff(make2(), make2(), Options{Ignore: regexp.MustCompile("loop")}); err == nil {
		t.Fatal("a comparison of nothing was not refused")
	}
}

// TestRefusals proves that each kind of bad input is refused with an error
// that names the file and the cause.
func TestRefusals(t *testing.T) {
	good := write(t, "good.pb.gz", cpuProfile(stacked{[]string{"f"}, 10}), 10)
	bare := write(t, "bare.pb.gz", cpuProfile(stacked{[]string{"f"}, 10}), 0)
	empty := write(t, "empty.pb.gz", cpuProfile(), 10)
	text := filepath.Join(t.TempDir(), "text.pb.gz")
	if err := os.WriteFile(text, []byte("not a profile"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path     string
		messages int64
		want     string
	}{
		{filepath.Join(t.TempDir(), "none.pb.gz"), 1, "no such file"},
		{text, 1, "no profile"},
		{empty, 1, "no samples"},
		{bare, 0, "no sidecar"},
		{good, -1, "above 0"},
	} {
		_, err := Load(c.path, c.messages)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), filepath.Base(c.path)) {
			t.Errorf("Load(%s, %d) = %v, want an error with %q and the file's name", c.path, c.messages, err, c.want)
		}
	}
	heap := cpuProfile(stacked{[]string{"f"}, 1})
	heap.SampleType = []*profile.ValueType{{Type: "alloc_objects", Unit: "count"}, {Type: "alloc_space", Unit: "bytes"}}
	b := load(t, write(t, "heap.pb.gz", heap, 10), 0)
	if _, err := Diff(load(t, good, 0), b, Options{}); err == nil || !strings.Contains(err.Error(), "different types") {
		t.Errorf("cpu against heap: %v", err)
	}
	if _, err := Diff(load(t, good, 0), load(t, good, 0), Options{Sample: "wine"}); err == nil || !strings.Contains(err.Error(), "wine") {
		t.Errorf("an unknown sample type: %v", err)
	}
}

// TestHeapDefault proves that a heap profile is compared by what was allocated,
// not by what is in use, which does not grow with the messages.
func TestHeapDefault(t *testing.T) {
	p := cpuProfile(stacked{[]string{"f"}, 1})
	p.SampleType = nil
	for _, st := range []string{"alloc_objects/count", "alloc_space/bytes", "inuse_objects/count", "inuse_space/bytes"} {
		typ, unit, _ := strings.Cut(st, "/")
		p.SampleType = append(p.SampleType, &profile.ValueType{Type: typ, Unit: unit})
	}
	p.Sample[0].Value = []int64{2, 64, 1, 32}
	a, b := load(t, write(t, "a.pb.gz", p, 2), 0), load(t, write(t, "b.pb.gz", p, 4), 0)
	tab, err := Diff(a, b, Options{})
	if err != nil || tab.Sample != "alloc_space" || tab.TotalA != 32 || tab.TotalB != 16 {
		t.Fatalf("%+v, %v", tab, err)
	}
}

// TestKeptProfiles proves that profiles as scripts/profile keeps them can be
// compared, of each kind: 5,000 held polls, 5,000 messages a second, on epoll and
// on io_uring. Each engine's own package shows on its side only.
func TestKeptProfiles(t *testing.T) {
	for _, kind := range []string{"cpu", "fgprof", "heap"} {
		a := load(t, filepath.Join("testdata", "epoll-0005000-"+kind+".pb.gz"), 0)
		b := load(t, filepath.Join("testdata", "uring-0005000-"+kind+".pb.gz"), 0)
		tab, err := Diff(a, b, Options{ByCumulative: true, Top: 1000})
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		if tab.TotalA <= 0 || tab.TotalB <= 0 || tab.Functions == 0 {
			t.Errorf("%s: totals %v and %v over %d functions", kind, tab.TotalA, tab.TotalB, tab.Functions)
		}
		if kind == "heap" {
			continue // engines allocate nothing while they run
		}
		epoll, uring := false, false
		for _, r := range tab.Rows {
			ofEpoll, ofUring := strings.Contains(r.Function, "/baseline/epoll."), strings.Contains(r.Function, "c1000k/uring.")
			epoll = epoll || ofEpoll
			uring = uring || ofUring
			if ofEpoll && r.CumB != 0 || ofUring && r.CumA != 0 {
				t.Errorf("%s: %s on the wrong side: %+v", kind, r.Function, r)
			}
		}
		if !epoll || !uring {
			t.Errorf("%s: of epoll's functions there are some: %v, of io_uring's: %v", kind, epoll, uring)
		}
	}
}

// TestDeterministic proves that the same profiles give the same table, byte for
// byte, whatever the order of maps.
func TestDeterministic(t *testing.T) {
	var first string
	for range 5 {
		tab, err := Diff(load(t, "testdata/epoll-0005000-cpu.pb.gz", 0), load(t, "testdata/uring-0005000-cpu.pb.gz", 0), Options{})
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := tab.Write(&out); err != nil {
			t.Fatal(err)
		}
		if first == "" {
			first = out.String()
		}
		if out.String() != first {
			t.Fatalf("two tables of the same profiles differ:\n%s\n%s", first, out.String())
		}
	}
}
