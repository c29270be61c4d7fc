package sample

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"

	"github.com/prometheus/procfs"
)

// slabDir is where the kernel shows which slab caches were merged into one.
const slabDir = "/sys/kernel/slab"

// Cache is one slab cache of the kernel.
type Cache struct {
	// Name is the cache's name in /proc/slabinfo.
	Name string `json:"name"`
	// Aliases are the other caches that the kernel merged into this one, by
	// the order of the alphabet: their objects cannot be told apart.
	Aliases []string `json:"aliases,omitempty"`
	// Active counts the objects in use, Total those that there is room for.
	Active int64 `json:"active_objects"`
	Total  int64 `json:"total_objects"`
	// ObjectSize is the bytes an object takes, padding included.
	ObjectSize int64 `json:"object_bytes"`
	// Pages is the bytes of the pages the cache holds, free objects included.
	Pages int64 `json:"page_bytes"`
}

// Bytes is what the objects in use take.
func (c Cache) Bytes() int64 { return c.Active * c.ObjectSize }

// Kernel is the kernel's memory, of the whole machine, in bytes.
type Kernel struct {
	// Caches is /proc/slabinfo by name. It is nil without root: then only the
	// sums below are known, and every difference is an estimate. It is not
	// written to JSON, being long: the differences are.
	Caches map[string]Cache `json:"-"`
	// The sums of /proc/meminfo.
	Slab        int64 `json:"slab_bytes"`
	Reclaimable int64 `json:"slab_reclaimable_bytes"`
	Unreclaim   int64 `json:"slab_unreclaimable_bytes"`
	KernelStack int64 `json:"kernel_stack_bytes"`
	PageTables  int64 `json:"page_tables_bytes"`
	Vmalloc     int64 `json:"vmalloc_used_bytes"`
	PerCPU      int64 `json:"percpu_bytes"`
	// Sockets is what the kernel counts of its sockets.
	Sockets Sockets `json:"sockets"`
}

// Estimated is true where the caches could not be read by name.
func (k Kernel) Estimated() bool { return k.Caches == nil }

// Lookup finds a cache by its name or by the name of a cache merged into it.
func (k Kernel) Lookup(name string) (Cache, bool) {
	if c, ok := k.Caches[name]; ok {
		return c, true
	}
	for _, c := range k.Caches {
		for _, alias := range c.Aliases {
			if alias == name {
				return c, true
			}
		}
	}
	return Cache{}, false
}

// ReadKernel reads the kernel's memory. It is no error when /proc/slabinfo is
// closed to the caller: Estimated tells.
func ReadKernel() (Kernel, error) {
	proc, err := procfs.NewDefaultFS()
	if err != nil {
		return Kernel{}, fmt.Errorf("read kernel memory: %w", err)
	}
	info, err := proc.Meminfo()
	if err != nil {
		return Kernel{}, fmt.Errorf("read /proc/meminfo: %w", err)
	}
	k := Kernel{
		Slab:        signed(info.SlabBytes),
		Reclaimable: signed(info.SReclaimableBytes),
		Unreclaim:   signed(info.SUnreclaimBytes),
		KernelStack: signed(info.KernelStackBytes),
		PageTables:  signed(info.PageTablesBytes),
		Vmalloc:     signed(info.VmallocUsedBytes),
		PerCPU:      signed(info.PercpuBytes),
	}
	if k.Sockets, err = ReadSockets(); err != nil {
		return Kernel{}, err
	}
	slabs, err := proc.SlabInfo()
	if err != nil {
		if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
			return k, nil
		}
		return Kernel{}, fmt.Errorf("read /proc/slabinfo: %w", err)
	}
	aliases := slabAliases(slabDir)
	page := int64(os.Getpagesize())
	k.Caches = make(map[string]Cache, len(slabs.Slabs))
	for _, s := range slabs.Slabs {
		k.Caches[s.Name] = Cache{
			Name: s.Name, Aliases: aliases[s.Name],
			Active: s.ObjActive, Total: s.ObjNum, ObjectSize: s.ObjSize,
			Pages: s.SlabNum * s.PagesPerSlab * page,
		}
	}
	return k, nil
}

func signed(p *uint64) int64 {
	if p == nil {
		return 0
	}
	return int64(*p)
}

// slabAliases returns for each cache the others that share its slabs: links
// below dir that have the same target. Where dir cannot be read there are none.
func slabAliases(dir string) map[string][]string {
	names, err := readNames(dir)
	if err != nil {
		return nil
	}
	groups := map[string][]string{}
	for _, name := range names {
		if target, err := os.Readlink(filepath.Join(dir, name)); err == nil {
			groups[target] = append(groups[target], name)
		}
	}
	aliases := map[string][]string{}
	for _, group := range groups {
		sort.Strings(group)
		for i, name := range group {
			others := append(append([]string{}, group[:i]...), group[i+1:]...)
			aliases[name] = others
		}
	}
	return aliases
}

