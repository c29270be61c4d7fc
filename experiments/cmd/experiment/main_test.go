package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	measured "c1000k/experiments/ablation"
	"c1000k/experiments/floor"
	"c1000k/experiments/peers"
	"c1000k/experiments/process"
	"c1000k/experiments/result"
	"c1000k/uring"
)

// TestMain lets the test binary be the load and the floor that an
// experiment starts: it takes its own program for them.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && slices.Contains([]string{"load", "floor-accept", "floor-turn"}, os.Args[1]) {
		os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// call runs the program in this process.
func call(args ...string) (exit int, stdout, stderr string) {
	var out, err bytes.Buffer
	exit = run(args, strings.NewReader(""), &out, &err)
	return exit, out.String(), err.String()
}

// TestHelp proves that each command has help that teaches: what it is for, an
// example, its flags; and that asking for it is no error.
func TestHelp(t *testing.T) {
	for command, want := range map[string][]string{
		"":           {"scripts/experiment --quick", "Exit codes", "130"},
		"ladder":     {"--backends", "--broadcast-at", "experiment ladder --server", "Ctrl-C"},
		"soak":       {"--connections", "--seed", "experiment soak --time", "Ctrl-C", "exit code"},
		"ablation":   {"--messages-to", "scripts/ablation --plan", "--resume", "is a row with the reason"},
		"report":     {"experiment report results/", "byte for byte"},
		"profdiff":   {"--messages-a", "experiment profdiff"},
		"benchmark":  {"--ports", "localhost for 127.0.0.1", "experiment benchmark 127.0.0.1 8100"},
		"responsive": {"--load-nice", "experiment responsive --from"},
		"peers":      {"--rates", "experiment peers --rounds 1", "libnginx-mod-nchan", "pinned"},
	} {
		args := append(strings.Fields(command), "--help")
		exit, stdout, stderr := call(args...)
		if exit != exitClean || stderr != "" {
			t.Errorf("%v: exit %d, stderr %q", args, exit, stderr)
		}
		for _, text := range want {
			if !strings.Contains(stdout, text) {
				t.Errorf("the help of %q lacks %q:\n%s", command, text, stdout)
			}
		}
	}
}

