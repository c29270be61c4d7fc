package hub

import (
	"sync"
	"sync/atomic"

	"c1000k/comet/arena"
)

// presenceBytes is how much of the log of channels that come and go is kept.
const presenceBytes = 1 << 20

// presence is a log of channels that come into being and are freed, kept while
// somebody reads it. A record is a byte of kind, one of length, and the name. A
// position in it is the number of bytes written before, over all time, so that
// a reader who falls behind by more than is kept is found out.
type presence struct {
	readers atomic.Int32
	end     atomic.Uint64 // written under mu
	mu      sync.Mutex    // taken after a stripe's, and last
	ring    []byte
	start   uint64 // of the oldest whole record
}

// note adds that a channel came, or went. The stripe is locked.
func (h *Hub) note(came bool, name []byte) {
	p := &h.presence
	if p.readers.Load() == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.ring) == 0 {
		return
	}
	end := p.end.Load()
	size := uint64(2 + len(name))
	for end+size-p.start > uint64(len(p.ring)) {
		p.start += 2 + uint64(p.ring[(p.start+1)%uint64(len(p.ring))])
	}
	kind := byte(0)
	if came {
		kind = 1
	}
	p.put(end, kind)
	p.put(end+1, byte(len(name)))
	for i, c := range name {
		p.put(end+2+uint64(i), c)
	}
	p.end.Store(end + size)
}

func (p *presence) put(at uint64, b byte) { p.ring[at%uint64(len(p.ring))] = b }

// Watch begins to keep the log and returns the position of what comes next.
// Each call is followed by one of Unwatch.
func (h *Hub) Watch() (at uint64, err error) {
	p := &h.presence
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.ring) == 0 {
		if p.ring, err = arena.Map(presenceBytes); err != nil {
			return 0, err
		}
	}
	if p.readers.Add(1) == 1 {
		p.start = p.end.Load()
	}
	return p.end.Load(), nil
}

// Unwatch ends what Watch began.
func (h *Hub) Unwatch() { h.presence.readers.Add(-1) }

// PresenceEnd is the position behind the last record.
func (h *Hub) PresenceEnd() uint64 { return h.presence.end.Load() }

// Presence hands records from position at on to f, until it returns false or
// there are no more, and returns the position of the next; ok is false when
// what stood there is kept no more. The name is valid during the call. f must
// not call into the hub.
func (h *Hub) Presence(at uint64, f func(came bool, name []byte) bool) (next uint64, ok bool) {
	p := &h.presence
	p.mu.Lock()
	defer p.mu.Unlock()
	if at < p.start {
		return at, false
	}
	var name [MaxNameBytes]byte
	for end := p.end.Load(); at < end; {
		size := uint64(len(p.ring))
		n := int(p.ring[(at+1)%size])
		for i := range n {
			name[i] = p.ring[(at+2+uint64(i))%size]
		}
		came := p.ring[at%size] == 1
		at += 2 + uint64(n)
		if !f(came, name[:n]) {
			break
		}
	}
	return at, true
}
