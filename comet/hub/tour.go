package hub

import (
	"encoding/binary"
	"sync/atomic"

	"c1000k/comet/arena"
	"c1000k/comet/internal/plant"

	"github.com/dchest/siphash"
)

// Tour goes through the channels that there are, by their places in the table,
// one stripe locked at a time and no more of them than its budget. A channel keeps
// its place for its life: what is there from the first tour of a series to the
// last, each going on where the one before it came to, is met exactly once. What
// comes or goes meanwhile may be met or not.
type Tour struct {
	h      *Hub
	at     arena.Handle // the place looked at last
	high   arena.Handle // the last place that was ever used
	budget int
}

// VisitCost is what a channel takes of a tour's budget; a place where there is
// none takes 1, since its record alone is looked at and nothing is locked.
const VisitCost = 8

// Tour begins behind place at, 0 for the beginning.
func (h *Hub) Tour(at arena.Handle, budget int) Tour {
	return Tour{h: h, at: at, high: h.chans.High(), budget: budget}
}

// Next locks the next channel; false, and nothing locked, when the budget is used
// up or there is none.
func (t *Tour) Next() (View, bool) {
	for t.budget > 0 && t.at < t.high {
		t.at++
		if v, ok := t.h.at(t.at); ok {
			t.budget -= VisitCost
			return v, true
		}
		t.budget--
	}
	return View{}, false
}

// Place is where the next tour goes on; 0 when there is nothing left to see.
func (t *Tour) Place() arena.Handle {
	if t.at >= t.high {
		return 0
	}
	if plant.Is(plant.SkippedPlace) {
		return t.at + 1
	}
	return t.at
}

// Cursor names a place to others, who can make none themselves by chance: it is of
// this hub alone.
func (h *Hub) Cursor(place arena.Handle) uint64 {
	var text [5]byte // no channel's Epoch is made of as many bytes
	binary.LittleEndian.PutUint32(text[:], place)
	return uint64(place)<<32 | siphash.Hash(^h.cfg.Seed, h.cfg.Seed, text[:])>>32
}

// PlaceOf is the place that a cursor names; false if Cursor gave none such.
func (h *Hub) PlaceOf(cursor uint64) (arena.Handle, bool) {
	place := arena.Handle(cursor >> 32)
	return place, h.Cursor(place) == cursor
}

// at locks the channel of a place, if there is one in use.
func (h *Hub) at(id arena.Handle) (View, bool) {
	c := h.chans.At(id)
	home := atomic.LoadUint32(&c.home)
	if home&homeInUse == 0 {
		return View{}, false
	}
	s := &h.stripes[home&homeStripe]
	s.mu.Lock()
	if atomic.LoadUint32(&c.home) != home { // freed, or used anew elsewhere, meanwhile
		s.mu.Unlock()
		return View{}, false
	}
	return View{ID: id, h: h, c: c, s: s}, true
}
