package ablation

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"c1000k/experiments/sample"
	"c1000k/experiments/turns"
)

// synthetic is a run of the subjects with the given CPU a delivery with its next
// poll and user bytes, in so many rounds which differ a little.
func synthetic(rounds int, subjects []string, cpu, user []float64) *Data {
	d := &Data{Began: time.Unix(1, 0), Header: Header{
		Settings:   Settings{Kind: turns.Broadcast, Sizes: []int{1000}, Subjects: subjects, Rounds: []int{max(rounds, 1)}, Settle: time.Second},
		Hypotheses: []Hypothesis{{"accept", "multishot|single", "single: a tenth more"}},
	}}
	d.Environment.CPU.Logical = 2
	for round := range rounds {
		for place, subject := range subjects {
			// Rounds differ by 1 %, and subjects by another hundredth of it, so that no
			// two values are the same.
			noise := 1 + 0.01*float64(round) + 0.0001*float64((place*7+round*3)%11)
			phase := func(us float64) *Phase {
				return &Phase{Count: 1000, Server: us, Counters: map[string]float64{"enters": 0.02, "completions": 3}}
			}
			d.Cells = append(d.Cells, Cell{
				Size: 1000, Round: round, Place: place, Subject: subject, Loops: 2, Rings: 2, Seconds: 4,
				Empty: sample.Memory{Resident: 1e6}, Held: sample.Memory{Resident: 1e6 + uint64(user[place]*1000)},
				Settled: sample.Settled{Settled: true},
				Kernel:  sample.KernelDelta{Bytes: 4e6},
				Opening: *phase(20 * noise), Turns: phase(cpu[place] * noise), Deliveries: phase(7), Polls: phase(3),
			})
		}
	}
	return d
}

func table(d *Data) string {
	var b bytes.Buffer
	Table(&b, d)
	return b.String()
}

// TestTable proves that what differs is found, in either direction, that what does
// not is not, that both controls are judged, and that the cheapest of those near the
// best is named.
func TestTable(t *testing.T) {
	subjects := []string{"uring", "uring", "uring:batch=1", "uring:level=6.1", "epoll", "uring+1us"}
	text := table(synthetic(6, subjects, []float64{8, 8, 9.6, 7.9, 6, 9}, []float64{130, 130, 130, 100, 128, 130}))
	for _, want := range []string{
		"| uring:batch=1 | 1.6", "| more |", "| less |", "A/A control: uring against itself", "no difference, as it must be",
		"1 us planted a delivery", ": seen.", "uring:level=6.1 (", "takes 30.0 B more than the cheapest", "`accept=multishot|single`: single: a tenth more",
		"| 0.02 | 3 |", "Medians of the rounds [95 % by bootstrap]. CPU", "\nWhether epoll is tuned",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	again := line(t, text, "| uring (again) | 0")
	if !strings.Contains(again, "no difference found") {
		t.Error(again)
	}
	if near := line(t, text, "| uring:batch=1 | 1.6"); strings.Contains(near, "yes") {
		t.Errorf("20 %% more is within 3 %%: %s", near)
	}
}

// TestCheapest proves what counts as near to the best: ratios of the same round, to
// the mean where the first subject is measured again; and that a planted cost or a
// configuration is no choice.
func TestCheapest(t *testing.T) {
	for name, test := range map[string]struct {
		subjects   []string
		cpu, bytes []float64
		want, not  []string
	}{
		// Against 8 alone, 8.2 would be 1.025; the mean with 8.4 is 8.2.
		"the mean of A/A": {[]string{"uring", "uring", "uring:batch=1"}, []float64{8, 8.4, 8.2}, []float64{130, 130, 120},
			[]string{"least (uring:batch=1, 1.000 ["}, nil},
		"A/A apart": {[]string{"uring", "uring", "uring:batch=1"}, []float64{8, 10, 8.6}, []float64{130, 130, 120},
			[]string{"uring:batch=1, 0.95", "The first subject, uring, is not among them"}, nil},
		"no choices": {[]string{"uring", "uring+1us", "uring:config=a.toml", "epoll"}, []float64{8, 4, 4, 4}, []float64{130, 90, 90, 90},
			[]string{"first: uring (1.000 [1.000, 1.000]; ", "The first subject, uring, is the cheapest"}, []string{"uring+1us (", "a.toml ("}},
		"not the first engine": {[]string{"epoll", "uring", "uring:batch=1"}, []float64{4, 8, 9}, []float64{130, 130, 120},
			[]string{"first: uring (2.0"}, []string{"uring:batch=1 (2.", "epoll (1.", "The first subject"}},
		"tokens are no choice": {[]string{"uring", "uring:tokens=on"}, []float64{8, 4}, []float64{130, 90},
			[]string{"first: uring (1.000"}, []string{"tokens=on ("}},
	} {
		text := table(synthetic(6, test.subjects, test.cpu, test.bytes))
		for _, want := range test.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q is not in\n%s", name, want, text)
			}
		}
		for _, not := range test.not {
			if strings.Contains(text, not) {
				t.Errorf("%s: %q is in\n%s", name, not, text)
			}
		}
	}
}

