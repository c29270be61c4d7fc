package main

import "runtime/metrics"

// goFacts is the Go runtime's share of the process: with io_uring and epoll it
// stays the same however many connections wait.
type goFacts struct {
	HeapBytes    uint64  `json:"heap_bytes"`     // live objects and what is not yet swept
	HeapSysBytes uint64  `json:"heap_sys_bytes"` // mapped for objects and not given back
	StacksBytes  uint64  `json:"stacks_bytes"`   // goroutines' stacks
	TotalBytes   uint64  `json:"total_bytes"`    // all the runtime mapped, less what it gave back
	GCCycles     uint64  `json:"gc_cycles"`
	GCCPUSeconds float64 `json:"gc_cpu_seconds"` // estimate, brought up to date by each cycle
	Goroutines   uint64  `json:"goroutines"`
}

// readGo reads the runtime's metrics, without stopping the world.
func readGo() goFacts {
	samples := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
		{Name: "/memory/classes/heap/stacks:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
		{Name: "/memory/classes/total:bytes"},
		{Name: "/gc/cycles/total:gc-cycles"},
		{Name: "/sched/goroutines:goroutines"},
		{Name: "/cpu/classes/gc/total:cpu-seconds"},
	}
	metrics.Read(samples)
	count := func(i int) uint64 { return samples[i].Value.Uint64() }
	return goFacts{
		HeapBytes:    count(0),
		HeapSysBytes: count(0) + count(1) + count(2),
		StacksBytes:  count(3),
		TotalBytes:   count(5) - count(4),
		GCCycles:     count(6),
		Goroutines:   count(7),
		GCCPUSeconds: samples[8].Value.Float64(),
	}
}
