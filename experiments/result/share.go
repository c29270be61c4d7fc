package result

import (
	"strings"

	"c1000k/experiments/sample"
)

// KernelShare divides the kernel's growth, which on loopback holds both ends of
// every connection, between the server and the load.
//
// The load is an epoll client on the same machine. Each of its ends costs what
// a socket costs whoever owns it (the floor), and what epoll keeps to wait on
// it; both are taken out by the kernel's own object sizes, and so are the
// buckets of the ports that the load connects from. What remains is the
// server's: its sockets' floor and whatever its way of waiting takes.
type KernelShare struct {
	Estimated bool
	// Sockets counts the TCP socket objects of both ends.
	Sockets int64
	// EndFloor is the bytes of one end's socket, LoadWaiting those of the
	// load's epoll for one connection.
	EndFloor, LoadWaiting float64
	// LoadPorts is the bytes of all bind buckets: the server's are few, one set
	// a listening port. It is 0 where the share is an estimate.
	LoadPorts int64
	// BothEnds is the growth in bytes without Elsewhere: the connections'.
	BothEnds int64
	// Server is the server's part of it in bytes.
	Server int64
	// OverFloor is the part of Server above its sockets' floor: slab objects
	// and large allocations. Without root it is not known.
	OverFloor *int64
	// Elsewhere is the growth that has nothing to do with these connections:
	// inodes, page cache, dentries beyond one a socket, and the sockets of
	// other programs, those beyond two a connection.
	Elsewhere int64
}

// socketCaches are the caches of which each socket takes one object, apart from
// the socket itself. The last two are taken only where the kernel has a
// security module that asks for them. Those that are shared hold the objects of
// all files and folders too: what they grow beyond one a socket is no socket's.
var socketCaches = []struct {
	name   string
	shared bool
}{{"sock_inode_cache", false}, {"filp", false}, {"dentry", true}, {"lsm_inode_cache", true}, {"lsm_file_cache", false}}

// tcpCaches hold the socket itself.
var tcpCaches = []string{"TCP", "TCPv6"}

// epollCaches are what epoll keeps for one waiting descriptor, with the size of
// each on 64-bit kernels, for where the kernel does not tell.
var epollCaches = []struct {
	name string
	size float64
}{{"eventpoll_epi", 128}, {"ep_head", 16}, {"eventpoll_pwq", 64}}

// Without root the sizes of objects are not known: these are the pages that the
// objects of one socket take on Linux 6.18, x86-64, free room in slabs included.
// The kernel counts the inode and the dentry among the slabs it could reclaim,
// together with those of all files, which come and go with whatever the machine
// does; so the estimate takes them by their size, and measures the rest.
const (
	estimatedUnreclaim   = 2521 + 195 + 56 // TCP, filp, security
	estimatedReclaimable = 862 + 195       // sock_inode, dentry
)

// Share divides the growth of the kernel's memory at this step; nil where it
// was not measured.
func (s *Step) Share() *KernelShare { return share(s.Kernel, s.Connections()) }

// ShareAfter is Share after the broadcast of this step.
func (s *Step) ShareAfter() *KernelShare { return share(s.KernelAfter, s.Connections()) }

func share(d *sample.KernelDelta, connections int64) *KernelShare {
	if d == nil {
		return nil
	}
	k := &KernelShare{Estimated: d.Estimated}
	for _, c := range epollCaches {
		size := c.size
		if known := d.Cache(c.name).ObjectSize; known > 0 {
			size = float64(known)
		}
		k.LoadWaiting += size
	}
	n := float64(connections)
	if d.Estimated {
		k.Sockets, k.EndFloor = 2*connections, estimatedUnreclaim+estimatedReclaimable
		k.BothEnds = d.Unreclaim + d.Vmalloc + d.PageTables + d.PerCPU + k.Sockets*estimatedReclaimable
		k.Server = k.BothEnds - int64(n*(k.EndFloor+k.LoadWaiting))
		k.Elsewhere = d.Reclaimable - k.Sockets*estimatedReclaimable
		return k
	}
	floor := k.floor(d)
	for _, c := range d.Caches {
		if fileCache(c) {
			k.Elsewhere += c.Bytes
		}
	}
	rest := d.Vmalloc + d.PageTables + d.PerCPU
	k.LoadPorts = bindBuckets(d)
	over := d.Bytes - k.Elsewhere - rest - floor - int64(n*k.LoadWaiting) - k.LoadPorts
	k.OverFloor = &over
	k.Server = int64(n*k.EndFloor) + over + rest
	others := int64((float64(k.Sockets) - 2*n) * k.EndFloor)
	k.Elsewhere += others
	k.BothEnds = d.Bytes - k.Elsewhere
	return k
}

