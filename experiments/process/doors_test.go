package process

import (
	"net"
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
