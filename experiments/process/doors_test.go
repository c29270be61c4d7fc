package process

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// TestDoorsStepAside proves that a range with a taken port is left for the next,
// and that two servers get different ports.
func TestDoorsStepAside(t *testing.T) {
	first, next, err := FindDoors(13_000)
	if err != nil {
		t.Fatal(err)
	}
	if next <= first.LastPort || first.LastPort-first.FirstPort+1 != FrontPorts {
		t.Fatalf("%+v, next %d", first, next)
	}
	l, err := net.Listen("tcp", net.JoinHostPort(first.Host, strconv.Itoa(first.LastPort)))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	second, _, err := FindDoors(first.Admin)
	if err != nil {
		t.Fatal(err)
	}
	if second.Admin == first.Admin {
		t.Errorf("port %d is taken, and yet %+v", first.LastPort, second)
	}
}

// TestNoRoomForDoors proves that a base without room below the source ports is
// refused with the reason.
func TestNoRoomForDoors(t *testing.T) {
	_, _, err := FindDoors(localPortsFrom() - 10)
	if err == nil || !strings.Contains(err.Error(), "source ports") {
		t.Errorf("%v", err)
	}
}

// TestDoorsOfTwoProcesses proves that two processes do not find the same ports free
// before either listens there.
func TestDoorsOfTwoProcesses(t *testing.T) {
	other := exec.Command(os.Args[0], "claim")
	in, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	var theirs int
	var failure string
	if _, err := fmt.Fscan(out, &theirs, &failure); err != nil || theirs < claimedBase || failure != "<nil>" {
		t.Fatalf("%d, %s, %v", theirs, failure, err)
	}
	if d, _, err := FindDoors(theirs); err != nil || d.Admin == theirs {
		t.Errorf("both have %d (%v)", d.Admin, err)
	}
	in.Close()
	if err := other.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := claim(theirs); err != nil {
		t.Errorf("it is gone, and the ports from %d are not to be had: %v", theirs, err)
	}
}
