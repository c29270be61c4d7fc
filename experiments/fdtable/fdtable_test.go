package fdtable

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// childEnv names the role that a re-executed test binary plays. Limits, seccomp
// filters and broken tables are properties of a whole process, so they are tried
// in children.
const childEnv = "FDTABLE_TEST_CHILD"

func TestMain(m *testing.M) {
	roles := map[string]func() error{
		"past-limit":   childPastLimit,
		"closed-watch": childWithoutPoller,
		"seccomp":      childSeccomp,
		"raise":        childRaise,
	}
	if role, ok := roles[os.Getenv(childEnv)]; ok {
		if err := role(); err != nil {
			fmt.Println("child:", err)
			os.Exit(1)
		}
		fmt.Println("child: passed")
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// runChild runs this binary in a role and returns what it printed.
func runChild(t *testing.T, role string) (string, error) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+role)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

const (
	childLimit  = 200
	childTables = 2
	hammerFor   = 400 * time.Millisecond
)

// setLimit sets the soft and the hard limit of this process.
func setLimit(soft, hard int) error {
	return unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(soft), Max: uint64(hard)})
}

// hammer makes the runtime poll and arm timers for a while, from the caller's
// thread and from others.
func hammer(until time.Time) {
	for time.Now().Before(until) {
		runtime.GC()
		time.AfterFunc(time.Microsecond, func() {})
		time.Sleep(50 * time.Microsecond)
	}
}

// fill opens socket pairs until the table is full and returns their ends.
func fill(capacity int) ([]int, error) {
	var fds []int
	for len(fds)+2 <= capacity {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			return nil, fmt.Errorf("pair %d of %d: %w", len(fds)/2, capacity/2, err)
		}
		fds = append(fds, pair[0], pair[1])
	}
	return fds, nil
}

// stray returns an error if any of the silent sockets has something to read or
// is no more what it was.
func stray(fds []int) error {
	var buf [16]byte
	for _, fd := range fds {
		n, err := unix.Read(fd, buf[:])
		if !errors.Is(err, unix.EAGAIN) {
			return fmt.Errorf("descriptor %d of a silent pair: read %d bytes %v, %v", fd, n, buf[:max(n, 0)], err)
		}
	}
	return nil
}

func childPastLimit() error {
	if err := setLimit(childLimit, childLimit); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	port := listener.Addr().(*net.TCPAddr).Port
	wake, err := unix.Eventfd(0, unix.EFD_NONBLOCK)
	if err != nil {
		return err
	}
	var held atomic.Int32
	var allFull atomic.Bool
	var failure [childTables]error
	var threads []*Thread
	for i := range childTables {
		th, err := Go([]int{wake}, func(table *Table) {
			failure[i] = fillAndHammer(table, port, wake, &held, &allFull)
		})
		if err != nil {
			return err
		}
		threads = append(threads, th)
	}
	conns := make([]net.Conn, childTables)
	for i := range conns {
		if conns[i], err = listener.Accept(); err != nil {
			return err
		}
	}
	hammer(time.Now().Add(hammerFor))
	for i, th := range threads {
		th.Wait()
		if failure[i] != nil {
			return fmt.Errorf("table %d: %w", i, failure[i])
		}
	}
	if total := held.Load(); total <= childLimit {
		return fmt.Errorf("%d sockets were held, which the limit of %d would have allowed", total, childLimit)
	}
	// The table ends with its thread: the connection that each left open must
	// end too.
	for i, c := range conns {
		var buf [1]byte
		c.SetReadDeadline(time.Now().Add(time.Minute))
		if n, err := c.Read(buf[:]); n != 0 || errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("table %d ended but its connection did not: read %d, %v", i, n, err)
		}
	}
	// The kept descriptor is one object in all tables.
	var count [8]byte
	if _, err := unix.Read(wake, count[:]); err != nil || count[0] != childTables {
		return fmt.Errorf("wakes from the tables: %v, %w", count, err)
	}
	return nil
}