// TestUsage proves that each flag and value that cannot be used ends the program
// with exit code 2 and a message that names it, before anything is started.
func TestUsage(t *testing.T) {
	results := t.TempDir()
	t.Setenv("TMPDIR", results) // where a soak keeps its logs
	for _, c := range []struct{ args, want string }{
		{"", "expected one of"},
		{"climb", "climb"},
		{"ladder --fast", "--fast"},
		{"peers --connections 19001", "--connections"},
		{"peers --subjects nchan,icomet", "icomet"},
		{"peers --workloads broadcast", "broadcast"},
		{"peers --rounds 0", "--rounds"},
		{"peers --rates 0", "--rates"},
		{"peers --rates NaN", "--rates"},
		{"peers --settle 0s", "--settle"},
		{"peers --again /nonexistent", "/nonexistent"},
		{"ladder extra", "extra"},
		{"ladder --to many", "--to"},
		{"ladder --to 0", "--to"},
		{"ladder --to -5", "--to -5: at least"},
		{"ladder --loops -1", "must be 0 to 64"},
		{"ladder --loops 65", "must be 0 to 64"},
		{"ladder --port 0", "--port 0: must be 1 to"},
		{"ladder --port 99999", "--port 99999"},
		{"ladder --step 0", "--step"},
		{"ladder --to 9999999999", "--to"},
		{"ladder --backends uring,kqueue", "kqueue"},
		{"ladder --backends uring,uring", "twice"},
		{"ladder --pin together", "--pin"},
		{"ladder --idle 1", "--idle"},
		{"ladder --idle 1ms", "--idle"},
		{"ladder --settle 1ms", "--settle"},
		{"ladder --settle=-1s", "--settle"},
		{"ladder --polling-timeout 5s", "--polling-timeout"},
		{"ladder --push-rate 0", "--push-rate"},
		{"ladder --expiry-timeout 1ms", "--expiry-timeout"},
		{"ladder --broadcast-at 7", "--broadcast-at"},
		{"ladder --broadcast-at none,100000", "--broadcast-at"},
		{"ladder --seed x", "--seed"},
		{"report", "<dir>"},
		{"report /nowhere/at/all", "/nowhere/at/all"},
		{"profdiff one", "<b>"},
		{"profdiff a b --by heart", "--by"},
		{"profdiff a b --top 0", "--top"},
		{"profdiff a b --ignore (", "--ignore"},
		{"turns --kind both", "--kind"},
		{"turns --connections 0", "--connections"},
		{"turns --subjects pigeon", "pigeon"},
		{"turns --again /nowhere", "/nowhere"},
		{"ablation --sizes 0", "--sizes"},
		{"ablation --sizes many", "--sizes"},
		{"ablation --sizes 2m", "--sizes"},
		{"ablation --subjects pigeon", "pigeon"},
		{"ablation --subjects uring", "--subjects"},
		{"ablation --rounds=-1", "--rounds"},
		{"ablation --kind both", "--kind"},
		{"ablation --messages-to x", "--messages-to"},
		{"ablation --settle 1ms", "--settle"},
		{"ablation --resume /nowhere", "--resume"},
		{"ablation --again /nowhere", "/nowhere"},
		{"responsive --connections 5", "--connections"},
		{"responsive --channels 100 --connections 101", "--channels"},
		{"responsive --channels many", "--channels"},
		{"responsive --backends kqueue", "kqueue"},
		{"responsive --load-nice 20", "--load-nice"},
		{"responsive --ping-rate 0", "--ping-rate"},
		{"responsive --idle 1ms", "--idle"},
		{"responsive --broadcasts 0", "--broadcasts"},
		{"responsive --rounds 0", "--rounds"},
		{"responsive --load-nice 0,0", "named once"},
		{"responsive --port 0", "--port 0: must be 1 to"},
		{"soak --engines kqueue", "kqueue"},
		{"soak --connections -3", "--connections -3"},
		{"soak --time 0s", "--time 0s"},
		{"proxy --engine kqueue", "kqueue"},
		{"proxy --steps 0", "--steps"},
		{"benchmark 127.0.0.1", "<port>"},
		{"benchmark 127.0.0.1 65500", "65535"},
		{"benchmark 127.0.0.1 8100 --step 0", "--step"},
	} {
		args := strings.Fields(c.args)
		if len(args) > 0 && (args[0] == "ladder" || args[0] == "responsive" || args[0] == "ablation") {
			args = append(args, "--results", results)
		}
		exit, _, stderr := call(args...)
		if exit != exitUsage || !strings.Contains(stderr, c.want) || !strings.Contains(stderr, "--help") {
			t.Errorf("%q: exit %d, %q; want %d and %q", c.args, exit, stderr, exitUsage, c.want)
		}
	}
	if left, err := os.ReadDir(results); err != nil || len(left) > 0 {
		t.Errorf("a refused command left %v (%v)", left, err)
	}
}

