package ladder

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// How long a server may take to leave: a million sockets take the kernel some
// seconds to close, so patience comes before force.
const (
	stopPatience = 30 * time.Second
	killPatience = 30 * time.Second
)

// logTailLines is how much of a dead server's log a message quotes.
const logTailLines = 12

// child is a running server process. It belongs to one goroutine, but exited
// may be read from any.
type child struct {
	cmd     *exec.Cmd
	logPath string
	// exited is closed when the process is gone; err is its outcome from then on.
	exited chan struct{}
	err    error
}

// startChild starts a program with its output appended to the log at logPath,
// on the processors of cpus (nil: on all).
func startChild(path string, args []string, logPath string, cpus []int) (*child, error) {
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("keep the server's log: %w", err)
	}
	defer log.Close() // the child has its own
	fmt.Fprintf(log, "$ %s %s\n", path, strings.Join(args, " "))
	c := &child{cmd: exec.Command(path, args...), logPath: logPath, exited: make(chan struct{})}
	c.cmd.Stdout, c.cmd.Stderr = log, log
	// A group of its own: Ctrl-C goes to the ladder, which ends its children in
	// order and measures no dying server.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := onCPUs(cpus, c.cmd.Start); err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	go func() {
		c.err = c.cmd.Wait()
		close(c.exited)
	}()
	return c, nil
}

// pid is the process's number.
func (c *child) pid() int { return c.cmd.Process.Pid }

// gone tells whether the process has ended.
func (c *child) gone() bool {
	select {
	case <-c.exited:
		return true
	default:
		return false
	}
}

// stop asks the process to leave, and makes it leave when it does not. It
// returns when the process is gone; an error tells that force was needed.
func (c *child) stop() error {
	if c.gone() {
		return nil
	}
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("ask process %d to leave: %w", c.pid(), err)
	}
	if c.waitExit(stopPatience) {
		return nil
	}
	if err := c.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill process %d: %w", c.pid(), err)
	}
	if !c.waitExit(killPatience) {
		return fmt.Errorf("process %d is still there %v after it was killed", c.pid(), killPatience)
	}
	return fmt.Errorf("the server did not leave within %v of SIGTERM and was killed", stopPatience)
}

// waitExit waits for the end of the process.
func (c *child) waitExit(longest time.Duration) bool {
	timer := time.NewTimer(longest)
	defer timer.Stop()
	select {
	case <-c.exited:
		return true
	case <-timer.C:
		return false
	}
}

// exitError describes a process that ended by itself: how, and its last words.
func (c *child) exitError() error {
	how := "exit status 0"
	if c.err != nil {
		how = c.err.Error()
	}
	lines := tail(c.logPath, logTailLines)
	if len(lines) == 0 {
		return fmt.Errorf("the server ended by itself (%s) and logged nothing (%s)", how, c.logPath)
	}
	return fmt.Errorf("the server ended by itself (%s); the last lines of %s:\n    %s", how, c.logPath, strings.Join(lines, "\n    "))
}

// tail returns the last lines of a text file, as far as it can be read.
func tail(path string, lines int) []string {
	const longest = 64 << 10 // of a log that may be large
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && st.Size() > longest {
		if _, err := f.Seek(-longest, 2); err != nil {
			return nil
		}
	}
	var b bytes.Buffer
	if _, err := b.ReadFrom(f); err != nil {
		return nil
	}
	text := strings.TrimRight(b.String(), "\n")
	if text == "" {
		return nil
	}
	all := strings.Split(text, "\n")
	return all[max(0, len(all)-lines):]
}

// onCPUs runs start on a thread that is bound to cpus; a process that it starts
// inherits the binding. No cpus: no binding.
func onCPUs(cpus []int, start func() error) error {
	if len(cpus) == 0 {
		return start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return fmt.Errorf("read the processors this process may use: %w", err)
	}
	for _, cpu := range cpus {
		set.Set(cpu)
	}
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("bind to processors %v: %w", cpus, err)
	}
	err := start()
	if e := unix.SchedSetaffinity(0, &before); e != nil && err == nil {
		err = fmt.Errorf("undo the binding to processors %v: %w", cpus, e)
	}
	return err
}

// usableCPUs lists the processors this process may use.
func usableCPUs() ([]int, error) {
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
