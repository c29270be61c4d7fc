package result

import (
	"sort"

	"c1000k/experiments/sample"
)

// The kernel keeps more for a socket than the socket's objects: the memory
// controller's vector of eight bytes for each accounted object, free room at the
// end of slabs, tables of descriptors, hash chains. None of it is an engine's.
// A bare accept loop, which holds as many connections and does nothing with
// them, while its client watches them as the load does, has all of it, and so
// tells what is to be taken out.

// besides is what the kernel keeps for the bare loop's connections, above both
// ends' sockets, the client's epoll and the buckets of the ports, in bytes a
// connection; false if the bare loop's memory was not read by cache.
func (f *Floor) besides() (each float64, ok bool) {
	if f == nil || f.Kernel == nil || f.Kernel.Estimated || f.Count <= 0 {
		return 0, false
	}
	return float64(*share(f.Kernel, f.Count).OverFloor) / float64(f.Count), true
}

// OverBare is what the kernel keeps for the server at this step above what it
// keeps for the same connections of a bare accept loop with the same kind of
// client, in bytes a connection: the engine's own. False where either was not read by
// cache.
func (s *Step) OverBare(f *Floor) (each float64, ok bool) {
	k := s.Share()
	besides, ok := f.besides()
	if !ok || k == nil || k.OverFloor == nil || s.Connections() <= 0 {
		return 0, false
	}
	return float64(*k.OverFloor)/float64(s.Connections()) - besides, true
}

// CacheOverBare is one cache at a step beside the bare accept loop.
type CacheOverBare struct {
	Name       string
	Aliases    []string
	ObjectSize int64
	// Step and Bare are objects a connection, of both ends.
	Step, Bare float64
	// Bytes is the difference a connection.
	Bytes float64
}

// CachesOverBare sets the caches of a step beside those of the bare accept loop,
// the largest difference first; those that differ by less than least bytes a
// connection, and those of files, are left out.
func (s *Step) CachesOverBare(f *Floor, least float64) []CacheOverBare {
	if _, ok := s.OverBare(f); !ok {
		return nil
	}
	names := map[string]sample.CacheDelta{}
	for _, d := range []*sample.KernelDelta{f.Kernel, s.Kernel} {
		for _, c := range d.Caches {
			if !fileCache(c) {
				names[c.Name] = c
			}
		}
	}
	var all []CacheOverBare
	n, bare := float64(s.Connections()), float64(f.Count)
	for name, c := range names {
		d := CacheOverBare{
			Name: name, Aliases: c.Aliases, ObjectSize: c.ObjectSize,
			Step: float64(s.Kernel.Cache(name).Objects) / n, Bare: float64(f.Kernel.Cache(name).Objects) / bare,
		}
		d.Bytes = (d.Step - d.Bare) * float64(c.ObjectSize)
		if d.Bytes >= least || -d.Bytes >= least {
			all = append(all, d)
		}
	}
	sort.Slice(all, func(i, j int) bool {
		if all[i].Bytes != all[j].Bytes {
			return all[i].Bytes > all[j].Bytes
		}
		return all[i].Name < all[j].Name
	})
	return all
}
