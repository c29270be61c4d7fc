package process

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"
)

// fakeExit is the exit status of a server that fails.
const fakeExit = 7

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
		case "speak-and-fail":
			for i := range 20 {
				fmt.Println("line", i)
			}
			os.Exit(fakeExit)
		}
	}
	os.Exit(m.Run())
}
