package comet

import (
	"c1000k/comet/internal/plant"
	"c1000k/comet/wire"
)

// Farewell is what held clients are told when a server is about to stop.
type Farewell uint32

const (
	// FarewellNoop ends what is held with a noop: clients poll again, and so
	// come to whichever server is there then.
	FarewellNoop Farewell = iota + 1
	// FarewellClose ends it as if the channel was closed.
	FarewellClose
)

// turnDrain is the most connections that a turn looks at for a drain.
const turnDrain = 2048

// Drain begins to empty the service: every held client is told, each reply ends
// its connection, what is idle is closed, and whoever asks anew gets an answer
// and the end. The engine is to stop accepting before. Loops that sleep are to
// be woken by the engine. It may be called from any thread, and again.
func (s *Service) Drain(f Farewell) { s.draining.Store(uint32(f)) }

// Connections is the number of open connections on all loops, of publishers too,
// as of the end of each loop's last turn.
func (s *Service) Connections() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := int64(0)
	for _, l := range s.loops {
		n += int64(l.openConnections())
	}
	return n
}

// stepDrain goes on with the look at all connections that a drain begins with.
func (l *Loop) stepDrain() {
	if l.drained == l.high+1 || l.svc.draining.Load() == 0 {
		return
	}
	if l.undelivered() {
		return // what was published before comes first; deliver asks for a turn
	}
	for n := 0; n < turnDrain && l.drained <= l.high; n++ {
		h := l.drained
		if l.drained++; h == 0 {
			continue
		}
		l.dismissForGood(h, l.at(h))
	}
	l.more = l.more || l.drained <= l.high
}

// undelivered says whether messages are on their way to those whom the loop holds.
func (l *Loop) undelivered() bool {
	return l.entry < l.entryEnd || l.walk.entry.Channel != 0 || !l.inbox.Empty()
}

// dismissForGood ends a connection politely.
func (l *Loop) dismissForGood(h uint32, r *conn) {
	switch r.state {
	case stateHeld:
		r.flags &^= flagKeepAlive
		if r.watches() {
			l.close(h, r)
			return
		}
		l.farewell(h, r)
	case stateSending:
		if !plant.Is(plant.KeptReply) {
			r.flags &^= flagKeepAlive // its reply is the last
		}
	case stateReading, stateIdle:
		if r.extra == 0 {
			l.close(h, r)
		}
		// A request has begun: its reply will be the last.
	}
}

// farewell tells a held connection that the server goes, once it has had what
// there is for it: a send that is outstanding, or what it missed, comes first. A
// stream is told the close of each of its channels, all else is said of the first. The
// number is what the client waits for: one beyond a message that it was never given, as
// no history held it, would hide that.
func (l *Loop) farewell(h uint32, r *conn) {
	if r.busy() {
		return // wait comes back here
	}
	if l.undelivered() {
		// What comes by the inbox may be in no history any more.
		l.setDeadline(h, r, l.tick+1)
		return
	}
	if l.lookAtAll(h, r) {
		return // wait comes back here
	}
	closes := Farewell(l.svc.draining.Load()) == FarewellClose
	s, held := l.firstHeld(h, r)
	l.begin()
	for ; closes && r.mode().Streams() && held > 1; s = l.after(s) {
		if l.subscriber(s).channel != 0 {
			l.nameOf(s)
			l.esc = wire.AppendEscaped(l.esc[:0], l.name)
			l.appendObjectFrame(r, wire.KindClose, int64(l.subscriber(s).wants), nil)
			held--
		}
	}
	for l.subscriber(s).channel == 0 {
		s = l.after(s)
	}
	l.nameOf(s)
	kind, number := wire.KindClose, int64(l.subscriber(s).wants)
	if !closes {
		kind, number = wire.KindNoop, l.noopNumber(r)
	}
	l.unsubscribe(h, r)
	l.n.farewells++
	l.sayEnd(h, r, l.name, kind, number)
}