// TestCheapestAgain proves that a choice which is named twice, and is not the first
// subject, is judged at each place by itself.
func TestCheapestAgain(t *testing.T) {
	text := table(synthetic(6, []string{"epoll", "uring", "uring"}, []float64{4, 8, 9}, []float64{130, 130, 130}))
	if l := line(t, text, "| uring | 4.1"); !strings.Contains(l, "yes") {
		t.Error(l)
	}
	if l := line(t, text, "| uring (again) | 5"); strings.Contains(l, "yes") {
		t.Error(l)
	}
}

// TestCheapestUnmeasured proves that rounds which lack a side are left out of a ratio,
// that the first subject is near also where only its A/A place was measured, and that
// what was not measured at the size of the bytes is told as that.
func TestCheapestUnmeasured(t *testing.T) {
	d := synthetic(6, []string{"uring", "uring", "uring:batch=1"}, []float64{8, 8, 8}, []float64{130, 130, 120})
	d.Cells = slices.DeleteFunc(d.Cells, func(c Cell) bool { return c.Place == 0 || c.Place == 1 && c.Round > 3 || c.Place == 2 && c.Round == 0 })
	near, least := d.cheapest(1000, 1000)
	if len(near) != 2 || near[0].place != 2 || near[0].cpu.N != 3 || near[1].place != 0 || near[1].cpu.Median != 1 || near[1].bytes.N != 0 || least.cpu.N == 0 {
		t.Errorf("%+v, least %+v", near, least)
	}
	if text := table(d); !strings.Contains(text, "uring (1.000 (1.000 to 1.000); not measured)") || !strings.Contains(text, "The first subject, uring, was not measured at 1,000.") {
		t.Error(text)
	}
}

// line is the line of text that begins with start.
func line(t *testing.T, text, start string) string {
	t.Helper()
	i := strings.Index(text, start)
	if i < 0 {
		t.Fatalf("no line begins with %q:\n%s", start, text)
	}
	l, _, _ := strings.Cut(text[i:], "\n")
	return l
}

// TestTableOfFewRounds proves that rounds which are too few for an interval have none, in
// the table and in the summary; and that a table without epoll says nothing of it.
func TestTableOfFewRounds(t *testing.T) {
	d := synthetic(2, []string{"uring", "uring:batch=1"}, []float64{8, 9}, []float64{130, 130})
	text := table(d)
	if !strings.Contains(text, "Medians of the rounds (least to greatest") || strings.Contains(text, "[") || strings.Contains(text, "epoll is tuned") {
		t.Error(text)
	}
	var b bytes.Buffer
	if err := summary(&b, d); err != nil || !strings.Contains(b.String(), "1000,uring,turn,us,2,8.04") || !strings.Contains(b.String(), ",,,,,,,,,,\n") {
		t.Errorf("%v\n%s", err, b.String())
	}
}

