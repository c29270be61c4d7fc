package arena

import (
	"math/bits"
	"unsafe"
)

// Link is the part of a record by which a Wheel holds it: 12 bytes.
type Link struct {
	prev, next uint32
	at         uint32 // the tick it is armed for; 0: not armed
}

// Armed reports whether a wheel holds the record.
func (l *Link) Armed() bool { return l.at != 0 }

// At is the tick the record is armed for, 0 if it is not.
func (l *Link) At() uint32 { return l.at }

const (
	slotBits  = 6
	slots     = 1 << slotBits
	levels    = 6               // 36 bits: every tick of 32 bits has a place
	headMark  = uint32(1) << 31 // a prev with it set is a slot, not a record
	slotMask  = slots - 1
	NeverTick = ^uint32(0) // NeverTick is the Next of a wheel that holds nothing.
)

// Wheel is a tickless hierarchical timing wheel over records with a Link: it
// arms and cancels in constant time, says when it next wants to be looked at,
// and hands expired records out one by one, so that a caller stops when its
// slice is used up. It belongs to one thread or to the caller's lock.
//
// The level of a tick is that of the highest group of six bits in which it
// differs from the wheel's own, as in the wheels of tokio and of Linux before
// 4.8; so what lies on a lower level always comes first.
type Wheel struct {
	base   unsafe.Pointer // of the first record's Link
	stride uintptr
	tick   uint32
	armed  int
	full   [levels]uint64 // a bit for each slot that is not empty
	heads  [levels][slots]uint32
}

// Init makes w a wheel over records of stride bytes, the Link of the first at
// base, beginning at the given tick.
func (w *Wheel) Init(base unsafe.Pointer, stride uintptr, tick uint32) {
	*w = Wheel{base: base, stride: stride, tick: max(tick, 1)}
}

func (w *Wheel) link(h Handle) *Link {
	return (*Link)(unsafe.Add(w.base, uintptr(h-1)*w.stride))
}

// Arm holds record h until tick at. It must not be armed. A tick that has
// passed expires at once.
func (w *Wheel) Arm(h Handle, at uint32) {
	w.armed++
	w.put(h, max(at, w.tick))
}

func (w *Wheel) put(h Handle, at uint32) {
	level := 0
	if diff := at ^ w.tick; diff != 0 {
		level = (bits.Len32(diff) - 1) / slotBits
	}
	slot := at >> (level * slotBits) & slotMask
	head := &w.heads[level][slot]
	l := w.link(h)
	*l = Link{prev: headMark | uint32(level)<<slotBits | slot, next: *head, at: at}
	if *head != 0 {
		w.link(*head).prev = h
	}
	*head = h
	w.full[level] |= 1 << slot
}

// Cancel lets go of record h, if it is held.
func (w *Wheel) Cancel(h Handle) {
	l := w.link(h)
	if l.at == 0 {
		return
	}
	w.armed--
	w.unlink(l)
}

func (w *Wheel) unlink(l *Link) {
	if l.prev&headMark != 0 {
		level, slot := l.prev&^headMark>>slotBits, l.prev&slotMask
		w.heads[level][slot] = l.next
		if l.next == 0 {
			w.full[level] &^= 1 << slot
		}
	} else {
		w.link(l.prev).next = l.next
	}
	if l.next != 0 {
		w.link(l.next).prev = l.prev
	}
	*l = Link{}
}

// Pop hands out one record whose tick is at most now, no longer armed, or 0
// when there is none or *budget steps were used up (then *budget is 0 and
// there may be more). A step is a record handed out or moved a level down.
func (w *Wheel) Pop(now uint32, budget *int) Handle {
	for {
		level, slot, start := w.first()
		if level < 0 || start > now {
			// Nothing lies between, so the wheel may turn there at once.
			w.tick = max(w.tick, now)
			return 0
		}
		if *budget == 0 {
			return 0
		}
		*budget--
		w.tick = max(w.tick, start)
		h := w.heads[level][slot]
		l := w.link(h)
		at := l.at
		w.unlink(l)
		if at <= w.tick {
			w.armed--
			return h
		}
		w.put(h, at)
	}
}

// first is the occupied slot that comes first, and the tick it begins at.
func (w *Wheel) first() (level int, slot, start uint32) {
	// A slot that the wheel stands in is being moved a level down, one record
	// a step: the rest of it may come before what was moved.
	for l := levels - 1; l > 0; l-- {
		if s := w.tick >> (l * slotBits) & slotMask; w.full[l]&(1<<s) != 0 {
			return l, s, w.tick
		}
	}
	for l := range levels {
		if w.full[l] == 0 {
			continue
		}
		shift := l * slotBits
		// On each level all other occupied slots lie ahead of the wheel's own.
		s := uint32(bits.TrailingZeros64(w.full[l]))
		above := uint64(w.tick) >> (shift + slotBits) << (shift + slotBits)
		return l, s, uint32(above | uint64(s)<<shift)
	}
	return -1, 0, 0
}

// Next is the tick at which Pop has something to do, at the latest, or
// NeverTick. It may come before the first expiry, where records have to be
// moved a level down.
func (w *Wheel) Next() uint32 {
	level, _, start := w.first()
	if level < 0 {
		return NeverTick
	}
	return max(start, w.tick)
}

// Armed is the number of records held.
func (w *Wheel) Armed() int { return w.armed }
