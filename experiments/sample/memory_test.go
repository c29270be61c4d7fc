package sample

import (
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// Proves that touched memory is seen where it belongs: 32 MB of a mapping are
// resident, anonymous and proportional only once they are written to, while the
// address space counts them at once.
func TestReadMemorySeesTouchedPages(t *testing.T) {
	const size = 32 << 20
	read := func() Memory {
		t.Helper()
		m, err := ReadMemory(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	before := read()
	block, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(block)
	reserved := read()
	for i := 0; i < size; i += os.Getpagesize() {
		block[i] = 1
	}
	touched := read()
	runtime.KeepAlive(block)
	if grown := int64(reserved.Virtual) - int64(before.Virtual); grown < size {
		t.Errorf("a mapping of %d bytes made VIRT grow by %d", size, grown)
	}
	if grown := int64(touched.Resident) - int64(reserved.Resident); grown < size*9/10 || grown > size*3/2 {
		t.Errorf("touching %d bytes made RES grow by %d", size, grown)
	}
	if touched.Anonymous == nil || touched.Proportional == nil {
		t.Fatal("the process cannot read its own smaps_rollup")
	}
	if grown := int64(*touched.Anonymous) - int64(*reserved.Anonymous); grown < size*9/10 {
		t.Errorf("touching %d bytes made anonymous memory grow by %d", size, grown)
	}
	resident, err := Resident(os.Getpid())
	if err != nil || resident < size {
		t.Errorf("resident %d, %v", resident, err)
	}
	if touched.Threads < 1 {
		t.Errorf("%d threads", touched.Threads)
	}
}
