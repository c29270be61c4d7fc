package result

import (
	"math"
	"testing"

	"c1000k/experiments/sample"
)

// growth builds a difference from the objects of each cache.
func growth(caches ...sample.CacheDelta) *sample.KernelDelta {
	d := &sample.KernelDelta{Caches: caches}
	for i := range d.Caches {
		c := &d.Caches[i]
		c.Bytes = c.Objects * c.ObjectSize
		d.Bytes += c.Bytes
	}
	return d
}

func objects(name string, n, size int64, aliases ...string) sample.CacheDelta {
	return sample.CacheDelta{Name: name, Objects: n, ObjectSize: size, Aliases: aliases}
}

const n = 100_000

// sockets are both ends of n connections, with dentries and security objects of
// 4,000 files besides, which an unrelated program has opened.
func sockets() []sample.CacheDelta {
	return []sample.CacheDelta{
		objects("TCP", 2*n, 2368), objects("sock_inode_cache", 2*n, 832), objects("filp", 2*n, 192), objects("dentry", 2*n+4000, 192),
		objects("lsm_inode_cache", 2*n+4000, 32), objects("lsm_file_cache", 2*n, 24), objects("ext4_inode_cache", 4000, 1128),
	}
}

// Proves that the server's share is found whatever else the machine did: an
// epoll server keeps 208 bytes a connection over the floor of its sockets, with
// the records of 28,000 ports merged into epoll's items, and the io_uring server
// keeps its requests; both ends' floor and the load's epoll are taken out.
func TestShareByName(t *testing.T) {
	const ports = 28_000
	epoll := growth(append(sockets(),
		objects("eventpoll_epi", 2*n+2*ports, 128, "tcp_bind_bucket", "tcp_bind2_bucket"),
		objects("ep_head", 2*n, 16), objects("anon_vma_chain", 2*n, 64, "eventpoll_pwq"))...)
	uring := growth(append(sockets(),
		objects("eventpoll_epi", n+2*ports, 128, "tcp_bind_bucket", "tcp_bind2_bucket"),
		objects("ep_head", n, 16), objects("anon_vma_chain", n, 64, "eventpoll_pwq"), objects("io_kiocb", n, 256), objects("kmalloc-32", n, 32))...)
	apart := growth(append(sockets(),
		objects("eventpoll_epi", 2*n, 128), objects("tcp_bind_bucket", ports, 128), objects("tcp_bind2_bucket", ports, 192),
		objects("ep_head", 2*n, 16), objects("eventpoll_pwq", 2*n, 64))...)
	for _, c := range []struct {
		name  string
		delta *sample.KernelDelta
		over  int64
		ports int64
	}{{"epoll", epoll, 208, 2 * ports * 128}, {"uring", uring, 288, 2 * ports * 128}, {"epoll, nothing merged", apart, 208, ports * (128 + 192)}} {
		k := (&Step{Target: n, Kernel: c.delta}).Share()
		if k.Sockets != 2*n || k.EndFloor != 3640 || k.LoadWaiting != 208 || k.LoadPorts != c.ports {
			t.Errorf("%s: %+v", c.name, k)
		}
		if k.OverFloor == nil || *k.OverFloor != c.over*n {
			t.Errorf("%s: over the floor %v, want %d", c.name, k.OverFloor, c.over*n)
		}
		if want := int64(n) * (3640 + c.over); k.Server != want {
			t.Errorf("%s: the server's share %d, want %d", c.name, k.Server, want)
		}
		if want := int64(4000 * (192 + 32 + 1128)); k.Elsewhere != want {
			t.Errorf("%s: left out %d, want %d", c.name, k.Elsewhere, want)
		}
	}
}

