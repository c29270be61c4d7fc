package peers

import (
	"fmt"
	"io"
	"strings"

	"c1000k/experiments/result"
	"c1000k/experiments/stats"
)

// seed is of the bootstrap, so that the same cells give the same table.
const seed = 1

// row is one subject's cells of a workload, in the order of the rounds.
type row struct {
	name  string
	cells []Cell
}

// rows lists a workload's subjects, at one rate, in the order in which they were
// named.
func (r *Run) rows(workload string, rate float64) (all []row) {
	seen := map[string]int{}
	for slot, subject := range r.Header.Subjects {
		name := subject
		if seen[subject]++; seen[subject] > 1 {
			name += " again"
		}
		one := row{name: name}
		for _, c := range r.Cells {
			if c.Workload == workload && c.Slot == slot && c.RateAsked == rate {
				one.cells = append(one.cells, c)
			}
		}
		if len(one.cells) > 0 {
			all = append(all, one)
		}
	}
	return all
}

// values are one figure of a row's cells.
func (r row) values(figure func(Cell) float64) (all []float64) {
	for _, c := range r.cells {
		all = append(all, figure(c))
	}
	return all
}

// ratios are a row's figures over the peer's of the same round.
func (r row) ratios(peer row, figure func(Cell) float64) (all []float64) {
	for _, c := range r.cells {
		for _, p := range peer.cells {
			if p.Round == c.Round {
				all = append(all, figure(c)/figure(p))
				break
			}
		}
	}
	return all
}

// The figures of the tables.
func serverCPU(c Cell) float64 { return c.Server }
func loadCPU(c Cell) float64   { return c.Load }
func lastMs(c Cell) float64    { return c.Last * 1e3 }
func busy(c Cell) float64      { return c.Busy }
func userBytes(c Cell) float64 { return c.User }
func userAfter(c Cell) float64 { return c.UserAfter }
func kernel(c Cell) float64    { return c.Kernel }
func both(c Cell) float64      { return c.User + c.Kernel }

// latencyUs is the median of the passes' median latency of a push.
func latencyUs(c Cell) float64 {
	var all []float64
	for _, p := range c.Pushes {
		if p.P50 != nil {
			all = append(all, *p.P50)
		}
	}
	return stats.Median(all)
}

func interval(values []float64) string { return stats.Bootstrap(values, seed).Text("%.3g") }
func bytesOf(values []float64) string  { return stats.Bootstrap(values, seed).Text("%.0f") }

// against are each row's p of server CPU against the peer's, with Holm's correction;
// "–" for the peer itself, and where there are none.
func against(rows []row, peer *row) []string {
	said := make([]string, len(rows))
	var p []float64
	var of []int
	for i, r := range rows {
		said[i] = "–"
		if peer == nil || r.name == peer.name || r.cells[0].Subject == Nchan {
			continue
		}
		c, err := stats.Compare(peer.values(serverCPU), r.values(serverCPU), seed)
		if err == nil {
			p, of = append(p, c.P), append(of, i)
		}
	}
	for i, corrected := range stats.Holm(p) {
		said[of[i]] = fmt.Sprintf("%.2g", corrected)
	}
	return said
}

// peerOf finds the first row of nchan.
func peerOf(rows []row) *row {
	for i := range rows {
		if rows[i].name == Nchan {
			return &rows[i]
		}
	}
	return nil
}

// loadBound says whether a row's deliveries a second were above half of what the
// load does alone.
func (r *Run) loadBound(w row) bool {
	last := stats.Median(w.values(func(c Cell) float64 { return c.Last }))
	return last > 0 && float64(r.Header.Connections)/last > r.Header.Ceiling.CoreRate/2
}

// Table prints what was measured of each workload, of memory and of the wire.
func Table(w io.Writer, r Run) {
	if len(r.Cells) == 0 {
		fmt.Fprintln(w, "Nothing was measured.")
		return
	}
	h := r.Header
	fmt.Fprintf(w, "%s; a ratio is to nchan in the same round. One loop, one worker; %d connections.\n",
		result.Sentence(stats.MediansOf(r.rounds()...)), h.Connections)
	fmt.Fprintf(w, "Every message of every cell came once, in order, to whom it was meant for: 0 lost, repeated, out of order or misdelivered.\n")
	fmt.Fprintf(w, "Scope: loopback on one machine (%s, Linux %s), server pinned to processors %v, load to %v; do any share a core, as the kernel tells it: %s.\n",
		h.Environment.CPU.Model, h.Environment.Kernel, h.ServerCPUs, h.LoadCPUs, h.Environment.CPU.Siblings)
	fmt.Fprintf(w, "On loopback the sender pays for the receiver's TCP work. It says nothing of network cards, nor of more loops or workers.\n")
	fmt.Fprintf(w, "The load alone takes %.3g us a canned reply and its next poll: %.0f a second.\n", h.Ceiling.CPU, h.Ceiling.CoreRate)
	if len(h.Nginx) > 0 {
		fmt.Fprintf(w, "%s; its configuration is in the data.\n", h.Nginx[0])
	}
	if line := result.TuningElsewhere(h.Subjects...); line != "" {
		fmt.Fprintln(w, line)
	}
	switch {
	case r.Footer == nil:
		fmt.Fprintf(w, "The run did not come to its end.\n")
	case len(r.Footer.Noisy) > 0:
		fmt.Fprintf(w, "NOISY: %s. Repeat the run.\n", strings.Join(r.Footer.Noisy, "; "))
	}
	for _, workload := range h.Workloads {
		for _, rate := range r.rates(workload) {
			r.cost(w, workload, rate)
		}
	}
	r.memory(w)
	r.wire(w)
}

