// Package rawnet is the thin layer of system calls that the load generator and
// the floors stand on: IPv4 sockets by number, without allocation, without the
// Go runtime's poller, usable on threads that have a descriptor table of their
// own.
//
// Calls that cannot block enter the kernel without telling the Go scheduler,
// which saves some 50 ns each; Wait, which may block, tells it. All descriptors
// are non-blocking and close on exec. Errors are unix.Errno, or nil.
package rawnet

import (
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Backlog is the accept queue asked for. The kernel cuts it to somaxconn.
const Backlog = 1 << 16

// Addr is an IPv4 address and port as the kernel wants it.
type Addr struct{ raw unix.RawSockaddrInet4 }

// NewAddr converts an address and a port. The address must be IPv4.
func NewAddr(ip netip.Addr, port int) Addr {
	return Addr{raw: unix.RawSockaddrInet4{
		Family: unix.AF_INET,
		Port:   uint16(port>>8&0xff | port&0xff<<8),
		Addr:   ip.As4(),
	}}
}

// errno makes a nil error of zero, which a plain conversion does not.
func errno(e unix.Errno) error {
	if e != 0 {
		return e
	}
	return nil
}

// Socket opens a TCP socket that closes with a reset, so that a million of them
// leave no TIME_WAIT behind, however the process ends.
func Socket() (int, error) {
	const kind = unix.SOCK_STREAM | unix.SOCK_NONBLOCK | unix.SOCK_CLOEXEC
	fd, _, e := unix.RawSyscall(unix.SYS_SOCKET, unix.AF_INET, kind, unix.IPPROTO_TCP)
	if e != 0 {
		return -1, e
	}
	linger := unix.Linger{Onoff: 1, Linger: 0}
	_, _, e = unix.RawSyscall6(unix.SYS_SETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_LINGER,
		uintptr(unsafe.Pointer(&linger)), unsafe.Sizeof(linger), 0)
	if e != 0 {
		Close(int(fd))
		return -1, e
	}
	return int(fd), nil
}

// Bind binds a socket to a source address without taking a port, which connect
// does.
func Bind(fd int, source *Addr) error {
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
		return err
	}
	_, _, e := unix.RawSyscall(unix.SYS_BIND, uintptr(fd), uintptr(unsafe.Pointer(&source.raw)), unix.SizeofSockaddrInet4)
	return errno(e)
}

// Connect starts a connection; EINPROGRESS is the usual answer. On loopback the
// handshake is over when the call returns, unless the accept queue is full.
func Connect(fd int, to *Addr) error {
	_, _, e := unix.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&to.raw)), unix.SizeofSockaddrInet4)
	return errno(e)
}

// Listen opens a listener on an address and port; port 0 lets the kernel choose.
// It returns the port in use.
func Listen(ip netip.Addr, port int) (fd, boundPort int, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return -1, 0, fmt.Errorf("socket: %w", err)
	}
	if err := listen(fd, ip, port); err != nil {
		Close(fd)
		return -1, 0, fmt.Errorf("listen on %v:%d: %w", ip, port, err)
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		Close(fd)
		return -1, 0, err
	}
	return fd, bound.(*unix.SockaddrInet4).Port, nil
}

func listen(fd int, ip netip.Addr, port int) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: port, Addr: ip.As4()}); err != nil {
		return err
	}
	return unix.Listen(fd, Backlog)
}

// Accept takes one connection of a listener; EAGAIN when there is none.
func Accept(listener int) (int, error) {
	const flags = unix.SOCK_NONBLOCK | unix.SOCK_CLOEXEC
	fd, _, e := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(listener), 0, 0, flags, 0, 0)
	if e != 0 {
		return -1, e
	}
	return int(fd), nil
}

// Read receives into buf, which must not be empty.
func Read(fd int, buf []byte) (int, error) {
	n, _, e := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(buf))), uintptr(len(buf)), 0, 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(n), nil
}