// TestFailures proves that what is wrong with files and machines, and not with
// the command line, ends with exit code 1 and a message that names it.
func TestFailures(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.pb.gz")
	if err := os.WriteFile(text, []byte("no profile"), 0o644); err != nil {
		t.Fatal(err)
	}
	none := filepath.Join(dir, "results") // is never made
	for _, c := range []struct {
		want string
		args []string
	}{
		{"run.json", []string{"report", dir}},
		{"no such file", []string{"profdiff", filepath.Join(dir, "a"), filepath.Join(dir, "b")}},
		{"no profile", []string{"profdiff", text, text}},
		{"--server", []string{"ladder", "--server", filepath.Join(dir, "none"), "--results", dir}},
		{"results folder", []string{"ladder", "--server", "/bin/true", "--results", filepath.Join(text, "results")}},
		{"results folder", []string{"proxy", "--server", "/bin/true", "--config", text, "--results", filepath.Join(text, "results")}},
		{"--config", []string{"proxy", "--server", "/bin/true", "--config", filepath.Join(dir, "none")}},
		{"--logs", []string{"soak", "--server", "/bin/true", "--logs", filepath.Join(text, "logs")}},
		{"build it", []string{"soak", "--server", filepath.Join(dir, "none"), "--logs", none}},
		{"build it", []string{"turns", "--server", filepath.Join(dir, "none"), "--results", none}},
		{"build it", []string{"responsive", "--server", filepath.Join(dir, "none"), "--results", none}},
		{"build it", []string{"proxy", "--server", filepath.Join(dir, "none"), "--results", none}},
		{"no program", []string{"ladder", "--server", dir, "--results", none}},
		{"responsive --from", []string{"report", copyOf(t, "E03-responsive")}},
		{"of another", []string{"turns", "--again", copyOf(t, "E03-responsive")}},
		{"run.json", []string{"responsive", "--from", copyOf(t, "E04/ring")}},
		{"loopback", []string{"benchmark", "192.0.2.1", "8100"}},
	} {
		exit, _, stderr := call(c.args...)
		if exit != exitFailed || !strings.Contains(stderr, c.want) {
			t.Errorf("%q: exit %d, %q; want %d and %q", c.args, exit, stderr, exitFailed, c.want)
		}
	}
	if _, err := os.Stat(none); err == nil {
		t.Errorf("a command without a server made %s", none)
	}
}

