package main

import (
	"bufio"
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	// descriptorsBeside is what a process needs beside its connections and
	// listeners: the standard three, the runtime's poller, rings and wake
	// descriptors, the debug door's clients.
	descriptorsBeside = 64
	// bytesPerConnection is the server's end of a waiting connection: 3.64 KB
	// of socket, 300 bytes of poll request or item and slot, 128 of our own.
	bytesPerConnection = 4100
)

// warnShort says which of the machine's resources are too small for
// --max-connections. The server starts all the same: they may never all come.
func warnShort(o *options, log *slog.Logger) {
	need := uint64(o.MaxConnections) * bytesPerConnection
	if available, ok := availableMemory(); ok && available < need {
		log.Warn("memory is too small for --max-connections: the kernel would end a process before they are reached",
			"available_mb", available>>20, "needed_mb", need>>20,
			"remedy", "fewer --max-connections or more memory; clients on this machine need as much again")
	}
	if left, ok := filesLeft(); ok && left < uint64(o.MaxConnections) {
		log.Warn("fs.file-max is too low for --max-connections",
			"files_left", left, "needed", o.MaxConnections, "remedy", fmt.Sprintf("scripts/tune --for %d", o.MaxConnections))
	}
}

// warnSpace says that the address space is limited. It comes before anything that
// makes threads, whose failure the Go runtime answers by ending the program.
func warnSpace(log *slog.Logger) {
	if space, limited := addressSpace(); limited {
		log.Warn("the address space is limited, and all memory is reserved at start: where the limit is too low the program ends with what the Go runtime says of it",
			"limit_mb", space>>20, "remedy", "ulimit -v unlimited; a memory control group bounds what is used")
	}
}

// addressSpace is the limit of the process's address space in bytes, where it has
// one.
func addressSpace() (bytes uint64, limited bool) {
	var r unix.Rlimit
	err := unix.Getrlimit(unix.RLIMIT_AS, &r)
	return r.Cur, err == nil && r.Cur != unix.RLIM_INFINITY
}

// availableMemory is MemAvailable in bytes.
func availableMemory() (uint64, bool) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, false
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if f := strings.Fields(lines.Text()); len(f) >= 2 && f[0] == "MemAvailable:" {
			kb, err := strconv.ParseUint(f[1], 10, 64)
			return kb << 10, err == nil
		}
	}
	return 0, false
}

// filesLeft is how many more files the machine may open.
func filesLeft() (uint64, bool) {
	text, err := os.ReadFile("/proc/sys/fs/file-nr")
	if err != nil {
		return 0, false
	}
	f := strings.Fields(string(text))
	if len(f) != 3 {
		return 0, false
	}
	open, err1 := strconv.ParseUint(f[0], 10, 64)
	most, err2 := strconv.ParseUint(f[2], 10, 64)
	if err1 != nil || err2 != nil {
		return 0, false
	}
	return most - min(open, most), true
}
