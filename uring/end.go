package uring

import "sync/atomic"

// end cancels, and sees end, what the kernel might still read or write for: the
// sends, whose pieces are the core's, and the reads of eventfds; and accepts that
// would leave plain descriptors. Polls and direct accepts hold no memory; closing
// their ring ends them, which is one pass in the kernel where a cancel of all would
// search anew for each.
//
// A multishot receive writes where its ring's buffers are, and closing the ring only
// begins its end: a worker of the kernel cancels it a little later, when the buffers
// may be gone. With deferred task running nothing is received but within an enter, and
// none follows. With taskrun=cooperative and default the kernel receives whenever this
// thread enters it for anything, with sqpoll its own thread does. From Linux 6.17 on
// (commit 3539b1467e94, which is also in stable kernels since) nothing more is received
// for a closed ring. Before, what a client sends just then is received until the cancel
// or this thread's end: it fails where nothing is mapped any more, but overwrites what
// another thread has mapped there meanwhile. Nothing is done against that here.
func (l *loop) end() {
	l.endAccepts()
	if l.epoll.armed {
		l.cancel(l.rings[0], tag(reqEpoll, 0, 0, 0))
	}
	for _, r := range l.rings {
		if r.awaited {
			l.cancel(l.rings[0], tag(reqChild, 0, 0, uint32(r.index)))
		}
		for slot := 0; slot < len(r.state) && l.sends.used > 0; slot++ {
			if s := uint32(slot); r.state[s]&fSend != 0 {
				l.cancelSend(r, s)
			}
		}
	}
	for left := true; left; {
		left = l.sends.used > 0 || l.accepting() || l.epoll.armed
		for _, r := range l.rings {
			l.enterNow(r)
			l.drop(r)
			left = left || r.awaited || r.untaken() > 0
		}
	}
	for _, r := range l.rings {
		r.closePlain()
	}
	l.count.show()
}

// drop reads completions without telling anybody.
func (l *loop) drop(r *ring) {
	for tail := atomic.LoadUint32(r.cqTail); r.cqSeen != tail; {
		c := r.cqes[r.cqSeen&uint32(len(r.cqes)-1)]
		r.cqSeen++
		switch u := userData(c.UserData); u.op() {
		case reqSend:
			l.sends.give(u.aux())
			r.state[u.slot()] &^= fSend
		case reqCancel:
			l.cancelAgain(r, u)
		case reqAccept, reqAcceptOne:
			l.dropAccept(r, u, c.Res, c.Flags)
		case reqEpoll:
			l.epoll.armed = false
		case reqChild:
			l.rings[u.slot()].awaited = false
		}
	}
}

// free gives back what the loop's thread made.
func (l *loop) free() {
	for _, r := range l.rings {
		l.closeRing(r)
	}
	l.rings = nil
	l.ringCount.Store(0)
	l.epoll.close()
	l.states.free()
	l.sendAt.free()
	l.waitMem.free()
	l.peers.mem.free()
	l.sends.close()
}
