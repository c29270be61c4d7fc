package uring

import (
	"unsafe"

	"c1000k/comet"

	"github.com/pawelgaczynski/giouring"
	"golang.org/x/sys/unix"
)

const (
	// sendFlags: the kernel goes on until all is sent or nothing more can be, and
	// a closed connection is an error code, not a signal.
	sendFlags = unix.MSG_WAITALL | unix.MSG_NOSIGNAL
	// wholeBytes is the longest that the kernel is to send whole. A request that
	// has waited 128 times for room it gives to a thread of its own, which blocks
	// in it: a thread each for readers that are slow. With the smallest of socket
	// buffers that is a fifth of a megabyte; what is longer goes on from here after
	// each part, as a new request.
	wholeBytes = 64 << 10
)

// msgHeader is struct msghdr and ioVector struct iovec, with addresses as
// numbers: they stand in mapped memory, where the collector does not look.
type msgHeader struct {
	name       uint64
	nameLen    uint32
	_          uint32
	iov        uint64
	iovLen     uint64
	control    uint64
	controlLen uint64
	flags      uint32
	_          uint32
}

type ioVector struct {
	base, len uint64
}

// sendRecord is one outstanding send: what the kernel needs of it, and what is
// needed to go on after a part.
type sendRecord struct {
	msg   msgHeader
	iov   [comet.MaxPieces]ioVector
	sent  uint32
	total uint32
	next  uint32 // of the free list; 0 ends it
	token uint16
	first uint8 // the first piece not wholly sent
	count uint8 // pieces
}

// sendTable holds the records. The one freed last is used next, so that a
// loop whose sends complete at once touches few.
type sendTable struct {
	mem   region
	rec   []sendRecord
	free  uint32 // number of the first free record + 1
	fresh uint32 // records below were used at some time
	used  int
}

func (t *sendTable) open(n int) (err error) {
	t.mem, err = newRegion(n * int(unsafe.Sizeof(sendRecord{})))
	t.rec = cells[sendRecord](&t.mem)
	return err
}

func (t *sendTable) close() { t.mem.free() }

func (t *sendTable) take() uint32 {
	t.used++
	if t.free == 0 {
		t.fresh++
		return t.fresh - 1
	}
	i := t.free - 1
	t.free = t.rec[i].next
	return i
}

func (t *sendTable) give(i uint32) {
	t.used--
	t.rec[i].next = t.free
	t.free = i + 1
}

// send carries out OpSend.
func (l *loop) send(a *comet.Action) {
	r, slot := l.at(a.Conn)
	i := l.sends.take()
	s := &l.sends.rec[i]
	s.sent, s.total, s.first, s.count, s.token = 0, 0, 0, 0, a.Token
	for _, p := range a.Piece[:a.Pieces] {
		if len(p) > 0 {
			s.iov[s.count] = ioVector{uint64(uintptr(unsafe.Pointer(unsafe.SliceData(p)))), uint64(len(p))}
			s.count++
			s.total += uint32(len(p))
		}
	}
	if s.total == 0 || r.state[slot]&fClosing != 0 {
		l.sends.give(i)
		l.core.Sent(l.now, a.Conn, a.Token, 0, 0)
		return
	}
	l.sendIndex[a.Conn] = i
	r.state[slot] |= fSend
	l.submitSend(r, slot, i)
}

// submitSend submits what is left of record i.
func (l *loop) submitSend(r *ring, slot, i uint32) {
	e := l.entry(r)
	r.prompt++
	s := &l.sends.rec[i]
	flags := sendFlags
	if s.total-s.sent > wholeBytes {
		flags &^= unix.MSG_WAITALL
	}
	if left := s.count - s.first; left == 1 {
		v := &s.iov[s.first]
		e.PrepareSend(0, uintptr(v.base), uint32(v.len), flags)
	} else {
		s.msg = msgHeader{iov: uint64(uintptr(unsafe.Pointer(&s.iov[s.first]))), iovLen: uint64(left)}
		e.OpCode = giouring.OpSendmsg
		e.Addr = uint64(uintptr(unsafe.Pointer(&s.msg)))
		e.Len = 1
		e.OpcodeFlags = uint32(flags)
	}
	r.aim(e, slot)
	e.UserData = uint64(r.tag(reqSend, slot, i))
}

// sent takes the end of a send, and goes on where it was partial.
func (l *loop) sent(r *ring, slot, i uint32, res int32) {
	st := &r.state[slot]
	s := &l.sends.rec[i]
	if res > 0 {
		s.sent += uint32(res)
		if s.sent < s.total && *st&fClosing == 0 {
			l.count.n[cPartialSends]++
			s.skip(uint64(res))
			l.submitSend(r, slot, i)
			return
		}
	}
	*st &^= fSend
	l.count.n[cSends]++
	n, errno, token := int(s.sent), 0, s.token
	if res < 0 {
		errno = int(-res)
	} else if res == 0 {
		errno = int(unix.EPIPE)
	}
	l.sends.give(i)
	l.core.Sent(l.now, r.conn(slot), token, n, errno)
	l.finish(r, slot)
}

// skip leaves out the n bytes that are sent.
func (s *sendRecord) skip(n uint64) {
	for n > 0 {
		v := &s.iov[s.first]
		if n < v.len {
			v.base += n
			v.len -= n
			return
		}
		n -= v.len
		s.first++
	}
}
