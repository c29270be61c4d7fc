package uring

import (
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"

	"c1000k/comet"
	"c1000k/comet/pace"
	"c1000k/comet/slack"

	"github.com/pawelgaczynski/giouring"
	"golang.org/x/sys/unix"
)

const (
	// fewPending is how many submissions a loop may take into its wait: they
	// complete at once and end it. With more, the loop does not claim to sleep.
	fewPending = 8
	// mostCollects is how often more is collected of a ring in one turn, 20 pieces
	// of the kernel's work each time.
	mostCollects = 32
	// completionsPerEvent are those of a message and its next poll: of a send, a poll
	// and a receive, or of a send and a receive that was armed.
	completionsPerEvent, completionsPerArmed = 3, 2
)

// loop is one locked thread with its rings. All its fields but count, wakeFD,
// lookAgain and ringCount belong to that thread.
type loop struct {
	e        *Engine
	index    int
	core     *comet.Loop
	capacity int // connections at most
	slots    int // of one ring
	// deferred says that the kernel runs its work only in an enter that asks for
	// completions; otherwise it may at any time.
	deferred bool

	rings  []*ring
	active []*ring // children with something to do
	now    int64
	acting bool // carrying out the core's actions: of completions only ends of sends and closes are told
	pace   pace.Pace

	acceptors  []acceptor
	target     *ring // where the front door's connections go
	admitDirty bool
	// ringRetryAt is when a ring is tried again that could not be made; 0: none.
	ringRetryAt int64
	reserve     int // slots of ring 0 kept for the admin door
	adminHeld   int

	states, sendAt region
	sendIndex      []uint32 // by connection: its send record, touched by sending
	sends          sendTable
	waitMem        region
	peers          peers
	epoll          epollWait
	wait           *waitArg
	scratch        uintptr // where the counts of eventfds go, unread

	wakeFD    int
	lookAgain atomic.Bool // another loop could not take all that had woken it
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
	if l.index == 0 { // which alone serves the admin door
		if err = l.peers.open(); err != nil {
			return err
		}
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
	slack.Loop()
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
	each := completionsPerEvent
	if l.e.opts.MultishotRecv {
		each = completionsPerArmed
	}
	l.pace = pace.New(each)
	if err := l.addRing(); err != nil {
		return err
	}
	l.armWake()
	if l.e.opts.EpollWait {
		if err := l.epoll.open(); err != nil {
			return err
		}
		l.armEpoll()
	}
	l.target = l.rings[0]
	l.admitDirty = true
	return nil
}

// pass is one turn: the core decides, its actions go out, events come in.
func (l *loop) pass() {
	l.core.Turn(l.now, l.waiting())
	l.acting = true
	for a := l.core.Next(); a != nil; a = l.core.Next() {
		l.carryOut(a)
	}
	l.acting = false
	if l.admitDue() {
		l.admit()
	}
	l.workParent(l.workChildren())
	l.count.show()
}

// waiting is how many connections have reported input that is not read yet.
func (l *loop) waiting() int {
	n := l.rings[0].queue.len()
	for _, r := range l.active {
		n += r.queue.len()
	}
	return n
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
		var flags uint32
		if r.polled {
			flags = giouring.EnterSQWait
		}
		l.enter(r, 0, flags, nil)
		if l.acting && int(r.ready()) > len(r.cqes)/2 {
			l.reapSends(r)
		}
	}
}