// bindBuckets returns the bytes of the kernel's records of bound ports. Kernels
// merge them with epoll's items, which are of the same size: then they are the
// objects beyond one for each watched socket, which the heads of epoll count.
func bindBuckets(d *sample.KernelDelta) int64 {
	first, second := d.Cache("tcp_bind_bucket"), d.Cache("tcp_bind2_bucket")
	of := func(c sample.CacheDelta) int64 {
		if !c.Named("eventpoll_epi") {
			return c.Bytes
		}
		return max(0, c.Objects-d.Cache("ep_head").Objects) * c.ObjectSize
	}
	if first.Name == second.Name {
		return of(first)
	}
	return of(first) + of(second)
}

// floor returns the bytes of all sockets and fills in Sockets, EndFloor and,
// of Elsewhere, the objects of shared caches beyond one a socket.
func (k *KernelShare) floor(d *sample.KernelDelta) int64 {
	var total int64
	for _, name := range tcpCaches {
		c := d.Cache(name)
		k.Sockets += c.Objects
		total += c.Bytes
	}
	if k.Sockets > 0 {
		k.EndFloor = float64(total) / float64(k.Sockets)
	}
	for _, socket := range socketCaches {
		c := d.Cache(socket.name)
		if c.Objects < k.Sockets/2 {
			continue
		}
		total += k.Sockets * c.ObjectSize
		k.EndFloor += float64(c.ObjectSize)
		if socket.shared {
			k.Elsewhere += (c.Objects - k.Sockets) * c.ObjectSize
		}
	}
	return total
}

// fileCache tells caches of files and folders, which grow and shrink with what
// else the machine does.
func fileCache(c sample.CacheDelta) bool {
	switch c.Name {
	case "sock_inode_cache", "lsm_inode_cache":
		return false
	case "radix_tree_node", "buffer_head", "inode_cache", "extent_status", "kernfs_node_cache":
		return true
	}
	for _, prefix := range []string{"ext4_", "btrfs_", "xfs_", "jbd2_", "fuse_", "ovl_", "nfs_", "squashfs_"} {
		if strings.HasPrefix(c.Name, prefix) {
			return true
		}
	}
	return strings.HasSuffix(c.Name, "_inode_cache")
}

// Connections is the number of connections held at this step by the best
// witness there is: the kernel, the server, the load, and last the target.
func (s *Step) Connections() int64 { return connections(s.Held, s.Target) }

func connections(held *Held, target int) int64 {
	if held != nil {
		for _, n := range []*int64{held.KernelServer, held.Server, held.Load} {
			if n != nil {
				return *n
			}
		}
	}
	return int64(target)
}

// UserAndKernel is the server's resident memory and its share of the kernel's,
// in bytes; nil where either is missing.
func (s *Step) UserAndKernel() *int64 { return userAndKernel(s.Memory, s.Share()) }

func userAndKernel(m *Memory, k *KernelShare) *int64 {
	if k == nil || m == nil {
		return nil
	}
	sum := int64(m.Resident) + k.Server
	return &sum
}

// Headline is (RES at N - RES of an empty server) / N: user bytes a connection.
// It is nil without connections or without the empty server's memory.
func Headline(memory *Memory, connections int64, empty *Memory) *float64 {
	if memory == nil || empty == nil || connections <= 0 {
		return nil
	}
	bytes := (float64(memory.Resident) - float64(empty.Resident)) / float64(connections)
	return &bytes
}
