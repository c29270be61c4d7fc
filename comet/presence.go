package comet

import (
	"c1000k/comet/internal/plant"
	"c1000k/comet/wire"
)

// A connection of /psub is told which channels come and go. Like a stream it
// has no queue but a place in a log, the hub's; and another in the table of
// channels while it goes through those that there are: at the start, if it asked
// for that, and then every channel timeout. The log is read after the table, so
// that what is told of a channel last is so.
//
// It is held like a subscriber, and of its record uses these fields so: wants is
// the place in the log, channel the one in the table, or 0, and next the tick
// at which it goes through the table again.

const (
	// maxWatchers is the most connections of /psub of one loop; one more is
	// refused with 503.
	maxWatchers = 64
	// presenceBatch is the most bytes of one send of them, about.
	presenceBatch = 16 << 10
)

// watches reports that a held connection is one of /psub.
func (r *conn) watches() bool { return r.flags&flagAdmin != 0 }

// psub begins to tell of channels.
func (l *Loop) psub(h uint32, r *conn) (stay bool) {
	if l.req.Method == wire.MethodHead {
		return l.adminReply(r, 405, wire.TypeDefault, nil)
	}
	if len(l.watchers) == maxWatchers {
		return l.adminReply(r, 503, wire.TypeDefault, nil)
	}
	at, err := l.hub.Watch()
	if err != nil {
		l.n.noMemory++
		return l.adminReply(r, 503, wire.TypeDefault, nil)
	}
	l.watchers = append(l.watchers, h)
	l.svc.watching.Or(1 << l.id)
	l.setState(r, stateHeld)
	r.wants, r.channel = at, 0
	r.next = l.tick + l.channelTicks
	keep := r.flags&flagKeepAlive != 0
	if l.minor(r) == 0 {
		r.flags &^= flagKeepAlive
	}
	l.reply = wire.AppendPresenceHead(l.reply, wire.Admin{
		Date: l.httpDate(), Server: l.svc.server, Minor: l.minor(r), KeepAlive: keep,
	})
	if l.par.Snapshot {
		l.goThrough(r)
	}
	l.sendReply(h, r)
	l.reply = l.reply[:0] // it is sent
	return true
}

// goThrough appends the next of the channels that there are.
func (l *Loop) goThrough(r *conn) {
	t := l.hub.Tour(r.channel, tourBudget)
	for len(l.reply) < presenceBatch {
		v, ok := t.Next()
		if !ok {
			break
		}
		l.name = append(l.name[:0], v.Name()...)
		v.Leave()
		l.esc = wire.AppendEscaped(l.esc[:0], l.name)
		l.reply = wire.AppendPresence(l.reply, l.esc, true, l.minor(r))
	}
	if r.channel = t.Place(); r.channel == 0 {
		r.next = l.tick + l.channelTicks
	}
}

// tell sends what there is to tell to a watcher that has no send outstanding,
// and otherwise has it looked at when it goes through the table again.
func (l *Loop) tell(h uint32, r *conn) {
	if l.svc.draining.Load() != 0 {
		l.close(h, r)
		return
	}
	l.reply = l.reply[:0]
	if r.channel != 0 || l.tick >= r.next {
		// Where a look comes to no channel the next one goes on.
		for first := true; len(l.reply) == 0 && (first || r.channel != 0); first = false {
			l.goThrough(r)
		}
	}
	if r.channel == 0 && len(l.reply) < presenceBatch {
		next, ok := l.hub.Presence(r.wants, func(came bool, name []byte) bool {
			l.esc = wire.AppendEscaped(l.esc[:0], name)
			l.reply = wire.AppendPresence(l.reply, l.esc, came, l.minor(r))
			return len(l.reply) < presenceBatch
		})
		if r.wants = next; !ok {
			l.n.watchersLost++
			l.close(h, r)
			return
		}
	}
	if len(l.reply) == 0 {
		l.setDeadline(h, r, r.next)
		return
	}
	l.sendReply(h, r)
}

// tellAll has every watcher told that waits.
func (l *Loop) tellAll() {
	end := l.hub.PresenceEnd()
	if end == l.toldTo {
		return
	}
	l.toldTo = end
	for i := len(l.watchers) - 1; i >= 0; i-- { // one may leave, and the last takes its place
		if h := l.watchers[i]; !l.at(h).busy() {
			l.tell(h, l.at(h))
		}
	}
	if plant.Is(plant.UnwokenWatcher) {
		return
	}
	l.wake |= l.svc.watching.Load() &^ (1 << l.id) // others that have watchers may sleep
}

// unwatch forgets a watcher that leaves.
func (l *Loop) unwatch(h uint32, r *conn) {
	for i, w := range l.watchers {
		if w == h {
			last := len(l.watchers) - 1
			l.watchers[i] = l.watchers[last]
			l.watchers = l.watchers[:last]
			break
		}
	}
	l.hub.Unwatch()
	if len(l.watchers) == 0 {
		l.svc.watching.And(^uint64(1 << l.id))
	}
	r.place = place{}
}