// copyOf copies the files of a committed results folder, so that a command may
// write there.
func copyOf(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	from := os.DirFS(filepath.Join("..", "..", "results", filepath.FromSlash(name)))
	for _, f := range []string{result.RunFile, result.DataFile} {
		text, err := fs.ReadFile(from, f)
		if errors.Is(err, fs.ErrNotExist) {
			continue // turns has no run.json
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, f), text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestNumber proves how numbers may be written.
func TestNumber(t *testing.T) {
	for text, want := range map[string]int{"0": 0, "50000": 50_000, "50_000": 50_000, "50k": 50_000, "1m": 1_000_000, "1M": 1_000_000} {
		if got, err := number(text); err != nil || got != want {
			t.Errorf("%q is %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "k", "1.5m", "5000m", "ten", "1e6"} {
		if got, err := number(text); err == nil {
			t.Errorf("%q was taken for %d", text, got)
		}
	}
}

// TestBenchmarkEnds proves that the article's tool ends in order when nobody is
// there to press Enter.
func TestBenchmarkEnds(t *testing.T) {
	exit, stdout, stderr := call("benchmark", "127.0.0.1", "12100", "--to", "10", "--step", "10")
	if exit != exitClean || !strings.Contains(stdout, "Enter") || stderr != "" {
		t.Errorf("exit %d, %q, %q", exit, stdout, stderr)
	}
}

// TestRealTurns proves that turns are measured of real servers and of the floor,
// of a fan-out and of a broadcast, that the table is made anew to the same bytes,
// and that a run that fails says why and keeps its data.
func TestRealTurns(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: the real servers take some seconds")
	}
	if err := uring.Probe(); err != nil {
		t.Skipf("no io_uring here: %v", err)
	}
	results := t.TempDir()
	server := buildServer(t, results)
	for _, kind := range []string{"fanout", "broadcast"} {
		exit, stdout, stderr := call("turns", "--server", server, "--kind", kind, "--connections", "100", "--messages", "2", "--rounds", "2",
			"--subjects", "uring,epoll,"+floor.TurnWrite+","+floor.TurnPollRest, "--results", filepath.Join(results, kind))
		if exit != exitClean {
			t.Fatalf("exit %d\n%s\n%s", exit, stdout, stderr)
		}
		folders, _ := filepath.Glob(filepath.Join(results, kind, "*-turns"))
		if len(folders) != 1 {
			t.Fatalf("folders %v", folders)
		}
		table := filepath.Join(folders[0], "table.md")
		before, err := os.ReadFile(table)
		if err != nil || strings.Count(string(before), "| 2 |") != 4 || !strings.Contains(string(before), "The floor is ") {
			t.Errorf("%v\n%s", err, before)
		}
		if exit, _, stderr := call("turns", "--again", folders[0]); exit != exitClean {
			t.Errorf("exit %d, %s", exit, stderr)
		}
		if after, err := os.ReadFile(table); err != nil || !bytes.Equal(before, after) {
			t.Errorf("the table differs when it is made anew (%v)", err)
		}
	}
	exit, _, stderr := call("turns", "--server", "/bin/true", "--subjects", "epoll", "--results", filepath.Join(results, "none"))
	if exit != exitFailed || !strings.Contains(stderr, "does not start") {
		t.Errorf("exit %d, %s", exit, stderr)
	}
}

// TestRealPeers proves that fan-outs and pushes are measured of a real nchan and
// of this server on epoll, pinned apart, and that the table is made anew to the
// same bytes.
func TestRealPeers(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: the real servers take some seconds")
	}
	if _, err := peers.FindNchan(); err != nil {
		t.Skip(err)
	}
	if _, _, err := process.Apart(); err != nil {
		t.Skip(err)
	}
	results := t.TempDir()
	exit, stdout, stderr := call("peers", "--server", buildServer(t, results), "--connections", "100", "--messages", "2", "--passes", "1",
		"--rates", "1000,2000", "--rounds", "1", "--settle", "100ms", "--subjects", "nchan,epoll", "--results", results)
	if exit != exitClean {
		t.Fatalf("exit %d\n%s\n%s", exit, stdout, stderr)
	}
	folders, _ := filepath.Glob(filepath.Join(results, "*-peers"))
	if len(folders) != 1 {
		t.Fatalf("folders %v", folders)
	}
	table := filepath.Join(folders[0], "table.md")
	before, err := os.ReadFile(table)
	if err != nil || strings.Count(string(before), "\n| epoll | 1 |") != 3 || strings.Count(string(before), "\n| nchan | 1 |") != 3 {
		t.Errorf("%v\n%s", err, before)
	}
	if exit, _, stderr := call("peers", "--again", folders[0]); exit != exitClean {
		t.Errorf("exit %d, %s", exit, stderr)
	}
	if after, err := os.ReadFile(table); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the table differs when it is made anew (%v)", err)
	}
}

// TestRealAblation proves that real servers are measured with choices, more loops, tokens
// and a planted cost, that a cost of 200 us a delivery is seen as one, that a subject
// which the server refuses is a row with the reason, that a run of which the end is
// missing is gone on with, and that all is made anew to the same bytes.
func TestRealAblation(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: the real servers take some seconds")
	}
	if err := uring.Probe(); err != nil {
		t.Skipf("no io_uring here: %v", err)
	}
	results := t.TempDir()
	programs := []string{"--server", buildServer(t, results), "--plant-server", buildTagged(t, filepath.Join(results, "comet-plant"), "plant")}
	ablation := func(args ...string) (exit int, stdout, stderr string) {
		return call(slices.Concat([]string{"ablation"}, programs, args)...)
	}
	exit, stdout, stderr := ablation("--sizes", "60", "--rounds", "1", "--messages", "1", "--settle", "100ms", "--results", results,
		"--subjects", "uring:accept=single,batch=1,uring:no=such,epoll:loops=3,tokens=on,uring+200us")
	folders, _ := filepath.Glob(filepath.Join(results, "*-ablation"))
	if exit != exitClean || len(folders) != 1 {
		t.Fatalf("exit %d, %v\n%s\n%s", exit, folders, stdout, stderr)
	}
	dir := folders[0]
	d, err := measured.Read(dir)
	if err != nil || len(d.Cells) != 3 || len(d.Failed) != 1 || !d.Failed[0].Refused || len(d.Bares) != 1 {
		t.Fatalf("%v %+v", err, d)
	}
	cells := map[string]measured.Cell{} // their order is drawn
	for _, c := range d.Cells {
		cells[c.Subject] = c
	}
	plain, planted := cells["uring:accept=single,batch=1"], cells["uring+200us"]
	if c := cells["epoll:loops=3,tokens=on"]; c.Loops != 3 || c.Turns.Count != 60 || c.Deliveries.Count != 60 || c.Polls.Server <= 0 || c.Held.Resident <= 0 || c.Kernel.Bytes <= 0 {
		t.Errorf("%+v", c)
	}
	// A loaded machine may take the processor from a planted cost, but not most of it.
	if plain.Turns == nil || planted.Turns == nil {
		t.Fatalf("not every subject was measured: %+v", d.Cells)
	}
	if planted.Turns.Server-plain.Turns.Server < 100 {
		t.Errorf("%.1f us a delivery, and %.1f with 200 more", plain.Turns.Server, planted.Turns.Server)
	}
	if polls := planted.Polls.Server; polls > 150 {
		t.Errorf("%.1f us a poll, which has no planted cost", polls)
	}
	table := filepath.Join(dir, "table.md")
	before, err := os.ReadFile(table)
	if err != nil || !strings.Contains(string(before), "| uring:no=such | not measured: ") || !strings.Contains(string(before), "uring+200us | ") {
		t.Errorf("%v\n%s", err, before)
	}
	if exit, _, stderr := ablation("--again", dir); exit != exitClean {
		t.Errorf("exit %d, %s", exit, stderr)
	}
	if after, err := os.ReadFile(table); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the table differs when it is made anew (%v)", err)
	}
	resume(t, dir, ablation)
}

