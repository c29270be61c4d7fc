package slack

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// environment has the test binary be a process of its own, which says how it began.
const (
	environment   = "C1000K_SLACK_TEST"
	loopsVariable = "C1000K_SLACK_LOOPS"
)

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
		loops  int
		others time.Duration
	}{
		{"first", "", Processors(), monitor},
		{"more loops than processors", "", Processors() + 1, monitorOfMany},
		{"slack not kept", anew + "=1", 1, of()},
	} {
		t.Run(test.name, func(t *testing.T) {
			path, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(path, "-test.run=^TestProcess$")
			cmd.Env = append(os.Environ(), environment+"=kept", loopsVariable+"="+strconv.Itoa(test.loops))
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

// TestStart proves that a process is begun with the slack that was asked for, and that
// the caller's own stays as it was, also where nothing could be begun.
func TestStart(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const asked = 3 * time.Millisecond
	before := of()
	var child []byte
	err := Start(asked, func() (err error) {
		child, err = exec.Command("cat", "/proc/self/timerslack_ns").Output()
		return err
	})
	if err != nil || strings.TrimSpace(string(child)) != strconv.Itoa(int(asked)) {
		t.Errorf("a process begun so has %q: %v", child, err)
	}
	failure := errors.New("no such program")
	if err := Start(asked, func() error { return failure }); err != failure {
		t.Errorf("%v instead of %v", err, failure)
	}
	if of() != before {
		t.Errorf("the caller's slack went from %v to %v", before, of())
	}
}

// TestLoops proves that loops for which there are processors have a right each to run
// Go code, with some to spare, that more loops share what rights there are, that fewer
// take none away, and that the number of processors is told as before.
func TestLoops(t *testing.T) {
	before, processors := runtime.GOMAXPROCS(0), Processors()
	defer runtime.GOMAXPROCS(before)
	for _, test := range []struct {
		what    string
		prepare func(int)
		n, want int
	}{
		{"more loops than processors", Loops, processors + 1, before},
		{"a loop a processor", Loops, processors, processors + beside},
		{"threads, however many", Rights, processors + 3, processors + 3 + beside},
		{"fewer loops", Loops, 1, processors + 3 + beside},
	} {
		test.prepare(test.n)
		if got := runtime.GOMAXPROCS(0); got != test.want {
			t.Errorf("%s: %d may run, want %d", test.what, got, test.want)
		}
	}
	if Processors() != processors {
		t.Errorf("%d processors, and %d before", Processors(), processors)
	}
}

// tell is that process: it says its number, the slack of its threads, and what it finds
// in its environment.
func tell() {
	loops, _ := strconv.Atoi(os.Getenv(loopsVariable))
	Process(loops, func() bool { return true })
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
