package fdtable

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
)

// Poller names the two descriptors through which the Go runtime polls. They
// have these numbers in every table of the process.
type Poller struct {
	Epoll   int // the runtime's epoll descriptor
	Eventfd int // the eventfd by which the runtime wakes its own poller
}

var poller struct {
	sync.Mutex
	found Poller
	known bool
}

// Prepare starts the runtime's poller, if nothing has yet, and finds its two
// descriptors. The result does not change during the life of the process, so
// only the first call works. It must be called from an ordinary goroutine, on
// the process's shared table; Go does so itself.
func Prepare() (Poller, error) {
	poller.Lock()
	defer poller.Unlock()
	if poller.known {
		return poller.found, nil
	}
	found, err := findPoller()
	if err != nil {
		return Poller{}, fmt.Errorf("finding the descriptors of the Go runtime's poller: %w", err)
	}
	poller.found, poller.known = found, true
	return found, nil
}

// findPoller opens a pipe, which the os package gives to the runtime's poller,
// and looks for the epoll descriptor that watches it: that one is the runtime's,
// whatever other epoll descriptors the process has.
func findPoller() (Poller, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return Poller{}, err
	}
	defer r.Close()
	defer w.Close()
	raw, err := r.SyscallConn()
	if err != nil {
		return Poller{}, err
	}
	// Control, unlike Fd, leaves the pipe non-blocking and registered.
	witness := -1
	if err := raw.Control(func(fd uintptr) { witness = int(fd) }); err != nil {
		return Poller{}, err
	}

	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return Poller{}, err
	}
	for _, entry := range entries {
		fd, err := strconv.Atoi(entry.Name())
		if err != nil || link(fd) != "anon_inode:[eventpoll]" {
			continue
		}
		watched, err := watchedBy(fd)
		if err != nil {
			return Poller{}, err
		}
		if !watched[witness] {
			continue
		}
		for target := range watched {
			if link(target) == "anon_inode:[eventfd]" {
				return Poller{Epoll: fd, Eventfd: target}, nil
			}
		}
		return Poller{}, fmt.Errorf("epoll descriptor %d watches no eventfd", fd)
	}
	return Poller{}, fmt.Errorf("no epoll descriptor watches the pipe %d", witness)
}

// link is what a descriptor of the leader's table refers to, "" if it is closed.
func link(fd int) string {
	target, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil {
		return ""
	}
	return target
}

// watchedBy lists the descriptors registered with an epoll descriptor.
func watchedBy(epoll int) (map[int]bool, error) {
	info, err := os.Open("/proc/self/fdinfo/" + strconv.Itoa(epoll))
	if err != nil {
		return nil, err
	}
	defer info.Close()
	watched := map[int]bool{}
	lines := bufio.NewScanner(info)
	for lines.Scan() {
		// "tfd:       12 events: ... data: ..."
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 || fields[0] != "tfd:" {
			continue
		}
		fd, err := strconv.Atoi(fields[1])
		if err != nil {
			return nil, err
		}
		watched[fd] = true
	}
	return watched, lines.Err()
}
