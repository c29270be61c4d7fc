package process

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// self is the test binary.
func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// awaitText waits until a file contains a text.
func awaitText(t *testing.T, path, text string) {
	t.Helper()
	for range 1000 {
		if data, _ := os.ReadFile(path); strings.Contains(string(data), text) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s never contained %q", path, text)
}

// TestChildThatFails proves that a process which ends by itself is described by
// its exit status and its last lines, and that its log keeps all of them.
func TestChildThatFails(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	c, err := Start(self(t), []string{"speak-and-fail"}, log, nil)
	if err != nil {
		t.Fatal(err)
	}
	<-c.ended
	f := c.Failure()
	if f.ExitStatus == nil || *f.ExitStatus != fakeExit || f.Signal != "" {
		t.Errorf("exit status %v, signal %q", f.ExitStatus, f.Signal)
	}
	if n := len(f.LastLines); n != logTailLines || f.LastLines[n-1] != "line 19" {
		t.Errorf("last lines %q", f.LastLines)
	}
	if b := c.Banner(); len(b) != 20 || b[0] != "line 0" {
		t.Errorf("banner %q", b)
	}
	if err := c.Stop(nil); err != nil {
		t.Errorf("stopping what is gone: %v", err)
	}
}

// TestForce proves that a process which ignores SIGTERM is killed as soon as
// the user insists, and that the use of force is told.
func TestForce(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	c, err := Start(self(t), []string{"deaf"}, log, nil)
	if err != nil {
		t.Fatal(err)
	}
	awaitText(t, log, "ready")
	force := make(chan struct{})
	close(force)
	if err := c.Stop(force); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("stop: %v", err)
	}
	if !c.Gone() {
		t.Fatal("the process is still there")
	}
	if f := c.Failure(); f.Signal != "SIGKILL" || f.ExitStatus != nil {
		t.Errorf("%+v", f)
	}
}

// TestDeath proves that a process that lives is not taken for dead after an
// error, and that one that is killed is, even before anybody has waited for it.
func TestDeath(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	c, err := Start(self(t), []string{"deaf"}, log, nil)
	if err != nil {
		t.Fatal(err)
	}
	awaitText(t, log, "ready")
	if c.exiting() || c.Died() {
		t.Error("a living process is said to be dead")
	}
	if err := c.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if !c.Died() || !c.Gone() || !c.exiting() {
		t.Error("a killed process is said to live")
	}
}

// TestPinnedChild proves that a process gets the processors it is given, and
// that the ladder keeps its own.
func TestPinnedChild(t *testing.T) {
	before, err := UsableCPUs()
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "log")
	c, err := Start("/bin/sh", []string{"-c", "grep Cpus_allowed_list /proc/self/status"}, log, before[:1])
	if err != nil {
		t.Fatal(err)
	}
	<-c.ended
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(text[c.logFrom:]))
	if len(fields) != 2 || fields[1] != "0" && len(before) == 1 || strings.ContainsAny(fields[1], ",-") {
		t.Errorf("bound to %v, the process says %q", before[:1], fields)
	}
	if after, err := UsableCPUs(); err != nil || !slices.Equal(before, after) {
		t.Errorf("processors before %v, after %v (%v)", before, after, err)
	}
}

// TestMissingProgram proves that a program that is not there is an error at the
// start.
func TestMissingProgram(t *testing.T) {
	_, err := Start(filepath.Join(t.TempDir(), "none"), nil, filepath.Join(t.TempDir(), "log"), nil)
	if err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("%v", err)
	}
}

// TestLastLinesOfACrash proves that of a server that crashed the cause is quoted, not
// the end of its stacks, and that other text gives its last lines.
func TestLastLinesOfACrash(t *testing.T) {
	stacks := strings.Repeat("\nmain.f()\n\tmain.go:1 +0x1\n", 100)
	for _, cause := range []string{
		"panic: runtime error: index out of range [7] with length 7", "fatal error: all goroutines are asleep - deadlock!",
		"SIGSEGV: segmentation violation", "runtime: out of memory: cannot allocate 4194304-byte block (0 in use)",
	} {
		lines := LastLines("time=1 level=INFO msg=serving\n" + cause + "\n\ngoroutine 1 [running]:" + stacks)
		if len(lines) != logTailLines || lines[0] != cause || lines[1] != "goroutine 1 [running]:" {
			t.Errorf("%s: %q", cause, lines)
		}
	}
	if lines := LastLines("panic: short\n"); len(lines) != 1 || lines[0] != "panic: short" {
		t.Errorf("%q", lines)
	}
	if lines := LastLines("comet: cannot start: no panic: here\n"); len(lines) != 1 {
		t.Errorf("%q", lines)
	}
	if lines := LastLines(strings.Repeat("a\n", 50) + "z\n"); len(lines) != logTailLines || lines[logTailLines-1] != "z" {
		t.Errorf("%q", lines)
	}
}
