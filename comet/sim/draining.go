package sim

import (
	"math"
	"strings"

	"c1000k/comet"
)

// drain has the service empty itself, as a server does that is to stop, while
// clients go on: who is held is told, each reply is its connection's last, what
// is idle is closed, nobody is left.
func (w *world) drain() {
	const steps = 400
	w.allRead()
	for _, l := range w.loops {
		for l.phase == phaseActions { // an earlier noop is no farewell
			l.step()
		}
		for _, s := range l.slots {
			if s != nil && (len(s.inflight) > 0 || s.send != nil) {
				s.beforeDrain()
			}
		}
	}
	w.draining = pick(w.rng, comet.FarewellNoop, comet.FarewellClose)
	w.mix("drain", int(w.draining))
	w.svc.Drain(w.draining)
	w.deaf = true
	for _, c := range w.clients {
		for _, a := range c.asks {
			a.restyle(func(s *style) { s.leaves = true })
		}
	}
	w.model.unmark()
	for _, l := range w.loops {
		l.woken = true // by the engine
	}
	for range steps {
		w.now += w.rng.Int64N(100_000)
		w.something()
	}
	w.ending = true
	w.backlog = nil // nobody accepts it
	w.allRead()
	for _, l := range w.loops {
		l.starved = false
	}
	w.rest()
	w.pass(10 * tick) // some are looked at again in a tick
	for _, l := range w.loops {
		for _, s := range l.slots {
			// One whose request has begun is answered when it is whole.
			if s != nil && !s.client.stranger && !s.halfway() {
				w.fail("%v: it is drained, everything is at rest, and the connection is open: %d requests taken", s, len(s.inflight))
			}
		}
	}
}

// beforeDrain keeps a client that waits for a reply from writing more on its
// connection: whether what it writes behind that is read depends on whether the
// drain came to it before the reply had gone, which the model does not follow.
func (s *socket) beforeDrain() {
	if len(s.queue) > 0 || s.halfway() || len(s.client.outbox) > 0 {
		s.reset, s.ended = true, true
		s.forget()
		if s.send != nil {
			s.send.fail(errReset)
		}
	}
	s.quiet = true
}

// halfway says whether the server has a part of a request.
func (s *socket) halfway() bool { return !s.ended && s.decoded > s.takenTo }

// dismissed says whether a drain is cause enough to close the connection.
func (s *socket) dismissed() bool {
	if s.loop.w.draining == 0 {
		return false
	}
	if len(s.inflight) > 0 {
		return s.inflight[0].kind == "psub"
	}
	return s.send == nil && (s.quiet || !s.halfway())
}

// unmark takes out of what is promised whether connections stay: a drain may
// come to one before its reply is composed, or after.
func (m *model) unmark() {
	for _, name := range m.w.set.names {
		c := m.channels[name]
		for _, p := range c.states {
			for a, o := range p.wait {
				o.reply, o.or, o.begin = unmarked(o.reply), unmarked(o.or), unmarked(o.begin)
				p.wait[a] = o
			}
		}
		m.compact(c)
	}
}

// unmarked is a reply without what its head says of the connection.
func unmarked(reply string) string {
	head, body, ok := strings.Cut(reply, "\r\n\r\n")
	if !ok {
		return reply
	}
	for _, line := range []string{"\r\nConnection: keep-alive", "\r\nConnection: close"} {
		head = strings.Replace(head, line, "", 1)
	}
	return head + "\r\n\r\n" + body
}

// noteDue notes, when a round of events and a turn begins, up to which message
// those who are held must have had all before a drain dismisses them in it.
func (l *loop) noteDue() {
	if l.w.draining == 0 {
		return
	}
	for _, s := range l.slots {
		if s == nil || len(s.inflight) == 0 || s.inflight[0].kind != "sub" {
			continue
		}
		for _, a := range s.inflight[0].all() {
			a.due = math.MaxInt
			for _, p := range l.w.model.channels[a.channel].states {
				a.due = min(a.due, len(p.seenBy(p.wait[a]).log))
			}
		}
	}
}

// farewell is the object with which a drain ends what is held, for one who had
// all before number first.
func (m *model) farewell(c *channelModel, first, noop int) string {
	if m.w.draining == comet.FarewellClose {
		return object("close", c.name, first, "")
	}
	return object("noop", c.name, noop, "")
}

// mayDismiss says whether a drain may end what is held by one who waits for
// number first.
func (m *model) mayDismiss(p *possible, a *ask, first int) bool {
	return m.w.draining != 0 && !(first <= min(a.due, len(p.log)) && m.history(p) > 0)
}
