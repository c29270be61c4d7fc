package process

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"c1000k/comet/slack"
)

// claimedBase is where two processes look for ports at once.
const claimedBase = 16_000

// fakeExit is the exit status of a server that fails.
const fakeExit = 7

// elsewhere calls f on a thread that is not the process's first.
func elsewhere(f func()) {
	done := make(chan bool)
	go func() {
		defer close(done)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if unix.Gettid() == os.Getpid() {
			elsewhere(f) // this one is taken meanwhile
			return
		}
		f()
	}()
	<-done
}

// TestMain lets the test binary stand in for the servers that are started: which
// one, its first argument says.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "deaf":
			signal.Ignore(syscall.SIGTERM)
			fmt.Println("deaf: ready")
			time.Sleep(time.Minute)
			os.Exit(0)
		case "claim": // a range of ports, until the input ends
			d, _, err := FindDoors(claimedBase)
			fmt.Println(d.Admin, err)
			io.Copy(io.Discard, os.Stdin)
			os.Exit(0)
		case "anew": // as a server does: it begins anew, by another thread than its first, and serves
			elsewhere(func() { slack.Process(1, func() bool { return true }) })
			fmt.Println("anew: ready")
			time.Sleep(time.Minute)
			os.Exit(0)
		case "parent": // of a server, until it is killed
			c, err := Start(os.Args[2], []string{"anew"}, os.Args[3], nil)
			if err != nil {
				fmt.Println(err)
				os.Exit(fakeExit)
			}
			fmt.Println(c.PID())
			time.Sleep(time.Minute)
			os.Exit(0)
		case "speak-and-fail":
			for i := range 20 {
				fmt.Println("line", i)
			}
			os.Exit(fakeExit)
		}
	}
	os.Exit(m.Run())
}
