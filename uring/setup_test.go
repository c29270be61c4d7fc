package uring

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// kernelThreads are the threads of the process that are the kernel's: those that
// submit for a ring begin with iou-sqp-, those that wait for what blocks with iou-wrk-.
func kernelThreads(t *testing.T, kind string) map[string]bool {
	t.Helper()
	names, err := filepath.Glob("/proc/self/task/*/comm")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, name := range names {
		// A thread that has ended meanwhile has no name.
		if comm, err := os.ReadFile(name); err == nil && strings.HasPrefix(string(comm), kind) {
			found[name] = true
		}
	}
	return found
}

// TestKernelThreadIsShared proves that the thread of the kernel which submits is one
// of the process's own, where its CPU is counted, that all rings of a loop have the
// same one, and that connections on further rings are served by it.
func TestKernelThreadIsShared(t *testing.T) {
	const rings, slots = 4, 5
	b := newBench(t, Options{SQPoll: true, EngineOptions: optionsFor(rings, slots)})
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
	// The threads of rings that were closed before end a little later than those.
	found := kernelThreads(t, "iou-sqp-")
	for end := time.Now().Add(patience); len(found) != 1 && time.Now().Before(end); found = kernelThreads(t, "iou-sqp-") {
		time.Sleep(time.Millisecond)
	}
	if len(found) != 1 {
		t.Errorf("%d threads of the kernel submit for one loop", len(found))
	}
}

// TestResumedBesideKernelThread proves that multishot receives which are to be armed
// and are more than one turn arms are not left behind by a loop that sleeps, where a
// thread of the kernel submits: nothing else may come that has it look.
func TestResumedBesideKernelThread(t *testing.T) {
	const clients, window = 6, 2
	b := newBench(t, Options{SQPoll: true, MultishotRecv: true, recvWindow: window})
	fds := b.dialAll(clients)
	r := b.l.rings[0]
	for slot := range uint32(clients) {
		b.l.pause(r, slot)
	}
	b.until("all to be paused", func() bool {
		for slot := range uint32(clients) {
			if r.state[slot]&fRecv != 0 {
				return false
			}
		}
		return r.quiet()
	})
	for slot := range uint32(clients) {
		b.l.resume(r, slot)
	}
	for turns := 0; !r.queue.empty(); turns++ {
		b.l.issueRecvs(r)
		b.l.enterNow(r)
		if !r.queue.empty() && !r.unissued() {
			t.Fatalf("with %d receives still to be armed the loop would sleep", r.queue.len())
		}
		if turns > clients/window {
			t.Fatalf("%d receives are not armed after %d turns", r.queue.len(), turns)
		}
	}
	b.askAll(fds)
}
