//go:build !race

package arena

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Map reserves n bytes of zeroed memory outside the Go heap. Nothing of it is
// resident until it is touched. It is aligned to a page and never moves.
func Map(n int) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	b, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("arena: reserving %d bytes of address space: %w (ulimit -v, or vm.overcommit_memory=2?)", n, err)
	}
	// A huge page would make 2 MB resident for the first record touched, and
	// every figure a connection would depend on how they happen to fall.
	_ = unix.Madvise(b, unix.MADV_NOHUGEPAGE)
	return b, nil
}

// Unmap gives back what Map reserved.
func Unmap(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	return unix.Munmap(b)
}
