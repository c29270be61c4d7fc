package peers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"c1000k/experiments/load"
	"c1000k/experiments/sample"
)

// run is a run of three rounds, of which the second is twice as slow for all.
func run() Run {
	r := Run{Header: Header{
		Version: version, Subjects: []string{Nchan, "uring", Nchan}, Workloads: []string{Fanout, Push}, Connections: 1000, Messages: 5, Passes: 2,
		Rates: []float64{5000, 20000}, Rounds: 3, Ceiling: load.CeilingResult{CPU: 10, CoreRate: 100_000}, Nginx: []string{"nginx version: x"},
		Wire: map[string]Wire{Nchan: {1, 2, 3, 4}, "uring": {5, 6, 7, 8}},
	}}
	add := func(c Cell) {
		c.Order = len(r.Cells)
		r.Cells = append(r.Cells, c)
	}
	for round, slow := range []float64{1, 2, 1.1} {
		for slot, cpu := range []float64{20, 8, 20} {
			c := Cell{Version: version, Round: round, Slot: slot, Subject: r.Header.Subjects[slot], User: 100 * cpu, UserAfter: 110 * cpu, Kernel: 8000}
			c.Workload, c.Server, c.Last = Fanout, cpu*slow, cpu*slow/1000
			add(c)
			p50 := cpu
			c.Workload, c.Last, c.Pushes = Push, 0, []load.Latency{{P50: &p50}}
			for i, rate := range r.Header.Rates {
				c.RateAsked, c.Server = rate, cpu*slow*float64(2-i)
				add(c)
			}
		}
	}
	return r
}

// TestTable proves that a ratio is of the same round, so that a slow round changes
// none; that nchan against itself stands as the noise; that a row which the load
// bounds is marked, and no other; and that each rate has a table of its own.
func TestTable(t *testing.T) {
	var b bytes.Buffer
	r := run()
	Table(&b, r)
	text := b.String()
	for _, line := range []string{
		"| nchan | 3 | 22 (20 to 40) | 1 (1 to 1) | – | ",
		"| uring | 3 | 8.8 (8 to 16) | 0.4 (0.4 to 0.4) | 0.1 | 0 (0 to 0) | 8.8 (8 to 16) * | 0.4 (0.4 to 0.4) * | ",
		"| nchan again | 3 | 22 (20 to 40) | 1 (1 to 1) | – | 0 (0 to 0) | 22 (20 to 40) | ",
		"at 5000 a second", "| uring | 3 | 17.6 (16 to 32) | 0.4 (0.4 to 0.4) | 0.1 | 0 (0 to 0) | 8 (8 to 8) | 0.4 (0.4 to 0.4) | ",
		"at 20000 a second",
		"| push | uring | 800 (800 to 800) | 880 (880 to 880) | 8000 (8000 to 8000) | 8800 (8800 to 8800) |",
		"| uring | 5 | 6 | 7 | 8 |", "did not come to its end", "load-bound: more", "Medians of the rounds (least to greatest",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("no %q in:\n%s", line, text)
		}
	}
	r.Footer = &Footer{Noisy: []string{"steal 9.0 % of the processors' time"}}
	b.Reset()
	if Table(&b, r); !strings.Contains(b.String(), "NOISY: steal 9.0 %") || strings.Contains(b.String(), "did not come") {
		t.Error(b.String())
	}
	if strings.Contains(b.String(), "epoll is tuned") {
		t.Error("a table without epoll speaks of its tuning")
	}
	r.Header.Subjects = []string{Nchan, "epoll", Nchan}
	b.Reset()
	if Table(&b, r); strings.Count(b.String(), "Whether epoll is tuned") != 1 {
		t.Errorf("it does not say once that epoll's tuning was not measured:\n%s", b.String())
	}
	b.Reset()
	if Table(&b, Run{}); !strings.Contains(b.String(), "Nothing") {
		t.Error(b.String())
	}
}

// TestRead proves that data gives the table it gave before, and that what cannot be
// read is told with its place.
func TestRead(t *testing.T) {
	r := run()
	r.Footer = &Footer{Version: version, After: sample.Machine{At: time.Unix(1, 0)}, Noisy: []string{"loud"}}
	var b, before, after bytes.Buffer
	e := json.NewEncoder(&b)
	e.Encode(r.Header)
	for _, c := range r.Cells {
		e.Encode(c)
	}
	e.Encode(r.Footer)
	text := b.String()
	got, err := Read(strings.NewReader(text))
	if err != nil || len(got.Cells) != len(r.Cells) || got.Footer == nil {
		t.Fatalf("%v, %+v", err, got)
	}
	Table(&before, r)
	Table(&after, got)
	if !bytes.Equal(before.Bytes(), after.Bytes()) {
		t.Errorf("%s\nand read again:\n%s", &before, &after)
	}
	for _, test := range []struct{ text, says string }{
		{"", "header"},
		{text + "{", "line 29"},
		{text + "[]", "line 29"},
		{strings.Replace(text, `"version":1`, `"version":7`, 1), "version 7"},
	} {
		if _, err := Read(strings.NewReader(test.text)); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%q: %v", test.text[max(0, len(test.text)-20):], err)
		}
	}
}

// TestOrder proves that a round has every cell once, that the next has another order,
// and that rates go back in every other.
func TestOrder(t *testing.T) {
	o := &Options{Subjects: []string{"a", "b"}, Workloads: []string{Fanout, Push}, Rates: []float64{1, 2}}
	all := []place{{Fanout, 0}, {Fanout, 1}, {Push, 0}, {Push, 1}}
	orders := map[string]bool{}
	for round := range 6 {
		cells := order(o, round)
		orders[fmt.Sprint(cells)] = true
		if len(cells) != len(all) {
			t.Errorf("%d cells", len(cells))
		}
		for _, p := range all {
			if !slices.Contains(cells, p) {
				t.Errorf("round %d lacks %v", round, p)
			}
		}
	}
	if len(orders) < 3 {
		t.Errorf("six rounds have %d orders", len(orders))
	}
	c := cell{o: o, place: place{Push, 0}}
	if r := c.rates(); r[0] != 1 || r[1] != 2 {
		t.Error(r)
	}
	if c.round = 1; c.rates()[0] != 2 || o.Rates[0] != 1 {
		t.Error(c.rates(), o.Rates)
	}
}

// TestTap proves that a tap passes all on, each way, and has counted what has come.
func TestTap(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.CopyN(c, c, 5)
				io.WriteString(c, "more")
			}()
		}
	}()
	tap, err := newTap(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer tap.close()
	c, err := net.Dial("tcp", tap.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "hello")
	if got, err := io.ReadAll(c); err != nil || string(got) != "hellomore" {
		t.Errorf("%q, %v", got, err)
	}
	if up, down := tap.up.Load(), tap.down.Load(); up != 5 || down != 9 {
		t.Errorf("%d up, %d down", up, down)
	}
}
