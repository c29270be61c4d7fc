package process

import (
	"bufio"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestNoServerOutlivesItsExperiment proves that a server ends with the process that
// started it, also where that is killed and can ask for nothing, and the server has begun
// anew meanwhile (package slack) by whichever of its threads: it is a thread with which
// the kernel keeps that wish.
func TestNoServerOutlivesItsExperiment(t *testing.T) {
	const longest = 10 * time.Second
	log := filepath.Join(t.TempDir(), "log")
	parent := exec.Command(self(t), "parent", self(t), log)
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	killed := func() {
		_ = parent.Process.Kill()
		_ = parent.Wait() // it was killed
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		killed()
		t.Fatalf("the parent said %q", line)
	}
	// By a descriptor, so that no other process is ever taken for it.
	server, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		killed()
		t.Fatal(err)
	}
	defer unix.Close(server)
	awaitText(t, log, "ready")
	killed()
	if n, err := unix.Poll([]unix.PollFd{{Fd: int32(server), Events: unix.POLLIN}}, int(longest.Milliseconds())); n != 1 {
		t.Errorf("the server lives on (%v)", err)
		_ = unix.PidfdSendSignal(server, unix.SIGKILL, nil, 0)
	}
}
