package sample

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sort"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// unknown stands for what the machine does not tell.
const unknown = "unknown"

// Environment is what a result must be read with. The name of the machine is
// not part of it.
type Environment struct {
	Kernel       string   `json:"kernel"`
	KernelBuild  string   `json:"kernel_build"`
	Architecture string   `json:"architecture"`
	CPU          CPUModel `json:"cpu"`
	MemoryBytes  int64    `json:"memory_bytes"`
	// Mitigations are the kernel's words on each weakness of the processor.
	Mitigations map[string]string `json:"mitigations,omitempty"`
	// Accounting are the kernel's options of CPU accounting: y, n or unknown.
	// Figures of kernels that differ in them are not compared.
	Accounting map[string]string `json:"cpu_accounting"`
	Sysctls    map[string]string `json:"sysctls"`
	Limits     Limits            `json:"limits"`
	Container  Container         `json:"container"`
	Program    Program           `json:"program"`
	// Privileged is true for root.
	Privileged bool `json:"root"`
}

// CPUModel describes the processors.
type CPUModel struct {
	Model   string `json:"model"`
	Logical int    `json:"logical_cpus"`
	// Allowed is how many of them this process may use.
	Allowed int `json:"allowed_cpus"`
	// Siblings is yes where two logical processors share a core, no where none
	// do, unknown where the machine does not say (a guest is not always told).
	Siblings    string   `json:"siblings"`
	SiblingSets []string `json:"sibling_sets,omitempty"`
	Hypervisor  bool     `json:"hypervisor"`
	Governor    string   `json:"governor"`
}

// Limits are the limits of this process, which its children inherit.
type Limits struct {
	DescriptorsSoft uint64 `json:"descriptors_soft"`
	DescriptorsHard uint64 `json:"descriptors_hard"`
	MemlockSoft     uint64 `json:"memlock_soft_bytes"`
	ProcessesSoft   uint64 `json:"processes_soft"`
}

// Container says what of a container can be seen from inside.
type Container struct {
	// Cgroup is v1, v2, hybrid, none or unknown.
	Cgroup string `json:"cgroup"`
	// Hints are the signs found that this is a container; none is no proof.
	Hints []string `json:"hints,omitempty"`
	// Seccomp is the filter mode: off, strict, filter or unknown.
	Seccomp string `json:"seccomp"`
}

// Program is what was run.
type Program struct {
	Go         string            `json:"go"`
	GoMaxProcs int               `json:"gomaxprocs"`
	Settings   map[string]string `json:"build_settings,omitempty"`
	Main       string            `json:"main"`
	// Modules are the versions of the modules built in.
	Modules map[string]string `json:"modules,omitempty"`
	// Binary is the SHA-256 of the executable.
	Binary string `json:"binary_sha256"`
	// Command is the command line; the program's own name without its folder.
	Command []string `json:"command"`
	Git     Git      `json:"git"`
}

// Git is the state of the repository that the run was started in.
type Git struct {
	Commit string `json:"commit"` // or unknown
	Dirty  *bool  `json:"dirty,omitempty"`
}

// ReadEnvironment collects the environment. dir is where the repository is
// looked for, "" the current folder. It never fails: what cannot be read is
// "unknown" or left out.
func ReadEnvironment(dir string) Environment {
	config := kernelConfig()
	return Environment{
		Kernel:       firstLine("/proc/sys/kernel/osrelease"),
		KernelBuild:  firstLine("/proc/sys/kernel/version"),
		Architecture: runtime.GOARCH,
		CPU:          readCPUModel(),
		MemoryBytes:  totalMemory(),
		Mitigations:  filesIn("/sys/devices/system/cpu/vulnerabilities"),
		Accounting:   accounting(config),
		Sysctls:      readSysctls("/proc/sys"),
		Limits:       readLimits(),
		Container:    readContainer(),
		Program:      readProgram(dir),
		Privileged:   os.Geteuid() == 0,
	}
}

func firstLine(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return unknown
	}
	line, _, _ := bytes.Cut(data, []byte("\n"))
	return strings.TrimSpace(string(line))
}

// filesIn reads the first line of each file of a folder.
func filesIn(dir string) map[string]string {
	names, err := readNames(dir)
	if err != nil {
		return nil
	}
	all := make(map[string]string, len(names))
	for _, name := range names {
		all[name] = firstLine(filepath.Join(dir, name))
	}
	return all
}

func totalMemory() int64 {
	m, err := ReadMachine()
	if err != nil {
		return 0
	}
	return m.MemoryTotal
}

