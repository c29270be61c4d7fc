package responsive

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"c1000k/experiments/result"
)

// committed is the run that this repository keeps.
const committed = "../results/E03-responsive"

// TestTablesOfCommittedRuns proves that the tables kept beside the committed runs are
// made of their data.
func TestTablesOfCommittedRuns(t *testing.T) {
	tables, err := filepath.Glob(filepath.Join(committed, "*", "table.md"))
	if err != nil || len(tables) == 0 {
		t.Fatalf("%v %v", tables, err)
	}
	for _, path := range append(tables, filepath.Join(committed, "table.md")) {
		folder := filepath.Dir(path)
		d, err := result.Read(folder)
		if err != nil {
			t.Fatal(err)
		}
		var table bytes.Buffer
		Table(&table, d.Responsives, d.Run.Interrupted)
		kept, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(kept, table.Bytes()) {
			t.Errorf("%s is not what the data give (%v): make it anew by experiment responsive --from %s", path, err, folder)
		}
	}
}

// TestProbesOfTheCommittedRun proves that every loop, phase and kind of the committed run
// has its probe with a whole histogram.
func TestProbesOfTheCommittedRun(t *testing.T) {
	d, err := result.Read(committed)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range d.Responsives {
		for _, phase := range []string{result.PhaseIdle, result.PhaseDuring} {
			for loop := range r.Loops {
				p := r.Probe(phase, result.ProbePing, loop)
				if p == nil || p.Latency.P99 == nil {
					t.Errorf("%s, %s: loop %d has no 99th percentile", r.Backend, phase, loop)
					continue
				}
				if _, err := os.Stat(filepath.Join(committed, p.HDR)); err != nil {
					t.Error(err)
				}
			}
			for _, what := range []string{result.ProbePush, result.ProbeEcho} {
				if p := r.Probe(phase, what, result.AllLoops); p == nil || p.Latency.P99 == nil {
					t.Errorf("%s, %s: %s has no 99th percentile", r.Backend, phase, what)
				}
			}
		}
	}
}

// measured is a record whose loops took so many microseconds at the 99th percentile.
func measured(pushIdle, pushDuring, answer float64, loops ...float64) *result.Responsive {
	r := &result.Responsive{Loops: len(loops), Broadcasts: []result.BroadcastTimes{{AnswerUs: answer, LastSeconds: 1}}}
	add := func(phase, what string, loop int, p99 float64) {
		r.Probes = append(r.Probes, result.Probe{Phase: phase, What: what, Loop: loop, Latency: &result.Percentiles{P99: &p99}, Late: &result.Percentiles{}})
	}
	for loop, p99 := range loops {
		add(result.PhaseDuring, result.ProbePing, loop, p99)
	}
	add(result.PhaseIdle, result.ProbePush, result.AllLoops, pushIdle)
	add(result.PhaseDuring, result.ProbePush, result.AllLoops, pushDuring)
	return r
}

// TestVerdicts proves that a bar is held by the worst loop, against the idle phase,
// and by the slowest answer; and that too few samples are no verdict.
func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		r    *result.Responsive
		want [3]bool
	}{
		{measured(100, 5_100, 9_999, 19_999, 5), [3]bool{true, true, true}},
		{measured(100, 5_101, 9_999, 19_999, 5), [3]bool{true, false, true}},
		{measured(100, 200, 10_001, 5, 20_000), [3]bool{false, true, false}},
	} {
		for i, text := range verdicts(c.r) {
			if got := strings.Contains(text, ": held"); got != c.want[i] || got == strings.Contains(text, "NOT HELD") {
				t.Errorf("verdict %d: %q, want held: %v", i, text, c.want[i])
			}
		}
	}
	few := measured(1, 1, 1, 1)
	for i := range few.Probes {
		few.Probes[i].Latency.P99 = nil
	}
	for _, text := range verdicts(few)[:2] {
		if !strings.HasPrefix(text, "no verdict") {
			t.Errorf("without enough samples: %q", text)
		}
	}
}

