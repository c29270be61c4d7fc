package hub

import "c1000k/comet/arena"

// SweepAt is the tick at which Sweep wants to be called, or arena.NeverTick.
func (h *Hub) SweepAt() uint32 { return h.sweepAt.Load() }

// SweepMoved reports, once, that SweepAt has come nearer, so that the loop
// that sweeps has to look at it again.
func (h *Hub) SweepMoved() bool { return h.sweepMoved.Load() && h.sweepMoved.Swap(false) }

// Sweep frees channels whose time has passed, in at most budget steps, and
// reports whether there may be more to do at once. One loop calls it.
func (h *Hub) Sweep(tick uint32, budget int) (more bool) {
	// What is armed from here on lowers it again.
	h.sweepAt.Store(arena.NeverTick)
	next := uint32(arena.NeverTick)
	for i := range h.stripes {
		s := &h.stripes[i]
		s.mu.Lock()
		for {
			id := s.wheel.Pop(tick, &budget)
			if id == 0 {
				break
			}
			h.age(id, s, tick)
		}
		next = min(next, s.wheel.Next())
		s.mu.Unlock()
	}
	for {
		old := h.sweepAt.Load()
		if old <= next || h.sweepAt.CompareAndSwap(old, next) {
			return next <= tick
		}
	}
}

// age looks at a channel whose timer has run out.
func (h *Hub) age(id arena.Handle, s *stripe, tick uint32) {
	c := h.chans.At(id)
	switch end := c.lastActive + h.cfg.TimeoutTicks; {
	case c.mask != 0:
		// Held: the last to leave arms it again.
	case end > tick && c.home&homeInUse != 0:
		h.arm(id, s, end)
	case c.refs != 0 || c.subs != 0:
		h.arm(id, s, tick+retryTicks)
	default:
		h.drop(id, c)
	}
}

// drop frees a channel that nothing refers to.
func (h *Hub) drop(id arena.Handle, c *channel) {
	if c.home&homeInUse != 0 {
		h.unlink(id, c)
	}
	h.forget(c)
	if c.ring != 0 {
		h.rings.Free(c.ring)
	}
	if c.name != 0 {
		h.names.Free(c.name)
	}
	h.chans.Free(id)
}
