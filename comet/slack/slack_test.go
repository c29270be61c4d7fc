package slack

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

// environment has the test binary be a process of its own, which says how it began.
const environment = "C1000K_SLACK_TEST"

// TestProcess proves that a process begins anew as the same one, with its arguments
// and environment, that all its threads have the slack then, and that it does so once,
// also where it finds no slack then; and that a loop's thread has its own back.
func TestProcess(t *testing.T) {
	if os.Getenv(environment) != "" {
		tell()
	}
	for _, test := range []struct {
		name   string
		begun  string
		others time.Duration
	}{{"first", "", monitor}, {"slack not kept", anew + "=1", of()}} {
		t.Run(test.name, func(t *testing.T) {
			path, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(path, "-test.run=^TestProcess$")
			cmd.Env = append(os.Environ(), environment+"=kept")
			if test.begun != "" {
				cmd.Env = append(cmd.Env, test.begun)
			}
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			want := fmt.Sprintln("began", cmd.Process.Pid, test.others, test.others, usual, "kept", "")
			if strings.Count(string(out), "began") != 1 || string(out) != want {
				t.Errorf("got %q, want %q", out, want)
			}
		})
	}
}

// TestLoops proves that loops which are more than the processors have rights of their
// own to run Go code, with some to spare, that fewer take none away, and that the
// number of processors is told as before.
func TestLoops(t *testing.T) {
	before, processors := runtime.GOMAXPROCS(0), Processors()
	defer runtime.GOMAXPROCS(before)
	for _, n := range []int{before + 3, 1} {
		Loops(n)
		if got, want := runtime.GOMAXPROCS(0), before+3+beside; got != want {
			t.Errorf("%d loops: %d may run, want %d", n, got, want)
		}
	}
	if Processors() != processors {
		t.Errorf("%d processors, and %d before", Processors(), processors)
	}
}

// tell is that process: it says its number, the slack of its threads, and what it finds
// in its environment.
func tell() {
	Process()
	elsewhere, loop := make(chan time.Duration), make(chan time.Duration)
	runtime.LockOSThread()
	go func() { elsewhere <- of() }()
	other := <-elsewhere
	go func() {
		runtime.LockOSThread()
		Loop()
		loop <- of()
	}()
	fmt.Println("began", os.Getpid(), of(), other, <-loop, os.Getenv(environment), os.Getenv(anew))
	os.Exit(0)
}
