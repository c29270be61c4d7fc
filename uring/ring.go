package uring

import (
	"fmt"
	"reflect"
	"sync/atomic"
	"syscall"
	"unsafe"

	"github.com/pawelgaczynski/giouring"
)

// This file is the overlay over giouring. The library sets a ring up, maps it,
// knows the layout of entries and prepares them; what it gets wrong or does
// not know is done here: entries are zeroed before they are prepared, the
// completion queue is read by a snapshot of its tail, registrations are
// checked, and the kernel is entered with a timeout and a minimum wait.

// Names of the kernel interface later than the library.
const (
	featMinTimeout   = 1 << 15 // Linux 6.12
	acceptDontWait   = 1 << 1  // ioprio flag of accept, Linux 6.10
	opRegisterFiles2 = giouring.RegisterFiles2
)

// setupParams is struct io_uring_params. The library's own type has the same
// layout and keeps its fields to itself.
type setupParams struct {
	sqEntries, cqEntries, flags, sqThreadCPU, sqThreadIdle, features, wqFD uint32
	resv                                                                   [3]uint32
	sqOff, cqOff                                                           [10]uint32
}

var _ [unsafe.Sizeof(giouring.Params{})]byte = [unsafe.Sizeof(setupParams{})]byte{}

// getEventsArg is struct io_uring_getevents_arg with the minimum wait.
type getEventsArg struct {
	sigMask     uint64
	sigMaskSize uint32
	minWaitUsec uint32
	ts          uint64
}

// waitArg is what one wait hands to the kernel; it lives in mapped memory.
type waitArg struct {
	arg getEventsArg
	ts  syscall.Timespec
}

// queues is one ring: its two queues as shared with the kernel. All methods
// but close belong to the thread that made it.
type queues struct {
	lib      *giouring.Ring
	fd       int
	features uint32
	polled   bool // a thread of the kernel submits what is published

	sqHead, sqTail, sqFlags *uint32
	sqes                    []giouring.SubmissionQueueEntry
	sqNext                  uint32 // tail as filled here; published when entering

	cqHead, cqTail, cqFlags *uint32
	cqes                    []giouring.CompletionQueueEvent
	cqSeen                  uint32 // head as read here
}

// open makes a ring with queues of the given powers of two.
func (q *queues) open(s setup) error {
	p := setupParams{cqEntries: uint32(s.cqEntries), flags: s.flags, wqFD: uint32(s.attach)}
	q.polled = s.flags&giouring.SetupSQPoll != 0
	if q.polled {
		p.sqThreadIdle = sqThreadIdle
	}
	lib := giouring.NewRing()
	if err := lib.QueueInitParams(uint32(s.sqEntries), (*giouring.Params)(unsafe.Pointer(&p))); err != nil {
		return err
	}
	q.lib, q.fd, q.features = lib, lib.RingFd(), p.features
	if err := q.view(int(p.sqEntries), int(p.cqEntries)); err != nil {
		lib.QueueExit()
		return err
	}
	return nil
}

// view finds the shared words that the library maps and does not show.
func (q *queues) view(sqEntries, cqEntries int) error {
	var lost string
	field := func(ring, name string) unsafe.Pointer {
		f := reflect.ValueOf(q.lib).Elem().FieldByName(ring)
		if f.Kind() == reflect.Pointer {
			f = f.Elem().FieldByName(name)
		}
		if f.Kind() != reflect.Pointer || f.IsNil() {
			lost = ring + "." + name
			return nil
		}
		return f.UnsafePointer()
	}
	q.sqHead = (*uint32)(field("sqRing", "head"))
	q.sqTail = (*uint32)(field("sqRing", "tail"))
	q.sqFlags = (*uint32)(field("sqRing", "flags"))
	q.cqHead = (*uint32)(field("cqRing", "head"))
	q.cqTail = (*uint32)(field("cqRing", "tail"))
	q.cqFlags = (*uint32)(field("cqRing", "flags"))
	sqes := (*giouring.SubmissionQueueEntry)(field("sqRing", "sqes"))
	cqes := (*giouring.CompletionQueueEvent)(field("cqRing", "cqes"))
	if lost != "" {
		return fmt.Errorf("giouring has no field %s: it is not the version this overlay was written for", lost)
	}
	q.sqes = unsafe.Slice(sqes, sqEntries)
	q.cqes = unsafe.Slice(cqes, cqEntries)
	q.sqNext, q.cqSeen = *q.sqTail, *q.cqHead
	return nil
}

// close gives the ring back. Requests still armed are cancelled by the kernel
// in its own time, so end them first.
func (q *queues) close() {
	if q.lib != nil {
		q.lib.QueueExit()
		q.lib = nil
	}
}