// serve answers each request with the replies in turn, in pieces, and stays; without
// any it leaves.
func serve(t *testing.T, replies ...string) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		buf := make([]byte, 4096)
		for _, reply := range replies {
			if _, err := c.Read(buf); err != nil {
				return
			}
			for part := range slices.Chunk([]byte(reply), 7) {
				c.Write(part)
				time.Sleep(100 * time.Microsecond)
			}
		}
		if len(replies) > 0 {
			c.Read(buf)
		}
	}()
	return l.Addr().String()
}

func reply(status string) string {
	return fmt.Sprintf("HTTP/1.1 %s\r\nContent-Length: 5\r\n\r\nhello", status)
}

// TestExchanger proves that a reply is known in pieces, that one which is not as
// wanted is told, and that the end of the connection is an error.
func TestExchanger(t *testing.T) {
	x, err := newExchanger("test", serve(t, reply("200 OK"), reply("200 OK"), reply("503 No")), get("/"))
	if err != nil {
		t.Fatal(err)
	}
	defer x.close()
	if x.size != len(reply("200 OK")) || x.got != 0 {
		t.Errorf("a reply of %d bytes is taken for %d, %d over", len(reply("200 OK")), x.size, x.got)
	}
	if err := x.once(); err != nil {
		t.Error(err)
	}
	if err := x.once(); err == nil {
		t.Error("a refusal is taken for an answer")
	}
	if _, err := newExchanger("test", serve(t, "HTTP/1.1 200 OK\r\n\r\n"), get("/")); err == nil {
		t.Error("a reply without a length is taken")
	}
	if _, err := newExchanger("test", serve(t), get("/")); err == nil {
		t.Error("a connection that ends is taken for an answer")
	}
}

// TestSlowReader proves that what the other end does not read waits here in order,
// and all of it comes when it reads.
func TestSlowReader(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	request := get("/" + strings.Repeat("x", 64<<10))
	x, err := dial("test", l.Addr().String(), request)
	if err != nil {
		t.Fatal(err)
	}
	defer x.close()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	sent := 0
	for ; len(x.unsent) == 0 && sent < 1000; sent++ {
		if err := x.write(); err != nil {
			t.Fatal(err)
		}
	}
	if len(x.unsent) == 0 {
		t.Fatalf("%d requests of %d bytes fit a socket that nobody reads", sent, len(request))
	}
	got := make([]byte, sent*len(request))
	for n := 0; n < len(got); {
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
		k, err := c.Read(got[n:])
		if err != nil {
			t.Fatalf("after %d of %d bytes: %v", n, len(got), err)
		}
		n += k
		if err := x.flush(); err != nil {
			t.Fatal(err)
		}
	}
	if string(got) != strings.Repeat(request, sent) || len(x.unsent) != 0 {
		t.Errorf("%d requests came otherwise than they were sent; %d bytes unsent", sent, len(x.unsent))
	}
}

