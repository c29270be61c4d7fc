package arena

import (
	"fmt"
	"sync"
	"unsafe"
)

// Handle names a record of a Pool or a block of Blocks; 0 is none.
type Handle = uint32

// Pool is a fixed number of records of one type, which must hold no Go
// pointer and be at least four bytes. A freed record is used again before an
// untouched one, so the resident part stays dense. Its methods may be called
// from any thread; what At points to is guarded by the caller.
type Pool[T any] struct {
	mem  []byte
	base unsafe.Pointer
	size uintptr
	cap  uint32

	mu   sync.Mutex
	high uint32 // records ever handed out
	free uint32 // handle of the first free record; the next lies in its first bytes
	used uint32
}

// NewPool reserves capacity records of type T.
func NewPool[T any](capacity int) (*Pool[T], error) {
	var t T
	size := unsafe.Sizeof(t)
	if size < 4 || capacity < 0 || capacity > 1<<31-2 {
		return nil, fmt.Errorf("arena: no pool of %d records of %d bytes", capacity, size)
	}
	mem, err := Map(capacity * int(size))
	if err != nil {
		return nil, err
	}
	return &Pool[T]{mem: mem, base: unsafe.Pointer(unsafe.SliceData(mem)), size: size, cap: uint32(capacity)}, nil
}

// Alloc hands out a record; false when all are in use. A record that is handed
// out for the first time is zeroed, any other as it was given back but for its
// first four bytes.
func (p *Pool[T]) Alloc() (Handle, bool) {
	p.mu.Lock()
	h := p.free
	if h != 0 {
		p.free = *(*uint32)(unsafe.Pointer(p.At(h)))
	} else if p.high < p.cap {
		p.high++
		h = p.high
	}
	if h != 0 {
		p.used++
	}
	p.mu.Unlock()
	return h, h != 0
}

// Free takes the record back.
func (p *Pool[T]) Free(h Handle) {
	p.mu.Lock()
	*(*uint32)(unsafe.Pointer(p.At(h))) = p.free
	p.free = h
	p.used--
	p.mu.Unlock()
}

// At is the record of h, which must not be 0.
func (p *Pool[T]) At(h Handle) *T {
	return (*T)(unsafe.Add(p.base, uintptr(h-1)*p.size))
}

// Base and Stride describe the records as memory, for a Wheel.
func (p *Pool[T]) Base() unsafe.Pointer { return p.base }

// Stride is the size of a record in bytes.
func (p *Pool[T]) Stride() uintptr { return p.size }

// Cap is the number of records reserved.
func (p *Pool[T]) Cap() int { return int(p.cap) }

// Used is the number of records handed out and not given back.
func (p *Pool[T]) Used() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return int(p.used)
}

// High is the number of records ever handed out: handles above it are untouched.
func (p *Pool[T]) High() Handle {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.high
}

// Prefault makes every record resident. Call it before the first Alloc.
func (p *Pool[T]) Prefault() { Prefault(p.mem) }

// Close gives the memory back; no handle may be used any more.
func (p *Pool[T]) Close() error { return Unmap(p.mem) }
