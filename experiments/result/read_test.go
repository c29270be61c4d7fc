package result

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/perf/benchfmt"

	"c1000k/experiments/sample"
)

const goodRun = `{"version":1,"name":"test","started":"2026-01-02T03:04:05Z"}`

const goodLine = `{"version":1,"kind":"floor","at":"2026-01-02T03:04:05Z","floor":{"what":"turn","count":1,"seconds":1,"rate_per_second":5}}`

func folderOf(t *testing.T, run, data string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{RunFile: run, DataFile: data} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Proves that what is not of this format is refused with the file, the line and
// the reason: foreign, newer, broken, of a wrong kind, of a wrong type.
func TestReadRefuses(t *testing.T) {
	for _, c := range []struct {
		name, run, data string
		want            []string
	}{
		{"foreign line", goodRun, goodLine + "\n" + `{"hello":1}` + "\n", []string{DataFile + ":2", "no version"}},
		{"newer line", goodRun, goodLine + "\n" + goodLine + "\n" + strings.Replace(goodLine, `"version":1`, `"version":2`, 1) + "\n", []string{DataFile + ":3", "newer"}},
		{"version below the first", goodRun, strings.Replace(goodLine, `"version":1`, `"version":0`, 1) + "\n", []string{DataFile + ":1", "does not exist"}},
		{"torn in the middle", goodRun, goodLine[:40] + "\n" + goodLine + "\n", []string{DataFile + ":1", "JSON"}},
		{"not JSON", goodRun, "backend,RES\nuring,5\n", []string{DataFile + ":1", "JSON"}},
		{"kind and part differ", goodRun, strings.Replace(goodLine, `"kind":"floor"`, `"kind":"step"`, 1) + "\n", []string{DataFile + ":1", "kind"}},
		{"no part", goodRun, `{"version":1,"kind":"floor"}` + "\n", []string{DataFile + ":1", "one part"}},
		{"wrong type", goodRun, strings.Replace(goodLine, `"count":1`, `"count":"many"`, 1) + "\n", []string{DataFile + ":1", "count"}},
		{"foreign run", `{"name":"x"}`, goodLine + "\n", []string{RunFile, "no version"}},
		{"newer run", strings.Replace(goodRun, `"version":1`, `"version":99`, 1), goodLine + "\n", []string{RunFile, "newer"}},
		{"broken run", goodRun[:20], goodLine + "\n", []string{RunFile, "JSON"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Read(folderOf(t, c.run, c.data))
			if err == nil {
				t.Fatal("it was read")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error %q does not tell %q", err, want)
				}
			}
		})
	}
}

// Proves that a missing or unreadable folder is an error that names the file.
func TestReadMissing(t *testing.T) {
	if _, err := Read(filepath.Join(t.TempDir(), "absent")); err == nil || !strings.Contains(err.Error(), RunFile) {
		t.Errorf("absent: %v", err)
	}
	dir := folderOf(t, goodRun, goodLine)
	if err := os.Remove(filepath.Join(dir, DataFile)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, DataFile), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), DataFile) {
		t.Errorf("a folder in place of the data: %v", err)
	}
}

// Proves that whatever place the last line is torn at, all lines before it are
// kept and the reader is told: a crash loses the line that was being written.
func TestReadTornEnd(t *testing.T) {
	for cut := 1; cut < len(goodLine); cut++ {
		d, err := Read(folderOf(t, goodRun, goodLine+"\n"+goodLine+"\n"+goodLine[:cut]))
		if err != nil {
			t.Fatalf("torn after %d bytes: %v", cut, err)
		}
		if len(d.Floors) != 2 || len(d.Warnings) != 1 || !strings.Contains(d.Warnings[0], DataFile+":3") {
			t.Fatalf("torn after %d bytes: %d records, warnings %v", cut, len(d.Floors), d.Warnings)
		}
	}
}

// Proves that a line without end does not fill the memory.
func TestReadEndlessLine(t *testing.T) {
	_, err := Read(folderOf(t, goodRun, goodLine+"\n"+strings.Repeat("x", lineLimit+1)+"\n"))
	if err == nil || !strings.Contains(err.Error(), DataFile+":2") {
		t.Errorf("%v", err)
	}
}

