package doors

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"c1000k/comet"
)

// defaultBacklog is used where net.core.somaxconn cannot be read; it is the
// kernel's own default since Linux 5.4.
const defaultBacklog = 4096

// Listen opens a listening socket for each address of spec (see the package's
// documentation). The sockets are non-blocking and close on exec; those of TCP
// have SO_REUSEADDR and TCP_NODELAY, which accepted sockets inherit. A backlog
// of 0 takes net.core.somaxconn, which bounds it in any case.
//
// On an error nothing stays open. The closer closes all of them and removes the
// paths of unix sockets; call it once, when no engine accepts any more. Listen
// may be called from any thread that has the process's shared descriptor table.
func Listen(spec string, door comet.Door, backlog int) ([]comet.Listener, io.Closer, error) {
	endpoints, err := Parse(spec)
	if err != nil {
		return nil, nil, err
	}
	if backlog <= 0 {
		backlog = somaxconn()
	}
	opened := &sockets{}
	var listeners []comet.Listener
	for _, e := range endpoints {
		fd, err := open(e, backlog)
		if err != nil {
			opened.Close()
			return nil, nil, err
		}
		opened.fds = append(opened.fds, fd)
		if e.Path != "" && e.Path[0] != '@' {
			opened.paths = append(opened.paths, e.Path)
		}
		listeners = append(listeners, comet.Listener{Door: door, FD: fd, Addr: actual(fd, e).String()})
	}
	return listeners, opened, nil
}

// sockets are the descriptors and paths that one Listen opened.
type sockets struct {
	fds   []int
	paths []string
}

// Close closes the descriptors and removes the paths. A second call does nothing.
func (s *sockets) Close() error {
	var failures []error
	for _, fd := range s.fds {
		// A ring that accepted from the socket holds it until the kernel has
		// taken the ring down, some time after the process is gone. It must not
		// listen until then: the next server could not take the port.
		unix.Shutdown(fd, unix.SHUT_RDWR) // an error says that it listens no more
		failures = append(failures, unix.Close(fd))
	}
	for _, path := range s.paths {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			failures = append(failures, err)
		}
	}
	s.fds, s.paths = nil, nil
	return errors.Join(failures...)
}

// open makes one listening socket.
func open(e Endpoint, backlog int) (int, error) {
	family := unix.AF_INET
	switch {
	case e.Path != "":
		family = unix.AF_UNIX
		if err := removeStale(e.Path); err != nil {
			return -1, err
		}
	case e.Addr.Addr().Is6():
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, explain(e, "socket", err)
	}
	if step, err := prepare(fd, family, e, backlog); err != nil {
		unix.Close(fd)
		return -1, explain(e, step, err)
	}
	return fd, nil
}

// prepare sets the socket's options, binds it and listens. It names the step
// that failed.
func prepare(fd, family int, e Endpoint, backlog int) (step string, err error) {
	if family != unix.AF_UNIX {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
			return "SO_REUSEADDR", err
		}
		// Set here it is inherited: no system call for each connection.
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
			return "TCP_NODELAY", err
		}
	}
	if family == unix.AF_INET6 {
		// Said aloud, so that net.ipv6.bindv6only does not decide it.
		only := 1
		if e.Addr.Addr().IsUnspecified() {
			only = 0
		}
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, only); err != nil {
			return "IPV6_V6ONLY", err
		}
	}
	if err := unix.Bind(fd, sockaddr(e)); err != nil {
		return "bind", err
	}
	if err := unix.Listen(fd, backlog); err != nil {
		return "listen", err
	}
	return "", nil
}

// sockaddr is the endpoint as the kernel takes it.
func sockaddr(e Endpoint) unix.Sockaddr {
	switch {
	case e.Path != "":
		return &unix.SockaddrUnix{Name: e.Path}
	case e.Addr.Addr().Is6():
		return &unix.SockaddrInet6{Port: int(e.Addr.Port()), Addr: e.Addr.Addr().As16()}
	default:
		return &unix.SockaddrInet4{Port: int(e.Addr.Port()), Addr: e.Addr.Addr().As4()}
	}
}

// actual is the endpoint with the port that the kernel chose for port 0.
func actual(fd int, e Endpoint) Endpoint {
	if e.Path != "" || e.Addr.Port() != 0 {
		return e
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		return e
	}
	port := 0
	switch b := bound.(type) {
	case *unix.SockaddrInet4:
		port = b.Port
	case *unix.SockaddrInet6:
		port = b.Port
	}
	return Endpoint{Addr: netip.AddrPortFrom(e.Addr.Addr(), uint16(port))}
}

// removeStale removes a unix socket's path that a server left behind when it
// died. A path on which somebody answers, or that is no socket, is left alone:
// bind refuses it.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if path[0] == '@' || err != nil || info.Mode()&os.ModeSocket == 0 {
		return nil
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return explain(Endpoint{Path: path}, "socket", err)
	}
	defer unix.Close(fd)
	if unix.Connect(fd, &unix.SockaddrUnix{Name: path}) != unix.ECONNREFUSED {
		return nil
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("listening on unix:%s: a dead server's socket is there and cannot be removed: %w", path, err)
	}
	return nil
}

// somaxconn reads the kernel's bound on backlogs.
func somaxconn() int {
	text, err := os.ReadFile("/proc/sys/net/core/somaxconn")
	if err != nil {
		return defaultBacklog
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || n <= 0 {
		return defaultBacklog
	}
	return n
}
