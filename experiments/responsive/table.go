package responsive

import (
	"fmt"
	"io"

	"c1000k/experiments/result"
)

// Table writes what was measured, and whether the bars were held.
// interrupted says that the run has not all of its cells.
func Table(w io.Writer, all []result.Responsive, interrupted bool) {
	if interrupted {
		fmt.Fprint(w, "The run was interrupted: what follows is what was measured until then.\n\n")
	}
	rounds := roundsOf(all)
	if rounds > 1 {
		overview(w, all)
	}
	fmt.Fprintln(w, "| ms | requests | idle p50 | p99 | longest | during p50 | p99 | longest | sent late, during p99 |")
	fmt.Fprintln(w, "|---|---:|---:|---:|---:|---:|---:|---:|---:|")
	for i := range all {
		rows(w, &all[i], rounds)
	}
	fmt.Fprintln(w)
	for i := range all {
		fmt.Fprintf(w, "- %s\n", summary(&all[i], rounds))
		for _, v := range verdicts(&all[i]) {
			fmt.Fprintf(w, "  - %s\n", v)
		}
	}
	fmt.Fprint(w, "\nThe echo is a bare thread that answers the instrument at the rate of a loop's pings: what it takes, and how late requests were sent, is\n"+
		"the machine's and the instrument's part, and is in all the other figures, too. Server, load and instrument share the processors;\n"+
		"a load of nice 19 takes what the others leave, as clients on other machines would take nothing.\n")
	if line := tuningElsewhere(all); line != "" {
		fmt.Fprintf(w, "\n%s\n", line)
	}
}

// tuningElsewhere is the line of a table with epoll in it.
func tuningElsewhere(all []result.Responsive) string {
	var engines []string
	for i := range all {
		engines = append(engines, all[i].Backend)
	}
	return result.TuningElsewhere(engines...)
}

// roundsOf is in how many rounds they were measured.
func roundsOf(all []result.Responsive) (n int) {
	for i := range all {
		n = max(n, all[i].Round+1)
	}
	return n
}

// title names a backend, and the load's priority where it is not the usual one.
func title(r *result.Responsive) string {
	if r.LoadNice == 0 {
		return r.Backend
	}
	return fmt.Sprintf("%s, load nice %d", r.Backend, r.LoadNice)
}

// titleOf is title with the round, where there are several.
func titleOf(r *result.Responsive, rounds int) string {
	if rounds < 2 {
		return title(r)
	}
	return fmt.Sprintf("%s, round %d", title(r), r.Round+1)
}

// rows are a backend's.
func rows(w io.Writer, r *result.Responsive, rounds int) {
	row := func(name, what string, loop int) {
		idle, during := r.Probe(result.PhaseIdle, what, loop), r.Probe(result.PhaseDuring, what, loop)
		if idle == nil || during == nil || idle.Latency == nil || during.Latency == nil {
			return
		}
		fmt.Fprintf(w, "| %s, %s | %d | %s | %s | %s | %s | %s | %s | %s |\n", titleOf(r, rounds), name, during.Latency.Samples,
			ms(idle.Latency.P50), ms(idle.Latency.P99), ms(&idle.Latency.Max),
			ms(during.Latency.P50), ms(during.Latency.P99), ms(&during.Latency.Max), ms(during.Late.P99))
	}
	row("ping, all loops", result.ProbePing, result.AllLoops)
	for loop := range r.Loops {
		row(fmt.Sprintf("ping, loop %d", loop), result.ProbePing, loop)
	}
	row("push", result.ProbePush, result.AllLoops)
	row("echo", result.ProbeEcho, result.AllLoops)
}

// ms writes microseconds as milliseconds.
func ms(us *float64) string {
	if us == nil {
		return "too few"
	}
	return fmt.Sprintf("%.2f", *us/1e3)
}

// summary says what was done.
func summary(r *result.Responsive, rounds int) string {
	answer, last := longest(r)
	lost := ""
	if b, a := r.MachineBefore, r.MachineAfter; b != nil && a != nil && a.TCPRetransmitted > 0 { // not told by earlier runs
		lost = fmt.Sprintf("; since the server's start the kernel's queues dropped %d packets, %d segments were sent again, and its memory for "+
			"sockets was short for %.1f s", a.NetDropped-b.NetDropped, a.TCPRetransmitted-b.TCPRetransmitted, (a.TCPPressure - b.TCPPressure).Seconds())
	}
	noisy := ""
	for _, n := range r.Noisy {
		noisy += "; NOISY: " + n
	}
	return fmt.Sprintf("**%s**: %d channels, %d held, %d loops; %d broadcasts in %.1f s, answered after %.2f ms at most, the last delivery after %.2f s at most; "+
		"of two processors the server had %.2f and the load %.2f%s%s",
		titleOf(r, rounds), r.Channels, r.Connections, r.Loops, len(r.Broadcasts), r.DuringSeconds, answer, last,
		r.ServerCPU/r.DuringSeconds, r.LoadCPU/r.DuringSeconds, lost, noisy)
}

// verdicts say of each bar whether it was held.
func verdicts(r *result.Responsive) []string {
	return []string{pingVerdict(r), pushVerdict(r), answerVerdict(r)}
}

// longest are the longest times of the broadcasts: to the publisher's answer, in
// milliseconds, and to the last delivery, in seconds.
func longest(r *result.Responsive) (answer, last float64) {
	for _, b := range r.Broadcasts {
		answer, last = max(answer, b.AnswerUs/1e3), max(last, b.LastSeconds)
	}
	return answer, last
}

// held words a verdict.
func held(ok bool) string {
	if ok {
		return "held"
	}
	return "NOT HELD"
}

func pingVerdict(r *result.Responsive) string {
	worst, at, ok := worstPing(r)
	if !ok {
		return fmt.Sprintf("no verdict on pings: loop %d had too few", at)
	}
	return fmt.Sprintf("ping on every loop below %v at p99: %s (highest %.2f ms, on loop %d)", PingBar, held(pingHeld(worst)), worst, at)
}

func pushVerdict(r *result.Responsive) string {
	_, more, ok := pushes(r)
	if !ok {
		return "no verdict on pushes: there were too few"
	}
	return fmt.Sprintf("push at most %v more than idle, at p99: %s (%.2f ms more)", PushBar, held(pushHeld(more)), more)
}

func answerVerdict(r *result.Responsive) string {
	worst := answerPart(r)
	return fmt.Sprintf("the publisher's answer within %v of the time to the last delivery: %s (%.4f at most)", AnswerPart, held(worst < AnswerPart), worst)
}
