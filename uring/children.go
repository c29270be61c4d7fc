package uring

import (
	"fmt"

	"github.com/pawelgaczynski/giouring"
	"golang.org/x/sys/unix"
)

// ring is one io_uring with the connections in its table of direct
// descriptors. Ring 0 is the loop's parent: the loop waits there; the others
// are its children and report by an eventfd that the parent reads.
type ring struct {
	queues
	buf       buffers    // provided ones, or
	own       ownBuffers // those that the engine names
	index     int
	base      uint32   // the first connection's number
	state     []uint32 // by slot; see conn.go
	fds       descriptors
	queue     slotQueue
	receiving int    // receives submitted and not completed
	prompt    uint32 // entries filled that complete within their submission
	free      int    // slots that an accept may take
	singles   int    // single accepts submitted and not completed
	eventFD   int
	active    bool // on the loop's list; its eventfd is silent
	awaited   bool // the parent's read of the eventfd is armed
	deferred  []giouring.CompletionQueueEvent
	untold    int // connections accepted that are among the deferred
}

// quiet says that nothing is left to do for the ring until the kernel speaks.
func (r *ring) quiet() bool {
	return r.pending() == 0 && r.ready() == 0 && len(r.deferred) == 0 && !r.unissued() && !r.unrun()
}

// unissued says that receives are still to be submitted. Where the kernel's thread
// submits, what issueRecvs has left waits for the end of those that are out; multishot
// ones, which are not counted as out, have no end to wait for.
func (r *ring) unissued() bool { return !r.queue.empty() && !(r.polled && r.receiving > 0) }

// addRing opens the loop's next ring; it is the kernel's rule that the thread
// that submits to a ring has made it.
func (l *loop) addRing() error {
	i := len(l.rings)
	r := &ring{index: i, base: uint32(i * l.slots), eventFD: -1}
	n := min(l.slots, l.capacity-int(r.base))
	if err := r.open(l.setup()); err != nil {
		return fmt.Errorf("ring %d: %w", i, err)
	}
	fail := func(err error) error {
		l.closeRing(r)
		return fmt.Errorf("ring %d: %w", i, err)
	}
	table := r.registerTable
	if l.e.opts.PlainFDs {
		table = r.fds.open
	}
	if err := table(n); err != nil {
		return fail(err)
	}
	if err := r.openBuffers(&l.e.opts); err != nil {
		return fail(err)
	}
	if err := r.queue.open(n); err != nil {
		return fail(err)
	}
	r.state = cells[uint32](&l.states)[r.base : int(r.base)+n]
	r.free = n
	if i == 0 {
		r.active = true
	} else {
		fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
		if err != nil {
			return fail(err)
		}
		r.eventFD = fd
		if err := r.registerEventFD(fd); err != nil {
			return fail(err)
		}
		l.await(r)
	}
	l.rings = append(l.rings, r)
	l.ringCount.Store(int32(len(l.rings)))
	l.count.n[cRings]++
	return nil
}

// armWake polls the loop's own eventfd. Its count is never read: each write
// wakes the poll anew.
func (l *loop) armWake() {
	e := l.entry(l.rings[0])
	e.PreparePollMultishot(l.wakeFD, unix.POLLIN)
	e.UserData = uint64(tag(reqWake, 0, 0, 0))
}

// await has the parent told when a child's eventfd is signalled. It is a read
// and not a poll: a signal that comes from a ring ends a multishot poll, and a
// new one would find the old count there.
func (l *loop) await(r *ring) {
	r.awaited = true
	e := l.entry(l.rings[0])
	e.PrepareRead(r.eventFD, l.scratch, 8, 0)
	e.UserData = uint64(tag(reqChild, 0, 0, uint32(r.index)))
}

// activate puts a child on the list of those to work on, and silences it.
func (l *loop) activate(r *ring) {
	r.active = true
	r.notify(false)
	l.active = append(l.active, r)
}

// workChildren enters every child that has something to do, and reads it. It
// says whether the core was told anything, or more is to come.
func (l *loop) workChildren() (busy bool) {
	kept, known := l.active[:0], len(l.active)
	for _, r := range l.active {
		l.issueRecvs(r)
		if r.quiet() {
			r.notify(true)
			if r.quiet() {
				r.active = false
				if !r.awaited {
					l.await(r)
				}
				continue
			}
			r.notify(false)
		}
		l.enterNow(r)
		l.now = l.e.clock()
		l.reap(r)
		kept = append(kept, r)
		busy = true
	}
	// An event may have activated further children; they are worked on next turn.
	l.active = append(kept, l.active[known:]...)
	return busy
}

func (l *loop) closeRing(r *ring) {
	r.close()
	r.buf.close()
	r.own.close()
	r.queue.close()
	r.fds.close()
	if r.eventFD >= 0 {
		_ = unix.Close(r.eventFD)
	}
}
