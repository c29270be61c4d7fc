package floor

import (
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"c1000k/comet/slack"
	"c1000k/experiments/load/rawnet"
)

// writeLoop accepts, writes the same bytes to all it holds when told to, and
// reads what comes, by epoll and plain system calls. It is for one thread, but
// for the methods of bareLoop.
type writeLoop struct {
	share     int
	listeners []int
	rest      time.Duration
	wakeFD    int
	turnFD    int // blocks until it is this loop's turn to accept
	nextFD    int // woken when the share is held; -1 for the last loop

	stop   atomic.Bool
	told   atomic.Pointer[[]byte]
	held   atomic.Int64
	read   atomic.Int64
	failed atomic.Int64

	conns   []int
	sending *[]byte
	poller  *rawnet.Poller
	buf     [requestBytes]byte
}

const (
	eventBatch   = 512 // events taken from the kernel at a time
	writeBatch   = 256 // connections written to between two looks at the events
	requestBytes = 512 // longer than the load's poll
	// wakeNumber is the loop's own eventfd among the events; listeners follow
	// downwards.
	wakeNumber = ^uint32(0)
)

func (w *writeLoop) Held() int64   { return w.held.Load() }
func (w *writeLoop) Read() int64   { return w.read.Load() }
func (w *writeLoop) Failed() int64 { return w.failed.Load() }

func (w *writeLoop) Send(message []byte) error {
	w.told.Store(&message)
	wake(w.wakeFD)
	return nil
}

func (w *writeLoop) Stop() {
	w.stop.Store(true)
	wake(w.turnFD)
	wake(w.wakeFD)
}

// Run is the loop, on its thread. It returns after Stop, with all it holds closed.
func (w *writeLoop) Run() error {
	slack.Loop()
	awaitWake(w.turnFD)
	poller, err := rawnet.NewPoller(eventBatch)
	if err != nil {
		return err
	}
	defer poller.Close()
	w.poller = poller
	defer func() { closeAll(w.conns) }()
	if err := poller.Add(w.wakeFD, unix.EPOLLIN|unix.EPOLLET, wakeNumber); err != nil {
		return err
	}
	for i, fd := range w.listeners {
		if err := poller.Add(fd, unix.EPOLLIN|unix.EPOLLEXCLUSIVE, wakeNumber-1-uint32(i)); err != nil {
			return err
		}
	}
	cursor := 0
	for !w.stop.Load() {
		if m := w.told.Load(); m != w.sending {
			w.sending, cursor = m, 0
		}
		wait := -1
		if w.sending != nil && cursor < len(w.conns) {
			cursor = w.write(cursor)
			wait = 0
		}
		n, err := poller.Wait(wait)
		if err != nil {
			return err
		}
		for i := range n {
			if err := w.handle(poller.Event(i)); err != nil {
				return err
			}
		}
		if w.rest > 0 && wait < 0 {
			rest := unix.NsecToTimespec(int64(w.rest))
			unix.Nanosleep(&rest, nil)
		}
	}
	return nil
}

// write sends the message to the next connections and returns where to go on.
func (w *writeLoop) write(from int) int {
	to := min(from+writeBatch, len(w.conns))
	for _, fd := range w.conns[from:to] {
		if n, err := rawnet.Write(fd, *w.sending); err != nil || n != len(*w.sending) {
			w.failed.Add(1)
		}
	}
	return to
}

func (w *writeLoop) handle(events, number uint32) error {
	switch {
	case number == wakeNumber:
	case number >= wakeNumber-uint32(len(w.listeners)):
		return w.accept(w.listeners[wakeNumber-1-number])
	default:
		n, err := rawnet.Read(int(number), w.buf[:])
		if err == nil && n > 0 {
			w.read.Add(1)
		}
		// Whoever has left stays among the connections: the load does not
		// leave before the end.
	}
	return nil
}

func (w *writeLoop) accept(listener int) error {
	for range min(acceptBatch, w.share-len(w.conns)) {
		fd, err := rawnet.Accept(listener)
		if err == unix.EAGAIN {
			break
		}
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		w.conns = append(w.conns, fd)
		w.held.Add(1)
		if err := w.poller.Add(fd, unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLET, uint32(fd)); err != nil {
			return err
		}
	}
	if len(w.conns) == w.share {
		return w.enough()
	}
	return nil
}

// enough leaves the listeners to others.
func (w *writeLoop) enough() error {
	for _, fd := range w.listeners {
		if err := w.poller.Remove(fd); err != nil {
			return err
		}
	}
	w.listeners = nil
	if w.nextFD >= 0 {
		wake(w.nextFD)
	}
	return nil
}
