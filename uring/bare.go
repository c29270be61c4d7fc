package uring

import (
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"c1000k/comet"
	"c1000k/comet/slack"

	"github.com/pawelgaczynski/giouring"
	"golang.org/x/sys/unix"
)

// BareOptions say what a bare loop does. The queues and buffers have the
// engine's default sizes.
type BareOptions struct {
	// Connections is how many the loop takes before it accepts no more; a few
	// that are accepted at the same time may be held beside them.
	Connections int
	// Listeners are sockets that listen. One loop at a time takes from them: a
	// connection wakes one of those that wait, and may be lost to the others.
	Listeners []int
	// Full is called, on the loop's thread, when it has taken what it takes and
	// nothing of it waits on the listeners any more.
	Full func()
	// Multishot has a multishot receive wait on each connection, where
	// otherwise a multishot poll waits and a one-shot receive follows.
	Multishot bool
	// Rest is how long the loop sleeps after each wait, so that a batch gathers.
	Rest time.Duration
	// Table is the direct descriptors of a ring at most; 0 is the descriptor
	// limit. A ring more is made as each fills.
	Table int
}

// Bare is a loop on io_uring with nothing behind it: it holds connections, sends
// all of them the same bytes when told to, and reads what comes without looking
// at it. What the engine adds to it is the cost of the service; so it is the
// floor that the engine is measured against.
//
// A message must have been received by all before the next is sent. All methods
// but Run are for any thread.
type Bare struct {
	opts   BareOptions
	table  int
	wakeFD int
	stop   atomic.Bool
	accept atomic.Bool // it is this loop's turn
	held   atomic.Int64
	read   atomic.Int64
	failed atomic.Int64
	told   atomic.Pointer[[]byte]

	rings   []*bareRing
	armed   int     // accepts that have not ended
	full    bool    // all connections are held
	sending *[]byte // the last message taken up
	out     region  // it, where the kernel reads it
	length  uint32
	wait    []unix.PollFd
}

// bareRing is one ring of a bare loop.
type bareRing struct {
	queues
	buf       buffers
	eventFD   int
	held      []uint32 // slots
	cursor    int      // of held, those before it were sent the message
	readable  []uint32 // slots to receive from
	receiving int      // one-shot receives submitted
	accepting []bool   // by listener: its accept has not ended
}

// mostBareMessage is the length of a message at most.
const mostBareMessage = 64 << 10

// NewBare makes a loop that Run carries on.
func NewBare(o BareOptions) (*Bare, error) {
	if err := Probe(); err != nil {
		return nil, err
	}
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		return nil, fmt.Errorf("descriptor limit: %w", err)
	}
	table := int(min(lim.Cur, maxSlots))
	if o.Table > 0 {
		table = min(table, o.Table)
	}
	for _, fd := range o.Listeners {
		if err := prepareListener(comet.Listener{FD: fd}); err != nil {
			return nil, err
		}
	}
	b := &Bare{opts: o, table: table}
	if b.share() < 1 {
		return nil, fmt.Errorf("a table of %d descriptors is too small for a bare loop with %d listeners: raise the descriptor limit (ulimit -n)",
			table, len(o.Listeners))
	}
	var err error
	b.wakeFD, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	return b, err
}

// Accept has the loop take connections from now on.
func (b *Bare) Accept() {
	b.accept.Store(true)
	b.wake()
}

// Held is how many connections are held.
func (b *Bare) Held() int64 { return b.held.Load() }

// Read is how many times something was received.
func (b *Bare) Read() int64 { return b.read.Load() }

// Failed is how many sends were not done.
func (b *Bare) Failed() int64 { return b.failed.Load() }

// Send has the loop send message to all it holds.
func (b *Bare) Send(message []byte) error {
	if len(message) > mostBareMessage {
		return fmt.Errorf("a message of %d bytes: %d at most", len(message), mostBareMessage)
	}
	b.told.Store(&message)
	b.wake()
	return nil
}

// Stop has Run return; it closes all connections.
func (b *Bare) Stop() {
	b.stop.Store(true)
	b.wake()
}

func (b *Bare) wake() {
	one := [8]byte{1}
	_, _ = unix.Write(b.wakeFD, one[:])
}

// Run is the loop, on a thread that the caller has locked. It returns after Stop.
func (b *Bare) Run() (err error) {
	slack.Loop()
	defer b.free()
	if b.out, err = newRegion(mostBareMessage); err != nil {
		return err
	}
	b.wait = []unix.PollFd{{Fd: int32(b.wakeFD), Events: unix.POLLIN}}
	for told := false; !b.stop.Load(); {
		if m := b.told.Load(); m != b.sending {
			b.begin(m)
		}
		busy := false
		for _, r := range b.rings {
			worked, err := b.work(r)
			if err != nil {
				return err
			}
			busy = busy || worked
		}
		switch {
		case b.armed > 0 || told || !b.accept.Load():
		case b.full:
			told = true
			b.opts.Full()
		default:
			if err := b.addRing(); err != nil {
				return err
			}
			continue
		}
		if !busy {
			b.sleep()
		}
	}
	return nil
}

