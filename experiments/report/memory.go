package report

import (
	"fmt"
	"strings"

	"c1000k/experiments/result"
)

// The notes that stand below the memory tables.
const (
	noteVirtual = "VIRT is not the article's VIRT: this server reserves the address space for all its channels and connections " +
		"at the start and touches it only as they come, so VIRT tells what could be used, RES what is."
	noteKernel = "The kernel's memory is the growth of the whole machine since before the server was started and so holds both ends of each connection. " +
		"The server's share is that less the load's end: its sockets, what its epoll keeps to wait on them, and the records of its ports, by the kernel's own object sizes. " +
		"User + kernel is RES and the server's share."
	noteEstimated = "~ is an estimate: /proc/slabinfo is for root only, so the pages of the slabs that the kernel cannot reclaim stand in for the objects, " +
		"and the sockets' inodes and dentries and the load's share are taken by the sizes of one kernel (Linux 6.18, x86-64)."
	noteArticle = "The article's column is icomet in 2013, in MiB (top's m), 4.9 % more than a MB; it does not tell the kernel's memory."
)

// kernelCell prints the server's share or both ends, marked where estimated.
func kernelCell(k *result.KernelShare, bytes func(k *result.KernelShare) int64) string {
	if k == nil {
		return missing
	}
	return tilde(k) + megabytes(float64(bytes(k)))
}

func tilde(k *result.KernelShare) string {
	if k != nil && k.Estimated {
		return "~"
	}
	return ""
}

func serverShare(k *result.KernelShare) int64 { return k.Server }
func bothEnds(k *result.KernelShare) int64    { return k.BothEnds }

func sumCell(s *result.Step) string {
	sum := s.UserAndKernel()
	if sum == nil {
		return missing
	}
	return tilde(s.Share()) + megabytes(float64(*sum))
}

// memoryTable is one backend's memory.
func (l *ladder) memoryTable() *table {
	t := newTable("connections", l.structureHead(), "held: server = kernel", "settled after", "VIRT", "RES", "PSS", "anonymous", "Go heap",
		"kernel, both ends", "kernel, server", "user + kernel")
	for i := range l.steps {
		s := &l.steps[i]
		row := []string{grouped(int64(s.Target)), structureOf(s), heldCell(s), settledCell(s)}
		if m := s.Memory; m != nil {
			row = append(row, megabytes(float64(m.Virtual)), megabytes(float64(m.Resident)),
				megabytesOf(m.Proportional), megabytesOf(m.Anonymous), megabytesOf(m.GoHeap))
		} else {
			row = append(row, missing, missing, missing, missing, missing)
		}
		k := s.Share()
		t.add(append(row, kernelCell(k, bothEnds), kernelCell(k, serverShare), sumCell(s))...)
	}
	return t
}

// heldCell shows the count of the two witnesses, both where they differ.
func heldCell(s *result.Step) string {
	h := s.Held
	if h == nil || h.Server == nil && h.KernelServer == nil {
		return missing
	}
	show := func(n *int64) string {
		if n == nil {
			return missing
		}
		return grouped(*n)
	}
	if h.Server != nil && h.KernelServer != nil && *h.Server == *h.KernelServer {
		return grouped(*h.Server)
	}
	return show(h.Server) + " ≠ " + show(h.KernelServer)
}

func settledCell(s *result.Step) string {
	if s.Settled == nil {
		return missing
	}
	text := seconds(s.Settled.Waited.Seconds())
	if !s.Settled.Settled {
		text += ", not settled"
	}
	return text
}

// sideBySide sets the ladders and the article beside each other.
func sideBySide(all []*ladder) *table {
	t := newTable("connections")
	for _, l := range all {
		t.group(l.label, l.structureHead(), "VIRT", "RES")
	}
	t.group("article 2013", "VIRT", "RES")
	names := make([]string, len(all))
	for i, l := range all {
		names[i] = l.label
	}
	t.group("user + kernel", names...)
	for _, target := range targets(all) {
		row := []string{grouped(int64(target))}
		for _, l := range all {
			s := l.step(target)
			if s == nil || s.Memory == nil {
				row = append(row, missing, missing, missing)
				continue
			}
			row = append(row, structureOf(s), megabytes(float64(s.Memory.Virtual)), megabytes(float64(s.Memory.Resident)))
		}
		if p, ok := articleAt(target); ok {
			row = append(row, grouped(p.virtual)+" MiB", grouped(p.resident)+" MiB")
		} else {
			row = append(row, missing, missing)
		}
		for _, l := range all {
			if s := l.step(target); s != nil {
				row = append(row, sumCell(s))
			} else {
				row = append(row, missing)
			}
		}
		t.add(row...)
	}
	return t
}