// CacheDelta is the growth of one cache between two samples.
type CacheDelta struct {
	Name       string   `json:"name"`
	Aliases    []string `json:"aliases,omitempty"`
	Objects    int64    `json:"objects"`
	ObjectSize int64    `json:"object_bytes"`
	// Bytes is Objects times ObjectSize; Pages is the growth in whole pages.
	Bytes int64 `json:"bytes"`
	Pages int64 `json:"page_bytes"`
}

// Named tells whether the delta is of the cache name, be it as an alias.
func (d CacheDelta) Named(name string) bool {
	if d.Name == name {
		return true
	}
	for _, alias := range d.Aliases {
		if alias == name {
			return true
		}
	}
	return false
}

// SmallChange is the change in bytes below which a cache is not listed by name.
const SmallChange = 16 << 10

// KernelDelta is the growth of the kernel's memory between two samples, of the
// whole machine: on loopback it holds both ends of each connection.
type KernelDelta struct {
	// Estimated is true where /proc/slabinfo was closed to the caller.
	Estimated bool `json:"estimated"`
	// Bytes is the growth in all. By name: the objects in use of each cache,
	// and Large, Vmalloc, PageTables and PerCPU. Estimated: the pages of all
	// slabs, and Vmalloc, PageTables and PerCPU; then a part of it is free room in slabs.
	Bytes int64 `json:"bytes"`
	// SlabPages is the growth of all slabs in whole pages (Slab of meminfo).
	SlabPages   int64 `json:"slab_page_bytes"`
	Reclaimable int64 `json:"slab_reclaimable_bytes"`
	Unreclaim   int64 `json:"slab_unreclaimable_bytes"`
	// Large is the growth of allocations too big for a slab cache, such as
	// descriptor tables: what meminfo calls slab and slabinfo does not list.
	Large int64 `json:"large_bytes"`
	// Vmalloc includes the kernel's stacks, which KernelStack tells apart.
	Vmalloc     int64 `json:"vmalloc_bytes"`
	KernelStack int64 `json:"kernel_stack_bytes"`
	PageTables  int64 `json:"page_tables_bytes"`
	PerCPU      int64 `json:"percpu_bytes"`
	// Small is the sum of the caches that changed by less than SmallChange,
	// which are not listed.
	Small int64 `json:"small_caches_bytes"`
	// Caches are the others, the largest growth in bytes first.
	Caches []CacheDelta `json:"caches,omitempty"`
}

// Cache finds the growth of a cache by its name or by the name of one merged
// into it; zero when it is not listed.
func (d KernelDelta) Cache(name string) CacheDelta {
	for _, c := range d.Caches {
		if c.Name == name {
			return c
		}
	}
	for _, c := range d.Caches {
		if c.Named(name) {
			return c
		}
	}
	return CacheDelta{Name: name}
}

// Since returns the growth from an earlier sample to k. It is an estimate
// where either of the two is.
func (k Kernel) Since(earlier Kernel) KernelDelta {
	d := KernelDelta{
		Estimated:   k.Estimated() || earlier.Estimated(),
		SlabPages:   k.Slab - earlier.Slab,
		Reclaimable: k.Reclaimable - earlier.Reclaimable,
		Unreclaim:   k.Unreclaim - earlier.Unreclaim,
		Vmalloc:     k.Vmalloc - earlier.Vmalloc,
		KernelStack: k.KernelStack - earlier.KernelStack,
		PageTables:  k.PageTables - earlier.PageTables,
		PerCPU:      k.PerCPU - earlier.PerCPU,
	}
	rest := d.Vmalloc + d.PageTables + d.PerCPU
	if d.Estimated {
		d.Bytes = d.SlabPages + rest
		return d
	}
	var objects, pages int64
	for name, c := range union(k.Caches, earlier.Caches) {
		e, now := earlier.Caches[name], k.Caches[name]
		delta := CacheDelta{
			Name: name, Aliases: c.Aliases, ObjectSize: c.ObjectSize,
			Objects: now.Active - e.Active,
			Bytes:   now.Bytes() - e.Bytes(),
			Pages:   now.Pages - e.Pages,
		}
		objects += delta.Bytes
		pages += delta.Pages
		if max(delta.Bytes, -delta.Bytes) < SmallChange {
			d.Small += delta.Bytes
			continue
		}
		d.Caches = append(d.Caches, delta)
	}
	sort.Slice(d.Caches, func(i, j int) bool {
		a, b := d.Caches[i], d.Caches[j]
		if a.Bytes != b.Bytes {
			return a.Bytes > b.Bytes
		}
		return a.Name < b.Name
	})
	d.Large = d.SlabPages - pages
	d.Bytes = objects + d.Large + rest
	return d
}

func union(a, b map[string]Cache) map[string]Cache {
	u := make(map[string]Cache, len(a))
	for name, c := range b {
		u[name] = c
	}
	for name, c := range a {
		u[name] = c
	}
	return u
}