// begin takes up a message.
func (b *Bare) begin(m *[]byte) {
	b.sending = m
	b.length = uint32(copy(b.out.b, *m))
	for _, r := range b.rings {
		r.cursor = 0
	}
}

func (b *Bare) free() {
	for _, r := range b.rings {
		r.close()
		r.buf.close()
		_ = unix.Close(r.eventFD)
	}
	b.out.free()
	_ = unix.Close(b.wakeFD)
}

// addRing makes a further ring and accepts into it.
func (b *Bare) addRing() error {
	r := &bareRing{eventFD: -1, accepting: make([]bool, len(b.opts.Listeners))}
	b.rings = append(b.rings, r)
	if err := r.open(newSetup(defaultSQEntries, defaultCQEntries, taskDeferred)); err != nil {
		return err
	}
	if err := r.registerTable(b.table); err != nil {
		return err
	}
	if err := r.buf.open(&r.queues, defaultBuffers, defaultBufferBytes); err != nil {
		return err
	}
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return err
	}
	r.eventFD = fd
	if err := r.registerEventFD(fd); err != nil {
		return err
	}
	r.notify(false)
	b.wait = append(b.wait, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	for i := range b.opts.Listeners {
		if err := b.acceptFrom(r, uint32(i)); err != nil {
			return err
		}
	}
	return nil
}

// entry is a submission entry, made room for by submitting.
func (b *Bare) entry(r *bareRing) (*giouring.SubmissionQueueEntry, error) {
	for {
		if e := r.next(); e != nil {
			return e, nil
		}
		if err := b.enter(r); err != nil {
			return nil, err
		}
	}
}

func (b *Bare) enter(r *bareRing) error {
	r.advance()
	r.buf.publish()
	switch errno := r.enter(0, giouring.EnterGetEvents, nil); errno {
	case 0, unix.EINTR, unix.EAGAIN, unix.EBUSY:
		return nil
	default:
		return fmt.Errorf("io_uring_enter: %w", errno)
	}
}

func (b *Bare) acceptFrom(r *bareRing, listener uint32) error {
	e, err := b.entry(r)
	if err != nil {
		return err
	}
	b.armed++
	r.accepting[listener] = true
	e.PrepareMultishotAcceptDirect(b.opts.Listeners[listener], 0, 0, 0)
	e.UserData = uint64(tag(reqAccept, 0, 0, listener))
	return nil
}

// watch arms what waits for a connection's input.
func (b *Bare) watch(r *bareRing, slot uint32) error {
	e, err := b.entry(r)
	if err != nil {
		return err
	}
	if b.opts.Multishot {
		e.PrepareRecvMultishot(int(slot), 0, 0, 0)
		e.Flags = giouring.SqeFixedFile | giouring.SqeBufferSelect
		e.BufIG = bufferGroup
		e.UserData = uint64(tag(reqRecv, 0, 0, slot))
		return nil
	}
	e.PreparePollMultishot(int(slot), pollEvents)
	e.Flags = giouring.SqeFixedFile
	e.UserData = uint64(tag(reqPoll, 0, 0, slot))
	return nil
}

// work submits what is to be sent and received, enters once, and reads what has
// come. It says whether there was anything to do.
func (b *Bare) work(r *bareRing) (bool, error) {
	for r.cursor < len(r.held) && b.sending != nil {
		e := r.next()
		if e == nil {
			break
		}
		slot := r.held[r.cursor]
		r.cursor++
		e.PrepareSend(int(slot), b.out.addr(), b.length, sendFlags)
		// Nothing is kept of a send, so only one that fails needs to be told.
		e.Flags = giouring.SqeFixedFile | giouring.SqeCQESkipSuccess
		e.UserData = uint64(tag(reqSend, 0, 0, slot))
	}
	for len(r.readable) > 0 && r.receiving < defaultBuffers {
		e := r.next()
		if e == nil {
			break
		}
		slot := r.readable[len(r.readable)-1]
		r.readable = r.readable[:len(r.readable)-1]
		r.receiving++
		e.PrepareRecv(int(slot), 0, 0, unix.MSG_DONTWAIT)
		e.Flags = giouring.SqeFixedFile | giouring.SqeBufferSelect
		e.BufIG = bufferGroup
		e.UserData = uint64(tag(reqRecv, 0, 0, slot))
	}
	if r.idle() {
		return false, nil
	}
	if err := b.enter(r); err != nil {
		return false, err
	}
	return true, b.reap(r)
}

