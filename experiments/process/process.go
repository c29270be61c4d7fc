package process

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"c1000k/experiments/result"
)

// How long a server may take to leave: a million sockets take the kernel some
// seconds to close, so patience comes before force.
const (
	stopPatience = 30 * time.Second
	killPatience = 30 * time.Second
)

// How much of a dead server's log a message quotes; the log has it all.
const (
	logTailLines = 8
	logLineBytes = 300
)

// Process is a running server process. It belongs to one goroutine, but Ended
// may be read from any.
type Process struct {
	cmd     *exec.Cmd
	logPath string
	logFrom int64 // where its own lines begin
	// ended is closed when the process is gone; err is its outcome from then on.
	ended chan struct{}
	err   error
}

// Start starts a program with its output appended to the log at logPath, on the
// processors of cpus (nil: on all).
func Start(path string, args []string, logPath string, cpus []int) (*Process, error) {
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("keep the server's log: %w", err)
	}
	defer log.Close() // the child has its own
	fmt.Fprintf(log, "$ %s %s\n", filepath.Base(path), strings.Join(args, " "))
	c := &Process{cmd: exec.Command(path, args...), logPath: logPath, ended: make(chan struct{})}
	if st, err := log.Stat(); err == nil {
		c.logFrom = st.Size()
	}
	c.cmd.Stdout, c.cmd.Stderr = log, log
	c.cmd.SysProcAttr = &syscall.SysProcAttr{
		// A group of its own: Ctrl-C goes to the experiment, which ends its
		// children in order and measures no dying server.
		Setpgid: true,
		// Where the experiment itself is killed, the server shall not outlive it.
		Pdeathsig: syscall.SIGTERM,
	}
	started := make(chan error)
	go func() {
		// The kernel binds Pdeathsig to the thread that forked, and a child
		// inherits its processors from it: so this thread is kept for as long
		// as the Process lives, and ends with it.
		runtime.LockOSThread()
		err := BindThread(cpus)
		if err == nil {
			err = c.cmd.Start()
		}
		started <- err
		if err != nil {
			return
		}
		c.err = c.cmd.Wait()
		close(c.ended)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	return c, nil
}

// Ended is closed when the process is gone.
func (c *Process) Ended() <-chan struct{} { return c.ended }

// Args are the program's arguments.
func (c *Process) Args() []string { return c.cmd.Args[1:] }

// PID is the process's number.
func (c *Process) PID() int { return c.cmd.Process.Pid }

// Await waits until ready is true. It fails where the process ends before, or
// takes too long.
func (c *Process) Await(ready func() bool) error {
	for deadline := time.Now().Add(readyPatience); !ready(); {
		select {
		case <-c.ended:
			return fmt.Errorf("it ended (%v)", c.cmd.ProcessState)
		case <-time.After(readyPoll):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("nothing came of it in %v", readyPatience)
		}
	}
	return nil
}

// Gone tells whether the process has ended.
func (c *Process) Gone() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// Stop asks the process to leave, and makes it leave when it does not, or as
// soon as force is closed. It returns when the process is gone; an error tells
// that force was needed.
func (c *Process) Stop(force <-chan struct{}) error {
	if c.Gone() {
		return nil
	}
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("ask process %d to leave: %w", c.PID(), err)
	}
	if c.waitExit(stopPatience, force) {
		return nil
	}
	if err := c.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill process %d: %w", c.PID(), err)
	}
	if !c.waitExit(killPatience, nil) {
		return fmt.Errorf("process %d is still there %v after it was killed", c.PID(), killPatience)
	}
	return errors.New("the server did not leave when it was asked to (SIGTERM) and was killed")
}

// How long after an error a server may take to be seen as dead: what it held
// closes before it is gone, and a million sockets take many seconds.
const (
	deathNotice   = time.Second
	deathPatience = 90 * time.Second
)

// Died tells, after an error that a death would explain, whether the process is
// Gone or going; it waits until it is gone.
func (c *Process) Died() bool {
	return c.waitExit(deathNotice, nil) || c.exiting() && c.waitExit(deathPatience, nil)
}