// fillAndHammer is a table's thread: it fills the table, waits until the other
// is full too, and polls and arms timers on its own thread.
func fillAndHammer(table *Table, port, wake int, held *atomic.Int32, allFull *atomic.Bool) error {
	if unix.Gettid() == unix.Getpid() {
		return errors.New("runs on the leader")
	}
	conn, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	if err := unix.Connect(conn, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return err
	}
	fds, err := fill(table.Capacity() - 1)
	if err != nil {
		return err
	}
	if (table.Capacity()-1)%2 != 0 { // the odd slot that no pair fits in
		if _, err := unix.Dup(conn); err != nil {
			return err
		}
	}
	if fd, err := unix.Dup(conn); err == nil {
		return fmt.Errorf("Capacity is %d, but there was room for descriptor %d too", table.Capacity(), fd)
	}
	if int(held.Add(int32(len(fds)))) > len(fds) {
		allFull.Store(true) // the second of two
	}
	for !allFull.Load() {
		time.Sleep(time.Millisecond)
	}
	hammer(time.Now().Add(hammerFor))
	if _, err := unix.Write(wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}); err != nil {
		return err
	}
	return stray(fds)
}

// Two tables hold together more sockets than the limit, to their last slot,
// while collections and timers run on their threads and on others: nobody dies,
// no stray byte arrives, and a table ends with its thread.
func TestTablesPastTheLimit(t *testing.T) {
	if err := Probe(); err != nil {
		t.Skip("skipped: ", err)
	}
	if out, err := runChild(t, "past-limit"); err != nil || !strings.Contains(out, "child: passed") {
		t.Fatalf("%v\n%s", err, out)
	}
}

func childWithoutPoller() error {
	if err := setLimit(childLimit, childLimit); err != nil {
		return err
	}
	p, err := Prepare()
	if err != nil {
		return err
	}
	var failure error
	th, err := Go(nil, func(table *Table) {
		unix.Close(p.Epoll)
		unix.Close(p.Eventfd)
		fds, err := fill(table.Capacity() + 2)
		if err != nil {
			failure = err
			return
		}
		for end := time.Now().Add(time.Minute); failure == nil && time.Now().Before(end); {
			hammer(time.Now().Add(hammerFor))
			failure = stray(fds)
		}
	})
	if err != nil {
		return err
	}
	th.Wait()
	return failure
}

// The positive control of the test above: with the poller's descriptors closed
// in a table the same hammering must be seen to do harm. Otherwise that test
// would prove nothing about keeping them.
func TestClosingThePollerDoesHarm(t *testing.T) {
	if err := Probe(); err != nil {
		t.Skip("skipped: ", err)
	}
	out, err := runChild(t, "closed-watch")
	if err == nil {
		t.Fatalf("a table without the poller's descriptors did no harm:\n%s", out)
	}
	if !strings.Contains(out, "netpoll") && !strings.Contains(out, "silent pair") && !strings.Contains(out, "epoll") {
		t.Fatalf("the child failed for another reason: %v\n%s", err, out)
	}
}