// Proves that the sockets of other programs are not the server's: a third more
// of them, which no witness counts as its connections, change nothing.
func TestShareOfOthers(t *testing.T) {
	waiting := []sample.CacheDelta{objects("eventpoll_epi", 2*n, 128), objects("ep_head", 2*n, 16), objects("eventpoll_pwq", 2*n, 64)}
	alone := (&Step{Target: n, Kernel: growth(append(sockets(), waiting...)...)}).Share()
	crowded := sockets()
	for i := range crowded[:6] {
		crowded[i].Objects += n * 2 / 3
	}
	k := (&Step{Target: n, Kernel: growth(append(crowded, waiting...)...)}).Share()
	if k.Server != alone.Server || *k.OverFloor != *alone.OverFloor || k.BothEnds != alone.BothEnds {
		t.Errorf("with others %+v, alone %+v", k, alone)
	}
}

// Proves that memory outside of slabs is the server's but not over the floor of
// object counts, apart from large allocations such as descriptor tables.
func TestShareOfTables(t *testing.T) {
	d := growth(append(sockets(), objects("eventpoll_epi", n, 128), objects("ep_head", n, 16), objects("eventpoll_pwq", n, 64))...)
	d.Large, d.Vmalloc, d.PageTables = 800_000, 70_000, 30_000
	d.Bytes += d.Large + d.Vmalloc + d.PageTables
	k := (&Step{Target: n, Kernel: d}).Share()
	if *k.OverFloor != 800_000 || k.Server != n*3640+900_000 {
		t.Errorf("over the floor %d, server %d", *k.OverFloor, k.Server)
	}
}

// Proves that without root the share is an estimate that says so, within 3 % of
// the truth where slabs are full, whatever files the machine opened meanwhile.
func TestShareEstimated(t *testing.T) {
	pages := func(object, slab int64) int64 { return slab / (slab / object) }
	unreclaim, reclaimable := pages(2368, 32768)+pages(192, 4096)+56, pages(832, 16384)+pages(192, 4096)
	want := float64(n * (unreclaim + reclaimable + 208))
	for _, files := range []int64{0, 500_000_000} {
		d := &sample.KernelDelta{Estimated: true, Unreclaim: n * (2*unreclaim + 2*208), Reclaimable: 2*n*reclaimable + files}
		d.Bytes = d.Unreclaim + d.Reclaimable
		k := (&Step{Target: n, Kernel: d}).Share()
		if !k.Estimated || k.OverFloor != nil || math.Abs(float64(k.Server)-want)/want > 0.03 {
			t.Errorf("with %d bytes of files: %+v, want about %.0f", files, k, want)
		}
	}
}

// Proves that an empty server has no share invented for it, and that nothing
// measured is nothing told.
func TestShareOfNothing(t *testing.T) {
	k := (&Step{Kernel: growth(objects("dentry", 5000, 192))}).Share()
	if k.Server != 0 || *k.OverFloor != 0 || k.Elsewhere != 5000*192 {
		t.Errorf("%+v, over %d", k, *k.OverFloor)
	}
	empty := &Step{Target: n}
	if empty.Share() != nil || empty.ShareAfter() != nil || empty.UserAndKernel() != nil {
		t.Error("a step without a measurement has a share")
	}
}

// Proves that connections are taken from the best witness there is.
func TestConnections(t *testing.T) {
	for _, c := range []struct {
		held *Held
		want int64
	}{
		{nil, 10}, {&Held{}, 10}, {&Held{Load: ptr(int64(7))}, 7}, {&Held{Load: ptr(int64(7)), Server: ptr(int64(8))}, 8},
		{&Held{Server: ptr(int64(8)), KernelServer: ptr(int64(9))}, 9},
	} {
		if got := (&Step{Target: 10, Held: c.held}).Connections(); got != c.want {
			t.Errorf("%+v: %d, want %d", c.held, got, c.want)
		}
	}
}

// Proves the definition of the headline: less the empty server, over N.
func TestHeadline(t *testing.T) {
	at := func(resident uint64) *Memory { return &Memory{Memory: sample.Memory{Resident: resident}} }
	if got := Headline(at(12_000_000+160*n), n, at(12_000_000)); got == nil || *got != 160 {
		t.Errorf("%v", got)
	}
	if Headline(at(1), 0, at(1)) != nil || Headline(nil, n, at(1)) != nil || Headline(at(1), n, nil) != nil {
		t.Error("a headline of nothing")
	}
}
