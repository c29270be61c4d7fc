package hub

// evictLook is the most places of the table that one message in need of memory
// has looked at: it must not hold a loop up.
const evictLook = 4096

// makeRoom takes the oldest message from the history of one channel after the
// other, going on where it stopped last, until a message of n bytes finds room;
// false if that did not do it. Histories that are long lose no more than short
// ones; what a loop is still sending stays until it is sent.
func (h *Hub) makeRoom(n int) (Msg, bool) {
	if int64(n) > h.limits.messageBytes.Load() {
		return 0, false
	}
	high := h.chans.High()
	for range min(evictLook, 2*int(high)) {
		cursor := h.evictAt.Add(1)
		if cursor > high {
			h.evictAt.CompareAndSwap(cursor, 0)
			continue
		}
		v, ok := h.at(cursor)
		if !ok {
			continue
		}
		took := v.c.histLen > 0
		if took {
			h.forgetOldest(v.c)
		}
		v.Leave()
		if !took {
			continue
		}
		h.evicted.Add(1)
		if m := h.msgs.Alloc(n); m != 0 {
			return m, true
		}
	}
	return 0, false
}

// forgetOldest drops the oldest message of a history that has one.
func (h *Hub) forgetOldest(c *channel) {
	ring := h.ringOf(c)
	h.Unref(ring[(c.next-uint64(c.histLen))%uint64(len(ring))])
	c.histLen--
}

// fit drops the oldest messages of a history that holds more bytes than a
// channel may; the newest stays. n is the number after the newest.
func (h *Hub) fit(c *channel, n uint64) {
	room := h.limits.channelBytes.Load()
	if room == 0 || c.histLen < 2 {
		return
	}
	ring := h.ringOf(c)
	kept := uint64(0)
	for ; kept < uint64(c.histLen); kept++ {
		room -= int64(h.header(ring[(n-1-kept)%uint64(len(ring))]).length)
		if room < 0 && kept > 0 {
			break
		}
	}
	for uint64(c.histLen) > kept {
		h.Unref(ring[(n-uint64(c.histLen))%uint64(len(ring))])
		c.histLen--
		h.evicted.Add(1)
	}
}
