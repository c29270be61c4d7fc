package report

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"c1000k/experiments/result"
	"c1000k/experiments/sample"
)

// The synthetic machine: what each connection takes, in bytes. The tests ask
// the report to find these numbers again.
const (
	syntheticEmpty    = 12_000_000    // RES of an empty server
	syntheticEachUser = 160           // user bytes a connection
	syntheticEpoll    = 128 + 16 + 64 // what epoll keeps for one of them
)

var syntheticStart = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func ptr[T any](v T) *T { return &v }

func syntheticMemory(n int) *result.Memory {
	resident := uint64(syntheticEmpty + syntheticEachUser*n)
	return &result.Memory{
		Memory: sample.Memory{Virtual: 900_000_000, Resident: resident, Proportional: ptr(resident - 500_000), Anonymous: ptr(resident - 3_000_000), Threads: 8},
		GoHeap: ptr(uint64(1_500_000)),
	}
}

// syntheticKernel grows both ends' sockets, the load's epoll and the server's
// own way of waiting, and some file caches that are none of theirs.
func syntheticKernel(backend string, n int, root bool) *sample.KernelDelta {
	if !root {
		d := &sample.KernelDelta{Estimated: true, Unreclaim: int64(n) * (2*2772 + 2*syntheticEpoll), Reclaimable: int64(n) * 2 * 1057}
		d.SlabPages = d.Unreclaim + d.Reclaimable
		d.Bytes = d.SlabPages
		return d
	}
	d := &sample.KernelDelta{}
	add := func(name string, objects, size int64) {
		c := sample.CacheDelta{Name: name, Objects: objects, ObjectSize: size, Bytes: objects * size}
		d.Caches = append(d.Caches, c)
		d.Bytes += c.Bytes
	}
	both := int64(2 * n)
	waiting := int64(n)
	if backend == result.Epoll {
		waiting = both
	}
	add("TCP", both, 2368)
	add("sock_inode_cache", both, 832)
	add("filp", both, 192)
	add("dentry", both+5000, 192)
	add("eventpoll_epi", waiting, 128)
	if backend == result.URing {
		add("io_kiocb", int64(n), 256)
	}
	add("anon_vma_chain", waiting, 64)
	d.Caches[len(d.Caches)-1].Aliases = []string{"eventpoll_pwq"}
	add("lsm_inode_cache", both+5000, 32)
	if backend == result.URing {
		add("kmalloc-32", int64(n), 32)
	}
	add("lsm_file_cache", both, 24)
	add("ep_head", waiting, 16)
	add("ext4_inode_cache", 700, 1000)
	return d
}

func syntheticPhase(seed, n, messages int, cpu float64) *result.Phase {
	wobble := 1 + 0.03*math.Sin(float64(seed+n))
	return &result.Phase{
		Sent: int64(messages), Delivered: int64(messages), Requests: int64(messages),
		Seconds: float64(messages) / 40_000, Rate: 40_000 * wobble, ToLast: ptr(float64(messages) / 40_000),
		ServerCPU: ptr(cpu * wobble), LoadCPU: ptr(9 * wobble),
		Latency:     &result.Percentiles{Samples: int64(messages), Min: 20, Mean: 90, P50: ptr(80.0), P90: ptr(150.0), P99: ptr(900 * wobble), Max: 4100},
		Uncorrected: &result.Percentiles{Samples: int64(messages), Min: 20, Mean: 80, P50: ptr(75.0), P90: ptr(120.0), P99: ptr(300.0), Max: 2100},
	}
}

func syntheticStep(backend string, order, index, target int, root bool) *result.Step {
	s := &result.Step{
		Backend: backend, Order: order, Index: index, Target: target, Loops: 2,
		Held:    &result.Held{Server: ptr(int64(target)), KernelServer: ptr(int64(target)), KernelLoad: ptr(int64(target)), Load: ptr(int64(target)), Witness: result.BySockDiag},
		Settled: &sample.Settled{Waited: 3250 * time.Millisecond, Settled: true},
		Memory:  syntheticMemory(target), Kernel: syntheticKernel(backend, target, root),
		Idle: &result.Idle{Seconds: 5, ServerCore: 0.0004 + 1e-10*float64(target*(1+order)), GCCycles: ptr(uint32(0)), LoadCore: ptr(0.001)},
	}
	switch backend {
	case result.URing:
		s.Rings = max(2, (target+19_899)/19_900)
	case result.Epoll:
		s.Loops = max(2, (target+18_999)/19_000)
		s.Tables = s.Loops
	}
	if index > 0 {
		s.Opening = &result.Opening{Connections: 100_000, Seconds: 4.4, Rate: 100_000 / 4.4, ServerCPU: ptr(9.0), LoadCPU: ptr(14.0)}
		s.Push = syntheticPhase(order, target, 10_000, 11+2*float64(order))
	}
	if target == 100_000 || target == 500_000 || target == 1_000_000 {
		s.Broadcast = syntheticPhase(order, target, target, 9+float64(order))
		s.Broadcast.Requests = 1
		s.MemoryAfter = syntheticMemory(target)
		s.MemoryAfter.Resident += uint64(40 * target)
		s.KernelAfter = s.Kernel
	}
	return s
}

