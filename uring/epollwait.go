package uring

import (
	"errors"
	"fmt"
	"unsafe"

	"c1000k/comet"

	"golang.org/x/sys/unix"
)

// This file is the hybrid: connections wait in an epoll instance, one a loop, which
// takes 208 bytes of the kernel a connection where a poll on the ring takes 256; an
// operation on the first ring waits for that instance; receives and sends go through
// the rings as ever. The operation ends with each batch of events and is armed
// again. A connection leaves the instance when it is closed.

const (
	opEpollWait = 59 // IORING_OP_EPOLL_WAIT, Linux 6.15
	// recvEpoll is the value of the switch that asks for all this.
	recvEpoll = "epoll"
	// epollEvents is the most events of one batch. What is left comes with the
	// next.
	epollEvents = 256
)

// epollWait is a loop's epoll instance. The zero value is that of a loop without.
type epollWait struct {
	fd     int
	mem    region
	events []unix.EpollEvent // where the kernel writes them; the last is for additions
	armed  bool
}

// on says that the loop's connections wait there.
func (w *epollWait) on() bool { return w.events != nil }

func (w *epollWait) open() (err error) {
	if w.fd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("epoll instance: %w", err)
	}
	w.mem, err = newRegion((epollEvents + 1) * int(unsafe.Sizeof(unix.EpollEvent{})))
	if err != nil {
		_ = unix.Close(w.fd)
		return err
	}
	w.events = cells[unix.EpollEvent](&w.mem)
	return nil
}

func (w *epollWait) close() {
	if w.on() {
		_ = unix.Close(w.fd)
		w.mem.free()
		w.events = nil
	}
}

// armEpoll waits for the next batch. What is ready by then completes at once.
func (l *loop) armEpoll() {
	l.epoll.armed = true
	e := l.entry(l.rings[0])
	e.OpCode = opEpollWait
	e.Fd = int32(l.epoll.fd)
	e.Addr = uint64(l.epoll.mem.addr())
	e.Len = epollEvents
	e.UserData = uint64(tag(reqEpoll, 0, 0, 0))
}

// addToEpoll has a new connection wait. It is reported once for each arrival, as a
// multishot poll does. Where the kernel has no room for it, it is hung up on.
func (l *loop) addToEpoll(r *ring, slot uint32) {
	event := &l.epoll.events[epollEvents]
	event.Events = pollEvents | unix.EPOLLET
	event.Fd = int32(r.conn(slot))
	event.Pad = int32(r.state[slot] >> fGenShift)
	if err := unix.EpollCtl(l.epoll.fd, unix.EPOLL_CTL_ADD, int(r.fds.at[slot]), event); err != nil {
		l.count.n[cAcceptErrors]++
		l.hangup(r, slot)
	}
}

// completeEpoll takes a batch of events.
func (l *loop) completeEpoll(res int32) {
	l.epoll.armed = false
	if res < 0 {
		l.count.n[cRearms]++
	}
	for i := range max(res, 0) {
		event := l.epoll.events[i]
		r, slot := l.at(comet.Conn(event.Fd))
		if uint32(event.Pad) != r.state[slot]>>fGenShift {
			l.count.n[cStale]++
			continue
		}
		l.count.n[cPolls]++
		l.pace.Took(1)
		l.reported(r, slot, int32(event.Events))
	}
	l.armEpoll()
}

// checkRecv refuses what waiting in an epoll instance does not go together with.
func (o *Options) checkRecv() error {
	switch {
	case !o.EpollWait:
		return nil
	case !o.PlainFDs:
		return errors.New("recv=epoll needs fds=plain: an epoll instance watches descriptors of the process")
	case o.Level == Level61:
		return errors.New("recv=epoll needs Linux 6.15, and level=6.1 takes the kernel for less")
	}
	return nil
}