// workParent enters the parent ring, and waits there when there is nothing
// else to do.
func (l *loop) workParent(busy bool) {
	p := l.rings[0]
	l.issueRecvs(p)
	slept := false
	if !busy && p.pending() <= fewPending && p.ready() == 0 && len(p.deferred) == 0 && !p.unissued() {
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
	l.pace.Judge(l.now, l.core.Answered())
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
	if l.pace.Loaded && l.e.opts.Batch > 1 {
		l.count.n[cLulls]++
		wait = uint32(l.e.opts.Batch)
		if l.e.features.minWait {
			minUsec = uint32(l.e.opts.MinWait.Microseconds())
		} else if minNS := l.e.opts.MinWait.Nanoseconds(); timeout < 0 || timeout > minNS {
			timeout = minNS
		}
	}
	l.count.n[cWaits]++
	l.pace.Wait()
	l.wait.set(timeout, minUsec)
	l.enter(p, wait, giouring.EnterGetEvents, l.wait)
}

// kernelWork is how many pieces of its deferred work the kernel runs in an enter
// that waits for no more completions than that.
const kernelWork = 20

// enterNow submits and collects without waiting, and collects again where the
// kernel ran as much as it was asked for and has more: a turn that sends to many
// and hears of few leaves who asks meanwhile ever further behind, a quarter of a
// second in a broadcast to 100,000. What only comes meanwhile is for the next turn.
func (l *loop) enterNow(r *ring) {
	if !l.deferred { // where an enter runs all there is
		l.enter(r, 0, giouring.EnterGetEvents, nil)
		return
	}
	for range mostCollects {
		before, prompt := r.ready(), r.prompt
		l.enterSure(r)
		run := int(r.ready()) - int(before+prompt)
		if run < int(max(kernelWork, before+prompt)) || !r.unheard() || int(r.ready()) > len(r.cqes)/2 || !l.spare(r) {
			return
		}
		l.count.n[cCollects]++
	}
}

// enterSure enters for no more completions than will be there anyway, by what
// completes within its submission: so there is no wait, but as much of the kernel's
// work is run as that is. Where a send does not complete after all, the shortest
// wait ends it; that costs a timer, about 30 µs.
func (l *loop) enterSure(r *ring) {
	sure := r.ready() + r.prompt
	if sure <= kernelWork {
		l.enter(r, 0, giouring.EnterGetEvents, nil)
		return
	}
	l.wait.set(1, 0)
	l.enter(r, sure, giouring.EnterGetEvents, l.wait)
}

// enter is the one place where the loop goes to the kernel.
func (l *loop) enter(r *ring, wait, flags uint32, arg *waitArg) {
	r.advance()
	r.buf.publish()
	r.prompt = 0
	if r.polled {
		if flags = r.rouse(wait, flags); flags == 0 {
			return
		}
	}
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
		r.deferred, r.untold = list[:0], 0
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
	l.pace.Took(n)
}

// reapSends makes room in the completion queue while the core's actions are
// carried out: ends of sends are told at once, as the core expects; all else,
// also what might open a new connection, is kept for reap. A send that goes on
// may fill the submission queue and come here again, and read past this tail.
func (l *loop) reapSends(r *ring) {
	tail := atomic.LoadUint32(r.cqTail)
	for int32(tail-r.cqSeen) > 0 {
		c := r.cqes[r.cqSeen&uint32(len(r.cqes)-1)]
		r.cqSeen++
		u := userData(c.UserData)
		if u.op() != reqSend || r.state[u.slot()]&fClosing != 0 {
			r.deferred = append(r.deferred, c)
			if u.op() == reqAccept && c.Res >= 0 {
				r.untold++
			}
			continue
		}
		l.count.n[cCompletions]++
		l.complete(r, u, c.Res, c.Flags)
	}
	r.advance()
	if r.untold > 0 && !l.deferred {
		l.endStreams(r)
	}
}

// complete hands one completion to its owner.
func (l *loop) complete(r *ring, u userData, res int32, flags uint32) {
	switch u.op() {
	case reqPoll, reqRecv, reqSend, reqClose:
		l.completeConn(r, u, res, flags)
	case reqAccept, reqAcceptOne, reqListen:
		l.completeAccept(r, u, res, flags)
	case reqCancel:
		l.count.n[cCancelLate]++
		l.cancelAgain(r, u)
	case reqDiscard:
		if res > 0 {
			l.count.n[cDiscards]++
		}
	case reqWake:
		l.count.n[cWoken]++
		if l.lookAgain.Swap(false) {
			l.lookForWaiting()
		}
		if flags&giouring.CQEFMore == 0 {
			l.count.n[cRearms]++
			l.armWake()
		}
	case reqEpoll:
		l.completeEpoll(res)
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
