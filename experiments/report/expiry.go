package report

import (
	"fmt"

	"c1000k/experiments/result"
)

const noteExpiry = "On a second server, filled as far, whose polls expire after its default polling timeout and come again: each is due a noop within a second after it, " +
	"so a whole number of noops is due for certain, and a poll that came early in the window brings one more. CPU a noop holds the next poll. Memory is read as it is, without settling."

// windows are the expiries of all ladders, in the order of the ladders.
func windows(all []*ladder) []*result.Expiry {
	var some []*result.Expiry
	for _, l := range all {
		for i := range l.expiries {
			some = append(some, &l.expiries[i])
		}
	}
	return some
}

// expiryTable sets the ladders' windows of expiring polls below each other.
// Without memory it is narrow enough for a terminal.
func expiryTable(all []*ladder, memory bool) *table {
	head := []string{"backend", "loops/rings, tables", "held", "noops", "due at least", "over", "a second", "server", "us a noop", "load", "lost or wrong"}
	if memory {
		head = []string{"backend", "loops/rings, tables", "connections held", "polling timeout", "noops", "due at least", "over", "noops a second",
			"server CPU of a core", "server CPU a noop", "load CPU of a core", "load CPU a noop", "lost or wrong", "RES before", "RES after", "user + kernel before", "user + kernel after"}
	}
	t := newTable(head...)
	for _, l := range all {
		for i := range l.expiries {
			e := &l.expiries[i]
			row := []string{l.label, structureText(e.Loops, e.Rings, e.Tables), expiryHeld(e)}
			if memory {
				row = append(row, fmt.Sprintf("%g s", e.PollingTimeout))
			}
			row = append(row, expiryCells(e.Measured, memory)...)
			if memory {
				row = append(row, residentCell(e.MemoryBefore), residentCell(e.MemoryAfter), expirySum(e, e.UserAndKernelBefore()), expirySum(e, e.UserAndKernelAfter()))
			}
			t.add(row...)
		}
	}
	return t
}

// expiryHeld is the kernel's count, since of the polls some are on their way.
func expiryHeld(e *result.Expiry) string {
	if e.Held == nil {
		return missing
	}
	return grouped(e.Connections())
}

func expiryCells(m *result.Expired, loads bool) []string {
	if m == nil {
		cells := []string{missing, missing, missing, missing, missing, missing, missing, missing}
		if loads {
			cells = append(cells, missing)
		}
		return cells
	}
	cells := []string{grouped(m.Noops), grouped(m.Expected), seconds(m.Seconds), perSecond(m.Rate),
		percent(m.ServerCore), microsecondsOf(m.ServerCPU), percent(m.LoadCore)}
	if loads {
		cells = append(cells, microsecondsOf(m.LoadCPU))
	}
	return append(cells, expiryWrong(m))
}

// expiryWrong counts what no correct server causes.
func expiryWrong(m *result.Expired) string {
	if m.Wrong() == 0 {
		return "0"
	}
	return fmt.Sprintf("%s, %s broken", wrongCell(&result.Phase{Lost: m.Lost, Repeated: m.Repeated, OutOfOrder: m.OutOfOrder}), grouped(m.Broken))
}

func residentCell(m *result.Memory) string {
	if m == nil {
		return missing
	}
	return megabytes(float64(m.Resident))
}

func expirySum(e *result.Expiry, sum *int64) string {
	if sum == nil {
		return missing
	}
	if e.Estimated() {
		return "~" + megabytes(float64(*sum))
	}
	return megabytes(float64(*sum))
}

// expiryTroubles are what a reader must not overlook of a window.
func (l *ladder) expiryTroubles(e *result.Expiry) []string {
	var list []string
	at := fmt.Sprintf("%s, expiry at %s connections: ", l.label, grouped(int64(e.Target)))
	if e.Cut != "" {
		list = append(list, at+"the window is not whole: "+e.Cut)
	}
	if m := e.Measured; m != nil {
		if m.Noops < m.Expected {
			list = append(list, fmt.Sprintf("%sof %s noops due at least, %s came", at, grouped(m.Expected), grouped(m.Noops)))
		}
		if m.Wrong() != 0 {
			list = append(list, at+expiryWrong(m))
		}
	}
	if e.Held != nil && e.Connections() != int64(e.Target) {
		list = append(list, fmt.Sprintf("%s%s connections are held", at, grouped(e.Connections())))
	}
	return list
}

// expiryEstimated is the note of estimates where a window has one.
func expiryEstimated(all []*ladder) string {
	for _, e := range windows(all) {
		if e.Estimated() {
			return noteEstimated
		}
	}
	return ""
}
