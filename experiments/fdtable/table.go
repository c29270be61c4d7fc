package fdtable

import (
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Table describes the descriptor table that one thread works with.
type Table struct {
	// Tid is the thread.
	Tid    int
	limit  int // the soft limit when the table was made
	kept   int // descriptors open below the limit then; of an own table
	shared bool
}

// Capacity is how many descriptors the thread may still open: counted from its
// start in a table of its own, as of now in a shared one, from which others take
// too. The latter reads the whole table, so it is not for a hot path.
func (t *Table) Capacity() int {
	if !t.shared {
		return t.limit - t.kept
	}
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return 0
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return 0
	}
	return t.limit - (len(names) - 1) // less the one that lists
}

// Thread is a function that runs on a thread of its own.
type Thread struct {
	done chan struct{}
}

// Wait returns when the function has returned. The thread, and with it a table
// of its own, ends right after, so a peer may see its end of a socket close a
// moment later.
func (th *Thread) Wait() { <-th.done }

// Done is closed when the function has returned.
func (th *Thread) Done() <-chan struct{} { return th.done }

// Go runs fn on a locked thread, not the leader, which has a descriptor table of
// its own: 0 to 2, the runtime's poller and the descriptors in keep stay open
// under their numbers, all others are closed in it. Go returns when the table is
// ready, just before fn is called, or with the reason why there is none. When fn
// returns the thread ends, and with it all that its table still holds. The
// package's documentation says what fn may not do.
func Go(keep []int, fn func(t *Table)) (*Thread, error) {
	p, err := Prepare()
	if err != nil {
		return nil, err
	}
	keep = append([]int{0, 1, 2, p.Epoll, p.Eventfd}, keep...)
	slices.Sort(keep)
	keep = slices.Compact(keep)

	th := &Thread{done: make(chan struct{})}
	started := make(chan error)
	onOwnThread(func() {
		table, err := newTable(keep)
		started <- err
		if err == nil {
			fn(table)
			close(th.done)
		}
	})
	if err := <-started; err != nil {
		return nil, err
	}
	return th, nil
}

// GoShared runs fn on a locked thread, not the leader, which shares the table of
// the process: for those who stay below the limit, or where Probe fails. What fn
// opens stays open when it returns.
func GoShared(fn func(t *Table)) *Thread {
	limit, _ := Limit()
	th := &Thread{done: make(chan struct{})}
	onOwnThread(func() {
		fn(&Table{Tid: unix.Gettid(), limit: limit, shared: true})
		close(th.done)
	})
	return th
}

// onOwnThread runs fn on a thread that is locked and not the leader. The thread
// ends with fn, because the goroutine exits while it is locked.
func onOwnThread(fn func()) {
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != unix.Getpid() {
			fn()
			return
		}
		// On the leader: hold it until another goroutine, which therefore
		// cannot be on it, is locked to its thread.
		elsewhere := make(chan struct{})
		go func() {
			runtime.LockOSThread()
			close(elsewhere)
			fn()
		}()
		<-elsewhere
		runtime.UnlockOSThread()
	}()
}

// newTable gives the calling thread its own table, holding only keep, which is
// sorted and without repetition. After an error past the unshare the thread must
// end.
func newTable(keep []int) (*Table, error) {
	for _, fd := range keep {
		// A typing mistake here would show much later, as a listener that
		// accepts nothing. 0 to 2 may be closed in a daemon.
		if fd <= 2 {
			continue
		}
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil {
			return nil, fmt.Errorf("descriptor %d shall be kept but is not open: %w", fd, err)
		}
	}
	if err := unshareTable(); err != nil {
		return nil, err
	}
	limit, _ := Limit()
	t := &Table{Tid: unix.Gettid(), limit: limit}
	next := 0
	for _, fd := range keep {
		if fd > next {
			if err := closeRange(next, fd-1); err != nil {
				return nil, err
			}
		}
		if fd < limit {
			t.kept++
		}
		next = fd + 1
	}
	if err := closeRange(next, math.MaxInt32); err != nil {
		return nil, err
	}
	return t, nil
}

// unshareTable gives the calling thread a copy of its table. It needs no
// privilege, but a container's seccomp profile may refuse it.
func unshareTable() error {
	err := unix.Unshare(unix.CLONE_FILES)
	if err == nil {
		return nil
	}
	why := ""
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
		why = "; no seccomp filter is active, so a security module or the kernel refuses it"
		if seccompFiltered() {
			why = "; a seccomp filter is active: containers by default allow unshare only with CAP_SYS_ADMIN"
		}
	}
	return fmt.Errorf("a descriptor table a thread is not to be had here: unshare(CLONE_FILES): %w%s", err, why)
}

// closeRange closes first to last, both included, in the calling thread's table.
func closeRange(first, last int) error {
	if err := unix.CloseRange(uint(first), uint(last), 0); err != nil {
		return fmt.Errorf("close_range(%d, %d), which needs Linux 5.9: %w", first, last, err)
	}
	return nil
}

// seccompFiltered says whether the calling thread runs under a seccomp filter.
func seccompFiltered() bool {
	text, err := os.ReadFile("/proc/thread-self/status")
	return err == nil && strings.Contains(string(text), "\nSeccomp:\t2\n")
}

// Probe says whether tables of their own are to be had here, by making one on a
// thread that is thrown away. The error, if any, is fit to be printed.
func Probe() error {
	th, err := Go(nil, func(*Table) {})
	if err != nil {
		return err
	}
	th.Wait()
	return nil
}
