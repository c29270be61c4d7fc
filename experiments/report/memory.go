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
		"The server's share is that less the load's end: its sockets, and what its epoll keeps to wait on them, by the kernel's own object sizes. " +
		"User + kernel is RES and the server's share."
	noteEstimated = "~ is an estimate: /proc/slabinfo is for root only, so the pages of all slabs stand in for the objects, " +
		"and the load's share is taken out by the sizes of one kernel (Linux 6.18, x86-64)."
	noteArticle = "The article's column is icomet in 2013, in MiB as top printed it; it does not tell the kernel's memory."
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
	t := newTable("connections", "loops", "held: server = kernel", "settled after", "VIRT", "RES", "PSS", "anonymous", "Go heap",
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
	head := []string{"connections"}
	for _, l := range all {
		head = append(head, l.label+": loops", "VIRT", "RES")
	}
	head = append(head, "article 2013: VIRT", "RES")
	for _, l := range all {
		head = append(head, "user + kernel: "+l.label)
	}
	t := newTable(head...)
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
			row = append(row, fmt.Sprintf("%.0f m", p.virtual), fmt.Sprintf("%.0f m", p.resident))
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

// headline is bytes a connection at the last step of each ladder.
func headline(all []*ladder) *table {
	t := newTable("bytes a connection", "loops", "connections", "broadcasts before", "user: (RES − empty) / N", "the same after the broadcast",
		"user by the fit", "kernel, server", "of it over the socket's floor", "user + kernel by the fit", "user + kernel")
	for _, l := range all {
		s := l.last()
		if s == nil {
			continue
		}
		n := s.Connections()
		row := []string{l.label, structureOf(s), grouped(n), grouped(int64(s.BroadcastsBefore)),
			headlineCell(s.Memory, n, l.empty()), headlineCell(s.MemoryAfter, n, l.empty()), l.fitCell(residentOf, "")}
		k := s.Share()
		server, over := missing, missing
		if k != nil {
			server = tilde(k) + bytesEach(float64(k.Server)/float64(n))
			if k.OverFloor != nil {
				over = bytesEach(float64(*k.OverFloor) / float64(n))
			}
		}
		user, sum := result.Headline(s.Memory, n, l.empty()), missing
		if k != nil && user != nil {
			sum = tilde(k) + bytesEach(*user+float64(k.Server)/float64(n))
		}
		t.add(append(row, server, over, l.fitCell(userAndKernelOf, tilde(k)), sum)...)
	}
	return t
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
		per := ""
		if s.Rings > 0 {
			per = fmt.Sprintf(" (%s a ring for %d rings)", bytesEach(float64(*k.OverFloor)/float64(s.Rings)), s.Rings)
		}
		notes = append(notes, fmt.Sprintf("%s at %s connections: %s a connection over the floor%s. One end's socket is %s, the load's epoll %s a connection; "+
			"large allocations %s, left out as not of sockets %s. Objects a connection, both ends: %s.",
			l.label, grouped(s.Connections()), bytesEach(float64(*k.OverFloor)/n), per, bytesEach(k.EndFloor), bytesEach(k.LoadWaiting),
			megabytes(float64(s.Kernel.Large)), megabytes(float64(k.FileCaches)), strings.Join(caches, "; ")))
	}
	return notes
}
