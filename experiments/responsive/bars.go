package responsive

import (
	"time"

	"c1000k/experiments/result"
)

// worstPing is the 99th percentile of the pings to the loop where it is highest,
// during broadcasts, in milliseconds. Where a loop had too few it is that loop, and
// not ok.
func worstPing(r *result.Responsive) (worst float64, at int, ok bool) {
	at = -1
	for loop := range r.Loops {
		ms, ok := p99(r, result.PhaseDuring, result.ProbePing, loop)
		if !ok {
			return 0, loop, false
		}
		if ms > worst {
			worst, at = ms, loop
		}
	}
	return worst, at, true
}

// pushes is the 99th percentile of the pushes during broadcasts, in milliseconds, and
// what it is more than the idle one.
func pushes(r *result.Responsive) (during, more float64, ok bool) {
	idle, had := p99(r, result.PhaseIdle, result.ProbePush, result.AllLoops)
	during, ok = p99(r, result.PhaseDuring, result.ProbePush, result.AllLoops)
	return during, during - idle, ok && had
}

// answerPart is the greatest part of the time to a broadcast's last delivery in which
// its publisher was answered.
func answerPart(r *result.Responsive) (worst float64) {
	for _, b := range r.Broadcasts {
		if b.LastSeconds > 0 {
			worst = max(worst, b.AnswerUs/1e6/b.LastSeconds)
		}
	}
	return worst
}

func pingHeld(ms float64) bool { return ms*1e3 < float64(PingBar/time.Microsecond) }
func pushHeld(ms float64) bool { return ms*1e3 <= float64(PushBar/time.Microsecond) }

// p99 is a probe's 99th percentile in milliseconds; not ok where it had too few
// samples for one.
func p99(r *result.Responsive, phase, what string, loop int) (ms float64, ok bool) {
	p := r.Probe(phase, what, loop)
	if p == nil || p.Latency == nil || p.Latency.P99 == nil {
		return 0, false
	}
	return *p.Latency.P99 / 1e3, true
}
