package hub

import "unsafe"

// ringOf is the history's ring: message m of number n lies at n modulo its
// length. Empty if the channel has none yet.
func (h *Hub) ringOf(c *channel) []uint32 {
	if c.ring == 0 {
		return nil
	}
	b := h.rings.Bytes(c.ring)
	n := min(len(b)/4, h.cfg.History)
	return unsafe.Slice((*uint32)(unsafe.Pointer(&b[0])), n)
}

// remember stores message m under number n, which is the newest, and takes a
// reference for it. The oldest goes when the history is full. Where no memory
// is left for a larger ring the history starts anew: its numbers must have no gap.
func (h *Hub) remember(c *channel, n uint64, m Msg) {
	if h.cfg.History == 0 {
		return
	}
	ring := h.ringOf(c)
	if int(c.histLen) == len(ring) && len(ring) < h.cfg.History {
		if !h.growRing(c, n) {
			h.forget(c)
			h.lostRings.Add(1)
		}
		if ring = h.ringOf(c); len(ring) == 0 {
			return
		}
	}
	at := &ring[n%uint64(len(ring))]
	if int(c.histLen) == len(ring) {
		h.Unref(*at)
	} else {
		c.histLen++
	}
	*at = m
	h.Ref(m, 1)
	h.fit(c, n+1)
}

// growRing moves the history into a ring of twice the length; n is the number
// of the message that comes next.
func (h *Hub) growRing(c *channel, n uint64) bool {
	old := h.ringOf(c)
	want := min(max(2, 2*len(old)), h.cfg.History)
	block := h.rings.Alloc(4 * want)
	if block == 0 {
		return false
	}
	was := c.ring
	c.ring = block
	ring := h.ringOf(c)
	for i := n - uint64(c.histLen); i < n; i++ {
		ring[i%uint64(len(ring))] = old[i%uint64(len(old))]
	}
	if was != 0 {
		h.rings.Free(was)
	}
	return true
}

// forget empties the history and keeps its ring.
func (h *Hub) forget(c *channel) {
	ring := h.ringOf(c)
	for n := c.next - uint64(c.histLen); n < c.next; n++ {
		h.Unref(ring[n%uint64(len(ring))])
	}
	c.histLen = 0
}

// From appends the history's messages from number n on, a reference taken for
// each, and returns the number of the first: n, or the oldest that is kept.
func (v View) From(n uint64, dst []Msg) (uint64, []Msg) {
	c := v.c
	n = max(n, c.next-uint64(c.histLen))
	ring := v.h.ringOf(c)
	for i := n; i < c.next; i++ {
		m := ring[i%uint64(len(ring))]
		v.h.Ref(m, 1)
		dst = append(dst, m)
	}
	return n, dst
}
