package hub

import (
	"math/bits"

	"c1000k/comet/arena"
	"c1000k/comet/internal/plant"
)

// Publish numbers the message, stores it in the history and puts it into the
// inbox of every loop that holds subscribers. It returns the number, and the
// loops to wake once the channel is unlocked. The caller keeps its reference.
func (v View) Publish(m Msg, tick uint32) (seq, loops uint64) {
	c := v.c
	seq = c.next
	v.h.remember(c, seq, m)
	if !plant.Is(plant.WrongNumber) || seq%5 != 0 {
		c.next++
	}
	loops = c.mask
	for rest := loops; rest != 0; rest &= rest - 1 {
		e := Entry{Channel: v.ID, Home: c.home, Seq: seq, Msg: m}
		if v.h.inboxes[bits.TrailingZeros64(rest)].put(e) {
			v.h.Ref(m, 1)
			c.refs++
		}
	}
	v.Touch(tick)
	return seq, loops
}

// Unref gives back what an inbox entry keeps of its channel.
func (v View) Unref() { v.c.refs-- }

// Is reports whether the channel is the one the entry was made for, which may
// have been closed since.
func (v View) Is(e *Entry) bool { return (v.c.home^e.Home)&^homeInUse == 0 }

// Walk publishes one message to all channels in slices, so that the loop that
// does it goes on serving. Channels that come into being meanwhile are left
// out: they are younger than the message.
type Walk struct {
	msg    Msg
	cursor arena.Handle // the last channel looked at
	high   arena.Handle
}

// NewWalk begins a broadcast of m; the walk owns the caller's reference.
func (h *Hub) NewWalk(m Msg) Walk { return Walk{msg: m, high: h.chans.High()} }

// Step publishes to at most n channels, and returns the loops to wake, whether
// it did anything, and whether the walk is over. Where an inbox could not take
// n entries it does nothing: the loops come first.
func (h *Hub) Step(w *Walk, n int, tick uint32) (loops uint64, stepped, done bool) {
	for i := range h.loops.Load() {
		if h.inboxes[i].room() < n {
			return 0, false, false
		}
	}
	for ; n > 0 && w.cursor < w.high; n-- {
		w.cursor++
		if v, ok := h.at(w.cursor); ok {
			_, l := v.Publish(w.msg, tick)
			loops |= l
			v.Leave()
		}
	}
	if w.cursor < w.high {
		return loops, true, false
	}
	h.Unref(w.msg)
	return loops, true, true
}
