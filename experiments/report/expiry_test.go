package report

import (
	"strings"
	"testing"

	"c1000k/experiments/result"
)

// Proves that the windows of expiring polls stand below each other with what was
// measured, in both forms of the report, and that a run without them has no table.
func TestExpiryTable(t *testing.T) {
	r := generate(t, syntheticFolder(t, true, 1_000_000, result.URing, result.Epoll))
	expect(t, row(t, r.Markdown, "## Polls that expire", "epoll"), map[string]string{
		"loops/rings, tables": "3", "connections held": "1,000,000", "polling timeout": "30 s", "noops": "2,050,000", "due at least": "2,000,000",
		"over": "65.0 s", "noops a second": "31,538/s", "server CPU of a core": "50.00 %", "server CPU a noop": "16.25 us",
		"load CPU of a core": "40.00 %", "load CPU a noop": "13.00 us", "lost or wrong": "0", "RES before": "172 MB", "RES after": "174 MB",
		"user + kernel before": "4,020 MB", "user + kernel after": "4,022 MB",
	})
	expect(t, row(t, r.Markdown, "## Polls that expire", "io_uring"), map[string]string{"user + kernel after": "4,102 MB"})
	if !strings.Contains(r.Terminal, "Polls that expire") || !strings.Contains(r.Terminal, "2,050,000") {
		t.Errorf("the terminal lacks it:\n%s", r.Terminal)
	}
	estimate := generate(t, syntheticFolder(t, false, 100_000, result.URing))
	if sum := row(t, estimate.Markdown, "## Polls that expire", "io_uring")["user + kernel after"]; !strings.HasPrefix(sum, "~") {
		t.Errorf("an estimate is not marked: %q", sum)
	}
	if table := expiryTable([]*ladder{{label: "epoll"}}, true); len(table.rows) != 0 {
		t.Errorf("rows of nothing: %v", table.rows)
	}
}

// Proves that a window which was cut has dashes where nothing was seen, and that
// what is wrong in one is told: cut, too few noops, what no correct server causes,
// connections that are gone.
func TestExpiryTroubles(t *testing.T) {
	cut := result.Expiry{Target: 1000, Cut: "interrupted during expiry"}
	bad := *syntheticExpiry(result.Epoll, 0, 1000, true)
	bad.Measured.Noops, bad.Measured.Repeated, bad.Measured.Broken, bad.Held.KernelServer = 1999, 2, 3, ptr(int64(997))
	l := &ladder{label: "epoll", expiries: []result.Expiry{cut, bad, *syntheticExpiry(result.Epoll, 0, 1000, true)}}
	table := expiryTable([]*ladder{l}, true)
	for i, cell := range table.rows[0][2:] {
		if cell != missing && table.head[i+2] != "polling timeout" {
			t.Errorf("%s of a window that was not begun: %q", table.head[i+2], cell)
		}
	}
	for _, row := range table.rows {
		if len(row) != len(table.head) {
			t.Errorf("%d cells below %d heads", len(row), len(table.head))
		}
	}
	var list []string
	for i := range l.expiries {
		list = append(list, l.expiryTroubles(&l.expiries[i])...)
	}
	const at = "epoll, expiry at 1,000 connections: "
	want := []string{
		at + "the window is not whole: interrupted during expiry", at + "of 2,000 noops due at least, 1,999 came",
		at + "0 lost, 2 repeated, 0 out of order, 3 broken", at + "997 connections are held",
	}
	if strings.Join(list, "\n") != strings.Join(want, "\n") {
		t.Errorf("%q, want %q", list, want)
	}
}