// Write sends buf, or as much of it as fits, and raises no signal.
func Write(fd int, buf []byte) (int, error) {
	n, _, e := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(buf))), uintptr(len(buf)), unix.MSG_NOSIGNAL, 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(n), nil
}

// PollBriefly waits for one of a few descriptors, or for a few milliseconds at
// most, as WaitBriefly does. Interrupted or not, the caller looks anew.
func PollBriefly(fds []unix.PollFd, timeout unix.Timespec) {
	unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(unsafe.SliceData(fds))), uintptr(len(fds)),
		uintptr(unsafe.Pointer(&timeout)), 0, 0, 0)
}

// Close closes a descriptor.
func Close(fd int) error {
	_, _, e := unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0)
	return errno(e)
}

// SocketError takes the pending error of a socket, nil if there is none.
func SocketError(fd int) error {
	v, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return err
	}
	return errno(unix.Errno(v))
}

// Poller is an epoll set. It belongs to one thread.
type Poller struct {
	fd     int
	events []unix.EpollEvent
}

// NewPoller makes an epoll set that returns at most batch events at a time.
func NewPoller(batch int) (*Poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	return &Poller{fd: fd, events: make([]unix.EpollEvent, batch)}, nil
}

// Close closes the set.
func (p *Poller) Close() { Close(p.fd) }

// Add registers fd for events under a number of the caller's.
func (p *Poller) Add(fd int, events uint32, data uint32) error {
	return p.control(unix.EPOLL_CTL_ADD, fd, events, data)
}

// Modify changes what fd is registered for.
func (p *Poller) Modify(fd int, events uint32, data uint32) error {
	return p.control(unix.EPOLL_CTL_MOD, fd, events, data)
}

// Remove takes fd out of the set. Closing the last descriptor of a socket does
// so by itself.
func (p *Poller) Remove(fd int) error {
	return p.control(unix.EPOLL_CTL_DEL, fd, 0, 0)
}

func (p *Poller) control(op uintptr, fd int, events, data uint32) error {
	// Fd is the low half of the kernel's 64-bit data field.
	ev := unix.EpollEvent{Events: events, Fd: int32(data)}
	_, _, e := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(p.fd), op, uintptr(fd), uintptr(unsafe.Pointer(&ev)), 0, 0)
	return errno(e)
}

// Wait returns how many events are ready, 0 after timeoutMs or a signal; Event
// reads them. It tells the Go scheduler that it may block, unless something is
// ready at once. A negative timeout waits without end.
func (p *Poller) Wait(timeoutMs int) (int, error) {
	n, err := p.WaitBriefly(0)
	if n > 0 || err != nil || timeoutMs == 0 {
		return n, err
	}
	base, size := uintptr(unsafe.Pointer(unsafe.SliceData(p.events))), uintptr(len(p.events))
	got, _, e := unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.fd), base, size, uintptr(timeoutMs), 0, 0)
	return events(got, e)
}

// WaitBriefly is Wait for a few milliseconds at most, without telling the Go
// scheduler: the thread keeps its right to run Go code, so that it goes on at
// once, and nobody hands that right about. There must be rights (GOMAXPROCS) to
// spare.
func (p *Poller) WaitBriefly(timeoutMs int) (int, error) {
	base, size := uintptr(unsafe.Pointer(unsafe.SliceData(p.events))), uintptr(len(p.events))
	got, _, e := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.fd), base, size, uintptr(timeoutMs), 0, 0)
	return events(got, e)
}

func events(got uintptr, e unix.Errno) (int, error) {
	switch e {
	case 0:
		return int(got), nil
	case unix.EINTR:
		return 0, nil
	}
	return 0, e
}

// Event returns entry i of the last Wait: what happened, and the number it was
// registered under.
func (p *Poller) Event(i int) (events uint32, data uint32) {
	return p.events[i].Events, uint32(p.events[i].Fd)
}
