package hub

import (
	"sync/atomic"
	"unsafe"

	"c1000k/comet/arena"
)

// channel is one channel's record: 64 bytes, one cache line. All of it is
// guarded by the stripe, but home, which is also read without.
type channel struct {
	next       uint64       // number of the next message
	mask       uint64       // loops that hold subscribers
	home       uint32       // in use, generation, stripe
	name       arena.Handle // in names
	chain      uint32       // next channel of the bucket
	ring       arena.Handle // in rings: the history's messages by number modulo its capacity
	timer      arena.Link
	head       uint32 // first subscriber of loop headLoop-1
	subs       uint32
	refs       uint32 // inbox entries and walks that refer to it
	lastActive uint32 // tick of the last subscriber or push
	histLen    uint16
	nameLen    uint8
	headLoop   uint8 // 0: no loop keeps its list's head in the record
}

const (
	// home, from the highest bit: in use, 25 bits of generation, 6 of stripe.
	homeInUse   = uint32(1) << 31
	homeGenStep = uint32(numStripes)
	homeStripe  = uint32(numStripes - 1)

	retryTicks = 16 // a channel that is still referred to is looked at again after about a second
)

func words(mem []byte) []uint32 {
	if len(mem) == 0 {
		return nil
	}
	return unsafe.Slice((*uint32)(unsafe.Pointer(&mem[0])), len(mem)/4)
}

func linksOf(p *arena.Pool[channel]) unsafe.Pointer {
	if p.Cap() == 0 {
		return nil
	}
	return unsafe.Pointer(&p.At(1).timer)
}

// View is a channel with its stripe locked; Leave unlocks it. The zero View
// is none.
type View struct {
	ID arena.Handle
	h  *Hub
	c  *channel
	s  *stripe
}

// Find locks the channel of that name; false, and nothing locked, if there is none.
func (h *Hub) Find(name []byte) (View, bool) {
	b := h.bucket(name)
	s := &h.stripes[h.stripeOf(b)]
	s.mu.Lock()
	if id := h.lookup(b, name); id != 0 {
		return View{ID: id, h: h, c: h.chans.At(id), s: s}, true
	}
	s.mu.Unlock()
	return View{}, false
}

// FindOrCreate locks the channel of that name, made if there is none. The
// name must be at most MaxNameBytes long. A caller that neither takes a place
// in it nor publishes calls Touch, so that the channel ages.
func (h *Hub) FindOrCreate(name []byte, tick uint32) (View, error) {
	b := h.bucket(name)
	si := h.stripeOf(b)
	s := &h.stripes[si]
	s.mu.Lock()
	id := h.lookup(b, name)
	if id == 0 {
		var err error
		if id, err = h.create(b, si, name, tick); err != nil {
			s.mu.Unlock()
			return View{}, err
		}
	}
	return View{ID: id, h: h, c: h.chans.At(id), s: s}, nil
}

// Enter locks a channel that the caller knows to be alive: it holds a
// subscriber of it, or an inbox entry.
func (h *Hub) Enter(id arena.Handle) View {
	c := h.chans.At(id)
	s := &h.stripes[atomic.LoadUint32(&c.home)&homeStripe]
	s.mu.Lock()
	return View{ID: id, h: h, c: c, s: s}
}

// Leave unlocks the channel. The View must not be used any more.
func (v View) Leave() { v.s.mu.Unlock() }

func (h *Hub) lookup(bucket uint32, name []byte) arena.Handle {
	for id := h.buckets[bucket]; id != 0; {
		c := h.chans.At(id)
		if string(h.nameOf(c)) == string(name) {
			return id
		}
		id = c.chain
	}
	return 0
}

func (h *Hub) nameOf(c *channel) []byte {
	if c.nameLen == 0 {
		return nil
	}
	return h.names.Bytes(c.name)[:c.nameLen]
}

func (h *Hub) create(bucket, stripe uint32, name []byte, tick uint32) (arena.Handle, error) {
	id, ok := h.chans.Alloc()
	if !ok {
		return 0, ErrTooManyChannels
	}
	c := h.chans.At(id)
	gen := (c.home + homeGenStep) &^ (homeInUse | homeStripe)
	c.name, c.nameLen = 0, 0
	if len(name) > 0 {
		if c.name = h.names.Alloc(len(name)); c.name == 0 {
			h.chans.Free(id)
			return 0, ErrTooManyChannels
		}
		copy(h.names.Bytes(c.name), name)
		c.nameLen = uint8(len(name))
	}
	c.next, c.mask, c.ring, c.histLen = 1, 0, 0, 0
	c.head, c.headLoop, c.subs, c.refs, c.lastActive = 0, 0, 0, 0, tick
	c.chain = h.buckets[bucket]
	h.buckets[bucket] = id
	atomic.StoreUint32(&c.home, homeInUse|gen|stripe)
	h.count.Add(1)
	h.note(true, name)
	return id, nil
}

// Next is the number the channel's next message gets.
func (v View) Next() uint64 { return v.c.next }

// Touch notes that the channel was in use now, and has it age if nobody holds it.
func (v View) Touch(tick uint32) {
	if v.c.mask == 0 {
		v.h.idle(v.ID, v.c, v.s, tick)
	}
}

// HistoryLen is the number of messages the history holds: the newest ones.
func (v View) HistoryLen() int { return int(v.c.histLen) }

// Name is the channel's name, valid while the channel is locked.
func (v View) Name() []byte { return v.h.nameOf(v.c) }

// Subscribers is the number of subscribers on all loops.
func (v View) Subscribers() int { return int(v.c.subs) }

// Full reports whether the channel has as many subscribers as it may have.
func (v View) Full() bool {
	most := v.h.limits.subscribers.Load()
	return most > 0 && int64(v.c.subs) >= most
}
