package sample

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Proves the difference of two samples by name: objects times size, largest
// first, small changes summed, large allocations as what meminfo counts and
// slabinfo does not list, and the sum of all.
func TestKernelSince(t *testing.T) {
	zero := Kernel{
		Slab: 1_000_000, Vmalloc: 5000, PageTables: 100,
		Caches: map[string]Cache{
			"TCP":    {Name: "TCP", Active: 10, ObjectSize: 2368, Pages: 32768},
			"dentry": {Name: "dentry", Active: 1000, ObjectSize: 192, Pages: 200_000},
			"small":  {Name: "small", Active: 100, ObjectSize: 8, Pages: 4096},
		},
	}
	now := Kernel{
		Slab: 1_000_000 + 3_000_000 + 700_000, Vmalloc: 6000, PageTables: 300,
		Caches: map[string]Cache{
			"TCP":           {Name: "TCP", Active: 1010, ObjectSize: 2368, Pages: 32768 + 2_500_000},
			"dentry":        {Name: "dentry", Active: 800, ObjectSize: 192, Pages: 200_000},
			"small":         {Name: "small", Active: 200, ObjectSize: 8, Pages: 4096},
			"eventpoll_epi": {Name: "eventpoll_epi", Aliases: []string{"other"}, Active: 1000, ObjectSize: 128, Pages: 500_000},
		},
	}
	d := now.Since(zero)
	if d.Estimated {
		t.Error("a difference by name is called an estimate")
	}
	var names []string
	for _, c := range d.Caches {
		names = append(names, c.Name)
	}
	if want := []string{"TCP", "eventpoll_epi", "dentry"}; !slices.Equal(names, want) {
		t.Errorf("caches %v, want %v", names, want)
	}
	if d.Small != 800 {
		t.Errorf("small caches %d, want 800", d.Small)
	}
	if d.Large != 700_000 {
		t.Errorf("large allocations %d, want 700,000", d.Large)
	}
	if want := int64(1000*2368 + 1000*128 - 200*192 + 800 + 700_000 + 1000 + 200); d.Bytes != want {
		t.Errorf("in all %d, want %d", d.Bytes, want)
	}
	if got := d.Cache("other"); got.Objects != 1000 || got.Name != "eventpoll_epi" {
		t.Errorf("a merged cache was not found: %+v", got)
	}
	if got := d.Cache("absent"); got.Bytes != 0 {
		t.Errorf("an absent cache: %+v", got)
	}
}

// Proves that where one of the samples lacks the names, the difference is
// marked as an estimate and made of the pages of all slabs.
func TestKernelSinceEstimate(t *testing.T) {
	zero := Kernel{Slab: 100, Vmalloc: 10, PageTables: 1, PerCPU: 1}
	now := Kernel{Slab: 1100, Vmalloc: 30, PageTables: 4, PerCPU: 2, Caches: map[string]Cache{}}
	if d := now.Since(zero); !d.Estimated || d.Bytes != 1000+20+3+1 {
		t.Errorf("%+v", d)
	}
}

// Proves that merged caches are found by the links the kernel makes for them.
func TestSlabAliases(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{":A-0000064", "TCP"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"eventpoll_pwq", "anon_vma_chain", "fs_cache"} {
		if err := os.Symlink(":A-0000064", filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	got := slabAliases(dir)
	if want := []string{"eventpoll_pwq", "fs_cache"}; !slices.Equal(got["anon_vma_chain"], want) {
		t.Errorf("aliases of anon_vma_chain: %v, want %v", got["anon_vma_chain"], want)
	}
	if len(got["TCP"]) != 0 {
		t.Errorf("TCP was merged with %v", got["TCP"])
	}
	if slabAliases(filepath.Join(dir, "absent")) != nil {
		t.Error("a folder that is not there has aliases")
	}
}

// Proves that this kernel can be read: the sums are there for everybody, and as
// root the caches of sockets have the sizes of whole objects.
func TestReadKernel(t *testing.T) {
	k, err := ReadKernel()
	if err != nil {
		t.Fatal(err)
	}
	if k.Slab <= 0 || k.Unreclaim <= 0 || k.Slab < k.Unreclaim || k.PageTables <= 0 {
		t.Errorf("the sums of /proc/meminfo: %+v", k)
	}
	if k.Estimated() {
		t.Skip("skipped: /proc/slabinfo is closed to this user, so there are no caches to look at")
	}
	for _, name := range []string{"TCP", "sock_inode_cache", "filp", "dentry"} {
		if c, ok := k.Lookup(name); !ok || c.ObjectSize < 64 {
			t.Errorf("cache %s: %+v, found %v", name, c, ok)
		}
	}
	var pages int64
	for _, c := range k.Caches {
		pages += c.Pages
	}
	if pages > k.Slab*11/10 {
		t.Errorf("the caches hold %d bytes, all slabs %d", pages, k.Slab)
	}
}