// headline is bytes a connection at the last step of each ladder, with the fits
// over its steps.
func headline(all []*ladder, r references) *table {
	t := newTable("a connection", "loops/rings, tables", "connections", "broadcasts")
	t.group("user", "(RES − empty)/N", "after broadcast", "by the fit")
	t.group("kernel", "server", "over the floor")
	t.group("user + kernel", "by the fit", "in all")
	for _, l := range all {
		s := l.last()
		if s == nil {
			continue
		}
		n, k := s.Connections(), s.Share()
		server, over := serverEach(k, n), missing
		if each, ok := s.OverBare(r.accept); ok {
			over = bytesEach(each)
		} else if k != nil && k.OverFloor != nil {
			over = bytesEach(float64(*k.OverFloor) / float64(n))
		}
		t.add(l.label, structureOf(s), grouped(n), grouped(int64(s.BroadcastsBefore)),
			headlineCell(s.Memory, n, l.backend.Empty), headlineCell(s.MemoryAfter, n, l.backend.Empty), l.fitCell(residentOf, ""),
			server, over, l.fitCell(userAndKernelOf, tilde(k)), l.headlineSum(s))
	}
	return t
}

// shortHeadline is headline for a terminal, without the fits.
func shortHeadline(all []*ladder) *table {
	t := newTable("a connection", "loops/rings, tables", "connections", "user", "after broadcast", "kernel, server", "user + kernel")
	for _, l := range all {
		if s := l.last(); s != nil {
			n := s.Connections()
			t.add(l.label, structureOf(s), grouped(n), headlineCell(s.Memory, n, l.backend.Empty),
				headlineCell(s.MemoryAfter, n, l.backend.Empty), serverEach(s.Share(), n), l.headlineSum(s))
		}
	}
	return t
}

func serverEach(k *result.KernelShare, n int64) string {
	if k == nil {
		return missing
	}
	return tilde(k) + bytesEach(float64(k.Server)/float64(n))
}

// headlineSum is user and kernel bytes a connection.
func (l *ladder) headlineSum(s *result.Step) string {
	k, n := s.Share(), s.Connections()
	user := result.Headline(s.Memory, n, l.backend.Empty)
	if k == nil || user == nil {
		return missing
	}
	return tilde(k) + bytesEach(*user+float64(k.Server)/float64(n))
}

func headlineCell(m *result.Memory, n int64, empty *result.Memory) string {
	each := result.Headline(m, n, empty)
	if each == nil {
		return missing
	}
	return bytesEach(*each)
}

// fitCell prints the slope and the residual of a line over the steps.
func (l *ladder) fitCell(value func(s *result.Step) *float64, mark string) string {
	line, ok := l.fit(value)
	if !ok {
		return missing
	}
	if line.N < 3 {
		return fmt.Sprintf("%s%s (2 points)", mark, bytesEach(line.Slope))
	}
	return fmt.Sprintf("%s%s (± %s)", mark, bytesEach(line.Slope), megabytes(line.Residual))
}

// fitNotes say what the fits are of, in words.
func fitNotes(all []*ladder) []string {
	var notes []string
	for _, l := range all {
		line, ok := l.fit(residentOf)
		if !ok || line.N < 3 {
			continue
		}
		note := fmt.Sprintf("%s: RES = %s + %s × connections over %d steps; the steps lie %s from the line (standard deviation), %s at most.",
			l.label, megabytes(line.Intercept), bytesEach(line.Slope), line.N, megabytes(line.Residual), megabytes(line.Largest))
		if sum, ok := l.fit(userAndKernelOf); ok {
			note += fmt.Sprintf(" User + kernel = %s%s + %s × connections, %s from the line.",
				tilde(l.last().Share()), megabytes(sum.Intercept), bytesEach(sum.Slope), megabytes(sum.Residual))
		}
		notes = append(notes, note)
	}
	return notes
}

// listedEach is the bytes a connection from which a cache is listed.
const listedEach = 1

// floorNotes tell for each ladder what the kernel keeps above the floor of the
// sockets, by cache, at the last step.
func floorNotes(all []*ladder) []string {
	var notes []string
	for _, l := range all {
		s := l.last()
		if s == nil {
			continue
		}
		k := s.Share()
		if k == nil {
			continue
		}
		if k.OverFloor == nil {
			notes = append(notes, l.label+": not known without root (/proc/slabinfo is closed).")
			continue
		}
		n := float64(s.Connections())
		var caches []string
		for _, c := range s.Kernel.Caches {
			each := float64(c.Bytes) / n
			if each < listedEach {
				break
			}
			name := c.Name
			if len(c.Aliases) > 0 {
				name += " (with " + strings.Join(c.Aliases, ", ") + ")"
			}
			caches = append(caches, fmt.Sprintf("%s %.2f × %d B", name, float64(c.Objects)/n, c.ObjectSize))
		}
		notes = append(notes, fmt.Sprintf("%s at %s connections: %s a connection over the floor, with %s %s. One end's socket is %s, the load's epoll %s a connection, its ports %s in all; "+
			"large allocations %s, left out as not of these connections %s. Objects a connection, both ends: %s.",
			l.label, grouped(s.Connections()), bytesEach(float64(*k.OverFloor)/n), l.structureHead(), structureOf(s), bytesEach(k.EndFloor), bytesEach(k.LoadWaiting), megabytes(float64(k.LoadPorts)),
			megabytes(float64(s.Kernel.Large)), megabytes(float64(k.Elsewhere)), strings.Join(caches, "; ")))
	}
	return notes
}
