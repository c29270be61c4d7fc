package report

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"c1000k/experiments/result"
)

// The files that Generate makes beside those of package result.
const (
	File         = "report.md"
	TerminalFile = "report.txt"
	MemoryFigure = "figures/memory.svg"
	CPUFigure    = "figures/cpu.svg"
)

// Report is what Generate made.
type Report struct {
	// Terminal is the short form for a terminal: the tables side by side.
	Terminal string
	// Markdown is the content of report.md.
	Markdown string
	// Files are the files written, relative to the folder.
	Files []string
	// Warnings are what had to be left out of the data.
	Warnings []string
}

// Generate reads the results folder dir and writes report.md, report.txt, the
// figures, summary.csv and bench.txt into it. It works on a run that was cut
// short, as long as run.json was written. The same data gives the same bytes.
// Where a file cannot be written the report comes with the error. A folder
// of another experiment is refused, and nothing in it is touched.
func Generate(dir string) (*Report, error) {
	d, err := result.Read(dir)
	if err != nil {
		return nil, err
	}
	if len(d.Responsives) > 0 {
		return nil, fmt.Errorf("%[1]s is of experiment responsive and not of a ladder: `experiment responsive --from %[1]s`", dir)
	}
	all := ladders(d)
	r := referencesOf(d)
	shown := measured(all)
	made := &Report{Terminal: terminal(d, shown, r, troubles(d, all)), Markdown: markdown(d, shown, r, troubles(d, all)), Warnings: d.Warnings}
	if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(MemoryFigure)), 0o777); err != nil {
		return made, fmt.Errorf("write the report: %w", err)
	}
	for _, f := range []struct {
		name  string
		write func(w io.Writer) error
	}{
		{result.SummaryFile, func(w io.Writer) error { return result.WriteSummary(w, d) }},
		{result.BenchFile, func(w io.Writer) error { return result.WriteBench(w, d) }},
		{MemoryFigure, func(w io.Writer) error { return writeFigure(w, memoryFigure(shown)) }},
		{CPUFigure, func(w io.Writer) error { return writeFigure(w, cpuFigure(shown, r)) }},
		{TerminalFile, func(w io.Writer) error { _, err := io.WriteString(w, made.Terminal); return err }},
		{File, func(w io.Writer) error { _, err := io.WriteString(w, made.Markdown); return err }},
	} {
		if err := result.WriteFile(filepath.Join(dir, filepath.FromSlash(f.name)), f.write); err != nil {
			return made, err
		}
		made.Files = append(made.Files, f.name)
	}
	return made, nil
}

// terminal is the short form.
func terminal(d *result.Data, all []*ladder, r references, troubles []string) string {
	var b strings.Builder
	for _, line := range headLines(d) {
		b.WriteString(line + "\n")
	}
	section := func(title string, t *table, notes ...string) {
		if len(t.rows) == 0 {
			return
		}
		fmt.Fprintf(&b, "\n%s\n%s", title, t.text())
		for _, n := range notes {
			if n != "" {
				b.WriteString(wrap(n, terminalWidth) + "\n")
			}
		}
	}
	if len(all) == 0 {
		b.WriteString("\nNothing was measured.\n")
	}
	section("Memory", sideBySide(all), noteVirtual, estimatedNote(all))
	section("Bytes", shortHeadline(all), "User is (RES at N − RES of an empty server with --channels 0) / N.")
	section("CPU: idle, of a core; server and load, each pushed message", cpuSideBySide(all, r, false), alikeNote(all), tuningNote(all), noteLoopback, boundNote(r, phases(all, pushOf)...))
	section("Polls that expire: CPU of a core, and a noop with its next poll", expiryTable(all, false))
	for _, n := range append(openingNotes(all, r), troubles...) {
		b.WriteString("\n" + wrap(n, terminalWidth))
	}
	if b.Len() > 0 && !strings.HasSuffix(b.String(), "\n") {
		b.WriteString("\n")
	}
	return b.String()
}

