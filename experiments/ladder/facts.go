package ladder

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"c1000k/experiments/process"
	"c1000k/experiments/result"
	"c1000k/experiments/sample"
)

// serverFacts is what the ladder reads of the debug door's /facts.
type serverFacts struct {
	Engine     string            `json:"engine"`
	Loops      int               `json:"loops"`
	Rings      int               `json:"rings"`
	Tables     int               `json:"tables"`
	TableLimit int               `json:"table_limit"`
	Asked      []string          `json:"asked"`
	Got        []string          `json:"got"`
	Stats      map[string]uint64 `json:"stats"`
	Go         struct {
		HeapBytes  uint64 `json:"heap_bytes"`
		TotalBytes uint64 `json:"total_bytes"`
		GCCycles   uint64 `json:"gc_cycles"`
	} `json:"go"`
	PID int `json:"pid"`
}

// askFacts asks the debug door.
func askFacts(ctx context.Context, d process.Doors) (serverFacts, error) {
	body, err := process.Get(ctx, "http://"+d.DebugAddr()+"/facts")
	if err != nil {
		return serverFacts{}, err
	}
	var f serverFacts
	if err := json.Unmarshal(body, &f); err != nil {
		return serverFacts{}, fmt.Errorf("/facts cannot be read: %w", err)
	}
	return f, nil
}

// readServerMemory reads a server's user memory and its Go runtime's share.
func readServerMemory(ctx context.Context, pid int, d process.Doors) (*result.Memory, error) {
	f, err := askFacts(ctx, d)
	if err != nil {
		return nil, err
	}
	m, err := sample.ReadMemory(pid)
	if err != nil {
		return nil, err
	}
	return &result.Memory{Memory: m, GoHeap: &f.Go.HeapBytes, GoSys: &f.Go.TotalBytes}, nil
}

// fileHash is the SHA-256 of a file in hexadecimal, or empty.
func fileHash(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return ""
	}
	return hex.EncodeToString(h.Sum(nil))
}

// commandLine is a command without the folder of its program, which says
// nothing of the run.
func commandLine(path string, args []string) []string {
	return append([]string{filepath.Base(path)}, args...)
}

// descriptorLimit is the soft limit of open files of a process, 0 where it
// cannot be read.
func descriptorLimit(pid int) uint64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	if err != nil {
		return 0
	}
	for _, l := range strings.Split(string(text), "\n") {
		if rest, ok := strings.CutPrefix(l, "Max open files"); ok {
			var soft uint64
			if _, err := fmt.Sscan(rest, &soft); err != nil {
				return 0
			}
			return soft
		}
	}
	return 0
}
