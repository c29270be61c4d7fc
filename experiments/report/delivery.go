package report

import (
	"fmt"
	"math"

	"c1000k/experiments/result"
)

const (
	noteShort    = "On loopback the sender pays for the receiver's TCP work."
	noteLoopback = "On loopback the sender pays for the receiver's TCP work: a server's CPU holds a part of the load's and the other way round, " +
		"so the sum of the two says more than either. Software interrupts are charged to whoever was interrupted unless the kernel accounts for them apart."
	noteBound = "† load-bound: the server ran above half of the load's own ceiling, so the load may have set this rate."
	noteTail  = "A percentile with fewer than 100 samples beyond it is not told."
)

// references are what this machine does without a protocol, in the same run.
type references struct {
	accept  *result.Floor // the fastest bare accept loop
	turn    *result.Floor // the cheapest turn
	ceiling *result.Floor // the load's fastest
}

func referencesOf(d *result.Data) references {
	var r references
	faster := func(best, f *result.Floor) *result.Floor {
		if best == nil || f.Rate > best.Rate {
			return f
		}
		return best
	}
	for i := range d.Floors {
		f := &d.Floors[i]
		switch f.What {
		case result.FloorAccept:
			r.accept = faster(r.accept, f)
		case result.LoadCeiling:
			r.ceiling = faster(r.ceiling, f)
		case result.FloorTurn:
			if f.ServerCPU != nil && (r.turn == nil || *f.ServerCPU < *r.turn.ServerCPU) {
				r.turn = f
			}
		}
	}
	return r
}

// bound tells whether a phase ran above half of the load's ceiling.
func (r references) bound(p *result.Phase) bool {
	return r.ceiling != nil && p.Rate > r.ceiling.Rate/2
}

// mark puts the dagger to a rate or a time that the load may have set.
func (r references) mark(cell string, p *result.Phase) string {
	if r.bound(p) {
		return cell + " †"
	}
	return cell
}

// multiple prints CPU as a multiple of the floor's turn.
func (r references) multiple(us *float64) string {
	if r.turn == nil || us == nil || *r.turn.ServerCPU <= 0 {
		return missing
	}
	return fmt.Sprintf("%.2f", *us / *r.turn.ServerCPU)
}

func (r references) openingRatio(o *result.Opening) string {
	if r.accept == nil || r.accept.Rate <= 0 {
		return missing
	}
	return fmt.Sprintf("%.2f", o.Rate/r.accept.Rate)
}

// openingTable is how fast connections were opened, and what an idle server costs.
func (l *ladder) openingTable(r references) *table {
	t := newTable("connections", l.structureHead(), "opened in", "rate", "of the bare accept", "server CPU each", "load CPU each",
		"idle CPU of a core", "over", "collections", "load's idle CPU")
	for i := range l.steps {
		s := &l.steps[i]
		row := []string{grouped(int64(s.Target)), structureOf(s)}
		if o := s.Opening; o != nil && o.Connections > 0 {
			row = append(row, seconds(o.Seconds), perSecond(o.Rate), r.openingRatio(o), microsecondsOf(o.ServerCPU), microsecondsOf(o.LoadCPU))
		} else {
			row = append(row, missing, missing, missing, missing, missing)
		}
		t.add(append(row, idleCells(s.Idle)...)...)
	}
	return t
}

func idleCells(i *result.Idle) []string {
	if i == nil {
		return []string{missing, missing, missing, missing}
	}
	collections, load := missing, missing
	if i.GCCycles != nil {
		collections = grouped(int64(*i.GCCycles))
	}
	if i.LoadCore != nil {
		load = percent(*i.LoadCore)
	}
	return []string{percent(i.ServerCore), seconds(i.Seconds), collections, load}
}

// pushTable is one message each to channels drawn by the seed.
func (l *ladder) pushTable(r references) *table {
	t := newTable("connections", l.structureHead(), "delivered", "lost or wrong", "server CPU", "x floor", "load CPU", "rate", "p50", "p90", "p99", "p99.9", "max", "p99 uncorrected")
	for i := range l.steps {
		s := &l.steps[i]
		if s.Push != nil {
			t.add(append([]string{grouped(int64(s.Target)), structureOf(s)}, pushCells(s.Push, r)...)...)
		}
	}
	return t
}

func pushCells(p *result.Phase, r references) []string {
	cells := []string{deliveredCell(p), wrongCell(p), microsecondsOf(p.ServerCPU), r.multiple(p.ServerCPU), microsecondsOf(p.LoadCPU), r.mark(perSecond(p.Rate), p)}
	latency := []string{missing, missing, missing, missing, missing}
	if q := p.Latency; q != nil {
		latency = []string{microsecondsOf(q.P50), microsecondsOf(q.P90), microsecondsOf(q.P99), microsecondsOf(q.P999), microseconds(q.Max)}
	}
	uncorrected := missing
	if p.Uncorrected != nil {
		uncorrected = microsecondsOf(p.Uncorrected.P99)
	}
	return append(append(cells, latency...), uncorrected)
}

// deliveredCell shows how many of the due messages came.
func deliveredCell(p *result.Phase) string {
	if p.Delivered == p.Sent {
		return grouped(p.Delivered)
	}
	return grouped(p.Delivered) + " of " + grouped(p.Sent)
}

// wrongCell counts lost, repeated and out of order.
func wrongCell(p *result.Phase) string {
	if p.Lost+p.Repeated+p.OutOfOrder == 0 {
		return "0"
	}
	return fmt.Sprintf("%s lost, %s repeated, %s out of order", grouped(p.Lost), grouped(p.Repeated), grouped(p.OutOfOrder))
}

