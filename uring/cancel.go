package uring

import "github.com/pawelgaczynski/giouring"

// cancel ends the request with user data u.
func (l *loop) cancel(r *ring, u userData) {
	l.count.n[cCancels]++
	prepareCancel(l.entry(r), u)
}

// prepareCancel has an entry cancel the request with user data u. Where the kernel finds
// no such request, the cancel's own completion says so, and tells by its user data what
// it was for.
func prepareCancel(e *giouring.SubmissionQueueEntry, u userData) {
	e.PrepareCancel64(uint64(u), 0)
	e.Flags = giouring.SqeCQESkipSuccess
	e.UserData = uint64(cancelOf(u))
}

// cancelSend ends the send of a slot.
func (l *loop) cancelSend(r *ring, slot uint32) {
	l.cancel(r, r.tag(reqSend, slot, l.sendIndex[r.conn(slot)]))
}

// cancelAgain follows a cancel that found nothing. The request may be over, and says so
// in its own completion. But where its socket became ready just when it was to wait for
// that, the kernel is about to try it anew, and meanwhile it is found nowhere. If it
// then finds nothing, as another loop was faster, it waits for as long as its peer
// likes: a send holds its slot, a single accept the slot that it may fill, and a
// streaming accept goes on in a table that it may overrun. So it is cancelled until it
// ends.
func (l *loop) cancelAgain(r *ring, u userData) {
	number := u.slot()
	switch u.cancels() {
	case reqSend:
		if st := r.state[number]; u.gen() == uint16(st>>fGenShift) && st&fSend != 0 {
			l.cancelSend(r, number)
		}
	case reqRecv: // a multishot one
		if st := r.state[number]; u.gen() == uint16(st>>fGenShift) && st&fRecv != 0 && st&(fPaused|fClosing) != 0 {
			l.cancel(r, r.tag(reqRecv, number, 0))
		}
	case reqAccept:
		if a := &l.acceptors[number]; a.mode == modeEnding && a.ring == r {
			l.cancel(r, tag(reqAccept, a.gen, 0, number))
		}
	case reqAcceptOne:
		if a := &l.acceptors[number]; a.out&(1<<place(u.aux())) != 0 {
			l.cancel(r, tag(reqAcceptOne, u.gen(), u.aux()&mostCancelAux, number))
		}
	case reqChild:
		if l.rings[number].awaited {
			l.cancel(r, tag(reqChild, 0, 0, number))
		}
	case reqEpoll:
		if l.epoll.armed {
			l.cancel(r, tag(reqEpoll, 0, 0, 0))
		}
	}
}
