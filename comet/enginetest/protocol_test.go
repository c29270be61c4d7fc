package enginetest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// moduleRoot is where the folders of Go tests are.
const moduleRoot = "../.."

// TestProtocolRows proves that each row of the protocol has a key of its own
// and something that shows it, and that what it names is there: the suite's
// tests, and Go tests in the sources. Run proves on every engine that each of the
// cases, also within a test, is there and ran.
func TestProtocolRows(t *testing.T) {
	known := map[string]bool{}
	for _, c := range suite {
		known[c.name] = true
	}
	keys := map[string]bool{}
	for _, row := range protocol {
		if keys[row.key] {
			t.Errorf("two rows are called %s", row.key)
		}
		keys[row.key] = true
		if len(row.cases)+len(row.elsewhere) == 0 {
			t.Errorf("row %s: nothing shows it", row.key)
		}
		for _, name := range row.cases {
			if test, _, _ := strings.Cut(name, "/"); !known[test] {
				t.Errorf("row %s: the suite has no %q", row.key, test)
			}
		}
		for _, name := range row.elsewhere {
			folder, test, _ := strings.Cut(name, " ")
			if !hasTest(t, folder, test) {
				t.Errorf("row %s: there is no %s in %s", row.key, test, folder)
			}
		}
	}
}

// hasTest looks for a Go test in the sources of a folder.
func hasTest(t *testing.T, folder, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(moduleRoot, folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	declared := regexp.MustCompile(`(?m)^func ` + regexp.QuoteMeta(name) + `\(t \*testing\.T\) \{`)
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if declared.Match(text) {
			return true
		}
	}
	return false
}
