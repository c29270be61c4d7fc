package comet

import (
	"unsafe"

	"c1000k/comet/arena"
	"c1000k/comet/internal/plant"
)

// outHeader begins the block of a reply. The count is of sends that still
// need it: a reply to many is composed once and sent to all from the same
// memory. It belongs to the loop alone.
type outHeader struct {
	refs   uint32
	length uint32
}

const outHeaderBytes = int(unsafe.Sizeof(outHeader{}))

func (l *Loop) outAt(x arena.Handle) *outHeader {
	return (*outHeader)(unsafe.Pointer(unsafe.SliceData(l.blocks.Bytes(x))))
}

// newOut copies a reply to where an engine may send it from; 0 if there is no
// memory. It has no reference yet.
func (l *Loop) newOut(reply []byte) arena.Handle {
	x := l.blocks.Alloc(outHeaderBytes + len(reply))
	if x == 0 {
		l.n.noMemory++
		return 0
	}
	*l.outAt(x) = outHeader{length: uint32(len(reply))}
	copy(l.blocks.Bytes(x)[outHeaderBytes:], reply)
	return x
}

// sendReply sends l.reply.
func (l *Loop) sendReply(h uint32, r *conn) {
	if x := l.newOut(l.reply); x != 0 {
		l.send(h, r, x)
	} else {
		l.close(h, r)
	}
}

// send sends the reply x and takes a reference to it.
func (l *Loop) send(h uint32, r *conn, x arena.Handle) {
	o := l.outAt(x)
	o.refs++
	r.out = x
	if r.state != stateHeld {
		l.setState(r, stateSending)
	}
	l.setDeadline(h, r, l.tick+l.svc.limits.Load().stallTicks)
	l.n.sends++
	a := l.action()
	a.Op, a.Pieces, a.Token, a.Conn = OpSend, 1, r.gen, Conn(h-1)
	a.Piece[0] = l.blocks.Bytes(x)[outHeaderBytes:][:o.length]
}

// releaseOut gives back the reply that was being sent.
func (l *Loop) releaseOut(r *conn) {
	if r.out == 0 {
		return
	}
	if o := l.outAt(r.out); o.refs == 1 {
		l.blocks.Free(r.out)
	} else {
		o.refs--
	}
	r.out = 0
}

// Sent says that the send of connection c that had this token is over: n
// bytes went, errno is 0 or why not all of them.
func (l *Loop) Sent(now int64, c Conn, token uint16, n, errno int) {
	l.enter(now)
	h := uint32(c) + 1
	r := l.at(h)
	if (token != r.gen || r.out == 0) && !plant.Is(plant.StaleGeneration) {
		l.n.stale++
		return
	}
	l.n.sentBytes += uint64(n)
	short := r.out != 0 && n < int(l.outAt(r.out).length)
	l.releaseOut(r)
	if r.state != stateSending && r.state != stateHeld {
		return // closing: nothing of it matters but the memory
	}
	if errno != 0 || short {
		l.n.sendErrors++
		l.close(h, r)
		return
	}
	if r.state == stateHeld {
		l.heldSent(h, r)
		l.resume(r)
		return
	}
	if r.flags&flagKeepAlive == 0 {
		l.close(h, r)
		return
	}
	l.setState(r, stateIdle)
	if r.extra != 0 {
		l.again(h, r)
	}
	if r.takes() {
		if r.extra != 0 { // a request has begun
			l.setState(r, stateReading)
			l.setDeadline(h, r, l.tick+l.svc.limits.Load().headerTicks)
		} else {
			l.setDeadline(h, r, l.tick+l.svc.limits.Load().idleTicks)
		}
	}
	l.resume(r)
}

// resume has a connection read again whose early input was used.
func (l *Loop) resume(r *conn) {
	if r.flags&flagPaused == 0 || r.state == stateClosing || plant.Is(plant.LostRearm) {
		return
	}
	if !r.takes() && l.inputBytes(r) >= earlyBytes {
		return
	}
	r.flags &^= flagPaused
	*l.action() = Action{Op: OpResume, Conn: l.connOf(r)}
}

func (l *Loop) connOf(r *conn) Conn {
	return Conn((uintptr(unsafe.Pointer(r)) - uintptr(l.connBase)) / unsafe.Sizeof(conn{}))
}