// resume takes the last cell from a run's data, in the middle of its line, and has
// the run gone on with.
func resume(t *testing.T, dir string, ablation func(args ...string) (int, string, string)) {
	t.Helper()
	data := filepath.Join(dir, "data.jsonl")
	whole, err := os.ReadFile(data)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(data, whole[:len(whole)-100], 0o644); err != nil {
		t.Fatal(err)
	}
	if exit, _, stderr := ablation("--resume", dir, "--rounds", "2"); exit != exitUsage || !strings.Contains(stderr, "--rounds=[2]") {
		t.Errorf("exit %d, %s", exit, stderr)
	}
	if exit, _, stderr := ablation("--resume", dir, "--server", "/bin/true"); exit != exitFailed || !strings.Contains(stderr, "server is another") {
		t.Errorf("exit %d, %s", exit, stderr)
	}
	exit, stdout, stderr := ablation("--resume", dir, "--rounds", "1")
	if exit != exitClean || !strings.Contains(stdout, "1 cells are to be measured") {
		t.Errorf("exit %d\n%s\n%s", exit, stdout, stderr)
	}
	if d, err := measured.Read(dir); err != nil || len(d.Cells) != 3 || len(d.Failed) != 1 {
		t.Errorf("%v %+v", err, d)
	}
}

// TestRealLadder proves the whole path once, with the real server and the real
// load: some hundred connections on io_uring and on epoll, every message
// delivered once, and the report of it regenerated to the same bytes.
func TestRealLadder(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: the real ladder builds the server and takes half a minute")
	}
	dir := t.TempDir()
	server := buildServer(t, dir)
	exit, stdout, stderr := call("ladder", "--server", server, "--quick", "--to", "400", "--step", "200", "--idle", "200ms", "--settle", "200ms",
		"--push", "150", "--port", "18000", "--results", filepath.Join(dir, "results"))
	folders, err := filepath.Glob(filepath.Join(dir, "results", "*-ladder"))
	if err != nil || len(folders) != 1 {
		t.Fatalf("%v, %v\n%s\n%s", folders, err, stdout, stderr)
	}
	checkReal(t, folders[0])
	if exit != exitClean {
		t.Fatalf("exit %d\n%s\n%s", exit, stdout, stderr)
	}
	report := filepath.Join(folders[0], "report.md")
	before, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	if exit, _, stderr := call("report", folders[0]); exit != exitClean {
		t.Fatalf("report: exit %d, %s", exit, stderr)
	}
	if after, err := os.ReadFile(report); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the report differs when it is made anew (%v)", err)
	}
}

// buildServer builds the server into dir.
func buildServer(t *testing.T, dir string) string {
	t.Helper()
	return buildTagged(t, filepath.Join(dir, "comet"))
}

