package process

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"
)

// claimedBase is where two processes look for ports at once.
const claimedBase = 16_000

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
		case "claim": // a range of ports, until the input ends
			d, _, err := FindDoors(claimedBase)
			fmt.Println(d.Admin, err)
			io.Copy(io.Discard, os.Stdin)
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