// TestMetronome proves that requests are sent at their rate and matched with their
// answers, by phase, and that a broadcast is sent when it is asked for, and once.
func TestMetronome(t *testing.T) {
	e, err := startEcho()
	if err != nil {
		t.Fatal(err)
	}
	defer e.close()
	x, err := newExchanger(result.ProbeEcho, e.addr(), echoRequest)
	if err != nil {
		t.Fatal(err)
	}
	defer x.close()
	cast, err := dial("broadcast", serve(t, reply("200 OK")), get("/broadcast"))
	if err != nil {
		t.Fatal(err)
	}
	defer cast.close()
	m := newMetronome(cast)
	track := newTrack()
	m.add(x, track, 1000, 0)
	m.phase.Store(int32(phaseIdle))
	began := time.Now() // before the first is due, however late this goes on
	m.start()
	m.broadcast()
	for end := began.Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, ok := m.answered(0); ok && time.Since(began) > 50*time.Millisecond {
			break
		}
		if err := m.failed(); err != nil || time.Now().After(end) {
			t.Fatalf("the broadcast is not answered: %v", err)
		}
	}
	m.phase.Store(int32(phaseNone))
	took := time.Since(began)
	for end := began.Add(10 * time.Second); m.open.Load() > 0; time.Sleep(time.Millisecond) {
		if err := m.failed(); err != nil || time.Now().After(end) {
			t.Fatalf("%d requests are not answered: %v", m.open.Load(), err)
		}
	}
	if err := m.end(); err != nil {
		t.Fatal(err)
	}
	sent, due := track.late[phaseIdle].TotalCount(), int64(took/time.Millisecond)
	if sent != track.latency[phaseIdle].TotalCount() || sent > due+2 || sent == 0 {
		t.Errorf("%d sent and %d answered in %v", sent, track.latency[phaseIdle].TotalCount(), took)
	}
	if len(m.answers) != 1 || m.castSent != 1 {
		t.Errorf("%d broadcasts, %d answers", m.castSent, len(m.answers))
	}
}

// TestPlan proves that each round has every cell once, and that rounds differ in their
// order.
func TestPlan(t *testing.T) {
	o := Options{Backends: []string{"a", "b"}, LoadNice: []int{0, 19, 5}, Rounds: 6}
	list := o.plan()
	if len(list) != 36 {
		t.Fatalf("%d cells", len(list))
	}
	orders := map[string]bool{}
	for round := range o.Rounds {
		cells := list[:6]
		list = list[6:]
		seen := map[planned]bool{}
		order := ""
		for _, c := range cells {
			seen[c] = true
			order += fmt.Sprint(c.backend, c.nice, " ")
			if c.round != round {
				t.Errorf("round %d: %v", round, c)
			}
		}
		if len(seen) != len(cells) {
			t.Errorf("round %d: %v", round, cells)
		}
		orders[order] = true
	}
	if len(orders) < 3 {
		t.Errorf("six rounds have %d orders", len(orders))
	}
}

// TestOverview proves that the rounds of a backend and priority are summed up, in how
// many a bar was held, and that each round has rows of its own; of one round there is
// nothing to sum up.
func TestOverview(t *testing.T) {
	var all []result.Responsive
	for round, during := range []float64{5_000, 6_000, 4_000} {
		for _, nice := range []int{0, 19} {
			r := measured(100, during, 50, 3_000+during*3, 5)
			r.Backend, r.LoadNice, r.Round = "uring", nice, round
			all = append(all, *r)
		}
	}
	table := func(all []result.Responsive) string {
		var b bytes.Buffer
		Table(&b, all, false)
		return b.String()
	}
	text := table(all)
	for _, want := range []string{
		"| uring | 3 | 18.0 (15.0 to 21.0) | 2 of 3 | 5.0 (4.0 to 6.0) | 4.9 (3.9 to 5.9) | 2 of 3 | – | 0.05 (0.05 to 0.05) | 3 of 3 | 1000 (1000 to 1000) |",
		"| uring, load nice 19 | 3 |", "**uring, round 1**", "**uring, load nice 19, round 3**",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	// A run that was cut short, with a round whose loop had too few pings, and noise.
	all[2].Probe(result.PhaseDuring, result.ProbePing, 0).Latency.P99 = nil
	all[2].Noisy = []string{"steal"}
	if text := table(all[:5]); !strings.Contains(text, "| uring | 3, 1 NOISY | 16.5 (15.0 to 18.0) | 2 of 3, 1 without a verdict |") || !strings.Contains(text, "| uring, load nice 19 | 2 |") {
		t.Error(text)
	}
	if text := table(all[:2]); strings.Contains(text, "medians") || strings.Contains(text, "round") {
		t.Errorf("one round is summed up:\n%s", text)
	}
}
