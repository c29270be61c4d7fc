package profdiff

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// SidecarVersion is the version of the sidecar's format that this package
// writes and reads.
const SidecarVersion = 1

// Sidecar says what a profile covers. It lies beside the profile under the
// profile's name with .json in place of .pb.gz.
type Sidecar struct {
	Version     int     `json:"version"`
	Engine      string  `json:"engine"`
	Kind        string  `json:"kind"`        // cpu, heap, fgprof
	Connections int     `json:"connections"` // held meanwhile
	Messages    int64   `json:"messages"`    // delivered while the profile ran; heap: since the server's start
	Seconds     float64 `json:"seconds"`     // covered by the profile; heap: 0
	Scope       string  `json:"scope"`       // what Messages counts, in words
	// CPU is what the server used meanwhile by the kernel's own clock, in seconds:
	// a profile that shows much less has missed it. 0 where it was not read.
	CPU float64 `json:"cpu_seconds,omitempty"`
}

// SidecarPath is where the sidecar of the profile at path lies.
func SidecarPath(path string) string {
	for _, ext := range []string{".pb.gz", ".pb", ".pprof", ".gz"} {
		if base, ok := strings.CutSuffix(path, ext); ok {
			return base + ".json"
		}
	}
	return path + ".json"
}

// WriteSidecar writes the sidecar of the profile at path.
func WriteSidecar(path string, s Sidecar) error {
	s.Version = SidecarVersion
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(SidecarPath(path), append(text, '\n'), 0o644)
}

// ReadSidecar reads the sidecar of the profile at path.
func ReadSidecar(path string) (Sidecar, error) {
	name := SidecarPath(path)
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return Sidecar{}, fmt.Errorf("%s has no sidecar %s that says how many messages it covers: give the number by flag", path, name)
	}
	if err != nil {
		return Sidecar{}, err
	}
	var s Sidecar
	if err := json.Unmarshal(text, &s); err != nil {
		return Sidecar{}, fmt.Errorf("%s: %w", name, err)
	}
	if s.Version != SidecarVersion {
		return Sidecar{}, fmt.Errorf("%s: version %d, this program reads version %d", name, s.Version, SidecarVersion)
	}
	if s.Messages <= 0 {
		return Sidecar{}, fmt.Errorf("%s: covers %d messages: nothing can be divided by that", name, s.Messages)
	}
	return s, nil
}
