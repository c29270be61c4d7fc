package sample

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Proves that the environment of this machine is found, can be written as JSON,
// and does not tell the machine's name or the folder of the program.
func TestReadEnvironment(t *testing.T) {
	e := ReadEnvironment("")
	if e.Kernel == unknown || e.CPU.Logical < 1 || e.CPU.Allowed < 1 || e.MemoryBytes <= 0 || e.Limits.DescriptorsSoft == 0 {
		t.Errorf("not found: %+v", e)
	}
	if len(e.Program.Binary) != 64 || e.Program.Go == "" || !strings.Contains(e.Program.Main, "c1000k") {
		t.Errorf("the program is not described: %+v", e.Program)
	}
	if e.Sysctls["net.core.somaxconn"] == "" {
		t.Errorf("no sysctls: %v", e.Sysctls)
	}
	data, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	if name, err := os.Hostname(); err == nil && len(name) > 4 && strings.Contains(string(data), name) {
		t.Errorf("the machine's name %q is in the environment", name)
	}
	if strings.Contains(e.Program.Command[0], "/") {
		t.Errorf("the command tells the program's folder: %q", e.Program.Command[0])
	}
}

// Proves that siblings are told from processors of their own, and that a
// machine which does not say is unknown, not "no".
func TestSiblings(t *testing.T) {
	apart, shared := t.TempDir(), t.TempDir()
	write(t, apart+"/cpu0/topology/thread_siblings_list", "0\n")
	write(t, apart+"/cpu1/topology/thread_siblings_list", "1\n")
	write(t, shared+"/cpu0/topology/thread_siblings_list", "0-1\n")
	write(t, shared+"/cpu1/topology/thread_siblings_list", "0-1\n")
	if sets, answer := siblings(apart); answer != "no" || len(sets) != 2 {
		t.Errorf("apart: %v %s", sets, answer)
	}
	if sets, answer := siblings(shared); answer != "yes" || len(sets) != 1 {
		t.Errorf("shared: %v %s", sets, answer)
	}
	if _, answer := siblings(t.TempDir()); answer != unknown {
		t.Errorf("nothing said: %s", answer)
	}
}

// Proves that a list of processors is counted, and nonsense is not.
func TestOnline(t *testing.T) {
	for text, want := range map[string]int{"0-3\n": 4, "0\n": 1, "0-1,4,6-7": 5, "x": 0, "0-y": 0} {
		path := t.TempDir() + "/online"
		write(t, path, text)
		if got := online(path); got != want {
			t.Errorf("online %q: %d, want %d", text, got, want)
		}
	}
}

// Proves that an accounting option is y, n, or unknown where there is no
// configuration to read, never n by default.
func TestAccounting(t *testing.T) {
	config := parseConfig(strings.NewReader("# a comment\nCONFIG_PARAVIRT_TIME_ACCOUNTING=y\n# CONFIG_IRQ_TIME_ACCOUNTING is not set\nCONFIG_HZ=250\n"))
	got := accounting(config)
	if got["CONFIG_PARAVIRT_TIME_ACCOUNTING"] != "y" || got["CONFIG_IRQ_TIME_ACCOUNTING"] != "n" || got["CONFIG_HZ"] != "250" {
		t.Errorf("%v", got)
	}
	if got := accounting(parseConfig(strings.NewReader("nothing"))); got["CONFIG_IRQ_TIME_ACCOUNTING"] != unknown {
		t.Errorf("without a configuration: %v", got)
	}
}

// Proves that the version of control groups is read from the process's own lines.
func TestCgroupVersion(t *testing.T) {
	for text, want := range map[string]string{
		"0::/user.slice\n": "v2", "4:memory:/a\n3:cpu:/\n": "v1", "4:memory:/a\n0::/\n": "hybrid", "": "none",
	} {
		path := t.TempDir() + "/cgroup"
		write(t, path, text)
		if got := cgroupVersion(path); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	if got := cgroupVersion(t.TempDir() + "/absent"); got != unknown {
		t.Errorf("unreadable: %s", got)
	}
}

// Proves that a repository's commit and whether it was changed are told, and
// that a folder without one is unknown.
func TestReadGit(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("skipped: there is no git")
	}
	dir := t.TempDir()
	if got := readGit(dir); got.Commit != unknown || got.Dirty != nil {
		t.Errorf("no repository: %+v", got)
	}
	write(t, dir+"/file", "one")
	for _, args := range [][]string{{"init", "-q"}, {"add", "file"}, {"-c", "user.name=n", "-c", "user.email=e@example.org", "commit", "-q", "-m", "m"}} {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v %s", args, err, out)
		}
	}
	if got := readGit(dir); len(got.Commit) < 40 || got.Dirty == nil || *got.Dirty {
		t.Errorf("clean: %+v", got)
	}
	write(t, dir+"/file", "two")
	if got := readGit(dir); got.Dirty == nil || !*got.Dirty {
		t.Errorf("changed: %+v", got)
	}
}

// Proves that the state of the machine can be read.
func TestReadMachine(t *testing.T) {
	m, err := ReadMachine()
	if err != nil || m.MemoryAvailable <= 0 || m.MemoryTotal < m.MemoryAvailable || m.Slab <= 0 || m.At.IsZero() {
		t.Errorf("%+v, %v", m, err)
	}
}
