package report

import (
	"strings"
	"unicode/utf8"
)

// table is a grid of cells with a heading; the first column is aligned left,
// the others right.
type table struct {
	head []string
	rows [][]string
	left map[int]bool // further columns aligned left
}

func newTable(head ...string) *table { return &table{head: head} }

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) widths() []int {
	widths := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	return widths
}

func (t *table) isLeft(i int) bool { return i == 0 || t.left[i] }

// markdown is padded, so that the source can be read too.
func (t *table) markdown() string {
	widths := t.widths()
	var b strings.Builder
	line := func(cells []string) {
		for i, cell := range cells {
			b.WriteString("| ")
			b.WriteString(t.pad(cell, widths[i], i))
			b.WriteString(" ")
		}
		b.WriteString("|\n")
	}
	line(t.head)
	for i, w := range widths {
		b.WriteString("|")
		if t.isLeft(i) {
			b.WriteString(" " + strings.Repeat("-", w) + " ")
		} else {
			b.WriteString(" " + strings.Repeat("-", w) + ":")
		}
	}
	b.WriteString("|\n")
	for _, row := range t.rows {
		line(row)
	}
	return b.String()
}

// text is for a terminal.
func (t *table) text() string {
	widths := t.widths()
	var b strings.Builder
	line := func(cells []string) {
		var l strings.Builder
		for i, cell := range cells {
			if i > 0 {
				l.WriteString("  ")
			}
			l.WriteString(t.pad(cell, widths[i], i))
		}
		b.WriteString(strings.TrimRight(l.String(), " ") + "\n")
	}
	line(t.head)
	total := 2 * (len(widths) - 1)
	for _, w := range widths {
		total += w
	}
	b.WriteString(strings.Repeat("-", total) + "\n")
	for _, row := range t.rows {
		line(row)
	}
	return b.String()
}

func (t *table) pad(cell string, width, column int) string {
	space := strings.Repeat(" ", width-utf8.RuneCountInString(cell))
	if t.isLeft(column) {
		return cell + space
	}
	return space + cell
}
