package hub

import (
	"math/bits"
	"sync/atomic"

	"github.com/dchest/siphash"
)

// Close ends the channel: it is found by its name no more, whoever comes by
// that name gets a new one, and each loop that holds subscribers is told by an
// entry without a message, whose number is the channel's next. It returns the
// loops to wake once the channel is unlocked. The record and the history stay
// until the last subscriber is gone. The View is good for Leave alone then.
func (v View) Close(tick uint32) (loops uint64) {
	h, c := v.h, v.c
	if c.mask == 0 && c.refs == 0 && c.subs == 0 {
		v.s.wheel.Cancel(v.ID)
		h.drop(v.ID, c) // nobody has to be told
		return 0
	}
	h.unlink(v.ID, c)
	loops = c.mask
	for rest := loops; rest != 0; rest &= rest - 1 {
		e := Entry{Channel: v.ID, Home: c.home, Seq: c.next}
		// A loop that has no room looks at all that it holds, and finds it closed.
		if h.inboxes[bits.TrailingZeros64(rest)].put(e) {
			c.refs++
		}
	}
	v.s.wheel.Cancel(v.ID)
	h.arm(v.ID, v.s, tick+1)
	return loops
}

// unlink takes the channel out of its bucket: its name is free.
func (h *Hub) unlink(id uint32, c *channel) {
	at := &h.buckets[h.bucket(h.nameOf(c))]
	for *at != id {
		at = &h.chans.At(*at).chain
	}
	*at = c.chain
	atomic.StoreUint32(&c.home, c.home&^homeInUse) // the generation stays
	h.count.Add(-1)
	h.note(false, h.nameOf(c))
}

// Closed reports that Close ended the channel.
func (v View) Closed() bool { return v.c.home&homeInUse == 0 }

// Clear empties the history; numbers go on.
func (v View) Clear() { v.h.forget(v.c) }

// HistoryStart is the number of the oldest of the n newest messages that the
// history holds; the next number if it holds none.
func (v View) HistoryStart(n int) uint64 {
	return v.c.next - uint64(min(int(v.c.histLen), n))
}

// Extend has the channel live for so many ticks from now at the least, though
// its last subscriber leaves before; less than the usual time only if nobody
// uses it until then.
func (v View) Extend(tick, ticks uint32) {
	// The time is kept as that of a use, from which the usual time is counted.
	v.c.lastActive = tick + ticks - v.h.cfg.TimeoutTicks
	if v.c.mask == 0 {
		v.s.wheel.Cancel(v.ID)
		v.h.arm(v.ID, v.s, tick+ticks)
	}
}

// Epoch tells this channel from any other of the same name, before it or after
// a restart.
func (v View) Epoch() uint64 {
	home := v.c.home &^ homeInUse
	id := [8]byte{byte(home), byte(home >> 8), byte(home >> 16), byte(home >> 24),
		byte(v.ID), byte(v.ID >> 8), byte(v.ID >> 16), byte(v.ID >> 24)}
	return siphash.Hash(^v.h.cfg.Seed, v.h.cfg.Seed, id[:])
}