// syntheticExpiry lets each poll expire twice, and a twentieth of them once more.
func syntheticExpiry(backend string, order, n int, root bool) *result.Expiry {
	noops := int64(2*n + n/20)
	e := &result.Expiry{
		Backend: backend, Order: order, Target: n, Loops: 2 + order, PollingTimeout: 30, Window: 65,
		Held:         &result.Held{Server: ptr(int64(n - 7)), KernelServer: ptr(int64(n)), Witness: result.BySockDiag},
		MemoryBefore: syntheticMemory(n), KernelBefore: syntheticKernel(backend, n, root),
		MemoryAfter: syntheticMemory(n), KernelAfter: syntheticKernel(backend, n, root),
		Measured: &result.Expired{Seconds: 65, Noops: noops, Expected: int64(2 * n), Rate: float64(noops) / 65,
			ServerCore: 0.5, LoadCore: 0.4, ServerCPU: ptr(16.25), LoadCPU: ptr(13.0)},
	}
	e.MemoryAfter.Resident += 2_000_000
	return e
}

// syntheticFolder writes a whole ladder and returns its folder.
func syntheticFolder(t *testing.T, root bool, to int, backends ...string) string {
	t.Helper()
	f, err := result.Create(t.TempDir(), "synthetic", syntheticStart)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	write := func(r result.Record) {
		r.At = syntheticStart
		if err := f.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	write(result.Record{Floor: &result.Floor{What: result.FloorAccept, Variant: "epoll", Loops: 2, Count: 50_000, Seconds: 2, Rate: 25_000, ServerCPU: ptr(7.0)}})
	write(result.Record{Floor: &result.Floor{What: result.FloorTurn, Variant: "uring", Loops: 2, Count: 50_000, Seconds: 1, Rate: 90_000, ServerCPU: ptr(7.4), LoadCPU: ptr(8.1)}})
	write(result.Record{Floor: &result.Floor{What: result.LoadCeiling, Loops: 1, Count: 50_000, Seconds: 1, Rate: 78_000, LoadCPU: ptr(8.1)}})
	var steps []int
	for n := 0; n <= to; n += 100_000 {
		steps = append(steps, n)
	}
	for order, name := range backends {
		write(result.Record{Backend: &result.Backend{Name: name, Order: order, Loops: 2, Banner: []string{"engine: " + name + ", 2 loops"},
			Empty: &result.Memory{Memory: sample.Memory{Resident: syntheticEmpty, Virtual: 700_000_000}}}})
		for i, target := range steps {
			write(result.Record{Step: syntheticStep(name, order, i, target, root)})
		}
	}
	for order, name := range backends {
		write(result.Record{Expiry: syntheticExpiry(name, order, to, root)})
	}
	run := result.Run{Name: "synthetic", Started: syntheticStart, Finished: syntheticStart.Add(10 * time.Minute), Backends: backends, Targets: steps, Seed: 42,
		Environment: sample.Environment{Kernel: "6.18.0", Architecture: "amd64", MemoryBytes: 25_000_000_000,
			CPU: sample.CPUModel{Model: "Example CPU", Logical: 2, Siblings: "unknown"}, Program: sample.Program{Go: "go1.26", Git: sample.Git{Commit: "0123abc"}}}}
	if err := f.WriteRun(run); err != nil {
		t.Fatal(err)
	}
	return f.Path()
}

func readFile(t *testing.T, dir, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// keep copies the made files to a folder that the environment names, to look
// at them.
func keep(t *testing.T, dir string, files []string) {
	to := os.Getenv("REPORT_KEEP")
	if to == "" {
		return
	}
	for _, name := range files {
		path := filepath.Join(to, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(readFile(t, dir, name)), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Fprintln(os.Stderr, "kept in", to)
}
