package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"c1000k/experiments/result"
)

// generate makes the report of a folder.
func generate(t *testing.T, dir string) *Report {
	t.Helper()
	r, err := Generate(dir)
	if err != nil {
		t.Fatal(err)
	}
	keep(t, dir, r.Files)
	return r
}

// row finds the row of a Markdown table below a heading whose first cell is
// label, by the names of its columns.
func row(t *testing.T, markdown, heading, label string) map[string]string {
	t.Helper()
	_, section, found := strings.Cut(markdown, "\n"+heading+"\n")
	if !found {
		t.Fatalf("no heading %q", heading)
	}
	var head []string
	for line := range strings.Lines(section) {
		if strings.HasPrefix(line, "#") {
			break
		}
		if !strings.HasPrefix(line, "|") {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if head == nil {
			head = cells
			continue
		}
		if cells[0] == label {
			byName := map[string]string{}
			for i, c := range cells {
				byName[head[i]] = c
			}
			return byName
		}
	}
	t.Fatalf("below %q no row %q", heading, label)
	return nil
}

func expect(t *testing.T, got, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s: %q, want %q (row %v)", name, got[name], value, got)
		}
	}
}

// Proves that the report finds the numbers a synthetic machine was made of: the
// headline and both fits, what each engine keeps in the kernel over the floor,
// the sums, the article's figures, the ratio to the bare accept loop, and the
// mark of load-bound rates.
func TestReportFindsTheTruth(t *testing.T) {
	r := generate(t, syntheticFolder(t, true, 1_000_000, result.URing, result.Epoll))
	const each = "## Bytes a connection"
	expect(t, row(t, r.Markdown, each, "io_uring"), map[string]string{
		"connections": "1,000,000", "user: (RES − empty)/N": "160 B", "after broadcast": "200 B", "by the fit": "160 B (± 0.0 MB)",
		"kernel: server": "3,928 B", "over the floor": "288 B", "user + kernel: by the fit": "4,088 B (± 0.0 MB)", "in all": "4,088 B",
	})
	expect(t, row(t, r.Markdown, each, "epoll"), map[string]string{"kernel: server": "3,848 B", "over the floor": "208 B", "in all": "4,008 B", "loops/rings, tables": "53/53"})
	expect(t, row(t, r.Markdown, "## Memory side by side", "500,000"), map[string]string{
		"io_uring: loops/rings": "2/26", "RES": "1,427 MiB", "article 2013: VIRT": "1,441 MiB", "user + kernel: io_uring": "2,056 MB", "epoll": "2,016 MB",
	})
	expect(t, row(t, r.Markdown, "### epoll: memory", "1,000,000"), map[string]string{
		"loops/tables": "53/53", "held: server = kernel": "1,000,000", "settled after": "3.2 s", "RES": "172 MB", "Go heap": "1.5 MB",
		"kernel, both ends": "7,696 MB", "kernel, server": "3,848 MB", "user + kernel": "4,020 MB",
	})
	expect(t, row(t, r.Markdown, "### io_uring: opening and idling", "300,000"), map[string]string{"rate": "22,727/s", "of the bare accept": "0.91", "collections": "0"})
	expect(t, row(t, r.Markdown, "### io_uring: one push to each of the drawn channels", "100,000"), map[string]string{
		"delivered": "10,000", "lost or wrong": "0", "server CPU": "11.01 us", "x floor": "1.49", "rate": "40,043/s †", "p99": "901 us", "p99.9": missing,
	})
	expect(t, row(t, r.Markdown, "### epoll: one broadcast to all channels", "1,000,000"), map[string]string{
		"last delivery": "25.00 s †", "more a connection": "40.0 B", "RES after": "212 MB", "user + kernel after": "4,060 MB",
	})
}