func readCPUModel() CPUModel {
	m := CPUModel{Model: unknown, Logical: runtime.NumCPU(), Siblings: unknown, Governor: firstLine("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")}
	if n := online("/sys/devices/system/cpu/online"); n > 0 {
		m.Logical = n
	}
	m.Allowed = runtime.NumCPU()
	if f, err := os.Open("/proc/cpuinfo"); err == nil {
		defer f.Close()
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ":")
			switch strings.TrimSpace(name) {
			case "model name", "Processor":
				m.Model = strings.TrimSpace(value)
			case "flags":
				m.Hypervisor = strings.Contains(value+" ", " hypervisor ")
			}
			if m.Model != unknown && m.Hypervisor {
				break
			}
		}
	}
	m.SiblingSets, m.Siblings = siblings("/sys/devices/system/cpu")
	return m
}

// siblings reads which logical processors share a core.
func siblings(dir string) (sets []string, answer string) {
	paths, _ := filepath.Glob(filepath.Join(dir, "cpu[0-9]*", "topology", "thread_siblings_list"))
	if len(paths) == 0 {
		return nil, unknown
	}
	seen := map[string]bool{}
	answer = "no"
	for _, path := range paths {
		set := firstLine(path)
		if strings.ContainsAny(set, ",-") {
			answer = "yes"
		}
		if !seen[set] {
			seen[set] = true
			sets = append(sets, set)
		}
	}
	sort.Strings(sets)
	return sets, answer
}

// online counts the processors of a list such as 0-3,8.
func online(path string) int {
	count := 0
	for _, part := range strings.Split(firstLine(path), ",") {
		low, high, isRange := strings.Cut(part, "-")
		first, err := strconv.Atoi(low)
		if err != nil {
			return 0
		}
		last := first
		if isRange {
			if last, err = strconv.Atoi(high); err != nil {
				return 0
			}
		}
		count += last - first + 1
	}
	return count
}

// accountingOptions decide what a CPU figure contains.
var accountingOptions = []string{
	"CONFIG_IRQ_TIME_ACCOUNTING", "CONFIG_PARAVIRT_TIME_ACCOUNTING",
	"CONFIG_VIRT_CPU_ACCOUNTING_GEN", "CONFIG_TICK_CPU_ACCOUNTING", "CONFIG_HZ",
}

func accounting(config map[string]string) map[string]string {
	all := map[string]string{}
	for _, option := range accountingOptions {
		switch value, known := config[option]; {
		case config == nil:
			all[option] = unknown
		case known:
			all[option] = value
		default:
			all[option] = "n"
		}
	}
	return all
}

// kernelConfig reads the options the kernel was built with, from where the
// kernel or the distribution keeps them; nil where neither does.
func kernelConfig() map[string]string {
	if f, err := os.Open("/proc/config.gz"); err == nil {
		defer f.Close()
		if z, err := gzip.NewReader(f); err == nil {
			return parseConfig(z)
		}
	}
	f, err := os.Open("/boot/config-" + firstLine("/proc/sys/kernel/osrelease"))
	if err != nil {
		return nil
	}
	defer f.Close()
	return parseConfig(f)
}

func parseConfig(r io.Reader) map[string]string {
	config := map[string]string{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := lines.Text()
		if name, value, found := strings.Cut(line, "="); found && strings.HasPrefix(name, "CONFIG_") {
			config[name] = value
		}
	}
	if len(config) == 0 || lines.Err() != nil {
		return nil
	}
	return config
}

// sysctlNames are the settings that decide how many connections fit and what
// they cost.
var sysctlNames = []string{
	"fs/file-max", "fs/nr_open", "fs/epoll/max_user_watches",
	"kernel/io_uring_disabled", "kernel/io_uring_group", "kernel/perf_event_paranoid", "kernel/pid_max", "kernel/threads-max",
	"kernel/unprivileged_userns_clone", "kernel/sched_autogroup_enabled",
	"net/core/somaxconn", "net/core/netdev_max_backlog", "net/core/rmem_default", "net/core/wmem_default",
	"net/core/busy_poll", "net/core/busy_read", "net/core/optmem_max",
	"net/ipv4/ip_local_port_range", "net/ipv4/ip_local_reserved_ports", "net/ipv4/tcp_max_syn_backlog", "net/ipv4/tcp_mem",
	"net/ipv4/tcp_rmem", "net/ipv4/tcp_wmem", "net/ipv4/tcp_max_orphans", "net/ipv4/tcp_max_tw_buckets", "net/ipv4/tcp_tw_reuse",
	"net/ipv4/tcp_fin_timeout", "net/ipv4/tcp_keepalive_time", "net/ipv4/tcp_syncookies", "net/ipv4/tcp_congestion_control",
	"net/ipv4/tcp_abort_on_overflow", "net/ipv4/tcp_timestamps",
	"net/netfilter/nf_conntrack_max", "net/netfilter/nf_conntrack_count",
	"vm/overcommit_memory", "vm/max_map_count", "vm/swappiness", "vm/min_free_kbytes",
}