func childSeccomp() error {
	const (
		load  = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		ret   = unix.BPF_RET | unix.BPF_K
		errno = 0x00050000 // SECCOMP_RET_ERRNO
		allow = 0x7fff0000 // SECCOMP_RET_ALLOW
		tsync = 1          // SECCOMP_FILTER_FLAG_TSYNC
	)
	filter := []unix.SockFilter{
		{Code: load, K: 0}, // the system call's number
		{Code: equal, K: unix.SYS_UNSHARE, Jf: 1},
		{Code: ret, K: errno | uint32(unix.EPERM)},
		{Code: ret, K: allow},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	// The filter may be set without privilege only once no new privileges can
	// be had. This is a thread's attribute, and so the filter is set from it.
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	_, _, e := unix.Syscall(unix.SYS_SECCOMP, 1 /* SECCOMP_SET_MODE_FILTER */, tsync, uintptr(unsafe.Pointer(&program)))
	if e != 0 {
		fmt.Println("child: no filter:", e)
		return nil
	}
	err := Probe()
	if !errors.Is(err, unix.EPERM) || !strings.Contains(err.Error(), "seccomp filter is active") {
		return fmt.Errorf("Probe under a filter said: %v", err)
	}
	return nil
}

// Where a seccomp filter refuses unshare, Probe says that this is what refused,
// and the process lives on.
func TestProbeNamesSeccomp(t *testing.T) {
	out, err := runChild(t, "seccomp")
	if err != nil || !strings.Contains(out, "child: passed") {
		t.Fatalf("%v\n%s", err, out)
	}
	if strings.Contains(out, "no filter") {
		t.Skip("skipped: no seccomp filter can be set here: ", out)
	}
}

func childRaise() error {
	if err := setLimit(100, 300); err != nil {
		return err
	}
	if got := RaiseLimit(50); got != 100 {
		return fmt.Errorf("RaiseLimit(50) at 100 changed the limit to %d", got)
	}
	if got := RaiseLimit(250); got != 250 {
		return fmt.Errorf("RaiseLimit(250) below a hard limit of 300: %d", got)
	}
	got := RaiseLimit(400)
	soft, hard := Limit()
	if got != soft || (got != 300 && got != 400) || hard < soft {
		return fmt.Errorf("RaiseLimit(400) returned %d; in force are %d, %d", got, soft, hard)
	}
	return nil
}

// RaiseLimit goes to the hard limit for everybody, never lowers, and returns
// what is in force.
func TestRaiseLimit(t *testing.T) {
	if out, err := runChild(t, "raise"); err != nil || !strings.Contains(out, "child: passed") {
		t.Fatalf("%v\n%s", err, out)
	}
}

// Prepare finds the runtime's poller although the process has epoll descriptors
// and eventfds of its own that watch each other.
func TestPrepareIsNotMisled(t *testing.T) {
	decoy, err := unix.EpollCreate1(0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(decoy)
	event, err := unix.Eventfd(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(event)
	if err := unix.EpollCtl(decoy, unix.EPOLL_CTL_ADD, event, &unix.EpollEvent{Events: unix.EPOLLIN}); err != nil {
		t.Fatal(err)
	}
	p, err := findPoller()
	if err != nil {
		t.Fatal(err)
	}
	if p.Epoll == decoy || p.Eventfd == event {
		t.Fatalf("took the decoys %d, %d for the runtime's: %+v", decoy, event, p)
	}
}

// A descriptor to be kept that is not open is refused at once, with its number.
func TestGoRefusesAClosedKeep(t *testing.T) {
	const closed = 9999
	_, err := Go([]int{closed}, func(*Table) { t.Error("ran") })
	if !errors.Is(err, unix.EBADF) || !strings.Contains(err.Error(), "9999") {
		t.Fatalf("Go with a closed descriptor to keep: %v", err)
	}
}

// GoShared works in the process's table: what it opens is seen outside and
// outlives it, and Capacity counts what is open.
func TestGoShared(t *testing.T) {
	before, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	soft, _ := Limit()
	fd, capacity, leader := -1, 0, true
	GoShared(func(table *Table) {
		leader = unix.Gettid() == unix.Getpid()
		capacity = table.Capacity()
		fd, _ = unix.Eventfd(0, 0)
	}).Wait()
	if link(fd) != "anon_inode:[eventfd]" {
		t.Errorf("descriptor %d is %q outside", fd, link(fd))
	}
	unix.Close(fd)
	if want := soft - (len(before) - 1); capacity != want || leader {
		t.Errorf("Capacity %d, want %d; on the leader: %v", capacity, want, leader)
	}
}
