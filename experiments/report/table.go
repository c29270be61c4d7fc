package report

import (
	"strings"
	"unicode/utf8"
)

// table is a grid of cells with a heading; the first column is aligned left,
// the others right.
type table struct {
	head []string
	// groups names the columns that belong together: the name stands at the
	// first of them.
	groups map[int]string
	rows   [][]string
	left   map[int]bool // further columns aligned left
}

func newTable(head ...string) *table { return &table{head: head} }

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// group adds columns that belong together under a name.
func (t *table) group(name string, heads ...string) {
	if t.groups == nil {
		t.groups = map[int]string{}
	}
	t.groups[len(t.head)] = name
	t.head = append(t.head, heads...)
}

// fullHead is the heading of Markdown, which has one line only.
func (t *table) fullHead() []string {
	head := append([]string{}, t.head...)
	for i, name := range t.groups {
		head[i] = name + ": " + head[i]
	}
	return head
}

func (t *table) widths(head []string) []int {
	widths := make([]int, len(head))
	for _, row := range append([][]string{head}, t.rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	return widths
}

func (t *table) isLeft(i int) bool { return i == 0 || t.left[i] }

// markdown is padded, so that the source can be read too.
func (t *table) markdown() string {
	head := t.fullHead()
	widths := t.widths(head)
	var b strings.Builder
	line := func(cells []string) {
		for i, cell := range cells {
			b.WriteString("| ")
			b.WriteString(t.pad(cell, widths[i], i))
			b.WriteString(" ")
		}
		b.WriteString("|\n")
	}
	line(head)
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
	widths := t.widths(t.head)
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
	if len(t.groups) > 0 {
		b.WriteString(t.groupLine(widths) + "\n")
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

// groupLine puts each group's name above its columns, with a rule as long as
// they are.
func (t *table) groupLine(widths []int) string {
	var b strings.Builder
	name, left := "", 0
	flush := func() {
		if left == 0 {
			return
		}
		text := name
		if name != "" {
			text += " "
			text += strings.Repeat("-", max(0, left-utf8.RuneCountInString(text)))
		}
		b.WriteString(text + strings.Repeat(" ", max(0, left-utf8.RuneCountInString(text))))
	}
	for i, w := range widths {
		if next, ok := t.groups[i]; ok {
			flush()
			if b.Len() > 0 {
				b.WriteString("  ")
			}
			name, left = next, 0
		} else if i > 0 {
			left += 2
		}
		left += w
	}
	flush()
	return strings.TrimRight(b.String(), " ")
}

func (t *table) pad(cell string, width, column int) string {
	space := strings.Repeat(" ", width-utf8.RuneCountInString(cell))
	if t.isLeft(column) {
		return cell + space
	}
	return space + cell
}
