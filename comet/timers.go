package comet

import "c1000k/comet/arena"

// lazyTicks is how much earlier than its deadline a timer may stay armed, 64
// turns of a second: popping it for nothing is then cheaper than moving it at
// every request, and a poll of an hour is not looked at each half minute.
const lazyTicks = 960

// jitterTicks spreads noops: the second that the protocol allows, less two
// ticks by which timeouts are rounded up.
const jitterTicks = 13

// setDeadline gives connection h until tick at in its present state. The
// timer is left where it is when it runs out a little earlier: the connection
// is then looked at and armed again.
func (l *Loop) setDeadline(h uint32, r *conn, at uint32) {
	r.deadline = at
	if armed := r.timer.At(); armed != 0 {
		if armed <= at && at-armed <= lazyTicks {
			return
		}
		l.wheel.Cancel(h)
	}
	l.wheel.Arm(h, at)
}

// pollDeadline is when a poll accepted now gets its noop: the polling timeout
// and a part of a second, so that those who came together do not leave so.
func (l *Loop) pollDeadline() uint32 {
	return l.tick + l.svc.limits.Load().pollTicks + uint32(l.random.Uint64()%jitterTicks) + 1
}

// expire looks at connections whose timers have run out, in at most budget steps.
func (l *Loop) expire(budget int) {
	for {
		h := l.wheel.Pop(l.tick, &budget)
		if h == 0 {
			break
		}
		r := l.at(h)
		if r.deadline > l.tick {
			l.wheel.Arm(h, r.deadline)
			continue
		}
		switch r.state {
		case stateHeld:
			switch {
			case r.busy():
				l.n.stallTimeouts++
				l.close(h, r)
			case l.svc.draining.Load() != 0:
				l.dismissForGood(h, r)
			case r.watches():
				l.tell(h, r)
			default:
				l.noop(h, r)
			}
		case stateReading: // also one that never sent anything
			l.n.headerTimeouts++
			l.close(h, r)
		case stateIdle:
			l.n.idleTimeouts++
			l.close(h, r)
		case stateSending:
			l.n.stallTimeouts++
			l.close(h, r)
		}
	}
	if t := l.wheel.Next(); t != arena.NeverTick && t <= l.tick {
		l.more = true
	}
}
