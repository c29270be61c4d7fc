package comet

import (
	"c1000k/comet/arena"
	"c1000k/comet/hub"
	"c1000k/comet/internal/plant"
	"c1000k/comet/wire"
)

// walk is a message on its way to many subscribers of one channel: the loop's
// list was taken out of the channel, and is gone through in slices. Those that
// stay held are put together in a list of their own, which goes back to the
// channel at the end.
type walk struct {
	entry  hub.Entry // Channel is 0 when there is no walk
	cursor uint32    // the next subscriber, which is the first of the rest
	// kept and keptLast are the first and the last of those that stay.
	kept, keptLast uint32
	// shared is the message in its most common form, by mode, composed once;
	// 0: not yet.
	shared [wire.ModeSSE + 1]arena.Handle
}

// stepWalk goes on with the walk for about budget subscribers and returns how
// many it came to.
func (l *Loop) stepWalk(budget int) (n int) {
	w := &l.walk
	gone := 0
	for ; n < budget && w.cursor != 0; n++ {
		s := w.cursor
		x := l.subscriber(s)
		h := l.ownerOf(s)
		r := l.at(h)
		w.cursor = x.next
		if w.cursor != 0 {
			l.subscriber(w.cursor).prev = 0
		}
		switch due := l.due(x, w.entry.Seq); {
		case !due: // it came after the message
			l.keepInWalk(s, x)
		case w.entry.Msg == 0: // closed: it goes at once, or when it has had all
			l.keepInWalk(s, x)
			l.mark(r, s)
			l.lookAt(h, r)
		case l.stays(r):
			l.keepInWalk(s, x)
			l.walkFeed(h, r, s)
		default:
			missed := l.walkMissed(r, x.wants)
			l.leaveOthers(h, r, s, &x.place)
			gone++
			l.walkSend(h, r, missed)
		}
	}
	over := w.cursor == 0
	v := l.hub.Enter(w.entry.Channel)
	v.Add(-gone)
	if over {
		l.giveBack(v)
		v.Unref()
		v.Settle(l.id, l.tick)
	}
	v.Leave()
	if over {
		l.endWalk()
	}
	return max(n, 1)
}

// keepInWalk adds a subscriber to those that stay.
func (l *Loop) keepInWalk(s uint32, x *subscriber) {
	w := &l.walk
	x.prev, x.next = w.keptLast, 0
	if w.keptLast != 0 {
		l.subscriber(w.keptLast).next = s
	} else {
		w.kept = s
	}
	w.keptLast = s
}

// giveBack returns those that stay to the channel, before those that came
// meanwhile.
func (l *Loop) giveBack(v hub.View) {
	w := &l.walk
	if w.kept == 0 {
		return
	}
	if before := l.subscriber(w.keptLast).prev; before != 0 && plant.Is(plant.LostStay) {
		w.keptLast = before
	}
	first := v.Head(l.id)
	l.subscriber(w.keptLast).next = first
	if first != 0 {
		l.subscriber(first).prev = w.keptLast
	}
	v.SetHead(l.id, w.kept)
}

// walkMissed takes into l.msgs what a subscriber of r, which wants number wants,
// has not had before the walk's message, and returns the number of the first; 0
// if there is none.
func (l *Loop) walkMissed(r *conn, wants uint64) (from uint64) {
	if l.walk.entry.Seq <= wants || r.busy() {
		return 0
	}
	v := l.hub.Enter(l.walk.entry.Channel)
	from = l.missed(v, wants, l.walk.entry.Seq)
	v.Leave()
	return from
}

// walkSend sends the walk's message to r, which is held no more: in its most
// common form from the same memory to all, else composed for it. l.msgs are the
// messages before it, numbered from missed on, if that is not 0.
func (l *Loop) walkSend(h uint32, r *conn, missed uint64) {
	const common = flagHTTP11 | flagKeepAlive
	w := &l.walk
	if missed != 0 || r.flags&common != common || len(l.callback(r)) > 0 {
		l.dismiss(h, r, l.walkName, &w.entry, missed)
		return
	}
	plant.Spin()
	l.n.delivered++
	l.sendShared(h, r, &w.shared[wire.ModePoll], func() {
		l.composeHeld(r, l.message(l.walkName, w.entry.Seq, w.entry.Msg))
	})
}

// walkFeed gives the walk's message to the subscriber s of r, which stays. An
// event of several channels has an id of its own.
func (l *Loop) walkFeed(h uint32, r *conn, s uint32) {
	w := &l.walk
	x := l.subscriber(s)
	own := r.flags&flagHTTP11 == 0 || s&severalBit != 0 && r.mode() == wire.ModeSSE
	if own || r.busy() || w.entry.Seq != x.wants {
		l.feed(h, r, s, l.walkName, &w.entry, l.walkMissed(r, x.wants))
		return
	}
	if !plant.Is(plant.StuckNumber) {
		x.wants++
	}
	l.n.delivered++
	l.sendShared(h, r, &w.shared[r.mode()], func() {
		l.reply = l.reply[:0]
		l.appendFrames(r, s, l.walkName, w.entry.Seq, w.entry.Msg)
	})
}

// sendShared sends the reply that x names, composed into l.reply by compose
// when the first needs it.
func (l *Loop) sendShared(h uint32, r *conn, x *arena.Handle, compose func()) {
	if *x == 0 {
		compose()
		if *x = l.newOut(l.reply); *x == 0 {
			l.close(h, r)
			return
		}
		l.outAt(*x).refs = 1 // the walk's own
	}
	l.send(h, r, *x)
}

func (l *Loop) endWalk() {
	w := &l.walk
	for _, x := range w.shared {
		if x == 0 {
			continue
		}
		if o := l.outAt(x); o.refs == 1 {
			l.blocks.Free(x)
		} else {
			o.refs--
		}
	}
	l.unrefEntry(&w.entry)
	*w = walk{}
}
