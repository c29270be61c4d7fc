package epoll

import (
	"math"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"c1000k/comet"
)

// The system calls of the hot path, written out: package unix's own allocate a
// socket address here and an error value there.
//
// Those that never wait go by RawSyscall. It does not tell the Go scheduler,
// which saves about 50 ns each way. None of them may therefore sleep: every socket
// is non-blocking. Those that wait, for events, for time or for a place to run, go
// by Syscall, or a waiting loop would hold up every collection.

// wait waits on epoll descriptor epfd for events until timeout_ns nanoseconds
// have passed; 0 does not wait, a negative one waits without end.
func (w *waiter) wait(epfd int, events []unix.EpollEvent, timeoutNs int64) (int, unix.Errno) {
	var n uintptr
	var errno unix.Errno
	switch {
	case timeoutNs == 0:
		n, _, errno = unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epfd),
			uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
	case w.nanoseconds:
		var deadline *unix.Timespec
		if timeoutNs > 0 {
			w.timeout = unix.NsecToTimespec(timeoutNs)
			deadline = &w.timeout
		}
		n, _, errno = unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(epfd),
			uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), uintptr(unsafe.Pointer(deadline)), 0, 0)
	default:
		n, _, errno = unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(epfd),
			uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), uintptr(milliseconds(timeoutNs)), 0, 0)
	}
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// pause sleeps. The scheduler is told: collections need not wait for it.
func pause(d time.Duration) {
	t := unix.NsecToTimespec(int64(d))
	unix.Syscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&t)), 0, 0)
}

// waiter is what a loop's waits need.
type waiter struct {
	nanoseconds bool          // the kernel has epoll_pwait2
	timeout     unix.Timespec // read by the kernel during a wait
}

// milliseconds rounds up: a loop that wakes early finds nothing due, and waits
// again.
func milliseconds(timeoutNs int64) int32 {
	if timeoutNs < 0 {
		return -1
	}
	ms := (timeoutNs + int64(time.Millisecond) - 1) / int64(time.Millisecond)
	return int32(min(ms, math.MaxInt32))
}

// hasNanoseconds says whether epoll_pwait2 (Linux 5.11) is to be had. A seccomp
// profile older than the kernel may refuse it.
func hasNanoseconds(epfd int) bool {
	var event unix.EpollEvent
	var zero unix.Timespec
	_, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(epfd),
		uintptr(unsafe.Pointer(&event)), 1, uintptr(unsafe.Pointer(&zero)), 0, 0)
	return errno == 0 || errno == unix.EINTR
}

// The operations of futex(2) on words that no other process sees; package unix has none.
const (
	futexWaitPrivate = 0 | 128
	futexWakePrivate = 1 | 128
)

// futexWait sleeps while word is value; it may come back early. The scheduler is told.
func futexWait(word *atomic.Uint32, value uint32) {
	unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWaitPrivate, uintptr(value), 0, 0, 0)
}

// futexWake ends the sleep of who waits with word.
func futexWake(word *atomic.Uint32) {
	unix.RawSyscall(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWakePrivate, 1)
}

// control adds, changes or removes what epfd watches.
func control(epfd, op, fd int, event *unix.EpollEvent) unix.Errno {
	_, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(epfd), uintptr(op), uintptr(fd),
		uintptr(unsafe.Pointer(event)), 0, 0)
	return errno
}

// pollNow fills in which descriptors of set are ready, without waiting.
func pollNow(set []unix.PollFd) {
	unix.RawSyscall(unix.SYS_POLL, uintptr(unsafe.Pointer(unsafe.SliceData(set))), uintptr(len(set)), 0)
}

// peerAddress is where accept writes the other end's address.
type peerAddress struct {
	raw    unix.RawSockaddrAny
	length uint32
}

// peer is the address as the core takes it; zero for one of a unix socket.
func (a *peerAddress) peer() (p comet.Peer) {
	switch a.raw.Addr.Family {
	case unix.AF_INET:
		p = comet.PeerOf4((*unix.RawSockaddrInet4)(unsafe.Pointer(&a.raw)).Addr)
	case unix.AF_INET6:
		p = (*unix.RawSockaddrInet6)(unsafe.Pointer(&a.raw)).Addr
	}
	return p
}

// accept takes one connection from a listening socket, non-blocking, and has
// the other end's address written to from, unless that is nil.
func accept(listener int, from *peerAddress) (int, unix.Errno) {
	for {
		var address, length unsafe.Pointer
		if from != nil {
			*from = peerAddress{length: unix.SizeofSockaddrAny}
			address, length = unsafe.Pointer(&from.raw), unsafe.Pointer(&from.length)
		}
		fd, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(listener), uintptr(address), uintptr(length),
			unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
		if errno != unix.EINTR {
			return int(fd), errno
		}
	}
}

// receive reads what is there into buf; 0 without an error is the end.
func receive(fd int, buf []byte) (int, unix.Errno) {
	for {
		n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)))
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

// discard throws away up to n bytes of what has come in, without copying it.
func discard(fd, n int) {
	unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), 0, uintptr(n), unix.MSG_TRUNC|unix.MSG_DONTWAIT, 0, 0)
}

// send sends one piece. Without MSG_NOSIGNAL a peer that has left would cost a
// signal each time.
func send(fd int, p []byte) (int, unix.Errno) {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd),
			uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), unix.MSG_NOSIGNAL, 0, 0)
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

// vector is a message of several pieces as sendmsg takes it.
type vector struct {
	header unix.Msghdr
	pieces [comet.MaxPieces]unix.Iovec
}

// send sends pieces as one message.
func (v *vector) send(fd int, pieces [][]byte) (int, unix.Errno) {
	for i, p := range pieces {
		v.pieces[i].Base = unsafe.SliceData(p)
		v.pieces[i].SetLen(len(p))
	}
	v.header.Iov = &v.pieces[0]
	v.header.SetIovlen(len(pieces))
	for {
		n, _, errno := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&v.header)), unix.MSG_NOSIGNAL)
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

// closeDescriptor closes fd. The descriptor is free whatever close returns.
func closeDescriptor(fd int) {
	unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0)
}

// ring adds one to an eventfd and so wakes the loop that watches it.
func ring(eventfd int) {
	one := [8]byte{1} // as the machine writes a uint64; on a big-endian one it is another number, which wakes as well
	unix.RawSyscall(unix.SYS_WRITE, uintptr(eventfd), uintptr(unsafe.Pointer(&one)), 8)
}
