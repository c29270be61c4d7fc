package hub

import (
	"sync/atomic"
	"unsafe"

	"c1000k/comet/arena"
)

// Msg names a message: its content, already escaped for JSON, stored once
// however many channels and loops refer to it. 0 is none.
type Msg = arena.Handle

type messageHeader struct {
	refs      int32
	length    uint32
	broadcast uint32
}

const messageHeaderBytes = int(unsafe.Sizeof(messageHeader{}))

// NewMessage stores content, the inside of a JSON string. The caller holds
// the one reference to it until it calls Unref, and no stripe. At the limit of
// all messages' memory histories lose their oldest for it.
func (h *Hub) NewMessage(content []byte, broadcast bool) (Msg, error) {
	m := h.msgs.Alloc(messageHeaderBytes + len(content))
	if m == 0 {
		var ok bool
		if m, ok = h.makeRoom(messageHeaderBytes + len(content)); !ok {
			return 0, ErrNoMemory
		}
	}
	hdr := h.header(m)
	atomic.StoreInt32(&hdr.refs, 1)
	hdr.length = uint32(len(content))
	hdr.broadcast = 0
	if broadcast {
		hdr.broadcast = 1
	}
	copy(h.msgs.Bytes(m)[messageHeaderBytes:], content)
	return m, nil
}

func (h *Hub) header(m Msg) *messageHeader {
	return (*messageHeader)(unsafe.Pointer(unsafe.SliceData(h.msgs.Bytes(m))))
}

// Content is the message's content. The caller holds a reference.
func (h *Hub) Content(m Msg) []byte {
	return h.msgs.Bytes(m)[messageHeaderBytes:][:h.header(m).length]
}

// IsBroadcast tells a broadcast from a push.
func (h *Hub) IsBroadcast(m Msg) bool { return h.header(m).broadcast != 0 }

// Ref takes n references more. The caller holds one.
func (h *Hub) Ref(m Msg, n int) { atomic.AddInt32(&h.header(m).refs, int32(n)) }

// Unref gives one reference back; the last gives the block back.
func (h *Hub) Unref(m Msg) {
	if atomic.AddInt32(&h.header(m).refs, -1) == 0 {
		h.msgs.Free(m)
	}
}