// ladder is three whole steps, one that was cut short, and a window of expiring
// polls at 1,000.
func ladder() *Data {
	d := &Data{Run: Run{Name: "a run", Environment: sample.Environment{Kernel: "6.18.0", Architecture: "amd64",
		CPU: sample.CPUModel{Model: "Some  CPU"}, Program: sample.Program{Go: "go1.26", Git: sample.Git{Commit: "abc"}}}}}
	for i, target := range []int{0, 1000, 2000} {
		s := fullStep()
		s.Index, s.Target, s.Cut = i, target, ""
		d.Steps = append(d.Steps, s)
	}
	d.Steps = append(d.Steps, Step{Backend: URing, Index: 3, Target: 3000, Loops: 2, Cut: "server died"})
	d.Expiries = append(d.Expiries, window(), Expiry{Backend: URing, Target: 3000, Loops: 2, Cut: "refused"})
	return d
}

// Proves that the summary has a row a step with the measured values under their
// names, and empty cells, not zeros, where a step was cut short.
func TestWriteSummary(t *testing.T) {
	var out bytes.Buffer
	if err := WriteSummary(&out, ladder()); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(rows) != 5 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	cell := func(row int, name string) string {
		for i, head := range rows[0] {
			if head == name {
				return rows[row][i]
			}
		}
		t.Fatalf("no column %s in %v", name, rows[0])
		return ""
	}
	for name, want := range map[string]string{
		"backend": "epoll", "target_connections": "1000", "resident_bytes": "8", "push_server_cpu_us_per_message": "3.25",
		"push_lost": "1", "idle_gc_cycles": "0", "settle_seconds": "3", "held_kernel_server_end": "1000",
		"expiry_noops": "2130", "expiry_noops_expected_at_least": "2000", "expiry_server_cpu_us_per_noop": "15.5", "expiry_load_cpu_us_per_noop": "0",
		"expiry_repeated": "1", "expiry_resident_before_bytes": "8", "expiry_user_and_kernel_after_bytes": "", "expiry_held_server_end": "1000",
	} {
		if got := cell(2, name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for _, name := range []string{"resident_bytes", "idle_gc_cycles", "push_lost", "broadcast_sent", "user_and_kernel_bytes"} {
		if got := cell(4, name); got != "" {
			t.Errorf("%s of a step cut short: %q", name, got)
		}
	}
	if got := cell(3, "expiry_noops"); got != "" {
		t.Errorf("noops of a step without a window: %q", got)
	}
	if got := cell(4, "expiry_cut"); got != "refused" || cell(4, "expiry_noops") != "" {
		t.Errorf("of a window that was not begun: %q, %q noops", got, cell(4, "expiry_noops"))
	}
	if got := cell(4, "cut"); got != "server died" {
		t.Errorf("cut: %q", got)
	}
}

// Proves that bench.txt is the Go benchmark format: the reader of benchstat
// takes every line, with the values and the configuration.
func TestWriteBench(t *testing.T) {
	var out bytes.Buffer
	if err := WriteBench(&out, ladder()); err != nil {
		t.Fatal(err)
	}
	r := benchfmt.NewReader(&out, "bench.txt")
	seen := map[string]float64{}
	for r.Scan() {
		switch rec := r.Result().(type) {
		case *benchfmt.SyntaxError:
			t.Errorf("%v", rec)
		case *benchfmt.Result:
			if rec.GetConfig("kernel") != "6.18.0" || rec.GetConfig("cpu") != "Some CPU" {
				t.Errorf("configuration of %s: %v", rec.Name, rec.Config)
			}
			for _, v := range rec.Values {
				seen[fmt.Sprintf("%s %s", rec.Name, v.Unit)] = v.Value
			}
		}
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]float64{
		"Push/backend=epoll/connections=1000/loops=3 server-us/msg": 3.25,
		"Push/backend=epoll/connections=2000/loops=3 lost-msgs":     1,
		"Memory/backend=epoll/connections=0/loops=3 RES-bytes":      8,
		"Idle/backend=epoll/connections=1000/loops=3 cores":         0.001,
		"Open/backend=epoll/connections=1000/loops=3 conns/s":       1000,
		"Expiry/backend=epoll/connections=1000/loops=3 noops/s":     32.77,
		"Expiry/backend=epoll/connections=1000/loops=3 lost-msgs":   1,
	} {
		if got, ok := seen[key]; !ok || math.Abs(got-want) > 1e-9 {
			t.Errorf("%s: %v, found %v, want %v", key, got, ok, want)
		}
	}
	for key := range seen {
		if strings.Contains(key, "connections=3000") {
			t.Errorf("a step without a measurement has the line %s", key)
		}
	}
}