// Proves the rules for every table: one of memory ends in user + kernel, each
// names loops, each table with CPU of messages is followed by the threat that
// loopback is, and the sentence on VIRT stands where VIRT does.
func TestTablesKeepTheRules(t *testing.T) {
	r := generate(t, syntheticFolder(t, true, 500_000, result.Epoll, result.URing))
	tables := 0
	for _, section := range strings.Split(r.Markdown, "\n#") {
		lines := strings.Split(section, "\n")
		for i, line := range lines {
			if !strings.HasPrefix(line, "|") || i > 0 && strings.HasPrefix(lines[i-1], "|") {
				continue
			}
			tables++
			columns := strings.Split(strings.Trim(line, "| "), "|")
			if !strings.Contains(line, "loops") {
				t.Errorf("a table without loops: %s", line)
			}
			if strings.Contains(line, "RES") {
				last := strings.Join(columns[len(columns)-2:], "|")
				if !strings.Contains(last, "user + kernel") {
					t.Errorf("a table of memory does not end in user + kernel: %s", line)
				}
			}
			if strings.Contains(line, "VIRT") && !strings.Contains(section, noteVirtual) {
				t.Errorf("VIRT without its sentence: %s", line)
			}
			if (strings.Contains(line, "server CPU") || strings.Contains(line, "idle")) && !strings.Contains(section, noteShort[:40]) {
				t.Errorf("CPU without the threat of loopback: %s", line)
			}
		}
	}
	if tables < 12 {
		t.Errorf("%d tables", tables)
	}
	if strings.Contains(r.Markdown, "faster") || !strings.Contains(r.Markdown, "values, not verdicts") {
		t.Error("one ladder gave a verdict, or does not say that it gives none")
	}
}

// Proves that without root no column is empty: the estimate stands there, marked
// and explained, and what an estimate cannot tell is not told.
func TestEstimate(t *testing.T) {
	r := generate(t, syntheticFolder(t, false, 200_000, result.Epoll))
	got := row(t, r.Markdown, "### epoll: memory", "200,000")
	for _, name := range []string{"kernel, both ends", "kernel, server", "user + kernel"} {
		if !strings.HasPrefix(got[name], "~") {
			t.Errorf("%s is not marked: %q", name, got[name])
		}
	}
	if !strings.Contains(r.Markdown, noteEstimated) || !strings.Contains(r.Terminal, "~") {
		t.Error("the mark is not explained")
	}
	if got := row(t, r.Markdown, "## Bytes a connection", "epoll"); got["over the floor"] != missing {
		t.Errorf("an estimate tells what lies over the floor: %v", got)
	}
}

// Proves that the same data gives the same bytes in every file, and that making
// the report again changes nothing.
func TestSameBytes(t *testing.T) {
	dir := syntheticFolder(t, true, 300_000, result.URing, result.Epoll, result.Gonet)
	first := map[string]string{}
	for _, name := range generate(t, dir).Files {
		first[name] = readFile(t, dir, name)
	}
	if len(first) != 6 {
		t.Errorf("%d files", len(first))
	}
	for _, name := range generate(t, dir).Files {
		if readFile(t, dir, name) != first[name] {
			t.Errorf("%s differs when it is made again", name)
		}
	}
}

// Proves that the figures are XML, show every backend and the article by name,
// and have a point for each step that was measured.
func TestFigures(t *testing.T) {
	dir := syntheticFolder(t, true, 1_000_000, result.URing, result.Epoll)
	generate(t, dir)
	for name, words := range map[string][]string{
		MemoryFigure: {"io_uring", "epoll", "article 2013 (icomet)", "User memory (RES)", "User + kernel memory", "MB", "1M", "held connections"},
		CPUFigure:    {"io_uring, server", "epoll, load", "floor (bare turn)", "Idle CPU", "us a message"},
	} {
		svg := readFile(t, dir, name)
		text := svgText(t, svg)
		for _, word := range words {
			if !strings.Contains(text, word) {
				t.Errorf("%s does not say %q", name, word)
			}
		}
		if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
			t.Errorf("%s has a point that is no number", name)
		}
	}
}

// svgText parses the figure and returns what is written in it.
func svgText(t *testing.T, svg string) string {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(svg))
	var text strings.Builder
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			return text.String()
		}
		if err != nil {
			t.Fatalf("the figure is not XML: %v", err)
		}
		if data, ok := token.(xml.CharData); ok {
			text.Write(data)
			text.WriteByte('\n')
		}
	}
}