func (r *bareRing) idle() bool {
	return r.pending() == 0 && r.ready() == 0 && len(r.readable) == 0 && !r.unrun()
}

func (b *Bare) reap(r *bareRing) error {
	tail := atomic.LoadUint32(r.cqTail)
	for r.cqSeen != tail {
		c := &r.cqes[r.cqSeen&uint32(len(r.cqes)-1)]
		u, res, flags := userData(c.UserData), c.Res, c.Flags
		r.cqSeen++
		if err := b.complete(r, u, res, flags); err != nil {
			return err
		}
	}
	return nil
}

func (b *Bare) complete(r *bareRing, u userData, res int32, flags uint32) error {
	switch u.op() {
	case reqAccept:
		return b.accepted(r, u.slot(), res, flags)
	case reqPoll:
		return b.polled(r, u.slot(), res, flags)
	case reqRecv:
		return b.received(r, u.slot(), res, flags)
	case reqCancel: // of an accept; it found nothing
		return b.endAccept(r, u.slot())
	case reqSend:
		b.failed.Add(1)
	}
	return nil
}

func (b *Bare) accepted(r *bareRing, listener uint32, res int32, flags uint32) error {
	if res >= 0 {
		r.held = append(r.held, uint32(res))
		r.cursor = len(r.held)
		if err := b.watch(r, uint32(res)); err != nil {
			return err
		}
		switch n := b.held.Add(1); {
		case int(n) == b.opts.Connections:
			b.full = true
			fallthrough
		case len(r.held) == b.share():
			if err := b.endAccepts(r); err != nil {
				return err
			}
		}
	}
	if flags&giouring.CQEFMore != 0 {
		return nil
	}
	b.armed--
	r.accepting[listener] = false
	switch errno := unix.Errno(-res); {
	case b.full, len(r.held) >= b.share():
		return nil
	case res < 0 && errno != unix.EAGAIN && errno != unix.EINTR && errno != unix.ECONNABORTED:
		return fmt.Errorf("accept: %w", errno)
	}
	return b.acceptFrom(r, listener)
}

// share is how many connections a ring takes. What one run of its accepts may
// bring beside them must fit its table.
func (b *Bare) share() int { return b.table - defaultCQEntries - len(b.opts.Listeners) }

func (b *Bare) endAccepts(r *bareRing) error {
	for i := range b.opts.Listeners {
		if err := b.endAccept(r, uint32(i)); err != nil {
			return err
		}
	}
	return nil
}

// endAccept cancels an accept that has not ended, and does so again when that finds
// nothing, for the reason that the engine has (see cancelAgain): a loop that waits for
// its accepts to end would never be full.
func (b *Bare) endAccept(r *bareRing, listener uint32) error {
	if !r.accepting[listener] {
		return nil
	}
	e, err := b.entry(r)
	if err != nil {
		return err
	}
	prepareCancel(e, tag(reqAccept, 0, 0, listener))
	return nil
}

func (b *Bare) polled(r *bareRing, slot uint32, res int32, flags uint32) error {
	if res > 0 {
		r.readable = append(r.readable, slot)
	}
	if flags&giouring.CQEFMore == 0 && res >= 0 {
		return b.watch(r, slot)
	}
	return nil
}

func (b *Bare) received(r *bareRing, slot uint32, res int32, flags uint32) error {
	if flags&giouring.CQEFBuffer != 0 {
		r.buf.give(uint16(flags >> giouring.CQEBufferShift))
	}
	if res > 0 {
		b.read.Add(1)
	}
	again := res > 0 || res == -int32(unix.ENOBUFS) // else the peer has left
	if !b.opts.Multishot {
		r.receiving--
		if res == -int32(unix.ENOBUFS) {
			r.readable = append(r.readable, slot)
		}
		return nil
	}
	if flags&giouring.CQEFMore == 0 && again {
		return b.watch(r, slot)
	}
	return nil
}

// sleep waits until a ring has something or another thread has.
func (b *Bare) sleep() {
	quiet := true
	for _, r := range b.rings {
		r.notify(true)
		quiet = quiet && r.idle()
	}
	if quiet {
		_, _, _ = unix.Syscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(unsafe.SliceData(b.wait))), uintptr(len(b.wait)), 0, 0, 0, 0)
	}
	var count [8]byte
	for i := range b.wait {
		if b.wait[i].Revents != 0 {
			_, _ = unix.Read(int(b.wait[i].Fd), count[:])
			b.wait[i].Revents = 0
		}
	}
	for _, r := range b.rings {
		r.notify(false)
	}
	if b.opts.Rest > 0 && quiet {
		rest := unix.NsecToTimespec(int64(b.opts.Rest))
		_ = unix.Nanosleep(&rest, nil)
	}
}
