package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// step is a command of the README and what it prints.
type step struct{ command, want string }

// readmeSteps are the commands in the README's consoles, in order.
func readmeSteps(t *testing.T) (steps []step) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	in := false
	for line := range strings.Lines(string(text)) {
		switch command, isCommand := strings.CutPrefix(line, "$ "); {
		case strings.HasPrefix(line, "```"):
			in = line == "```console\n"
		case !in:
		case isCommand:
			steps = append(steps, step{command: strings.TrimSuffix(command, "\n")})
		default:
			steps[len(steps)-1].want += line
		}
	}
	return steps
}

var (
	tokenValue  = regexp.MustCompile(`"token":"[0-9a-f]{32}"`)
	cursorValue = regexp.MustCompile(`"next":"[0-9a-f]{16}"`)
	epochValue  = regexp.MustCompile(`"content":"[0-9a-f]{16}`)
)

// TestReadme proves that every command of the README's walk through the paths
// prints what stands there, on the default engine.
func TestReadme(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skipf("the README's commands are curl's: %v", err)
	}
	steps := readmeSteps(t)
	if len(steps) < 20 {
		t.Fatalf("%d commands in the README: is it read right?", len(steps))
	}
	s := start(t)
	// The server of a test has one front port, and any; commands name the defaults.
	ports := strings.NewReplacer("127.0.0.1:8000", s.admin)
	front := regexp.MustCompile(`127\.0\.0\.1:81\d\d`)
	functions := ""
	for _, x := range steps {
		command := front.ReplaceAllString(ports.Replace(x.command), s.front)
		if strings.HasPrefix(command, "held()") {
			functions = command + "\n"
			continue
		}
		out, err := exec.Command("bash", "-c", functions+command+"\nwait").CombinedOutput()
		got := tokenValue.ReplaceAllString(string(out), `"token":"TOKEN"`)
		got = cursorValue.ReplaceAllString(got, `"next":"CURSOR"`)
		got = epochValue.ReplaceAllString(got, `"content":"EPOCH`)
		if got != x.want {
			t.Errorf("%s\nprints (%v)\n%swant\n%s", x.command, err, got, x.want)
		}
	}
}