// Proves that a ladder which was interrupted, in which a server died, and whose
// last line is torn still gives a report that says all three, with what had been
// measured; and that steps of nothing are dashes.
func TestReportOfACutRun(t *testing.T) {
	f, err := result.Create(t.TempDir(), "cut", syntheticStart)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.WriteRun(result.Run{Name: "cut", Started: syntheticStart, Interrupted: true}); err != nil {
		t.Fatal(err)
	}
	whole := syntheticStep(result.Epoll, 0, 1, 100_000, true)
	whole.Push.Lost, whole.Push.Delivered = 3, whole.Push.Sent-3
	whole.Held.Server = ptr(int64(99_999))
	for _, r := range []result.Record{
		{Backend: &result.Backend{Name: result.Epoll, Order: 0, Loops: 2}},
		{Step: whole},
		{Step: &result.Step{Backend: result.Epoll, Order: 0, Index: 2, Target: 200_000, Loops: 2, Cut: "the server died"}},
		{Failure: &result.Failure{Backend: result.Epoll, Order: 0, Target: 200_000, During: "opening", Process: "server", Reason: "it ended", ExitStatus: ptr(2), LastLines: []string{"fatal: out of slots"}}},
		{Failure: &result.Failure{Backend: result.Gonet, Order: 1, Target: 0, During: "start", Process: "server", Reason: "the descriptor limit", ExitStatus: ptr(1)}},
		{Failure: &result.Failure{Process: "floor", During: "floor", Reason: "no listener"}},
	} {
		if err := f.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	f.Close()
	data := filepath.Join(f.Path(), result.DataFile)
	file, err := os.OpenFile(data, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(file, `{"version":1,"kind":"st`)
	file.Close()
	r := generate(t, f.Path())
	for _, want := range []string{
		"interrupted", "epoll at 200,000 connections, during opening: the server failed: it ended (exit status 2)", "fatal: out of slots",
		"the step is not whole: the server died", "torn", "3 lost, 0 repeated, 0 out of order", "the server counts 99,999, the kernel 100,000",
		"gonet at 0 connections, during start: the server failed", "the run, during floor: the floor failed: no listener",
	} {
		if !strings.Contains(r.Markdown, want) || !strings.Contains(strings.Join(strings.Fields(r.Terminal), " "), want) {
			t.Errorf("the report does not say %q", want)
		}
	}
	expect(t, row(t, r.Markdown, "### epoll: memory", "200,000"), map[string]string{"RES": missing, "user + kernel": missing})
	expect(t, row(t, r.Markdown, "### epoll: memory", "100,000"), map[string]string{"held: server = kernel": "99,999 ≠ 100,000"})
	if strings.Contains(r.Markdown, "## gonet") {
		t.Error("a server that never came to a step has tables")
	}
	if len(r.Warnings) != 1 {
		t.Errorf("warnings %v", r.Warnings)
	}
}

// Proves that a run killed before its first measurement still has a report.
func TestReportOfNothing(t *testing.T) {
	f, err := result.Create(t.TempDir(), "nothing", syntheticStart)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.WriteRun(result.Run{Name: "nothing", Started: syntheticStart, Finished: syntheticStart.Add(time.Second)}); err != nil {
		t.Fatal(err)
	}
	r := generate(t, f.Path())
	if !strings.Contains(r.Markdown, "Nothing was measured") || !strings.Contains(r.Terminal, "Nothing was measured") {
		t.Errorf("%s\n%s", r.Markdown, r.Terminal)
	}
	for _, name := range []string{MemoryFigure, CPUFigure} {
		svgText(t, readFile(t, f.Path(), name))
	}
}

// Proves that a folder that is none, or was made by a newer program, is refused
// with the name of the file and leaves no report behind.
func TestGenerateRefuses(t *testing.T) {
	if _, err := Generate(t.TempDir()); err == nil || !strings.Contains(err.Error(), result.RunFile) {
		t.Errorf("an empty folder: %v", err)
	}
	dir := syntheticFolder(t, true, 100_000, result.Epoll)
	newer := regexp.MustCompile(`"version":1`).ReplaceAllString(readFile(t, dir, result.DataFile), `"version":7`)
	if err := os.WriteFile(filepath.Join(dir, result.DataFile), []byte(newer), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Generate(dir); err == nil || !strings.Contains(err.Error(), result.DataFile+":1") || !strings.Contains(err.Error(), "newer") {
		t.Errorf("a newer version: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, File)); err == nil {
		t.Error("a report was left behind")
	}
}

// Proves that a run of two servers of one backend tells them apart.
func TestTwoServersOfOneBackend(t *testing.T) {
	r := generate(t, syntheticFolder(t, true, 100_000, result.Epoll, result.URing, result.Epoll))
	for _, heading := range []string{"## epoll\n", "## io_uring\n", "## epoll #2\n"} {
		if !strings.Contains(r.Markdown, heading) {
			t.Errorf("no %q", heading)
		}
	}
}
