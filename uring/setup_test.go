package uring

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// kernelThreads are the threads of the process that submit for a ring.
func kernelThreads(t *testing.T) map[string]bool {
	t.Helper()
	names, err := filepath.Glob("/proc/self/task/*/comm")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, name := range names {
		// A thread that has ended meanwhile has no name.
		if comm, err := os.ReadFile(name); err == nil && strings.HasPrefix(string(comm), "iou-sqp-") {
			found[name] = true
		}
	}
	return found
}

// TestKernelThreadIsShared proves that the thread of the kernel which submits is one
// of the process's own, where its CPU is counted, that all rings of a loop have the
// same one, and that a connection on a further ring is served by it.
func TestKernelThreadIsShared(t *testing.T) {
	const rings, slots = 4, 5
	before := kernelThreads(t) // those of an earlier ring end a little later than it
	b := newBench(t, Options{SQPoll: true, EngineOptions: optionsFor(rings, slots)})
	first := kernelThreads(t)
	if len(first) <= len(before) {
		t.Errorf("%d threads of the kernel, and %d before", len(first), len(before))
	}
	var in [1024]byte
	for i := range rings*slots - 1 { // one slot is kept for the admin door
		fd := b.dial(b.front)
		defer unix.Close(fd)
		if n := b.ask(fd, askRequest, in[:]); text(in[:n]) != "HTTP/1.1 200 OK" {
			t.Fatalf("connection %d: %q", i, in[:n])
		}
	}
	if n := len(b.l.rings); n != rings {
		t.Errorf("%d rings, want %d", n, rings)
	}
	for name := range kernelThreads(t) {
		if !first[name] {
			t.Errorf("a further ring made the thread %s", name)
		}
	}
}