// rounds is in how many of them each subject was measured, at each rate.
func (r *Run) rounds() (all []int) {
	for _, workload := range r.Header.Workloads {
		for _, rate := range r.rates(workload) {
			for _, one := range r.rows(workload, rate) {
				all = append(all, len(one.cells))
			}
		}
	}
	return all
}

// rates are those at which a workload was measured; a fan-out has none, which is 0.
func (r *Run) rates(workload string) []float64 {
	if workload == Fanout {
		return []float64{0}
	}
	return r.Header.Rates
}

// cost prints the table of a workload's CPU and times.
func (r *Run) cost(w io.Writer, workload string, rate float64) {
	rows := r.rows(workload, rate)
	if len(rows) == 0 {
		return
	}
	peer := peerOf(rows)
	figure, title := lastMs, "last delivery, ms"
	if workload == Fanout {
		fmt.Fprintf(w, "\nFan-out: one message at a time to all on one channel, %d a cell; CPU a delivery with its next poll.\n", r.Header.Messages)
	} else {
		figure, title = latencyUs, "median latency, us"
		fmt.Fprintf(w, "\nPush: one message to each channel in turn, %d times a cell, at %.0f a second; CPU a push with its delivery and next poll.\n",
			r.Header.Passes, rate)
	}
	fmt.Fprintf(w, "\n| subject | rounds | server CPU, us | of nchan's | p | of a core | %s | of nchan's | load CPU, us |\n", title)
	fmt.Fprint(w, "|---|---:|---:|---:|---:|---:|---:|---:|---:|\n")
	said, marked := against(rows, peer), false
	for i, one := range rows {
		cpu, time := "–", "–"
		if peer != nil {
			cpu, time = interval(one.ratios(*peer, serverCPU)), interval(one.ratios(*peer, figure))
		}
		mark := ""
		if r.loadBound(one) {
			mark, marked = " *", true
		}
		fmt.Fprintf(w, "| %s | %d | %s | %s | %s | %s | %s%s | %s%s | %s |\n", one.name, len(one.cells),
			interval(one.values(serverCPU)), cpu, said[i], interval(one.values(busy)),
			interval(one.values(figure)), mark, time, mark, interval(one.values(loadCPU)))
	}
	if marked {
		fmt.Fprintf(w, "\n\\* load-bound: more than half of what the load does alone; the server may be faster than this.\n")
	}
}

// memory prints what a held connection takes.
func (r *Run) memory(w io.Writer) {
	estimated := ""
	for _, c := range r.Cells {
		if c.Estimated {
			estimated = ", estimated (no root)"
		}
	}
	fmt.Fprintf(w, "\nMemory, bytes a held long-poll: user is the growth of RES over the server without connections, all its processes; kernel is before any message, both ends and the load's epoll%s.\n", estimated)
	fmt.Fprint(w, "\n| workload | subject | user, before any message | user, after all | kernel | user + kernel |\n|---|---|---:|---:|---:|---:|\n")
	for _, workload := range r.Header.Workloads {
		for _, one := range r.rows(workload, r.rates(workload)[0]) {
			fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s |\n", workload, one.name, bytesOf(one.values(userBytes)),
				bytesOf(one.values(userAfter)), bytesOf(one.values(kernel)), bytesOf(one.values(both)))
		}
	}
}

// wire prints the lengths of requests and replies.
func (r *Run) wire(w io.Writer) {
	fmt.Fprintf(w, "\nBytes of HTTP, heads and bodies, of one push with its delivery and next poll.\n")
	fmt.Fprint(w, "\n| subject | poll | its reply | push | its reply |\n|---|---:|---:|---:|---:|\n")
	seen := map[string]bool{}
	for _, s := range r.Header.Subjects {
		if v, ok := r.Header.Wire[s]; ok && !seen[s] {
			seen[s] = true
			fmt.Fprintf(w, "| %s | %d | %d | %d | %d |\n", s, v.Poll, v.Reply, v.Push, v.PushReply)
		}
	}
}
