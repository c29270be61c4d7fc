package load

import (
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"c1000k/experiments/fdtable"
	"c1000k/experiments/load/rawnet"
)

// Sizes of a reactor's turn.
const (
	eventBatch  = 512      // events taken from the kernel at a time
	openBurst   = 32       // connections opened between two looks at the events
	closeBurst  = 256      // connections closed between two looks
	resumeBurst = 256      // connections looked at for a withheld poll between two looks
	readBytes   = 64 << 10 // read at a time; a reply normally fits
	mostPending = 256      // handshakes under way and connects to be tried again
	keptBorrow  = 64 << 10 // a larger buffer is not kept for the next partial reply
)

// Intervals of a reactor, in milliseconds where epoll wants them.
const (
	pacedWaitMs    = 1  // while the rate does not allow the next connection
	pendingCheckMs = 50 // while handshakes or retries are pending
	briefWaitMs    = 2  // for the next event, where they follow each other closely
)

// wakeSlot is the number that a reactor's wake descriptor has among its events.
const wakeSlot = ^uint32(0)

// reactor is a thread and the connections it owns. The fields of the first group
// are for any thread, the others for its own alone.
type reactor struct {
	gen      *Generator
	index    int
	wakeFd   int
	tid      atomic.Int32
	target   atomic.Int64 // connections that shall have been opened
	active   atomic.Bool  // and shall be now
	closing  atomic.Bool
	resuming atomic.Bool // withheld polls shall be sent now
	ending   atomic.Bool
	turns    atomic.Uint64
	tally    tally
	failure  atomic.Pointer[error] // why it cannot open more
	arrival  arrivals              // written while an operation runs, read when it is over
	thread   *fdtable.Thread

	poller   *rawnet.Poller
	records  []record
	opened   int           // slots used
	resumed  int           // of them, those looked at for a withheld poll
	busy     bool          // events follow each other closely
	waited   time.Duration // when the last long wait ended
	op       *operation
	buf      []byte
	scratch  []byte // a body of several chunks
	request  []byte
	borrowed [][]byte
	unused   []uint32 // indices of buffers that are not borrowed
	pending  []attempt
	retries  []attempt

	positions []position // of each record, with nchan alone
}

// attempt is a connection that is being opened, or shall be again.
type attempt struct {
	slot uint32
	at   time.Duration // when it began, or when it may begin
}

// start runs the reactor on a thread of its own.
func (r *reactor) start() (err error) {
	body := func(t *fdtable.Table) {
		r.tid.Store(int32(t.Tid))
		if err := r.run(); err != nil {
			r.fail(err)
		}
	}
	if r.gen.layout.own {
		r.thread, err = fdtable.Go([]int{r.wakeFd}, body)
	} else {
		r.thread = fdtable.GoShared(body)
	}
	return err
}

// wake makes the reactor look at its orders. Any thread may call it.
func (r *reactor) wake() {
	one := [8]byte{1}
	unix.Write(r.wakeFd, one[:])
}

// run is the reactor's life.
func (r *reactor) run() error {
	poller, err := rawnet.NewPoller(eventBatch)
	if err != nil {
		return err
	}
	defer poller.Close()
	// An edge is enough for a wake, so its count is never read.
	if err := poller.Add(r.wakeFd, unix.EPOLLIN|unix.EPOLLET, wakeSlot); err != nil {
		return err
	}
	r.poller = poller
	r.records = make([]record, r.gen.layout.capacity)
	if r.gen.numbers != nil {
		r.positions = make([]position, r.gen.layout.capacity)
	}
	r.buf = make([]byte, readBytes)
	for !r.ending.Load() {
		if err := r.turn(); err != nil {
			return err
		}
	}
	for r.opened > 0 {
		r.closeSome()
	}
	return nil
}

