package main

import (
	"io"
	"strings"
	"testing"
)

// TestDebugDoorOfIP4 proves that a debug door for all addresses of IPv4 is not open
// to IPv6 as well, by which it would be reached past rules that are for IPv4.
func TestDebugDoorOfIP4(t *testing.T) {
	for _, spec := range []string{"0.0.0.0:0", ":0"} {
		door, err := openDebugDoor(spec, false, newLogger(parsed(t), io.Discard).Logger)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(door.addrs[0], "0.0.0.0:") {
			t.Errorf("--debug %s listens on %s", spec, door.addrs[0])
		}
		door.close()
	}
}