// buildTagged builds the server as path, with tags.
func buildTagged(t *testing.T, server string, tags ...string) string {
	t.Helper()
	build := exec.Command("go", "build", "-tags="+strings.Join(tags, ","), "-o", server, "c1000k/comet/cmd/comet")
	if flags := os.Getenv("GOFLAGS"); !strings.Contains(flags, "checklinkname") {
		// Without it the io_uring bindings do not link.
		build.Env = append(os.Environ(), "GOFLAGS="+strings.TrimSpace(flags+" -ldflags=-checklinkname=0"))
	}
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the server: %v\n%s", err, out)
	}
	return server
}

// TestRealResponsive proves that pings to every loop, pushes and broadcasts are
// measured with the real server and the real load, on epoll, and that the table of
// it is made anew to the same bytes.
func TestRealResponsive(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: it builds the server and takes ten seconds")
	}
	dir := t.TempDir()
	exit, stdout, stderr := call("responsive", "--server", buildServer(t, dir), "--channels", "2000", "--connections", "200",
		"--backends", "epoll", "--load-nice", "19", "--idle", "1s", "--port", "20000", "--results", filepath.Join(dir, "results"))
	folders, err := filepath.Glob(filepath.Join(dir, "results", "*-responsive"))
	if err != nil || len(folders) != 1 || exit != exitClean {
		t.Fatalf("exit %d, %v, %v\n%s\n%s", exit, folders, err, stdout, stderr)
	}
	d, err := result.Read(folders[0])
	if err != nil || len(d.Responsives) != 1 {
		t.Fatalf("%v, %d records", err, len(d.Responsives))
	}
	r := d.Responsives[0]
	if r.Channels != 2000 || r.Connections != 200 || len(r.Broadcasts) < 5 || r.Lost+r.Repeated+r.OutOfOrder+r.Refused != 0 {
		t.Errorf("%+v", r)
	}
	for loop := range r.Loops {
		if p := r.Probe(result.PhaseDuring, result.ProbePing, loop); p == nil || p.Latency == nil || p.Latency.Samples < 100 {
			t.Errorf("loop %d of %d: %+v", loop, r.Loops, p)
		}
	}
	table, err := os.ReadFile(filepath.Join(folders[0], "table.md"))
	if err != nil {
		t.Fatal(err)
	}
	if exit, stdout, _ := call("responsive", "--from", folders[0]); exit != exitClean || stdout != string(table) {
		t.Errorf("made anew, exit %d, the table is\n%swas\n%s", exit, stdout, table)
	}
}

// checkReal tests the records of the real ladder.
func checkReal(t *testing.T, folder string) {
	t.Helper()
	d, err := result.Read(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Failures) > 0 {
		// The server refuses to start with exit status 4 where the kernel lacks what
		// the engine needs, and its last lines say what.
		if f := d.Failures[0]; f.Process == "server" && f.ExitStatus != nil && *f.ExitStatus == 4 {
			t.Skipf("%s is not to be had here: %s", f.Backend, strings.Join(f.LastLines, "; "))
		}
	}
	if len(d.Steps) != 6 || len(d.Failures) != 0 || len(d.Backends) != 2 {
		t.Fatalf("%d backends, %d steps, failures %+v", len(d.Backends), len(d.Steps), d.Failures)
	}
	if got, want := d.Run.Arguments["settle"], "in 200ms, at most 1s"; !strings.Contains(got, want) {
		t.Errorf("memory settled by %q, want %q", got, want)
	}
	for _, s := range d.Steps {
		if s.Connections() != int64(s.Target) || s.Cut != "" {
			t.Errorf("%s at %d: %d connections, cut %q", s.Backend, s.Target, s.Connections(), s.Cut)
		}
		if s.Target == 0 {
			continue
		}
		if p := s.Push; p == nil || p.Delivered != 150 || p.Lost+p.Repeated+p.OutOfOrder != 0 {
			t.Errorf("%s at %d: push %+v", s.Backend, s.Target, p)
		}
		if p := s.Broadcast; p == nil || p.Delivered != int64(s.Target) || p.Lost+p.Repeated+p.OutOfOrder != 0 {
			t.Errorf("%s at %d: broadcast %+v", s.Backend, s.Target, p)
		}
	}
}
