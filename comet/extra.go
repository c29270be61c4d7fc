package comet

import (
	"unsafe"

	"c1000k/comet/arena"
	"c1000k/comet/wire"
)

// earlyBytes is how much a client may send ahead while its poll is held or a
// reply is on its way. Then it is read no more until the reply has gone: the
// window of TCP does the rest.
const earlyBytes = 512

// extraHeader is what begins a connection's extra block: what few connections
// have and none should pay for. The callback follows it, then the input.
type extraHeader struct {
	noop    int64
	input   uint32       // bytes of input not yet used
	need    uint32       // with fewer of them the parser cannot come to more
	cb      uint32       // bytes of callback
	pending arena.Handle // messages that wait for the outstanding send: see pending.go
}

const extraHeaderBytes = int(unsafe.Sizeof(extraHeader{}))

func (l *Loop) extraAt(x arena.Handle) *extraHeader {
	return (*extraHeader)(unsafe.Pointer(unsafe.SliceData(l.blocks.Bytes(x))))
}

func (l *Loop) callback(r *conn) []byte {
	if r.extra == 0 {
		return nil
	}
	return l.blocks.Bytes(r.extra)[extraHeaderBytes:][:l.extraAt(r.extra).cb]
}

// callable is body as it may stand in a call of cb, if there is one: for all that
// have none, and nearly all that have, body itself.
func (l *Loop) callable(cb, body []byte) []byte {
	if len(cb) == 0 || !wire.HasSeparator(body) {
		return body
	}
	l.called = wire.AppendCallable(l.called[:0], body)
	return l.called
}

func (l *Loop) noopNumber(r *conn) int64 {
	if r.extra == 0 {
		return 0
	}
	return l.extraAt(r.extra).noop
}

// input is the input not yet used.
func (l *Loop) input(x arena.Handle) []byte {
	e := l.extraAt(x)
	return l.blocks.Bytes(x)[extraHeaderBytes+int(e.cb):][:e.input]
}

// inputBytes is how much input r has that is not yet used.
func (l *Loop) inputBytes(r *conn) uint32 {
	if r.extra == 0 {
		return 0
	}
	return l.extraAt(r.extra).input
}

// freeExtra gives the block back, and what hangs on it.
func (l *Loop) freeExtra(r *conn) {
	if r.extra == 0 {
		return
	}
	l.dropPending(r)
	l.blocks.Free(r.extra)
	r.extra = 0
}

// newExtra gives r a block with room for input of n bytes, in place of the
// one it may have.
func (l *Loop) newExtra(r *conn, noop int64, cb []byte, n int) bool {
	x := l.blocks.Alloc(extraHeaderBytes + len(cb) + n)
	if x == 0 {
		return false
	}
	*l.extraAt(x) = extraHeader{noop: noop, cb: uint32(len(cb))}
	copy(l.blocks.Bytes(x)[extraHeaderBytes:], cb)
	l.freeExtra(r)
	r.extra = x
	return true
}

// needExtra gives r a block if it has none.
func (l *Loop) needExtra(r *conn) bool { return r.extra != 0 || l.newExtra(r, 0, nil, 0) }

// keep adds p to the input not yet used; false if there is no memory.
func (l *Loop) keep(r *conn, p []byte) bool {
	if len(p) == 0 {
		return true
	}
	if r.extra == 0 && !l.newExtra(r, 0, nil, len(p)) {
		return false
	}
	e := l.extraAt(r.extra)
	used := extraHeaderBytes + int(e.cb+e.input)
	if used+len(p) > l.blocks.Size(r.extra) {
		x := l.blocks.Alloc(max(used+len(p), 2*used))
		if x == 0 {
			x = l.blocks.Alloc(used + len(p))
		}
		if x == 0 {
			return false
		}
		copy(l.blocks.Bytes(x), l.blocks.Bytes(r.extra)[:used])
		l.blocks.Free(r.extra)
		r.extra = x
		e = l.extraAt(x)
	}
	copy(l.blocks.Bytes(r.extra)[used:], p)
	e.input += uint32(len(p))
	return true
}
