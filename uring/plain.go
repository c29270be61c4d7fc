package uring

import (
	"fmt"
	"os"

	"github.com/pawelgaczynski/giouring"
	"golang.org/x/sys/unix"
)

// Connections may be plain descriptors of the process, where otherwise they are
// direct ones of a ring's table. The slot is then the engine's own choice, and the
// descriptor is kept for it. All loops together are bound by the process's limit.

const (
	// plainSpare are the descriptors left for what the process opens later.
	plainSpare = 32
	// loopDescriptors are what a loop takes at most beside its further rings: an
	// eventfd, its first ring, an epoll instance.
	loopDescriptors = 3
	// ringDescriptors are what a further ring takes: itself and its eventfd.
	ringDescriptors = 2
)

// descriptors are a ring's plain descriptors by slot, 4 bytes each. The slot freed
// last is used next. The zero value is that of a ring with direct ones.
type descriptors struct {
	mem   region
	at    []int32 // of a free slot: the number of the next free one + 1, or 0
	free  uint32  // number of the first free slot + 1
	fresh uint32  // slots below were used at some time
}

func (d *descriptors) open(slots int) (err error) {
	d.mem, err = newRegion(4 * slots)
	d.at = cells[int32](&d.mem)
	return err
}

func (d *descriptors) close() { d.mem.free() }

// take finds a slot for fd; false when there is none.
func (d *descriptors) take(fd int32) (slot uint32, ok bool) {
	switch {
	case d.free != 0:
		slot = d.free - 1
		d.free = uint32(d.at[slot])
	case d.fresh < uint32(len(d.at)):
		slot = d.fresh
		d.fresh++
	default:
		return 0, false
	}
	d.at[slot] = fd
	return slot, true
}

func (d *descriptors) give(slot uint32) {
	d.at[slot] = int32(d.free)
	d.free = slot + 1
}

// plain says that the ring's connections are plain descriptors.
func (r *ring) plain() bool { return r.fds.at != nil }

// aim has an entry that is prepared be for the descriptor in slot.
func (r *ring) aim(e *giouring.SubmissionQueueEntry, slot uint32) {
	if r.plain() {
		e.Fd = r.fds.at[slot]
		return
	}
	e.Fd = int32(slot)
	e.Flags |= giouring.SqeFixedFile
}

// prepareAccept has an entry accept from fd, into the ring's table or not.
func (r *ring) prepareAccept(e *giouring.SubmissionQueueEntry, fd int, address uintptr, length uint64) {
	if r.plain() {
		e.PrepareAccept(fd, address, length, unix.SOCK_CLOEXEC)
		return
	}
	e.PrepareAcceptDirect(fd, address, length, 0, giouring.FileIndexAlloc)
}

// prepareClose has an entry close what is in slot.
func (r *ring) prepareClose(e *giouring.SubmissionQueueEntry, slot uint32) {
	if r.plain() {
		e.PrepareClose(int(r.fds.at[slot]))
		return
	}
	e.PrepareCloseDirect(slot)
}

// place finds the slot of what an accept has brought. With direct descriptors it
// is the slot. An accept is asked for only where a slot is free; what comes in
// spite of that is closed.
func (l *loop) place(r *ring, res int32) (slot uint32, ok bool) {
	if !r.plain() {
		return uint32(res), true
	}
	if slot, ok = r.fds.take(res); !ok {
		l.count.n[cAcceptErrors]++
		_ = unix.Close(int(res))
	}
	return slot, ok
}

// endAccepts ends the accepts at the loop's end: what they would still bring would
// be left open. Those that do not stream do not wait.
func (l *loop) endAccepts() {
	for i := range l.acceptors {
		if a := &l.acceptors[i]; a.mode == modeStreaming && a.ring.plain() {
			l.endStream(a, uint32(i))
		}
	}
}

// accepting says whether an accept may still bring a plain descriptor.
func (l *loop) accepting() bool {
	for i := range l.acceptors {
		a := &l.acceptors[i]
		if l.rings[0].plain() && (a.mode == modeEnding || a.out != 0) {
			return true
		}
	}
	return false
}

// dropAccept is the end of an accept that nobody is told of.
func (l *loop) dropAccept(r *ring, u userData, res int32, flags uint32) {
	a := &l.acceptors[u.slot()]
	if u.op() == reqAcceptOne {
		a.done(u)
	} else if flags&giouring.CQEFMore == 0 {
		a.mode = modeIdle
	}
	if res >= 0 && r.plain() {
		_ = unix.Close(int(res))
	}
}

// closePlain closes what is open, at the loop's end.
func (r *ring) closePlain() {
	for slot := range r.fds.fresh {
		if r.state[slot]&(fOpen|fClosing) == fOpen {
			_ = unix.Close(int(r.fds.at[slot]))
		}
	}
}

// boundPlain bounds the engine's connections by the process's descriptors, limit in
// all, and refuses a size beyond.
func (e *Engine) boundPlain(limit int) error {
	used, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return fmt.Errorf("descriptors in use: %w", err)
	}
	rings := 0
	if e.limit < limit {
		rings = e.opts.MaxConns / e.limit
	}
	room := limit - len(used) - plainSpare - loopDescriptors*e.opts.Loops - ringDescriptors*rings
	if e.opts.MaxConns == 0 {
		e.opts.MaxConns = min(max(room, 0), e.limit*e.opts.Loops)
	}
	if e.opts.MaxConns > room || room <= 0 {
		return fmt.Errorf("%d connections in plain descriptors are more than the descriptor limit of %d holds, of which %d are in use: "+
			"fds=direct takes none of them, or raise the limit (ulimit -n)", e.opts.MaxConns, limit, len(used))
	}
	return nil
}
