package arena

import (
	"fmt"
	"math/bits"
	"sync"
	"unsafe"
)

// Size classes grow by a half of a power of two, in multiples of four bytes,
// so at most a third of a block is unused above 32 bytes.
const (
	// MaxBlockBytes is the largest block that can be had.
	MaxBlockBytes = 6 << 20
	numClasses    = 44
	indexBits     = 26
	maxChunks     = 26
)

var classBytes = func() (c [numClasses]uint32) {
	small := []uint32{8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64}
	n := copy(c[:], small)
	for s := uint32(64); n < numClasses; s *= 2 {
		c[n] = s + s/2
		n++
		if n < numClasses {
			c[n] = s * 2
			n++
		}
	}
	return c
}()

// class is one size: chunks that double, so that a short table of them grows
// to any size and a handle is found by a shift.
type class struct {
	chunks [maxChunks]unsafe.Pointer
	shift  uint8 // the first chunk holds 1<<shift blocks
	high   uint32
	free   Handle
	used   uint32
}

// Blocks hands out byte blocks in size classes. Its methods may be called
// from any thread; the bytes are guarded by the caller. Blocks of a class that
// were given back are used again first.
type Blocks struct {
	mu      sync.Mutex
	classes [numClasses]class
	chunks  [][]byte // all, to give back and to keep alive under the race detector
	used    int64    // bytes of blocks handed out
	limit   int64
}

// NewBlocks makes an allocator that hands out at most limit bytes.
func NewBlocks(limit int64) *Blocks {
	b := &Blocks{limit: limit}
	for i := range b.classes {
		// A first chunk of about 16 KB.
		n := max(1, 16<<10/int(classBytes[i]))
		b.classes[i].shift = uint8(bits.Len(uint(n)) - 1)
	}
	return b
}

// classOf is the smallest class that holds n bytes.
func classOf(n int) int {
	lo, hi := 0, numClasses-1
	for lo < hi {
		m := (lo + hi) / 2
		if int(classBytes[m]) >= n {
			hi = m
		} else {
			lo = m + 1
		}
	}
	return lo
}

// Alloc hands out a block of at least n bytes, whose content is arbitrary.
// 0 when the limit is reached, the block is too large or no address space is
// left: the caller refuses what it was asked for.
func (b *Blocks) Alloc(n int) Handle {
	if n > MaxBlockBytes {
		return 0
	}
	k := classOf(n)
	c := &b.classes[k]
	size := int64(classBytes[k])
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.used+size > b.limit {
		return 0
	}
	h := c.free
	if h != 0 {
		c.free = *(*Handle)(b.pointer(h))
	} else {
		if c.high >= 1<<indexBits-1 || !b.grow(c, size) {
			return 0
		}
		c.high++
		h = uint32(k)<<indexBits | c.high
	}
	c.used++
	b.used += size
	return h
}

// grow maps the chunk that block c.high falls into, where there is none yet.
func (b *Blocks) grow(c *class, size int64) bool {
	k, _ := place(c.high, c.shift)
	if c.chunks[k] != nil {
		return true
	}
	mem, err := Map(int(size) << (uint(c.shift) + k))
	if err != nil {
		return false
	}
	b.chunks = append(b.chunks, mem)
	c.chunks[k] = unsafe.Pointer(&mem[0])
	return true
}

// place says in which chunk, and where in it, the block of an index lies.
func place(index uint32, shift uint8) (chunk uint, at uint32) {
	q := index>>shift + 1
	chunk = uint(bits.Len32(q) - 1)
	return chunk, index - (1<<chunk-1)<<shift
}

func (b *Blocks) pointer(h Handle) unsafe.Pointer {
	k := h >> indexBits
	c := &b.classes[k]
	chunk, at := place(h&(1<<indexBits-1)-1, c.shift)
	return unsafe.Add(c.chunks[chunk], uintptr(at)*uintptr(classBytes[k]))
}

// Bytes is the whole block of h, which must not be 0.
func (b *Blocks) Bytes(h Handle) []byte {
	return unsafe.Slice((*byte)(b.pointer(h)), classBytes[h>>indexBits])
}

// Size is the size of the block of h in bytes.
func (b *Blocks) Size(h Handle) int { return int(classBytes[h>>indexBits]) }

// Free takes the block back.
func (b *Blocks) Free(h Handle) {
	k := h >> indexBits
	c := &b.classes[k]
	b.mu.Lock()
	*(*Handle)(b.pointer(h)) = c.free
	c.free = h
	c.used--
	b.used -= int64(classBytes[k])
	b.mu.Unlock()
}

// Used is the number of bytes of the blocks handed out.
func (b *Blocks) Used() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

// Close gives all memory back; no handle may be used any more.
func (b *Blocks) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.chunks {
		if err := Unmap(m); err != nil {
			return fmt.Errorf("arena: giving a chunk back: %w", err)
		}
	}
	b.chunks, b.classes = nil, [numClasses]class{}
	return nil
}