// TestTableDoubts proves that the table says where it cannot be believed: the same
// subject differs from itself, the planted cost is not seen, there are too few
// rounds, or no controls.
func TestTableDoubts(t *testing.T) {
	subjects := []string{"uring", "uring", "uring+1us"}
	user := []float64{130, 130, 130}
	for want, d := range map[string]*Data{
		"A DIFFERENCE, though there is none":   synthetic(6, subjects, []float64{8, 12, 9}, user),
		"NOT SEEN":                             synthetic(6, subjects, []float64{8, 8, 8}, user),
		"too few rounds for a claim":           synthetic(3, subjects, []float64{8, 8, 9}, user),
		"nothing can be found":                 synthetic(3, subjects, []float64{8, 8, 9}, user),
		"There is no A/A control":              synthetic(6, []string{"uring", "epoll"}, []float64{8, 8}, user),
		"There is no positive control":         synthetic(6, []string{"uring", "epoll"}, []float64{8, 8}, user),
		"The first subject, uring, is not amo": synthetic(6, []string{"uring", "uring:batch=1"}, []float64{8, 4}, user),
		"Nothing was measured":                 synthetic(0, subjects, nil, nil),
	} {
		if text := table(d); !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

// TestTableRefused proves that a subject which the server refuses is a row with the
// reason, and that one without messages takes its CPU from a size that has them.
func TestTableRefused(t *testing.T) {
	d := synthetic(6, []string{"uring", "uring:fds=plain"}, []float64{8, 8}, []float64{130, 120})
	d.Sizes, d.MessagesTo = []int{1000, 2000}, 1000
	for _, c := range d.Cells {
		if c.Place == 0 {
			c.Size, c.Turns, c.Deliveries, c.Polls = 2000, nil, nil, nil
			d.Cells = append(d.Cells, c)
		}
	}
	d.Failed = []Failed{{Size: 2000, Place: 1, Subject: "uring:fds=plain", Refused: true, Reason: "one table | too small"}}
	text := table(d)
	for _, want := range []string{
		"| uring:fds=plain | not measured: one table / too small |", "at 1,000 connections, the cheapest in user + kernel bytes at 2,000 first: uring (",
		"| uring | 2/2/0 | 6 | – | – | – |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if d.Broken() {
		t.Error("a refusal counts as a failure")
	}
	d.Failed = append(d.Failed, Failed{Size: 2000, Round: 7, Place: 0})
	if !d.Broken() {
		t.Error("a failure does not count")
	}
}

// TestLog proves that records are read as they were kept, that a run is gone on with
// after a torn line, and not with other settings, another server or kernel.
func TestLog(t *testing.T) {
	dir := t.TempDir()
	d := synthetic(2, []string{"uring", "epoll"}, []float64{8, 9}, []float64{1, 2})
	l, err := newLog(dir, d.Header)
	if err != nil {
		t.Fatal(err)
	}
	for i := range d.Cells[:3] {
		if err := l.keep(Record{Cell: &d.Cells[i]}); err != nil {
			t.Fatal(err)
		}
	}
	l.file.Close()
	if _, err := newLog(dir, d.Header); err == nil {
		t.Error("a run was begun over another")
	}
	path := filepath.Join(dir, DataFile)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(whole, `{"version":1,"cell":{"conn`...), 0o644); err != nil {
		t.Fatal(err)
	}
	for says, change := range map[string]func(h *Header){
		"the settings were": func(h *Header) { h.Rounds = []int{9} },
		"server is another": func(h *Header) { h.ServerHash = "x" },
		"kernel is another": func(h *Header) { h.Environment.Kernel = "x" },
		"a.toml are others": func(h *Header) { h.Configs = map[string]string{"a.toml": "loops = 3"} },
	} {
		h := d.Header
		change(&h)
		if _, err := openLog(dir, h); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", says, err)
		}
	}
	l, err = openLog(dir, d.Header)
	if err != nil {
		t.Fatal(err)
	}
	if l.data.done(1000, 1, 1) || !l.data.done(1000, 1, 0) || !l.data.done(1000, 0, 1) {
		t.Errorf("%+v", l.data.Cells)
	}
	if err := l.keep(Record{Cell: &d.Cells[3]}); err != nil {
		t.Fatal(err)
	}
	l.file.Close()
	got, err := Read(dir)
	if err != nil || len(got.Cells) != 4 || got.Cells[3].Turns.Server != d.Cells[3].Turns.Server || !got.done(1000, 1, 1) {
		t.Fatalf("%v %+v", err, got)
	}
	for says, text := range map[string]string{
		"no header":  "",
		"first line": string(whole) + strings.SplitAfter(string(whole), "\n")[0],
		"version 7":  strings.Replace(string(whole), `"version":1`, `"version":7`, 1),
		"place 9":    strings.Replace(string(whole), `"place":1`, `"place":9`, 1),
		":5:":        string(whole) + "{\n",
	} {
		os.WriteFile(path, []byte(text), 0o644)
		if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", says, err)
		}
	}
}