// next is the next free submission entry, zeroed; nil when the queue is full.
func (q *queues) next() *giouring.SubmissionQueueEntry {
	if q.sqNext-atomic.LoadUint32(q.sqHead) >= uint32(len(q.sqes)) {
		return nil
	}
	e := &q.sqes[q.sqNext&uint32(len(q.sqes)-1)]
	*e = giouring.SubmissionQueueEntry{}
	q.sqNext++
	return e
}

// pending is the number of entries filled that need an enter, or to be published to
// the kernel's thread.
func (q *queues) pending() uint32 {
	if q.polled {
		return q.sqNext - atomic.LoadUint32(q.sqTail)
	}
	return q.untaken()
}

// untaken is the number of entries filled and not yet taken by the kernel.
func (q *queues) untaken() uint32 { return q.sqNext - atomic.LoadUint32(q.sqHead) }

// ready is the number of completions not yet read.
func (q *queues) ready() uint32 { return atomic.LoadUint32(q.cqTail) - q.cqSeen }

// unrun says that the kernel holds work for this ring that only an enter runs,
// or completions that did not fit.
func (q *queues) unrun() bool {
	return atomic.LoadUint32(q.sqFlags)&(giouring.SQTaskrun|giouring.SQCQOverflow) != 0
}

// unheard says that the kernel holds work for this ring that only an enter runs.
func (q *queues) unheard() bool { return atomic.LoadUint32(q.sqFlags)&giouring.SQTaskrun != 0 }

// overflowed says that completions wait in the kernel for room in the queue.
func (q *queues) overflowed() bool { return atomic.LoadUint32(q.sqFlags)&giouring.SQCQOverflow != 0 }

// advance gives the entries read so far back to the kernel.
func (q *queues) advance() { atomic.StoreUint32(q.cqHead, q.cqSeen) }

// notify turns the ring's registered eventfd on or off.
func (q *queues) notify(on bool) {
	var f uint32
	if !on {
		f = giouring.CQEventFdDisabled
	}
	atomic.StoreUint32(q.cqFlags, f)
}

// rouse publishes what is pending to the kernel's thread, and says with which flags
// the kernel has to be entered all the same: 0 if it need not be.
func (q *queues) rouse(wait, flags uint32) uint32 {
	atomic.StoreUint32(q.sqTail, q.sqNext)
	now := atomic.LoadUint32(q.sqFlags)
	if wait == 0 && now&giouring.SQCQOverflow == 0 {
		flags &^= giouring.EnterGetEvents // it would find what is in the queue anyway
	}
	if now&giouring.SQNeedWakeup != 0 {
		flags |= giouring.EnterSQWakeup
	}
	return flags
}

// enter submits what is pending. It uses Syscall6, which releases the Go
// scheduler's processor for the time of the wait, so that the collector and
// timers go on.
func (q *queues) enter(wait, flags uint32, arg *waitArg) syscall.Errno {
	atomic.StoreUint32(q.sqTail, q.sqNext)
	submit := q.pending()
	var size uintptr
	if arg != nil {
		flags |= giouring.EnterExtArg
		size = unsafe.Sizeof(getEventsArg{})
	}
	_, _, errno := syscall.Syscall6(sysEnter, uintptr(q.fd), uintptr(submit), uintptr(wait), uintptr(flags),
		uintptr(unsafe.Pointer(arg)), size)
	return errno
}

// sysEnter is io_uring_enter, the same number on every architecture.
const sysEnter = 426

// set fills a wait: at most timeout_ns (negative: no limit); when minWaitUsec
// is not 0, for the whole count until then, and for any one completion after.
func (w *waitArg) set(timeoutNS int64, minWaitUsec uint32) {
	w.arg = getEventsArg{minWaitUsec: minWaitUsec}
	if timeoutNS >= 0 {
		w.ts = syscall.NsecToTimespec(timeoutNS)
		w.arg.ts = uint64(uintptr(unsafe.Pointer(&w.ts)))
	}
}

// register calls io_uring_register and says which registration failed.
func (q *queues) register(what string, op uint32, arg unsafe.Pointer, n uint32) error {
	if _, errno := q.lib.Register(q.fd, op, arg, n); errno != 0 {
		return fmt.Errorf("%s: %w", what, errno)
	}
	return nil
}

// registerTable gives the ring an empty table of direct descriptors.
func (q *queues) registerTable(slots int) error {
	reg := giouring.RsrcRegister{Nr: uint32(slots), Flags: giouring.RsrcRegisterSparse}
	return q.register(fmt.Sprintf("table of %d direct descriptors", slots),
		opRegisterFiles2, unsafe.Pointer(&reg), uint32(unsafe.Sizeof(reg)))
}

// registerEventFD has the kernel signal fd when the ring has something.
func (q *queues) registerEventFD(fd int) error {
	v := int32(fd)
	return q.register("eventfd of a ring", giouring.RegisterEventFD, unsafe.Pointer(&v), 1)
}
