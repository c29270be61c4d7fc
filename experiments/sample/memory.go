package sample

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/prometheus/procfs"
)

// Memory is the user memory of one process, in bytes.
type Memory struct {
	// Virtual is the reserved address space (VIRT, VmSize). It says nothing of
	// the memory in use by a program that reserves before it touches.
	Virtual uint64 `json:"virtual_bytes"`
	// Resident is the memory present in RAM (RES, VmRSS).
	Resident uint64 `json:"resident_bytes"`
	// Proportional is Resident with shared pages divided among those who share
	// them (PSS). It is nil where smaps_rollup cannot be read.
	Proportional *uint64 `json:"proportional_bytes,omitempty"`
	// Anonymous is the part of Resident that belongs to no file. It is nil
	// where smaps_rollup cannot be read.
	Anonymous *uint64 `json:"anonymous_bytes,omitempty"`
	// Threads is the number of threads, the kernel's io-wq workers included.
	Threads int `json:"threads"`
}

// ReadMemory reads the memory of process pid. The proportional and anonymous
// figures walk the page tables and take milliseconds per gigabyte; they stay
// nil when the kernel refuses them, which is no error. Errors say that the
// process is gone or may not be read.
func ReadMemory(pid int) (Memory, error) {
	proc, err := procfs.NewProc(pid)
	if err != nil {
		return Memory{}, fmt.Errorf("read memory of process %d: %w", pid, err)
	}
	stat, err := proc.Stat()
	if err != nil {
		return Memory{}, fmt.Errorf("read memory of process %d: %w", pid, err)
	}
	statm, err := proc.Statm()
	if err != nil {
		return Memory{}, fmt.Errorf("read memory of process %d: %w", pid, err)
	}
	m := Memory{Virtual: statm.SizeBytes(), Resident: statm.ResidentBytes(), Threads: stat.NumThreads}
	rollup, err := proc.ProcSMapsRollup()
	switch {
	case err == nil:
		pss, anon := rollup.Pss, rollup.Anonymous
		m.Proportional, m.Anonymous = &pss, &anon
	case errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrNotExist):
	default:
		return m, fmt.Errorf("read smaps_rollup of process %d: %w", pid, err)
	}
	return m, nil
}

// Resident reads only the resident bytes of process pid, which is cheap enough
// to ask many times a second.
func Resident(pid int) (uint64, error) {
	proc, err := procfs.NewProc(pid)
	if err != nil {
		return 0, fmt.Errorf("read resident memory of process %d: %w", pid, err)
	}
	statm, err := proc.Statm()
	if err != nil {
		return 0, fmt.Errorf("read resident memory of process %d: %w", pid, err)
	}
	return statm.ResidentBytes(), nil
}