// TestWrite proves that the same data gives the same files, that there is a figure
// for each size, and that the summary has a line for each figure of each subject.
func TestWrite(t *testing.T) {
	dir := t.TempDir()
	d := synthetic(6, []string{"uring", "uring:batch=1", "uring:accept=single,batch=1,minwait=1us,level=6.1"}, []float64{8, 9, 10}, []float64{130, 131, 132})
	l, err := newLog(dir, d.Header)
	if err != nil {
		t.Fatal(err)
	}
	for i := range d.Cells {
		if err := l.keep(Record{Cell: &d.Cells[i]}); err != nil {
			t.Fatal(err)
		}
	}
	l.file.Close()
	files := map[string]string{}
	for range 2 {
		var out bytes.Buffer
		if err := Write(dir, &out); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{TableFile, "figure-1000.svg", "summary.csv", "bench.txt"} {
			text, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if was, ok := files[name]; ok && was != string(text) {
				t.Errorf("%s differs when it is made anew", name)
			}
			files[name] = string(text)
		}
		if out.String() != files[TableFile] {
			t.Error("the table printed is not the one kept")
		}
	}
	if n := strings.Count(files["summary.csv"], "\n"); n != 1+3*(len(metrics)-2) { // without a bare loop nothing is over it, and no kernel threads were seen
		t.Errorf("%d lines:\n%s", n, files["summary.csv"])
	}
	if n := strings.Count(files["bench.txt"], "BenchmarkAblation/"); n != 18 {
		t.Errorf("%d lines:\n%s", n, files["bench.txt"])
	}
	for _, label := range []string{"uring:batch=1<", "uring:accept=single and 3 more<", "% more than uring"} {
		if !strings.Contains(files["figure-1000.svg"], label) {
			t.Errorf("%q is not in\n%s", label, files["figure-1000.svg"])
		}
	}
}

// TestLeft proves that the time left is guessed from the options before, corrected
// by what cells of other sizes took, and taken from those of the same size.
func TestLeft(t *testing.T) {
	d := synthetic(2, []string{"uring", "epoll"}, []float64{8, 9}, []float64{1, 2})
	d.Sizes = []int{1000, 100_000}
	r := &run{o: &Options{Settings: d.Settings}, data: &Data{Header: d.Header}, subjects: make([]Subject, 2)}
	before := r.left()
	if want := Guess(d.Settings); before != want || before < 30*time.Second {
		t.Errorf("%v, want %v", before, want)
	}
	r.data.Cells = d.Cells[:2] // of four seconds each, less than was guessed
	guess := d.Settings.guess(1000)
	got := r.left().Seconds()
	want := guessBare(1000) + 2*4 + guessBare(100_000) + 4*d.Settings.guess(100_000)*4/guess
	if got < want*0.999 || got > want*1.001 {
		t.Errorf("%v s, want %v", got, want)
	}
}

// TestOrder proves that a table says in which order the rounds of its run went.
func TestOrder(t *testing.T) {
	d := Data{Header: Header{Settings: Settings{Subjects: []string{"uring", "uring", "epoll"}}}}
	for order, says := range map[string]string{"": "forwards and backwards", drawn: "drawn by lot"} {
		var b bytes.Buffer
		d.Order = order
		if Table(&b, &d); !strings.Contains(b.String(), says) {
			t.Errorf("%q: %s", order, b.String())
		}
	}
}

// TestSettings proves that what cannot be is refused by the flag's name, and how
// many messages a size gets.
func TestSettings(t *testing.T) {
	good := Settings{Kind: turns.Fanout, Sizes: []int{1}, Subjects: []string{"uring", "epoll"}, Rounds: []int{1}, Settle: time.Second}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for says, change := range map[string]func(s *Settings){
		"--kind":     func(s *Settings) { s.Kind = "both" },
		"--sizes":    func(s *Settings) { s.Sizes = nil },
		"--sizes=0":  func(s *Settings) { s.Sizes = []int{0} },
		"--rounds":   func(s *Settings) { s.Rounds = []int{0} },
		"for each":   func(s *Settings) { s.Rounds = []int{1, 2} },
		"twice":      func(s *Settings) { s.Sizes = []int{5, 5} },
		"--messages": func(s *Settings) { s.Messages = -1 },
		"--settle":   func(s *Settings) { s.Settle = 0 },
		"--subjects": func(s *Settings) { s.Subjects = s.Subjects[:1] },
		"pigeon":     func(s *Settings) { s.Subjects = []string{"uring", "pigeon"} },
	} {
		s := good
		change(&s)
		if err := s.Check(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", says, err)
		}
	}
	good.Sizes, good.Rounds = []int{18_000, 200_000}, []int{6, 3}
	if err := good.Check(); err != nil || good.rounds(18_000) != 6 || good.rounds(200_000) != 3 {
		t.Errorf("%v", err)
	}
	for size, want := range map[int]int{100: 20, 18_000: 12, 200_000: 1, 1_000_000: 1} {
		if got := good.messages(size); got != want {
			t.Errorf("%d messages at %d, want %d", got, size, want)
		}
	}
}
