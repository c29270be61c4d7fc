package uring

import (
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"

	"c1000k/comet"

	"github.com/pawelgaczynski/giouring"
	"golang.org/x/sys/unix"
)

const (
	// fewPending is how many submissions a loop may take into its wait: they
	// complete at once and end it. With more, the loop does not claim to sleep.
	fewPending = 8
	// A loop is loaded while it reads at least loadedCompletions in each
	// loadWindowNS, about a tenth of what one can do, and loadedPerWait for
	// each time it waits. One that answers requests which come one after the
	// other finds one or two each time.
	loadWindowNS      = 1e6
	loadedCompletions = 48
	loadedPerWait     = 4
)

// ring is one io_uring with the connections in its table of direct
// descriptors. Ring 0 is the loop's parent: the loop waits there; the others
// are its children and report by an eventfd that the parent reads.
type ring struct {
	queues
	buf       buffers
	index     int
	base      uint32   // the first connection's number
	state     []uint32 // by slot; see conn.go
	queue     slotQueue
	receiving int // receives submitted and not completed
	free      int // slots that an accept may take
	singles   int // single accepts submitted and not completed
	eventFD   int
	active    bool // on the loop's list; its eventfd is silent
	awaited   bool // the parent's read of the eventfd is armed
	deferred  []giouring.CompletionQueueEvent
}

// quiet says that nothing is left to do for the ring until the kernel speaks.
func (r *ring) quiet() bool {
	return r.pending() == 0 && r.ready() == 0 && len(r.deferred) == 0 && r.queue.empty() && !r.unrun()
}

// loop is one locked thread with its rings. All its fields but count, wakeFD
// and ringCount belong to that thread.
type loop struct {
	e        *Engine
	index    int
	core     *comet.Loop
	capacity int // connections at most
	slots    int // of one ring

	rings  []*ring
	active []*ring // children with something to do
	now    int64
	acting bool  // carrying out the core's actions: of completions only ends of sends and closes are told
	window int64 // when the load was last judged
	reaped int   // completions since then
	waited int   // waits since then
	loaded bool

	acceptors  []acceptor
	target     *ring // where the front door's connections go
	admitDirty bool
	reserve    int // slots of ring 0 kept for the admin door
	adminHeld  int

	states, sendAt region
	sendIndex      []uint32 // by connection: its send record, touched by sending
	sends          sendTable
	waitMem        region
	wait           *waitArg
	scratch        uintptr // where the counts of eventfds go, unread

	wakeFD    int
	ringCount atomic.Int32
	count     tally
}

// reserveMemory maps what the loop's connections may need.
func (l *loop) reserveMemory() (err error) {
	if l.states, err = newRegion(4 * l.capacity); err != nil {
		return err
	}
	if l.sendAt, err = newRegion(4 * l.capacity); err != nil {
		return err
	}
	l.sendIndex = cells[uint32](&l.sendAt)
	if err = l.sends.open(l.capacity); err != nil {
		return err
	}
	if l.waitMem, err = newRegion(os.Getpagesize()); err != nil {
		return err
	}
	l.wait = &cells[waitArg](&l.waitMem)[0]
	l.scratch = l.waitMem.addr() + unsafe.Sizeof(waitArg{})
	return nil
}

// run is the loop's thread. It reports on ready once, and returns when the
// engine stops. The thread stays locked and so ends with it.
func (l *loop) run(ready chan<- error) {
	runtime.LockOSThread()
	defer l.e.running.Done()
	defer l.free()
	if err := l.begin(); err != nil {
		ready <- fmt.Errorf("loop %d: %w", l.index, err)
		return
	}
	ready <- nil
	l.now = l.e.clock()
	for !l.e.stopping.Load() {
		l.pass()
	}
	l.end()
}

// begin makes the parent ring and arms what the loop listens to.
func (l *loop) begin() error {
	if err := l.addRing(); err != nil {
		return err
	}
	l.armWake()
	l.target = l.rings[0]
	l.admitDirty = true
	return nil
}