// broadcastTable is messages to every channel, the last of a step's broadcasts
// measured, and the memory that all of them leave: what a connection's channel
// grew by, and that divided by the messages it got.
func (l *ladder) broadcastTable(r references) *table {
	t := newTable("connections", l.structureHead(), "broadcasts", "delivered", "lost or wrong", "server CPU", "load CPU", "rate", "last delivery",
		"RES before", "RES after", "more a connection", "a history entry", "kernel, server, after", "user + kernel after")
	for i := range l.steps {
		s := &l.steps[i]
		if s.Broadcast == nil {
			continue
		}
		p := s.Broadcast
		last := missing
		if p.ToLast != nil {
			last = r.mark(microseconds(*p.ToLast*1e6), p)
		}
		row := []string{grouped(int64(s.Target)), structureOf(s), grouped(int64(max(s.Broadcasts, 1))), deliveredCell(p), wrongCell(p),
			microsecondsOf(p.ServerCPU), microsecondsOf(p.LoadCPU), r.mark(perSecond(p.Rate), p), last}
		t.add(append(row, afterCells(s)...)...)
	}
	return t
}

// afterCells are the memory before and after a broadcast.
func afterCells(s *result.Step) []string {
	before, after, more, entry, sum := missing, missing, missing, missing, missing
	if s.Memory != nil {
		before = megabytes(float64(s.Memory.Resident))
	}
	k := s.ShareAfter()
	if m := s.MemoryAfter; m != nil {
		after = megabytes(float64(m.Resident))
		if n := s.Connections(); s.Memory != nil && n > 0 {
			grown := (float64(m.Resident) - float64(s.Memory.Resident)) / float64(n)
			more, entry = bytesEach(grown), bytesEach(grown/float64(max(s.Broadcasts, 1)))
		}
		if k != nil {
			sum = tilde(k) + megabytes(float64(m.Resident)+float64(k.Server))
		}
	}
	return []string{before, after, more, entry, kernelCell(k, serverShare), sum}
}

// cpuSideBySide sets the ladders' CPU beside each other: idle, and that of a
// pushed message. Without the sums it is narrow enough for a terminal.
func cpuSideBySide(all []*ladder, r references, sums bool) *table {
	heads := []string{"idle", "server", "load", "rate", "p99"}
	if sums {
		heads = append(heads, "server + load")
	}
	t := newTable("connections")
	for _, l := range all {
		t.group(l.label, append([]string{l.structureHead()}, heads...)...)
	}
	if sums && len(all) > 1 {
		t.group("like for like", "loops")
	}
	for _, target := range targets(all) {
		row := []string{grouped(int64(target))}
		for _, l := range all {
			cells := append([]string{missing}, cpuSummary(l.step(target), r)...)
			if s := l.step(target); s != nil {
				cells[0] = structureOf(s)
			}
			row = append(row, cells[:1+len(heads)]...)
		}
		if sums && len(all) > 1 {
			row = append(row, alikeCell(all, target))
		}
		t.add(row...)
	}
	return t
}

// cpuSummary is idle, server, load, rate, p99 and the sum of server and load.
func cpuSummary(s *result.Step, r references) []string {
	cells := []string{missing, missing, missing, missing, missing, missing}
	if s == nil {
		return cells
	}
	if s.Idle != nil {
		cells[0] = percent(s.Idle.ServerCore)
	}
	p := s.Push
	if p == nil {
		return cells
	}
	cells[1], cells[2], cells[3] = microsecondsOf(p.ServerCPU), microsecondsOf(p.LoadCPU), r.mark(perSecond(p.Rate), p)
	if p.Latency != nil {
		cells[4] = microsecondsOf(p.Latency.P99)
	}
	if p.ServerCPU != nil && p.LoadCPU != nil {
		cells[5] = microseconds(*p.ServerCPU + *p.LoadCPU)
	}
	return cells
}

// floorTable lists what the machine does without a protocol.
func floorTable(d *result.Data) *table {
	names := map[string]string{result.FloorAccept: "bare accept", result.FloorTurn: "bare turn", result.LoadCeiling: "load's ceiling"}
	t := newTable("floor", "variant", "loops", "count", "rate", "server CPU", "load CPU")
	t.left = map[int]bool{1: true}
	for _, f := range d.Floors {
		name, ok := names[f.What]
		if !ok {
			name = f.What
		}
		t.add(name, f.Variant, grouped(int64(f.Loops)), grouped(f.Count), perSecond(f.Rate), microsecondsOf(f.ServerCPU), microsecondsOf(f.LoadCPU))
	}
	return t
}

// openingNotes give the whole opening of each ladder: all its steps together.
func openingNotes(all []*ladder, r references) []string {
	var notes []string
	for _, l := range all {
		var count int
		var took float64
		for _, s := range l.steps {
			if s.Opening != nil {
				count, took = count+s.Opening.Connections, took+s.Opening.Seconds
			}
		}
		if count == 0 || took <= 0 || math.IsNaN(took) {
			continue
		}
		rate := float64(count) / took
		note := fmt.Sprintf("%s opened %s connections in %s, %s", l.label, grouped(int64(count)), seconds(took), perSecond(rate))
		if r.accept != nil && r.accept.Rate > 0 {
			note += fmt.Sprintf(", %.2f of the bare accept loop's %s", rate/r.accept.Rate, perSecond(r.accept.Rate))
		}
		notes = append(notes, note+".")
	}
	return notes
}
