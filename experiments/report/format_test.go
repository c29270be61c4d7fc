package report

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// Proves that numbers are printed as people read them.
func TestFormats(t *testing.T) {
	for got, want := range map[string]string{
		megabytes(172_000_000): "172 MB", megabytes(1_234_000_000): "1,234 MB", megabytes(1_450_000): "1.4 MB", megabytes(-2_500_000): "-2.5 MB", megabytes(9_990_000): "10 MB",
		grouped(0): "0", grouped(999): "999", grouped(-1000): "-1,000", grouped(1_234_567): "1,234,567",
		microseconds(7.4): "7.40 us", microseconds(900.4): "900 us", microseconds(4100): "4.1 ms", microseconds(2_500_000): "2.50 s",
		percent(0.005): "0.50 %", percent(0.0004): "0.040 %", percent(0): "0.00 %",
		bytesEach(40): "40.0 B", bytesEach(4087.6): "4,088 B", perSecond(22_727.27): "22,727/s",
	} {
		if got != want {
			t.Errorf("printed %q, want %q", got, want)
		}
	}
}

// Proves that the lines of a table are equally long in characters, with words
// outside of ASCII too, and that a group's name stands above its first column.
func TestTableAligned(t *testing.T) {
	table := newTable("–first–")
	table.group("the group", "a", "b")
	table.add("x", "1,000", "–")
	table.add("longer than the head", "2", "30 µs")
	lines := strings.Split(strings.TrimSpace(table.markdown()), "\n")
	for _, line := range lines {
		if utf8.RuneCountInString(line) != utf8.RuneCountInString(lines[0]) {
			t.Errorf("ragged:\n%s", table.markdown())
			break
		}
	}
	if !strings.Contains(lines[0], "the group: a") {
		t.Errorf("no group in %q", lines[0])
	}
	text := strings.Split(table.text(), "\n")
	if above := strings.Index(text[0], "the group"); above != len("longer than the head  ") {
		t.Errorf("the group stands at %d:\n%s", above, table.text())
	}
}

// Proves that sentences are broken between words and none is lost.
func TestWrap(t *testing.T) {
	text := strings.Repeat("word and ", 50) + "end"
	wrapped := wrap(text, 40)
	for _, line := range strings.Split(wrapped, "\n") {
		if len(line) > 40 {
			t.Errorf("a line of %d: %q", len(line), line)
		}
	}
	if strings.ReplaceAll(wrapped, "\n", " ") != text {
		t.Error("words were lost")
	}
}

// Proves that the marks of an axis are round, start at 0 and never pass the
// highest value, whatever it is.
func TestTicks(t *testing.T) {
	for _, highest := range []float64{0.00003, 0.06, 1, 13.3, 172, 999, 4100, 1e6, 3e9} {
		marks := ticks{highest: highest, print: shortNumber}.Ticks(0, 0)
		if len(marks) < 3 || len(marks) > 7 || marks[0].Value != 0 || marks[len(marks)-1].Value > highest*1.001 {
			t.Errorf("up to %v: %v", highest, marks)
		}
	}
	if shortCount(1e6) != "1M" || shortCount(200_000) != "200k" || shortCount(50) != "50" {
		t.Error("counts of an axis")
	}
}