// addRing opens the loop's next ring; it is the kernel's rule that the thread
// that submits to a ring has made it.
func (l *loop) addRing() error {
	i := len(l.rings)
	r := &ring{index: i, base: uint32(i * l.slots), eventFD: -1}
	n := min(l.slots, l.capacity-int(r.base))
	if err := r.open(l.e.opts.SQEntries, l.e.opts.CQEntries); err != nil {
		return fmt.Errorf("ring %d: %w", i, err)
	}
	fail := func(err error) error {
		l.closeRing(r)
		return fmt.Errorf("ring %d: %w", i, err)
	}
	if err := r.registerTable(n); err != nil {
		return fail(err)
	}
	if err := r.buf.open(&r.queues, l.e.opts.Buffers, l.e.opts.BufferBytes); err != nil {
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

// pass is one turn: the core decides, its actions go out, events come in.
func (l *loop) pass() {
	l.core.Turn(l.now)
	l.acting = true
	for a := l.core.Next(); a != nil; a = l.core.Next() {
		l.carryOut(a)
	}
	l.acting = false
	if l.admitDirty {
		l.admit()
	}
	l.workParent(l.workChildren())
	l.count.show()
}

func (l *loop) carryOut(a *comet.Action) {
	switch a.Op {
	case comet.OpSend:
		l.send(a)
	case comet.OpResume:
		l.resume(l.at(a.Conn))
	case comet.OpClose:
		l.closeConn(l.at(a.Conn))
	case comet.OpWake:
		l.count.n[cWakes]++
		l.e.loops[a.Conn].wake()
	default:
		panic(fmt.Sprintf("uring: the core asked for operation %d", a.Op))
	}
}

// wake ends the loop's wait, or its next one. Any thread may call it.
func (l *loop) wake() {
	one := uint64(1)
	// A full counter (EAGAIN) has woken the loop already.
	_, _, _ = syscall.RawSyscall(syscall.SYS_WRITE, uintptr(l.wakeFD), uintptr(unsafe.Pointer(&one)), 8)
}

// at finds a connection's ring and slot.
func (l *loop) at(c comet.Conn) (*ring, uint32) {
	r := l.rings[int(c)/l.slots]
	return r, uint32(c) - r.base
}

// entry is a submission entry of r, making room by submitting when r is full.
func (l *loop) entry(r *ring) *giouring.SubmissionQueueEntry {
	if !r.active {
		l.activate(r)
	}
	for {
		if e := r.next(); e != nil {
			return e
		}
		l.count.n[cSQFull]++
		l.enter(r, 0, 0, nil)
		if l.acting && int(r.ready()) > len(r.cqes)/2 {
			l.reapSends(r)
		}
	}
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
	kept := l.active[:0]
	// An event may activate further children; they are worked on next turn.
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
	l.active = kept
	return busy
}

// workParent enters the parent ring, and waits there when there is nothing
// else to do.
func (l *loop) workParent(busy bool) {
	p := l.rings[0]
	l.issueRecvs(p)
	slept := false
	if !busy && p.pending() <= fewPending && p.ready() == 0 && len(p.deferred) == 0 && p.queue.empty() {
		if deadline, ok := l.core.Sleep(); ok {
			l.sleep(p, l.retryDeadline(deadline))
			l.core.Awake()
			slept = true
		}
	}
	if !slept && !p.quiet() {
		l.enterNow(p)
	}
	l.now = l.e.clock()
	l.reap(p)
	l.judge()
}

// sleep waits for completions until the deadline. An idle loop waits for the
// first. A loaded one gives a batch the time of the minimum wait to gather, as
// waking for each costs about as much as a message.
func (l *loop) sleep(p *ring, deadline int64) {
	wait, minUsec := uint32(1), uint32(0)
	timeout := int64(-1)
	if deadline != comet.NoDeadline {
		// No less than 1: the kernel takes its time over a wait of no time.
		timeout = max(deadline-l.e.clock(), 1)
	}
	if l.loaded && l.e.opts.Batch > 1 {
		wait = uint32(l.e.opts.Batch)
		if l.e.features.minWait {
			minUsec = uint32(l.e.opts.MinWait.Microseconds())
		} else if minNS := l.e.opts.MinWait.Nanoseconds(); timeout < 0 || timeout > minNS {
			timeout = minNS
		}
	}
	l.count.n[cWaits]++
	l.waited++
	l.wait.set(timeout, minUsec)
	l.enter(p, wait, giouring.EnterGetEvents, l.wait)
}

// judge decides once a window whether the loop is loaded.
func (l *loop) judge() {
	if l.now-l.window >= loadWindowNS {
		l.loaded = l.reaped >= loadedCompletions && l.reaped >= loadedPerWait*l.waited && l.now-l.window < 2*loadWindowNS
		l.window, l.reaped, l.waited = l.now, 0, 0
	}
}

// enterNow submits and collects without waiting. The kernel runs at most 20
// pieces of its work then; asking for more by a wait of no time made each turn
// of an almost idle ring about 30 µs dearer.
func (l *loop) enterNow(r *ring) { l.enter(r, 0, giouring.EnterGetEvents, nil) }

// enter is the one place where the loop goes to the kernel.
func (l *loop) enter(r *ring, wait, flags uint32, arg *waitArg) {
	r.advance()
	r.buf.publish()
	l.count.n[cEnters]++
	errno := r.enter(wait, flags, arg)
	if r.overflowed() {
		l.count.n[cCQOverflow]++
	}
	switch errno {
	case 0, unix.ETIME:
	case unix.EINTR:
		l.count.n[cEINTR]++
	case unix.EAGAIN, unix.EBUSY:
		// The kernel has no memory for a request. What it did not take stays
		// in the queue for the next enter.
		l.count.n[cBusy]++
	default:
		panic(fmt.Sprintf("uring: io_uring_enter on loop %d ring %d: %v", l.index, r.index, error(errno)))
	}
}

// reap reads the completions that are there now, and tells the core.
func (l *loop) reap(r *ring) {
	n := len(r.deferred)
	if n > 0 {
		list := r.deferred
		for i := range list {
			l.complete(r, userData(list[i].UserData), list[i].Res, list[i].Flags)
		}
		r.deferred = list[:0]
	}
	tail := atomic.LoadUint32(r.cqTail)
	for r.cqSeen != tail {
		c := &r.cqes[r.cqSeen&uint32(len(r.cqes)-1)]
		u, res, flags := userData(c.UserData), c.Res, c.Flags
		r.cqSeen++
		n++
		l.complete(r, u, res, flags)
	}
	r.advance()
	r.buf.publish()
	l.count.n[cCompletions] += uint64(n)
	l.reaped += n
}

// reapSends makes room in the completion queue while the core's actions are
// carried out: ends of sends are told at once, as the core expects; all else,
// also what might open a new connection, is kept for reap.
func (l *loop) reapSends(r *ring) {
	tail := atomic.LoadUint32(r.cqTail)
	for r.cqSeen != tail {
		c := r.cqes[r.cqSeen&uint32(len(r.cqes)-1)]
		r.cqSeen++
		u := userData(c.UserData)
		if u.op() != reqSend || r.state[u.slot()]&fClosing != 0 {
			r.deferred = append(r.deferred, c)
			continue
		}
		l.count.n[cCompletions]++
		l.complete(r, u, c.Res, c.Flags)
	}
	r.advance()
}

// complete hands one completion to its owner.
func (l *loop) complete(r *ring, u userData, res int32, flags uint32) {
	switch u.op() {
	case reqPoll, reqRecv, reqSend, reqClose:
		l.completeConn(r, u, res, flags)
	case reqAccept, reqAcceptOne, reqListen:
		l.completeAccept(r, u, res, flags)
	case reqCancel:
		// Only a cancel that found nothing completes: what it was for has
		// ended by itself, and says so in its own completion.
		l.count.n[cCancelLate]++
	case reqWake:
		l.count.n[cWoken]++
		if flags&giouring.CQEFMore == 0 {
			l.count.n[cRearms]++
			l.armWake()
		}
	case reqChild:
		c := l.rings[u.slot()]
		c.awaited = false
		if !c.active {
			l.activate(c)
		}
	default:
		l.count.n[cStale]++
	}
}

// cancel ends the request with user data u.
func (l *loop) cancel(r *ring, u userData) {
	l.count.n[cCancels]++
	e := l.entry(r)
	e.PrepareCancel64(uint64(u), 0)
	e.Flags = giouring.SqeCQESkipSuccess
	e.UserData = uint64(tag(reqCancel, 0, 0, 0))
}

// end cancels, and sees end, what the kernel might still read or write for: the
// sends, whose pieces are the core's, and the reads of eventfds. Polls and
// accepts hold no memory; closing their ring ends them, which is one pass in
// the kernel where a cancel of all would search anew for each.
func (l *loop) end() {
	for _, r := range l.rings {
		if r.awaited {
			l.cancel(l.rings[0], tag(reqChild, 0, 0, uint32(r.index)))
		}
		for slot := 0; slot < len(r.state) && l.sends.used > 0; slot++ {
			if s := uint32(slot); r.state[s]&fSend != 0 {
				l.cancel(r, r.tag(reqSend, s, l.sendIndex[r.conn(s)]))
			}
		}
	}
	for left := true; left; {
		left = l.sends.used > 0
		for _, r := range l.rings {
			l.enterNow(r)
			l.drop(r)
			left = left || r.awaited
		}
	}
	l.count.show()
}

// drop reads completions without telling anybody.
func (l *loop) drop(r *ring) {
	for tail := atomic.LoadUint32(r.cqTail); r.cqSeen != tail; r.cqSeen++ {
		switch u := userData(r.cqes[r.cqSeen&uint32(len(r.cqes)-1)].UserData); u.op() {
		case reqSend:
			l.sends.give(u.aux())
		case reqChild:
			l.rings[u.slot()].awaited = false
		}
	}
}

func (l *loop) closeRing(r *ring) {
	r.close()
	r.buf.close()
	r.queue.close()
	if r.eventFD >= 0 {
		_ = unix.Close(r.eventFD)
	}
}

// free gives back what the loop's thread made.
func (l *loop) free() {
	for _, r := range l.rings {
		l.closeRing(r)
	}
	l.rings = nil
	l.ringCount.Store(0)
	l.states.free()
	l.sendAt.free()
	l.waitMem.free()
	l.sends.close()
}
