package uring

import (
	"sync/atomic"
	"unsafe"

	"github.com/pawelgaczynski/giouring"
)

// bufferGroup is the one buffer group of a ring.
const bufferGroup = 0

// buffers is a ring of provided buffers: the kernel takes one for each receive
// that has data, the engine gives it back when the core has read it. The
// library's own add multiplies in sixteen bits, so it is not used.
type buffers struct {
	mem   region
	desc  []giouring.BufAndRing
	bytes uint32 // of one buffer
	tail  uint16 // as filled here
	mask  uint16
}

// open registers n buffers (a power of two, at most 1<<15) with q.
func (b *buffers) open(q *queues, n, bytes int) error {
	head := n * int(unsafe.Sizeof(giouring.BufAndRing{}))
	mem, err := newRegion(head + n*bytes)
	if err != nil {
		return err
	}
	b.mem, b.bytes, b.mask, b.tail = mem, uint32(bytes), uint16(n-1), 0
	b.desc = cells[giouring.BufAndRing](&mem)[:n]
	reg := giouring.BufReg{RingAddr: uint64(mem.addr()), RingEntries: uint32(n), Bgid: bufferGroup}
	if err := q.register("ring of provided buffers", giouring.RegisterPbufRing, unsafe.Pointer(&reg), 1); err != nil {
		b.mem.free()
		return err
	}
	for i := range n {
		b.give(uint16(i))
	}
	b.publish()
	return nil
}

// openBuffers makes the buffers that the ring's receives are to use.
func (r *ring) openBuffers(o *Options) error {
	if o.OwnBuffers {
		return r.own.open(o.Buffers, o.BufferBytes)
	}
	return r.buf.open(&r.queues, o.Buffers, o.BufferBytes)
}

// data is the first n bytes of buffer id.
func (b *buffers) data(id uint16, n uint32) []byte {
	from := len(b.desc)*int(unsafe.Sizeof(giouring.BufAndRing{})) + int(id)*int(b.bytes)
	return b.mem.b[from : from+int(n)]
}

// give puts buffer id back; the kernel sees it after publish.
func (b *buffers) give(id uint16) {
	d := &b.desc[b.tail&b.mask]
	d.Addr = uint64(b.mem.addr()) + uint64(len(b.desc))*uint64(unsafe.Sizeof(*d)) + uint64(id)*uint64(b.bytes)
	d.Len = b.bytes
	d.Bid = id
	b.tail++
}

// publish shows the kernel all buffers given so far. The ring's tail shares
// its 32 bits with the first descriptor's number, hence one store of both.
func (b *buffers) publish() {
	if b.desc == nil {
		return
	}
	d := &b.desc[0]
	atomic.StoreUint32((*uint32)(unsafe.Pointer(&d.Bid)), uint32(b.tail)<<16|uint32(d.Bid))
}

func (b *buffers) close() { b.mem.free() }

// ownBuffers are buffers of which each receive is told one when it is submitted.
// The one given back last is used next. The zero value has none.
type ownBuffers struct {
	mem   region
	bytes uint32   // of one buffer
	free  []uint32 // a stack
	out   []bool   // by buffer
}

func (b *ownBuffers) open(n, bytes int) (err error) {
	if b.mem, err = newRegion(n * bytes); err != nil {
		return err
	}
	b.bytes, b.out, b.free = uint32(bytes), make([]bool, n), make([]uint32, n)
	for i := range b.free {
		b.free[i] = uint32(n - 1 - i)
	}
	return nil
}

func (b *ownBuffers) close() { b.mem.free() }

// take is a buffer for a receive; no more receives are submitted than there are.
func (b *ownBuffers) take() uint32 {
	i := b.free[len(b.free)-1]
	b.free = b.free[:len(b.free)-1]
	b.out[i] = true
	return i
}

// give takes buffer i back; one that is not out stays where it is.
func (b *ownBuffers) give(i uint32) {
	if b.out[i] {
		b.out[i] = false
		b.free = append(b.free, i)
	}
}

// addr is where buffer i begins, as the kernel takes it.
func (b *ownBuffers) addr(i uint32) uintptr { return b.mem.addr() + uintptr(i)*uintptr(b.bytes) }

// data is the first n bytes of buffer i.
func (b *ownBuffers) data(i, n uint32) []byte {
	from := int(i) * int(b.bytes)
	return b.mem.b[from : from+int(n)]
}
