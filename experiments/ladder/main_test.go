package ladder

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"c1000k/experiments/floor"
	"c1000k/experiments/load"
)

// TestMain lets the test binary stand in for the processes that a ladder
// starts: which one, its first argument says.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch role := os.Args[1]; {
		case strings.HasPrefix(role, "--engine="):
			os.Exit(runFake(os.Args[1:]))
		case role == "load":
			os.Exit(runRole(os.Args[2:], func(o load.Options) error { return load.Run(o, os.Stdin, os.Stdout) }))
		case role == "floor-accept":
			os.Exit(runRole(os.Args[2:], func(o floor.ServeOptions) error { return floor.Serve(o, os.Stdin, os.Stdout) }))
		}
	}
	os.Exit(m.Run())
}

// runRole is the main of a process that takes its options from the command line.
func runRole[O any](args []string, run func(O) error) int {
	var o O
	parser, err := kong.New(&o)
	if err == nil {
		_, err = parser.Parse(args)
	}
	if err == nil {
		err = run(o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// self is the test binary.
func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