// exiting tells whether the kernel is taking the process down.
func (c *Process) exiting() bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.PID()))
	if err != nil {
		return true
	}
	// After the name, which may hold anything: state, five numbers, flags.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	const state, flags, taskExiting = 0, 6, 0x4 // PF_EXITING
	if len(fields) <= flags {
		return false
	}
	n, err := strconv.ParseUint(fields[flags], 10, 64)
	return fields[state] == "Z" || err == nil && n&taskExiting != 0
}

// waitExit waits for the end of the process, until force is closed at the latest.
func (c *Process) waitExit(longest time.Duration, force <-chan struct{}) bool {
	timer := time.NewTimer(longest)
	defer timer.Stop()
	select {
	case <-c.ended:
		return true
	case <-force:
		return false
	case <-timer.C:
		return false
	}
}

// Failure describes a process that ended by itself: how, and its last words.
func (c *Process) Failure() result.Failure {
	f := result.Failure{Process: "server", Reason: "ended by itself", LastLines: tail(c.logPath, c.logFrom)}
	state := c.cmd.ProcessState
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		f.Signal = unix.SignalName(status.Signal())
	} else {
		code := state.ExitCode()
		f.ExitStatus = &code
	}
	return f
}

// maxBanner bounds what is kept of a server's first lines.
const maxBanner = 60

// Banner reads the first lines of the process's log.
func (c *Process) Banner() []string {
	text, err := os.ReadFile(c.logPath)
	if err != nil || int64(len(text)) < c.logFrom {
		return nil
	}
	own := strings.TrimSpace(string(text[c.logFrom:]))
	if own == "" {
		return nil
	}
	lines := strings.Split(own, "\n")
	return lines[:min(len(lines), maxBanner)]
}

// tail returns the last lines of a text file from an offset on, as far as it can
// be read.
func tail(path string, from int64) []string {
	const longest = 1 << 20 // of a log that may be large; a crash with all its stacks fits
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil {
		from = max(from, st.Size()-longest)
	}
	var b bytes.Buffer
	if _, err := b.ReadFrom(io.NewSectionReader(f, from, longest)); err != nil {
		return nil
	}
	return LastLines(b.String())
}

// crashMarks begin the line in which the Go runtime says why a program crashed. What
// follows, stacks and registers, names no cause.
var crashMarks = []string{"panic: ", "fatal error: ", "runtime: ", "unexpected fault address ", "SIG"}

// beginsCrash says whether a line of a log is one of these.
func beginsCrash(line string) bool {
	return slices.ContainsFunc(crashMarks, func(mark string) bool { return strings.HasPrefix(line, mark) })
}

// LastLines cuts a text to as many lines as a message quotes: the last, or the
// first of a crash of the Go runtime.
func LastLines(text string) []string {
	text = strings.TrimRight(text, "\n")
	if text == "" {
		return nil
	}
	all := strings.Split(text, "\n")
	if crash := slices.IndexFunc(all, beginsCrash); crash >= 0 {
		all = slices.DeleteFunc(all[crash:], func(line string) bool { return line == "" })
		all = all[:min(len(all), logTailLines)]
	}
	all = all[max(0, len(all)-logTailLines):]
	for i, line := range all {
		if len(line) > logLineBytes {
			all[i] = line[:logLineBytes] + "..."
		}
	}
	return all
}

// BindThread binds the calling thread to cpus; no cpus: to none.
func BindThread(cpus []int) error {
	if len(cpus) == 0 {
		return nil
	}
	var set unix.CPUSet
	for _, cpu := range cpus {
		set.Set(cpu)
	}
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("bind to processors %v: %w", cpus, err)
	}
	return nil
}

// OnCPUs calls f on a thread that is bound to cpus (nil: to none) and ends with it:
// a process that f starts inherits the binding.
func OnCPUs(cpus []int, f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := BindThread(cpus)
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}

// Apart divides the processors this process may use: the first half for a server,
// the rest for its load.
func Apart() (server, load []int, err error) {
	cpus, err := UsableCPUs()
	if err != nil {
		return nil, nil, err
	}
	if len(cpus) < 2 {
		return nil, nil, errors.New("this process may use one processor only: server and load cannot be pinned apart")
	}
	half := len(cpus) / 2
	return cpus[:half], cpus[half:], nil
}

// UsableCPUs lists the processors this process may use.
func UsableCPUs() ([]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, fmt.Errorf("read the processors this process may use: %w", err)
	}
	var cpus []int
	for cpu := 0; len(cpus) < set.Count(); cpu++ {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus, nil
}
