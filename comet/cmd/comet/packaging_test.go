package main

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// script reads a file of the folder scripts.
func script(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "scripts", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestUnit proves that systemd accepts the unit.
func TestUnit(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	// systemd looks whether the program is there.
	const program = "/usr/local/bin/comet"
	unit := script(t, "comet.service")
	if !strings.Contains(unit, "ExecStart="+program+" ") {
		t.Fatalf("the unit does not start %s", program)
	}
	path := filepath.Join(t.TempDir(), "comet.service")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(unit, program, built(t))), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("systemd-analyze", "verify", path).CombinedOutput()
	if err != nil || strings.Contains(string(out), "comet.service") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestExampleConfig proves that the example file sets nothing but defaults, and
// that the lines in it that are commented out are settings too.
func TestExampleConfig(t *testing.T) {
	text := script(t, "comet.toml")
	parse := func(text string) *options {
		t.Helper()
		o, err := inputs{args: []string{"--config", configFile(t, text)}}.parse(io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	if changed := parse(text).given.changed(fromFile); len(changed) != 0 {
		t.Errorf("the example changes %v", changed)
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("sesame"), 0o600); err != nil {
		t.Fatal(err)
	}
	whole := regexp.MustCompile(`(?m)^# (admin-\w+|trusted)`).ReplaceAllString(text, "$1")
	o := parse(strings.ReplaceAll(whole, "/etc/comet/secret", secret))
	if changed := o.given.changed(fromFile); len(changed) != 4 || o.access == nil || string(o.secret) != "sesame" {
		t.Errorf("the whole example changes %v", changed)
	}
}

// TestSeccomp proves that the rules for containers name the calls that a
// container refuses, and permit of unshare no more than a thread's own
// descriptor table.
func TestSeccomp(t *testing.T) {
	var rules []struct {
		Names  []string
		Action string
		Args   []struct {
			Index, Value int
			Op           string
		}
	}
	if err := json.Unmarshal([]byte(script(t, "seccomp.json")), &rules); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range rules {
		names = append(names, r.Names...)
		if r.Action != "SCMP_ACT_ALLOW" {
			t.Errorf("%v: %s", r.Names, r.Action)
		}
		if slices.Contains(r.Names, "unshare") && (len(r.Args) != 1 || r.Args[0].Index != 0 || r.Args[0].Value != 0x400 || r.Args[0].Op != "SCMP_CMP_EQ") {
			t.Errorf("unshare is not held to CLONE_FILES: %+v", r.Args)
		}
	}
	slices.Sort(names)
	if want := []string{"io_uring_enter", "io_uring_register", "io_uring_setup", "unshare"}; !slices.Equal(names, want) {
		t.Errorf("the rules are for %v, want %v", names, want)
	}
}
