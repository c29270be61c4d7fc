package hub

import "c1000k/comet/arena"

// Head is the first subscriber in the loop's own list of the channel, as the
// loop numbers them; 0 if it holds none. The rest of the list is the loop's.
func (v View) Head(loop int) uint32 {
	switch {
	case v.c.headLoop == uint8(loop)+1:
		return v.c.head
	case v.c.mask&(1<<loop) == 0:
		return 0
	}
	return v.h.side[loop][v.ID-1]
}

// SetHead makes sub the first of the loop's list. The loop that comes to an
// unheld channel keeps its head in the record itself; the others, which there
// are only where subscribers of one channel sit on several loops, keep theirs
// in a table of their own.
func (v View) SetHead(loop int, sub uint32) {
	c := v.c
	bit := uint64(1) << loop
	switch {
	case c.headLoop == uint8(loop)+1:
		c.head = sub
		if sub == 0 {
			c.headLoop = 0
		}
	case c.headLoop == 0 && (c.mask&bit == 0 || v.h.side[loop][v.ID-1] == 0):
		if sub != 0 {
			c.head, c.headLoop = sub, uint8(loop)+1
		}
	default:
		v.h.side[loop][v.ID-1] = sub
	}
	if sub != 0 {
		c.mask |= bit
		// Left armed it would be popped for nothing later, all of a broadcast's
		// channels at the same time, in a server that should be idle then.
		v.s.wheel.Cancel(v.ID)
	}
}

// Add counts n subscribers more, or fewer.
func (v View) Add(n int) { v.c.subs = uint32(int(v.c.subs) + n) }

// Settle follows a change of the loop's list: a loop whose list is empty is
// no longer told of messages, and a channel that nobody holds begins to age.
func (v View) Settle(loop int, tick uint32) {
	if v.Head(loop) == 0 {
		v.c.mask &^= 1 << loop
	}
	v.Touch(tick)
}

// idle notes that the channel was in use until now and has it looked at when
// its time has passed. One that is armed already is found to have been in use
// then, and armed again.
func (h *Hub) idle(id arena.Handle, c *channel, s *stripe, tick uint32) {
	if int32(tick-c.lastActive) > 0 { // Extend may have set it to later
		c.lastActive = tick
	}
	if c.timer.Armed() {
		return
	}
	end := c.lastActive + h.cfg.TimeoutTicks
	if c.home&homeInUse == 0 {
		end = tick + 1 // closed: nobody can come back
	}
	h.arm(id, s, end)
}

func (h *Hub) arm(id arena.Handle, s *stripe, at uint32) {
	s.wheel.Arm(id, at)
	for {
		old := h.sweepAt.Load()
		if old <= at {
			return
		}
		if h.sweepAt.CompareAndSwap(old, at) {
			h.sweepMoved.Store(true)
			return
		}
	}
}
