// Package slack keeps the Go runtime's monitor from costing a server more than its
// messages do.
//
// The monitor is a thread that looks, each 20 us while anything has happened, for
// threads that have been in the kernel for longer, and takes from them the right to
// run Go code. A loop that sleeps between messages is always in the kernel for longer:
// the monitor never rests, and the loop comes back to find its right gone, which
// wakes the monitor anew. At 5,000 pushes a second that was more than half of the
// server's CPU. The monitor's sleeps are timers like others, and a thread's timer
// slack says how late the kernel may end them; threads inherit it, so a process that
// has it from its first moment has a monitor that looks less often.
//
// What that changes: a thread that finds all rights held by others in the kernel waits
// for one until the monitor looks. So the loops have a right each, and there are some
// for what else runs (see Rights). Where more loops than processors may run at a time
// they share what rights there are (see Loops), since a kernel that has to choose among
// all of them makes a broadcast dearer, and the monitor looks more often. A loop's
// thread sets its own slack back, since its waits are what it would delay.
package slack

import (
	"os"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// monitor is the slack of all threads but loops.
	monitor = 4 * time.Millisecond
	// monitorOfMany is the same where more loops than processors may run at a time, and
	// some wait for a right.
	monitorOfMany = 200 * time.Microsecond
	// usual is the kernel's own, which loops have.
	usual = 50 * time.Microsecond
	// anew is a variable of the environment by which a process knows that it has
	// begun anew, and takes out: where what stands for a kernel keeps no slack over
	// that, it would do so for ever.
	anew = "C1000K_BEGUN_ANEW"
)

// Process has the process begin anew, with the same arguments and environment, with
// threads whose sleeps may last longer, as is good where so many loops run at a time.
// Call it before
// anything is opened or said. It does nothing where the process has begun so, and where
// that cannot be had: it is a saving, no need. Last of all it calls leave, and stays where
// that says so: what signals have come, say, is lost with what the process was.
func Process(running int, leave func() bool) {
	runtime.LockOSThread() // slack is a thread's, and so is what is read of it here
	defer runtime.UnlockOSThread()
	if os.Getenv(anew) != "" {
		_ = os.Unsetenv(anew) // it fails of no name that stands there
		return
	}
	want := monitor
	if running > processors {
		want = monitorOfMany
	}
	if of() >= want {
		return
	}
	_ = Start(want, func() error {
		if of() != want {
			return nil // the kernel keeps none for this thread, and it would begin anew for ever
		}
		path, err := os.Executable()
		if err != nil {
			return err
		}
		if !leave() {
			return nil
		}
		keepParentDeath()
		return syscall.Exec(path, os.Args, append(os.Environ(), anew+"=1")) // comes back only where it failed
	})
}

// parentDeath is the signal that this process is to get when who started it dies; 0:
// none.
var parentDeath int32

// The kernel keeps it with a thread, at first with the process's first, on which package
// functions init are run.
func init() {
	// A variable of the package does not move while the kernel writes to it.
	if err := unix.Prctl(unix.PR_GET_PDEATHSIG, uintptr(unsafe.Pointer(&parentDeath)), 0, 0, 0); err != nil {
		parentDeath = 0
	}
}

// keepParentDeath has the calling thread wish for that signal, too: what begins anew has
// only what the thread had that began it. Without that an experiment which was killed
// left its servers behind.
func keepParentDeath() {
	if parentDeath != 0 {
		_ = unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(parentDeath), 0, 0, 0) // it fails of no signal that it gave
	}
}

// Start runs start, whose error it returns, on the calling thread with a slack of d,
// which a process begun meanwhile has on all its threads; then the caller has its own
// back. Where the kernel does not tell a slack it is left as it is: it is a saving, no
// need.
func Start(d time.Duration, start func() error) error {
	runtime.LockOSThread() // slack is a thread's
	defer runtime.UnlockOSThread()
	before := of()
	if before < 0 {
		return start()
	}
	set(d)
	defer set(before)
	return start()
}

// beside is how many threads may run Go code beside the loops without waiting for a
// right: the collector's, the debug door's, who starts and stops. The collector takes
// a quarter of all rights while it marks, those of loops that sleep among them; a
// server's heap is a few megabytes.
const beside = 4

// processors is what the process may use, before rights were added.
var processors = runtime.GOMAXPROCS(0)

// Processors is how many processors the process may use: GOMAXPROCS as it began.
func Processors() int { return processors }

// Loops prepares the Go runtime for so many loops which all may run at a time, before
// they start. Where there are processors for all, none waits for the right to run Go
// code.
func Loops(n int) {
	if n <= processors {
		Rights(n)
	}
}

// Rights has so many threads, and a few beside them, never wait for the right to run Go
// code. It stops all goroutines for a moment. The rights are never taken back.
func Rights(n int) {
	if want := n + beside; runtime.GOMAXPROCS(0) < want {
		runtime.GOMAXPROCS(want)
	}
}

// Loop has the calling thread's own sleeps end on time. The caller is locked to it
// for good.
func Loop() { set(usual) }

// of is the calling thread's slack; negative if it cannot be known.
func of() time.Duration {
	ns, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil {
		return -1
	}
	return time.Duration(ns)
}

func set(d time.Duration) { _ = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(d), 0, 0, 0) }
