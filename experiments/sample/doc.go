// Package sample reads what the kernel says of a process and of the machine:
// memory, CPU, kernel memory by slab cache, connection counts, pressure, and
// the environment a result must be read with.
//
// It needs no privilege. As root it sees more: /proc/slabinfo gives kernel
// memory by cache, where otherwise only an estimate from /proc/meminfo is
// possible; every figure says which of the two it is.
//
// Conventions: sizes are bytes, durations are time.Duration (nanoseconds in
// JSON), counters are since boot or since the start of the process, so two
// samples are subtracted to describe what lies between them.
//
// Functions may be called from any goroutine; a CPUMeter belongs to one
// goroutine at a time.
//
// What it cannot do: the CPU of a thread that has ended is gone from
// /proc/PID/task, so a CPUMeter keeps the last value it saw and may miss what
// the thread used after that; the process clock, which it also reads, misses
// nothing and is the second witness. Slab counts are those of the whole
// machine, not of one process: on loopback they hold both ends of every
// connection, and whatever else happened meanwhile. Object counts include the
// free objects that a CPU keeps at hand, some thousands a cache.
package sample
