package load

import (
	"encoding/binary"
	"time"

	"golang.org/x/sys/unix"
)

// acceptQueue looks at the accept queues of the listeners that are connected to,
// by the kernel's sock_diag. When one overflows, the kernel drops handshakes and
// tries again after a second, so opening pauses before. Where sock_diag is not to
// be had, opening goes on unpaused.
type acceptQueue struct {
	fd          int // -1: not to be had
	first, last int
	buf         []byte
	looked      time.Duration
	paused      bool
}

// How full a queue may be, as fractions of its limit: opening stops above the
// one and goes on below the other.
const (
	queueLookEvery = 20 * time.Millisecond
	queueStopPart  = 2 // a half
	queueGoPart    = 8 // an eighth
)

// Parts of the kernel's messages, for which x/sys has no names.
const (
	sockDiagByFamily = 20
	listenState      = 1 << 10 // TCP_LISTEN is 10
	netlinkHeader    = 16      // struct nlmsghdr
	diagRequestBytes = 56      // struct inet_diag_req_v2
	diagPortAt       = 4       // in struct inet_diag_msg, big endian
	diagQueueAt      = 56      // entries
	diagQueueMostAt  = 60
	diagMessageBytes = 72
	diagReadBytes    = 64 << 10
)

func newAcceptQueue(firstPort, ports int) *acceptQueue {
	q := &acceptQueue{fd: -1, first: firstPort, last: firstPort + ports - 1, looked: -queueLookEvery}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_SOCK_DIAG)
	if err == nil {
		q.fd, q.buf = fd, make([]byte, diagReadBytes)
	}
	return q
}

func (q *acceptQueue) close() {
	if q.fd >= 0 {
		unix.Close(q.fd)
	}
}

// full says whether opening shall pause, as of the last look.
func (q *acceptQueue) full(now time.Duration) bool {
	if q.fd < 0 || now-q.looked < queueLookEvery {
		return q.paused
	}
	q.looked = now
	part := queueStopPart
	if q.paused {
		part = queueGoPart
	}
	paused, ok := q.anyAbove(part)
	if !ok {
		q.close()
		q.fd, q.paused = -1, false
		return false
	}
	q.paused = paused
	return paused
}

// anyAbove says whether some listener's queue holds more than its limit divided
// by part.
func (q *acceptQueue) anyAbove(part int) (above, ok bool) {
	var request [netlinkHeader + diagRequestBytes]byte
	ne := binary.NativeEndian
	ne.PutUint32(request[0:], uint32(len(request)))
	ne.PutUint16(request[4:], sockDiagByFamily)
	ne.PutUint16(request[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	request[netlinkHeader] = unix.AF_INET
	request[netlinkHeader+1] = unix.IPPROTO_TCP
	ne.PutUint32(request[netlinkHeader+4:], listenState)
	if unix.Sendto(q.fd, request[:], 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}) != nil {
		return false, false
	}
	for {
		n, _, err := unix.Recvfrom(q.fd, q.buf, 0)
		if err != nil {
			return false, false
		}
		for b := q.buf[:n]; len(b) >= netlinkHeader; {
			size := int(ne.Uint32(b))
			if size < netlinkHeader || size > len(b) {
				return false, false
			}
			switch ne.Uint16(b[4:]) {
			case unix.NLMSG_DONE:
				return above, true
			case unix.NLMSG_ERROR:
				return false, false
			}
			if m := b[netlinkHeader:size]; len(m) >= diagMessageBytes {
				port := int(binary.BigEndian.Uint16(m[diagPortAt:]))
				queued, most := int(ne.Uint32(m[diagQueueAt:])), int(ne.Uint32(m[diagQueueMostAt:]))
				above = above || port >= q.first && port <= q.last && queued > most/part
			}
			b = b[min(len(b), (size+unix.NLMSG_ALIGNTO-1)&^(unix.NLMSG_ALIGNTO-1)):]
		}
	}
}