// terminalWidth is where sentences are broken.
const terminalWidth = 110

func wrap(text string, width int) string {
	var b strings.Builder
	column := 0
	for i, word := range strings.Fields(text) {
		if i > 0 {
			if column+1+len(word) > width {
				b.WriteString("\n")
				column = 0
			} else {
				b.WriteString(" ")
				column++
			}
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}

// document collects the Markdown.
type document struct{ strings.Builder }

func (b *document) heading(level int, text string) {
	fmt.Fprintf(b, "\n%s %s\n\n", strings.Repeat("#", level), text)
}

func (b *document) table(t *table) { b.WriteString(t.markdown()) }

func (b *document) notes(notes ...string) {
	b.WriteString("\n")
	for _, n := range notes {
		if n != "" {
			b.WriteString("- " + n + "\n")
		}
	}
}

func markdown(d *result.Data, all []*ladder, r references, troubles []string) string {
	b := &document{}
	lines := headLines(d)
	fmt.Fprintf(b, "# %s\n\n", lines[0])
	for _, line := range lines[1:] {
		b.WriteString(line + "\n")
	}
	if len(troubles) > 0 {
		b.heading(2, "What went wrong")
		b.notes(troubles...)
	}
	if len(all) == 0 {
		b.WriteString("\nNothing was measured.\n")
		return b.String()
	}
	b.heading(2, "Memory side by side")
	b.table(sideBySide(all))
	b.notes(noteVirtual, noteArticle, noteKernel, estimatedNote(all))
	if t := headline(all, r); len(t.rows) > 0 {
		b.heading(2, "Bytes a connection")
		b.table(t)
		b.notes(headlineNotes(all)...)
	}
	fmt.Fprintf(b, "\n![Memory against connections](%s)\n", MemoryFigure)
	b.heading(2, "Kernel memory over the socket's floor")
	bareTables(b, all, r)
	b.notes(floorNotes(all)...)
	b.heading(2, "CPU side by side")
	b.table(cpuSideBySide(all, r, true))
	b.notes(append([]string{"Idle is of a core; server, load and both are of a pushed message.", alikeNote(all), tuningNote(all), noteLoopback, boundNote(r, phases(all, pushOf)...), noteTail}, openingNotes(all, r)...)...)
	fmt.Fprintf(b, "\n![CPU against connections](%s)\n", CPUFigure)
	if t := expiryTable(all, true); len(t.rows) > 0 {
		b.heading(2, "Polls that expire")
		b.table(t)
		b.notes(noteExpiry, noteLoopback, noteKernel, expiryEstimated(all))
	}
	if len(d.Floors) > 0 {
		b.heading(2, "What this machine does without a protocol")
		b.table(floorTable(d))
		b.notes(noteShort)
	}
	for _, l := range all {
		l.section(b, r)
	}
	quietSection(b, d)
	return b.String()
}

// section is everything of one backend.
func (l *ladder) section(b *document, r references) {
	own := []*ladder{l}
	b.heading(2, l.label)
	for _, line := range l.backend.Banner {
		fmt.Fprintf(b, "    %s\n", line)
	}
	if s := l.backend.Stopped; s != "" {
		fmt.Fprintf(b, "\nIt went no higher: %s\n", s)
	}
	b.heading(3, l.label+": memory")
	b.table(l.memoryTable())
	b.notes(noteVirtual, noteKernel, estimatedNote(own))
	b.heading(3, l.label+": opening and idling")
	b.table(l.openingTable(r))
	b.notes(noteShort)
	if t := l.pushTable(r); len(t.rows) > 0 {
		b.heading(3, l.label+": one push to each of the drawn channels")
		b.table(t)
		b.notes("CPU is a delivered message. Latency is from the intended time; the last column from the time of sending. A multiple of the floor is of the bare turn's CPU.", noteTail, noteShort, boundNote(r, phases(own, pushOf)...))
	}
	if t := l.broadcastTable(r); len(t.rows) > 0 {
		b.heading(3, l.label+": one broadcast to all channels")
		b.table(t)
		b.notes("A broadcast is one message to as many channels as there are connections, each with its own name and number in what is sent.", noteShort, boundNote(r, phases(own, broadcastOf)...), estimatedNote(own))
	}
}

// headLines are the title and what the reader must know first.
func headLines(d *result.Data) []string {
	env := d.Run.Environment
	lines := []string{fmt.Sprintf("%s, %s", d.Run.Name, d.Run.Started.UTC().Format("2006-01-02 15:04 UTC")), ""}
	scope := fmt.Sprintf("Loopback on one machine: %s, %d logical processors (siblings: %s), %s, Linux %s, %s. "+
		"It says nothing of network cards, receive-side scaling or busy polling.",
		env.CPU.Model, env.CPU.Logical, env.CPU.Siblings, megabytes(float64(env.MemoryBytes)), env.Kernel, env.Program.Go)
	lines = append(lines, wrap(scope, terminalWidth))
	commit := env.Program.Git.Commit
	if dirty := env.Program.Git.Dirty; dirty != nil && *dirty {
		commit += ", with changes that were not committed"
	}
	limits := fmt.Sprintf("Descriptor limit %d (hard %d). Commit %s. Seed %d.",
		env.Limits.DescriptorsSoft, env.Limits.DescriptorsHard, commit, d.Run.Seed)
	if d.Run.Pinning != "" {
		limits += " " + d.Run.Pinning
	}
	lines = append(lines, wrap(limits, terminalWidth), wrap("One ladder: these are values, not verdicts. A difference between two single runs is no claim.", terminalWidth))
	for _, note := range d.Run.Notes {
		lines = append(lines, wrap(note, terminalWidth))
	}
	return lines
}

// troubles lists what a reader must not overlook.
func troubles(d *result.Data, all []*ladder) []string {
	var list []string
	if d.Run.Interrupted {
		list = append(list, "The run was interrupted: this is what was measured until then.")
	} else if d.Run.Finished.IsZero() {
		list = append(list, "The run has no end: it still goes on, or it was killed.")
	}
	list = append(list, d.Warnings...)
	for _, f := range d.Failures {
		if f.Backend == "" {
			list = append(list, failureLine("the run", f))
		}
	}
	for _, l := range all {
		for _, f := range l.failures {
			list = append(list, failureLine(fmt.Sprintf("%s at %s connections", l.label, grouped(int64(f.Target))), f))
		}
		for i := range l.steps {
			list = append(list, l.stepTroubles(&l.steps[i])...)
		}
		for i := range l.expiries {
			list = append(list, l.expiryTroubles(&l.expiries[i])...)
		}
	}
	return list
}

func failureLine(text string, f result.Failure) string {
	if f.During != "" {
		text += ", during " + f.During
	}
	text += ": the " + f.Process + " failed: " + f.Reason
	switch {
	case f.ExitStatus != nil:
		text += fmt.Sprintf(" (exit status %d)", *f.ExitStatus)
	case f.Signal != "":
		text += fmt.Sprintf(" (signal: %s)", f.Signal)
	}
	if len(f.LastLines) > 0 {
		text += ". Its last lines: `" + strings.Join(f.LastLines, "` `") + "`"
	}
	return text
}

func (l *ladder) stepTroubles(s *result.Step) []string {
	var list []string
	at := fmt.Sprintf("%s at %s connections: ", l.label, grouped(int64(s.Target)))
	if s.Cut != "" {
		list = append(list, at+"the step is not whole: "+s.Cut)
	}
	if h := s.Held; h != nil && h.Server != nil && h.KernelServer != nil && *h.Server != *h.KernelServer {
		list = append(list, fmt.Sprintf("%sthe server counts %s, the kernel %s", at, grouped(*h.Server), grouped(*h.KernelServer)))
	}
	for _, phase := range []struct {
		name string
		*result.Phase
	}{{"push", s.Push}, {"broadcast", s.Broadcast}} {
		p := phase.Phase
		if p != nil && (p.Lost+p.Repeated+p.OutOfOrder != 0 || p.Delivered != p.Sent) {
			list = append(list, fmt.Sprintf("%s%s: %s delivered, %s", at, phase.name, deliveredCell(p), wrongCell(p)))
		}
	}
	for _, n := range s.Noisy {
		list = append(list, at+"not quiet: "+n)
	}
	return list
}

func estimatedNote(all []*ladder) string {
	for _, l := range all {
		for i := range l.steps {
			if k := l.steps[i].Share(); k != nil && k.Estimated {
				return noteEstimated
			}
		}
	}
	return ""
}

// phases are those of all steps of the ladders that were measured.
func phases(all []*ladder, get func(s *result.Step) *result.Phase) []*result.Phase {
	var some []*result.Phase
	for _, l := range all {
		for i := range l.steps {
			if p := get(&l.steps[i]); p != nil {
				some = append(some, p)
			}
		}
	}
	return some
}

func pushOf(s *result.Step) *result.Phase      { return s.Push }
func broadcastOf(s *result.Step) *result.Phase { return s.Broadcast }

// boundNote explains the dagger where one of the phases has it, and names the
// ceiling.
func boundNote(r references, phases ...*result.Phase) string {
	if r.ceiling == nil {
		return "The load's ceiling was not measured: rates and times of the last delivery may be the load's."
	}
	ceiling := fmt.Sprintf(" The load's ceiling is %s.", perSecond(r.ceiling.Rate))
	for _, p := range phases {
		if r.bound(p) {
			return noteBound + ceiling
		}
	}
	return strings.TrimSpace(ceiling)
}

func headlineNotes(all []*ladder) []string {
	notes := []string{
		"User is (RES at N − RES of an empty server with --channels 0) / N. The fit is the least-squares line over the steps, with the standard deviation of the steps around it.",
		"User and kernel are told together: what one engine does not keep in the process, the kernel keeps for it.",
	}
	for _, l := range all {
		if s := l.last(); s != nil && s.BroadcastsBefore > 0 {
			notes = append(notes, "Steps after a broadcast hold its history too, in the channels there were then: it is in the fit and in the last step.")
			break
		}
	}
	for _, l := range all {
		if l.backend.Empty == nil {
			notes = append(notes, l.label+": the empty server was not measured, so there is no headline.")
			continue
		}
		notes = append(notes, fmt.Sprintf("%s: an empty server has %s resident.", l.label, megabytes(float64(l.backend.Empty.Resident))))
	}
	return append(append(notes, fitNotes(all)...), estimatedNote(all))
}

// quietSection tells how quiet the machine was before and after.
func quietSection(b *document, d *result.Data) {
	if len(d.Machines) == 0 {
		return
	}
	b.heading(2, "How quiet the machine was")
	t := newTable("when", "load average", "CPU pressure, 10 s", "steal since boot", "TIME_WAIT", "available", "slabs", "waited", "quiet")
	for _, m := range d.Machines {
		pressure := missing
		if p, ok := m.State.Pressure["cpu"]; ok {
			pressure = fmt.Sprintf("%.2f %%", p.Some10)
		}
		quiet := missing
		if m.Quiet != nil {
			quiet = "yes"
			if !*m.Quiet {
				quiet = "no: " + strings.Join(m.Noisy, ", ")
			}
		}
		t.add(m.When, fmt.Sprintf("%.2f %.2f %.2f", m.State.Loads[0], m.State.Loads[1], m.State.Loads[2]), pressure, seconds(m.State.Steal.Seconds()),
			grouped(int64(m.State.TimeWait)), megabytes(float64(m.State.MemoryAvailable)), megabytes(float64(m.State.Slab)), seconds(m.WaitedSeconds), quiet)
	}
	b.table(t)
}
