package comet

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unsafe"
)

// TestRecordSizes holds the memory budget: what a held poll costs beside its
// channel, whose own record package hub holds.
func TestRecordSizes(t *testing.T) {
	if n := unsafe.Sizeof(conn{}); n != 48 {
		t.Errorf("a connection's record is %d bytes, not 48", n)
	}
	if subscriptionBytes != 32 {
		t.Errorf("each of several channels of a connection costs %d bytes, not 32", subscriptionBytes)
	}
}

// pure are the packages that decide and touch nothing: they import no I/O and
// no clock. arena alone may map memory.
var pure = map[string]bool{"comet": true, "comet/wire": true, "comet/hub": true, "comet/arena": true, "comet/switches": true, "comet/pace": true}

var impure = []string{"net", "os", "syscall", "io", "log", "golang.org/x/sys/unix"}

// floors, from the ground up: nobody imports from a higher one.
var floors = []string{"comet/internal/plant", "comet/switches", "comet/arena", "comet/wire", "comet/hub", "comet"}

// TestHouse proves who may import what: pure packages no I/O, lower floors
// nothing from higher ones, engines nothing from one another, and giouring
// the io_uring engine alone.
func TestHouse(t *testing.T) {
	root := ".."
	floorOf := map[string]int{}
	for i, f := range floors {
		floorOf[f] = i
	}
	engines := []string{"uring", "experiments/baseline/epoll", "experiments/baseline/gonet", "comet/sim"}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() != ".." && strings.HasPrefix(d.Name(), ".")) {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		pkg, _ := filepath.Rel(root, filepath.Dir(path))
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range f.Imports {
			imp, _ := strconv.Unquote(spec.Path.Value)
			if pure[pkg] {
				for _, bad := range impure {
					if (imp == bad || strings.HasPrefix(imp, bad+"/")) && !(pkg == "comet/arena" && strings.HasSuffix(imp, "unix")) {
						t.Errorf("%s imports %s: it may do no I/O", path, imp)
					}
				}
			}
			if strings.Contains(imp, "giouring") && pkg != "uring" {
				t.Errorf("%s imports giouring: only uring may", path)
			}
			inner, ours := strings.CutPrefix(imp, "c1000k/")
			if !ours {
				continue
			}
			if from, ok := floorOf[pkg]; ok {
				if to, ok := floorOf[inner]; !ok || to >= from {
					t.Errorf("%s imports %s, which is not a lower floor", path, imp)
				}
			}
			for _, e := range engines {
				for _, other := range engines {
					if pkg == e && inner == other {
						t.Errorf("%s imports the engine %s", path, imp)
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestNoClock proves that the pure packages read no clock: time is an argument.
func TestNoClock(t *testing.T) {
	for pkg := range pure {
		files, err := filepath.Glob(filepath.Join("..", pkg, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v, %d files", pkg, err, len(files))
		}
		for _, path := range files {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			src, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, clock := range []string{"time.Now", "time.Since", "time.After", "time.NewTimer", "time.Sleep"} {
				if strings.Contains(string(src), clock) {
					t.Errorf("%s uses %s", path, clock)
				}
			}
		}
	}
}
