//go:build !race

package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// maxEmptyRES is the resident memory, in KB, that a server with a million
// channels and no connection may have: the article's figure, 24 MB.
const maxEmptyRES = 24 << 10

// TestEmptyServerIsSmall proves that a million channels and a million
// connections' records are reserved and not touched.
func TestEmptyServerIsSmall(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		most := "1000064"
		if engine == "gonet" {
			most = "500" // it has one table; under most limits no million fits
		}
		s := start(t, "--engine", engine, "--channels", "1000000", "--max-connections", most)
		res := statusKB(t, s.cmd.Process.Pid, "VmRSS")
		t.Logf("resident %d KB: %d anonymous, %d of files", res,
			statusKB(t, s.cmd.Process.Pid, "RssAnon"), statusKB(t, s.cmd.Process.Pid, "RssFile"))
		if res > maxEmptyRES {
			t.Errorf("resident memory of an empty server: %d KB, want at most %d", res, maxEmptyRES)
		}
	})
}

// statusKB reads a field of /proc/PID/status.
func statusKB(t *testing.T, pid int, field string) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var kb int
		if n, _ := fmt.Sscanf(line, field+": %d kB", &kb); n == 1 {
			return kb
		}
	}
	t.Fatalf("no %s in /proc/%d/status", field, pid)
	return 0
}
