package report

import (
	"fmt"
	"strings"
)

// bareTables set, for each ladder's last step, what the kernel keeps by cache
// beside what it keeps for as many connections of a bare accept loop. Where that
// was not read by cache they say so.
func bareTables(b *document, all []*ladder, r references) {
	const leastBytes = 0.5 // a connection
	told := false
	for _, l := range all {
		s := l.last()
		if s == nil {
			continue
		}
		each, ok := s.OverBare(r.accept)
		if !ok {
			continue
		}
		told = true
		n := s.Connections()
		t := newTable("cache", "object", "objects a connection", "bare accept loop", "difference")
		for _, c := range s.CachesOverBare(r.accept, leastBytes) {
			name := c.Name
			if len(c.Aliases) > 0 {
				name += " (with " + strings.Join(c.Aliases, ", ") + ")"
			}
			t.add(name, fmt.Sprintf("%d B", c.ObjectSize), fmt.Sprintf("%.3f", c.Step), fmt.Sprintf("%.3f", c.Bare), fmt.Sprintf("%.1f B", c.Bytes))
		}
		fmt.Fprintf(b, "\n%s at %s connections keeps **%s a connection** in the kernel over a bare accept loop of the same run, which held %s whose client watched them as the load does; %s %s.\n\n",
			l.label, grouped(n), bytesEach(each), grouped(r.accept.Count), l.structureHead(), structureOf(s))
		b.table(t)
	}
	if !told {
		b.notes("No bare accept loop was read by cache in this run: what follows still holds what the kernel keeps for sockets beside their objects, whoever owns them.")
	}
}
