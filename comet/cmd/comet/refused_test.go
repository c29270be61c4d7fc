package main

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"c1000k/uring"
)

// refusedEnv names the system calls that a re-executed test binary has the kernel
// refuse before it becomes the server.
const refusedEnv = "TEST_REFUSED"

// noFilter is the exit code where no filter can be set.
const noFilter = 77

// refusable are the system calls and errors that tests refuse by.
var (
	refusable = map[string]uint32{
		"io_uring_setup": unix.SYS_IO_URING_SETUP, "io_uring_enter": unix.SYS_IO_URING_ENTER,
		"io_uring_register": unix.SYS_IO_URING_REGISTER, "unshare": unix.SYS_UNSHARE,
	}
	refusals = map[string]syscall.Errno{"EPERM": unix.EPERM, "ENOSYS": unix.ENOSYS}
)

// runRefused sets a seccomp filter for "ERRNO call call ..." and becomes the
// program of the arguments. It returns only where it fails.
func runRefused(refused string, argv []string) error {
	runtime.LockOSThread()
	words := strings.Fields(refused)
	const allow, errno = 0x7fff0000, 0x00050000                                  // SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO
	filter := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}} // the call's number
	for _, call := range words[1:] {
		filter = append(filter,
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: refusable[call]},
			unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: errno | uint32(refusals[words[0]])})
	}
	filter = append(filter, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: allow})
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if _, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program))); e != 0 {
		return e
	}
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, refusedEnv+"=") })
	return unix.Exec(argv[0], argv, env)
}

// refusing is the server's command under such a filter.
func refusing(t *testing.T, refused string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, append([]string{built(t)}, args...)...)
	cmd.Env = append(os.Environ(), refusedEnv+"="+refused)
	return cmd
}

// TestRefusedByKernel proves that a server whose kernel refuses io_uring, by
// whichever of its calls, or tables of descriptors, or both, says which it is and
// what works, exits with the code for the machine, and never panics.
func TestRefusedByKernel(t *testing.T) {
	if err := uring.Probe(); err != nil {
		t.Skipf("io_uring is not to be had here: %v", err)
	}
	for _, c := range []struct{ refused, args, want string }{
		{"EPERM io_uring_setup", "--engine uring", "seccomp filter|allow io_uring_setup|what works: --engine=epoll"},
		{"EPERM io_uring_enter", "--engine uring", "seccomp filter|allow io_uring_setup, io_uring_enter|what works: --engine=epoll"},
		{"EPERM io_uring_register", "--engine uring", "seccomp filter|io_uring_register|what works: --engine=epoll"},
		{"ENOSYS io_uring_setup", "--engine uring", "no io_uring (Linux 6.1|what works: --engine=epoll"},
		{"EPERM unshare", "--engine epoll --max-connections 100000", "unshare(CLONE_FILES)|seccomp filter|what still works: up to about"},
		{"EPERM unshare io_uring_setup", "--max-connections 100000", "io_uring is refused|epoll, which --engine=auto takes then|unshare(CLONE_FILES)|what still works: up to about"},
	} {
		t.Run(c.refused+" "+c.args, func(t *testing.T) {
			cmd := refusing(t, c.refused, append(smallServer(), strings.Fields(c.args)...)...)
			// A low limit is what makes tables of their own necessary.
			cmd.Args = append(cmd.Args, "--table-limit=1000")
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) {
				t.Fatalf("it ran: %v\n%s", err, out)
			}
			if exit.ExitCode() == noFilter {
				t.Skipf("no seccomp filter can be set here: %s", out)
			}
			for part := range strings.SplitSeq(c.want, "|") {
				if !strings.Contains(string(out), part) {
					t.Errorf("no %q in: %s", part, out)
				}
			}
			if exit.ExitCode() != exitMachine || strings.Contains(string(out), "goroutine ") {
				t.Errorf("exit code %d, want %d: %s", exit.ExitCode(), exitMachine, out)
			}
		})
	}
}

// TestAutoFallsBack proves that a server to which the engine was left takes epoll
// where io_uring is refused by any of its calls, serves, and says why in one line.
func TestAutoFallsBack(t *testing.T) {
	if out, err := refusing(t, "EPERM io_uring_setup", "--version").CombinedOutput(); err != nil {
		t.Skipf("no seccomp filter can be set here: %v: %s", err, out)
	}
	for call := range refusable {
		if call == "unshare" {
			continue
		}
		t.Run(call, func(t *testing.T) {
			s := started(t, refusing(t, "EPERM "+call, smallServer()...))
			if got := s.get("http://" + s.front + "/ping"); !strings.Contains(got, `"ping"`) {
				t.Errorf("a ping: %q", got)
			}
			if log := s.log.String(); !strings.Contains(log, "engine=epoll") || strings.Count(log, "io_uring is refused by a seccomp filter") != 1 {
				t.Errorf("the log: %s", log)
			}
			s.signal(syscall.SIGTERM)
			if code := s.exit(); code != exitClean {
				t.Errorf("exit code %d", code)
			}
		})
	}
}