// readSysctls reads the settings below root; those the kernel lacks are left out.
func readSysctls(root string) map[string]string {
	all := map[string]string{}
	for _, name := range sysctlNames {
		if value := firstLine(filepath.Join(root, name)); value != unknown {
			all[strings.ReplaceAll(name, "/", ".")] = strings.Join(strings.Fields(value), " ")
		}
	}
	return all
}

func readLimits() Limits {
	var l Limits
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) == nil {
		l.DescriptorsSoft, l.DescriptorsHard = r.Cur, r.Max
	}
	if unix.Getrlimit(unix.RLIMIT_MEMLOCK, &r) == nil {
		l.MemlockSoft = r.Cur
	}
	if unix.Getrlimit(unix.RLIMIT_NPROC, &r) == nil {
		l.ProcessesSoft = r.Cur
	}
	return l
}

func readContainer() Container {
	c := Container{Cgroup: cgroupVersion("/proc/self/cgroup"), Seccomp: unknown}
	for _, path := range []string{"/.dockerenv", "/run/.containerenv"} {
		if _, err := os.Stat(path); err == nil {
			c.Hints = append(c.Hints, path)
		}
	}
	if value := os.Getenv("container"); value != "" {
		c.Hints = append(c.Hints, "container="+value)
	}
	if os.Getenv("KUBERNETES_SERVICE_HOST") != "" {
		c.Hints = append(c.Hints, "kubernetes")
	}
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return c
	}
	for line := range strings.SplitSeq(string(data), "\n") {
		if value, found := strings.CutPrefix(line, "Seccomp:"); found {
			switch strings.TrimSpace(value) {
			case "0":
				c.Seccomp = "off"
			case "1":
				c.Seccomp = "strict"
			case "2":
				c.Seccomp = "filter"
			}
		}
	}
	return c
}

// cgroupVersion tells by the lines of /proc/self/cgroup: version 2 is the line
// without controllers.
func cgroupVersion(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return unknown
	}
	one, two := false, false
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "0::") {
			two = true
		} else if strings.Contains(line, ":") {
			one = true
		}
	}
	switch {
	case one && two:
		return "hybrid"
	case two:
		return "v2"
	case one:
		return "v1"
	}
	return "none"
}

func readProgram(dir string) Program {
	p := Program{
		Go: runtime.Version(), GoMaxProcs: runtime.GOMAXPROCS(0),
		Main: unknown, Binary: unknown, Git: readGit(dir),
		Command: append([]string{filepath.Base(os.Args[0])}, os.Args[1:]...),
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		p.Main = info.Main.Path + " " + info.Main.Version
		p.Modules, p.Settings = map[string]string{}, map[string]string{}
		for _, m := range info.Deps {
			if m.Replace != nil {
				m = m.Replace
			}
			p.Modules[m.Path] = m.Version
		}
		for _, s := range info.Settings {
			p.Settings[s.Key] = s.Value
		}
	}
	if path, err := os.Executable(); err == nil {
		if sum, err := HashFile(path); err == nil {
			p.Binary = sum
		}
	}
	return p
}

// HashFile returns the SHA-256 of a file in hexadecimal, to name the server's
// and the load's binaries in a result.
func HashFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("hash %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// gitPatience bounds the wait for git in a large or slow tree.
const gitPatience = 10 * time.Second

func readGit(dir string) Git {
	ctx, cancel := context.WithTimeout(context.Background(), gitPatience)
	defer cancel()
	run := func(args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, "git", args...)
		cmd.Dir = dir
		out, err := cmd.Output()
		return strings.TrimSpace(string(out)), err
	}
	commit, err := run("rev-parse", "HEAD")
	if err != nil {
		return Git{Commit: unknown}
	}
	g := Git{Commit: commit}
	if changes, err := run("status", "--porcelain"); err == nil {
		dirty := changes != ""
		g.Dirty = &dirty
	}
	return g
}
