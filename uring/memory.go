package uring

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// region is mapped memory outside the Go heap: reserved when made, resident
// only where it was touched. The kernel may hold addresses in it.
type region struct{ b []byte }

// newRegion reserves bytes of address space.
func newRegion(bytes int) (region, error) {
	if bytes == 0 {
		return region{}, nil
	}
	b, err := unix.Mmap(-1, 0, bytes, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	if err != nil {
		return region{}, fmt.Errorf("cannot reserve %d bytes: %w", bytes, err)
	}
	// A huge page would make 2 MB resident for the first byte touched.
	_ = unix.Madvise(b, unix.MADV_NOHUGEPAGE)
	return region{b}, nil
}

func (m *region) free() {
	if m.b != nil {
		_ = unix.Munmap(m.b)
		m.b = nil
	}
}

// addr is the region's address as the kernel takes it.
func (m *region) addr() uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(m.b))) }

// cells sees a region as a flat array of T, which must hold no pointer.
func cells[T any](m *region) []T {
	var t T
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(m.b))), len(m.b)/int(unsafe.Sizeof(t)))
}
