package sim

import (
	"time"
)

// finish brings the world to its end and checks at each stage that nothing is
// owed, lost or left.
func (w *world) finish() {
	if w.set.drain {
		w.drain()
		w.everyoneLeaves()
		w.pass(2*w.set.config.ChannelTimeout + 10*time.Second)
		w.nothingIsLeft()
		return
	}
	w.ending = true
	w.allRead()
	w.rest()
	w.nobodyWaitsInVain()

	// Everybody who is still there catches up, then gets one message more.
	w.everyoneHolds()
	for _, name := range w.set.names {
		w.pushOne(name)
	}
	w.rest()
	w.nobodyWaitsInVain()

	// And then a noop.
	w.everyoneHolds()
	longest := w.set.config.PollingTimeout + time.Second + 3*tick
	w.pass(longest)
	for _, c := range w.clients {
		for _, a := range c.asks {
			if held := time.Duration(w.now - a.heldAt); a.kind == "sub" && a.held && !a.done && held > longest {
				w.fail("%v: held for %v", a, held)
			}
		}
	}
	w.nobodyWaitsInVain()
	w.everyoneLeaves()
	w.pass(2*w.set.config.ChannelTimeout + 10*time.Second)
	w.nothingIsLeft()
}

// nobodyWaitsInVain checks that at rest every request was read, and every
// reply given, apart from polls that have nothing to get.
func (w *world) nobodyWaitsInVain() {
	if w.castLoop != nil {
		w.fail("everything is at rest and a broadcast that loop %d took is not over", w.castLoop.id)
	}
	for _, l := range w.loops {
		for _, s := range l.slots {
			if s == nil || s.client.stranger {
				continue
			}
			if s.state == sockClosing || s.hungUp || s.send != nil {
				w.fail("%v: everything is at rest and it is not over", s)
			}
			for _, a := range s.inflight {
				if a.kind == "psub" {
					w.model.watchedAtRest(a)
					continue
				}
				if a.kind != "sub" {
					w.fail("%v: everything is at rest and it was not answered", a)
				}
				w.model.atRest(a)
			}
			if len(s.inflight) == 0 && (len(s.queue) > 0 || len(s.unread) > 0 || len(s.client.outbox) > 0) {
				w.fail("%v: everything is at rest and there is input that is not read: %d requests, %d bytes", s, len(s.queue), len(s.unread))
			}
		}
	}
}

// everyoneHolds has each subscriber that is connected poll until it is held,
// so that it gets all that it has missed.
func (w *world) everyoneHolds() {
	const mostPolls = 10
	for range mostPolls {
		asked := false
		for _, c := range w.clients {
			if c.next == nil || len(c.asks) > 0 || !c.usable() {
				continue
			}
			if c.sock.state != sockOpen {
				continue
			}
			if c.channel == "" {
				c.channel = w.set.names[0]
			}
			c.poll(c.channel, max(c.next[c.channel], 1))
			asked = true
		}
		if !asked {
			return
		}
		w.rest()
		w.nobodyWaitsInVain()
	}
}

// pushOne pushes one message by a publisher that is there; there may be none.
func (w *world) pushOne(channel string) {
	for _, c := range w.clients {
		if c.admin && !c.stranger && len(c.asks) == 0 && c.usable() && c.sock.state == sockOpen && !c.sock.denied && !c.sock.proxied {
			c.publish(channel, false)
			return
		}
	}
}

// pass lets time pass in small parts, every loop following.
func (w *world) pass(d time.Duration) {
	const parts = 16
	for range parts {
		w.now += int64(d / parts)
		w.rest()
	}
}

// everyoneLeaves ends all connections; those in the backlog are accepted first.
func (w *world) everyoneLeaves() {
	const mostRounds = 1_000
	for range mostRounds {
		left := len(w.backlog)
		for _, l := range w.loops {
			for _, s := range l.slots {
				if s != nil {
					left++
					s.client.leave()
					s.client.outbox, s.eof = nil, true
				}
			}
		}
		if left == 0 {
			return
		}
		w.rest()
	}
	w.fail("connections are left after all clients went")
}

// leftovers are the service's counters that must be zero in the end.
var leftovers = map[string]bool{
	"subscribers": true, "channels": true, "name_bytes": true, "history_bytes": true,
	"message_bytes": true, "loop_block_bytes": true,
	"connections_reading": true, "connections_idle": true, "connections_polling": true, "connections_streaming": true,
	"connections_watching": true, "connections_writing": true, "connections_closing": true,
}

// nothingIsLeft checks that the service gave everything back, and that as many
// connections were closed as were opened.
func (w *world) nothingIsLeft() {
	counts := w.result.Counters
	found := 0
	for _, s := range w.svc.Stats() {
		counts[s.Name] = s.Value
		if leftovers[s.Name] {
			found++
			if s.Value != 0 {
				w.fail("%s is %d after everybody left and everything expired", s.Name, s.Value)
			}
		}
	}
	counts["tours"] = uint64(w.tours)
	if found != len(leftovers) {
		w.fail("the service does not tell all of %v", leftovers)
	}
	if n := counts["stream_overruns"]; n < uint64(w.overruns) {
		w.fail("%d streams were closed as overrun, and the service counted %d", w.overruns, n)
	}
	if counts["connections_opened"] != counts["connections_closed"] {
		w.fail("%d connections were opened and %d closed", counts["connections_opened"], counts["connections_closed"])
	}
}