// turn waits for events once, handles them, and goes on opening or closing.
func (r *reactor) turn() error {
	n, err := r.wait()
	if err != nil {
		return err
	}
	// A turn is counted before the operation is looked at: who takes the
	// operation away and then sees a new turn knows that it is not used.
	r.turns.Add(1)
	r.op = r.gen.op.Load()
	for i := range n {
		if events, slot := r.poller.Event(i); slot != wakeSlot {
			r.handle(slot, events)
		}
	}
	if r.resuming.Load() {
		r.resumeSome()
	}
	if r.closing.Load() {
		r.closeSome()
	} else {
		r.openSome()
	}
	return nil
}

// wait waits for events. While they follow each other closely it waits without
// telling the Go scheduler, for the scheduler's part in a wake costs more than
// all else that a message does here.
func (r *reactor) wait() (int, error) {
	timeout := r.timeoutMs()
	if r.busy && timeout < 0 {
		n, err := r.poller.WaitBriefly(briefWaitMs)
		r.busy = n > 0
		if n > 0 || err != nil {
			return n, err
		}
	}
	n, err := r.poller.Wait(timeout)
	now := r.gen.now()
	r.busy = n > 0 && now-r.waited < briefWaitMs*time.Millisecond
	r.waited = now
	return n, err
}

// timeoutMs is how long the next turn may wait for events.
func (r *reactor) timeoutMs() int {
	switch {
	case r.closing.Load(), r.resuming.Load():
		return 0
	case r.opening():
		if r.gen.mayOpen() {
			return 0
		}
		return pacedWaitMs
	case len(r.pending)+len(r.retries) > 0:
		return pendingCheckMs
	}
	return -1
}

// fail keeps the first reason why the reactor cannot go on opening.
func (r *reactor) fail(err error) { r.failure.CompareAndSwap(nil, &err) }

// handle is one event of one connection.
func (r *reactor) handle(slot uint32, events uint32) {
	c := &r.records[slot]
	switch c.state {
	case stateConnecting:
		r.connected(slot, c, events)
		return
	case stateFree, stateDead:
		return // closed earlier in this turn
	}
	if c.flags&flagUnsent != 0 && events&unix.EPOLLOUT != 0 {
		c.flags &^= flagUnsent
		r.poller.Modify(int(c.fd), readEvents, slot)
		if !r.poll(slot, c) {
			return
		}
	}
	r.receive(slot, c, events)
}

// closeSome closes a burst of connections; after the last the reactor is as new.
func (r *reactor) closeSome() {
	for n := 0; n < closeBurst && r.opened > 0; n++ {
		r.opened--
		c := &r.records[r.opened]
		switch c.state {
		case stateHeld:
			r.leave(c)
			fallthrough
		case stateConnecting, stateIdle, stateWithheld:
			rawnet.Close(int(c.fd))
		}
		if c.borrow != 0 {
			r.giveBack(c)
		}
		if c.state != stateConnecting && c.state != stateFree {
			r.tally.add(cOpened, -1)
		}
		*c = record{}
	}
	if r.opened == 0 {
		r.pending, r.retries = r.pending[:0], r.retries[:0]
		r.target.Store(0)
		r.closing.Store(false)
	}
}

// leave takes a connection out of those that hold.
func (r *reactor) leave(c *record) {
	r.tally.add(cHeld, -1)
	r.gen.subscribers[c.channel].Add(-1)
}

// die ends a connection that shall not be opened again.
func (r *reactor) die(c *record, why counter) {
	r.tally.add(why, 1)
	if c.state == stateHeld {
		r.leave(c)
	}
	if c.borrow != 0 {
		r.giveBack(c)
	}
	rawnet.Close(int(c.fd))
	c.state, c.fd = stateDead, -1
}

// quiesce returns when the reactor has begun a turn after the call. Coordinator
// only.
func (r *reactor) quiesce() {
	if r.thread == nil {
		return
	}
	for before := r.turns.Load(); r.turns.Load() == before; runtime.Gosched() {
		select {
		case <-r.thread.Done():
			return
		default:
			r.wake()
		}
	}
}
