package load

import (
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"c1000k/experiments/load/rawnet"
	"c1000k/experiments/load/replies"
)

// Sizes of pushing.
const (
	adminConnections = 4
	pushBatch        = 64  // requests composed before they are written
	pushWindow       = 256 // unanswered pushes when there is no rate
	adminReadBytes   = 64 << 10
	repliesEvery     = time.Millisecond // how often replies are read while pushes are due
	adminPatience    = 10 * time.Second // for connecting
	timerSlackNs     = 1000             // how exactly a push is sent at its time
)

// adminAddress reads the address of an admin door, which must be this machine.
func adminAddress(door string) (rawnet.Addr, error) {
	at, err := netip.ParseAddrPort(door)
	if err != nil {
		return rawnet.Addr{}, fmt.Errorf("the admin door %q is not an address and a port: %w", door, err)
	}
	ip, err := loopback(at.Addr().String())
	if err != nil {
		return rawnet.Addr{}, err
	}
	return rawnet.NewAddr(ip, int(at.Port())), nil
}

// adminConn is a keep-alive connection on which requests are pipelined.
type adminConn struct {
	fd       int
	out      []byte // not written yet
	in       []byte // part of a reply
	scratch  []byte
	answered int // replies so far
}

// dialAdmin opens connections to the admin door.
func dialAdmin(door string, n int) ([]*adminConn, error) {
	to, err := adminAddress(door)
	if err != nil {
		return nil, err
	}
	var conns []*adminConn
	for range n {
		fd, err := dial(&to)
		if err != nil {
			closeAdmin(conns)
			return nil, fmt.Errorf("connecting to the admin door %s: %w", door, err)
		}
		conns = append(conns, &adminConn{fd: fd})
	}
	return conns, nil
}

func dial(to *rawnet.Addr) (int, error) {
	fd, err := rawnet.Socket()
	if err != nil {
		return -1, err
	}
	if err := rawnet.Connect(fd, to); err != nil && err != unix.EINPROGRESS {
		rawnet.Close(fd)
		return -1, err
	}
	ready := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	if n, err := unix.Poll(ready, int(adminPatience/time.Millisecond)); n == 0 && err == nil {
		rawnet.Close(fd)
		return -1, unix.ETIMEDOUT
	}
	if err := rawnet.SocketError(fd); err != nil {
		rawnet.Close(fd)
		return -1, err
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		rawnet.Close(fd)
		return -1, err
	}
	return fd, nil
}

func closeAdmin(conns []*adminConn) {
	for _, c := range conns {
		rawnet.Close(c.fd)
	}
}

// flush writes what it can.
func (c *adminConn) flush() error {
	for len(c.out) > 0 {
		n, err := rawnet.Write(c.fd, c.out)
		if err == unix.EAGAIN {
			return nil
		}
		if err != nil {
			return fmt.Errorf("writing to the admin door: %w", err)
		}
		c.out = c.out[:copy(c.out, c.out[n:])]
	}
	return nil
}

var errAdminClosed = errors.New("the admin door closed its connection")

// read takes the replies that have come, and calls each with their status.
func (c *adminConn) read(buf []byte, each func(reply, status int)) error {
	for {
		n, err := rawnet.Read(c.fd, buf)
		if err == unix.EAGAIN {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading from the admin door: %w", err)
		}
		if n == 0 {
			return errAdminClosed
		}
		c.in = append(c.in, buf[:n]...)
		if err := c.replies(each); err != nil {
			return fmt.Errorf("a reply of the admin door: %w", err)
		}
		if n < len(buf) {
			return nil
		}
	}
}

func (c *adminConn) replies(each func(reply, status int)) error {
	rest := c.in
	for len(rest) > 0 {
		h, err := replies.ParseHead(rest)
		if err != nil {
			return err
		}
		if h.Size == 0 {
			break
		}
		size := 0
		switch {
		case h.Chunked:
			var body int
			_, body, c.scratch, err = replies.Chunks(rest[h.Size:], c.scratch)
			if err != nil {
				return err
			}
			if body > 0 {
				size = h.Size + body
			}
		case h.Length < 0:
			return replies.ErrFrame
		default:
			size = h.Size + h.Length
		}
		if size == 0 || size > len(rest) {
			break
		}
		rest = rest[size:]
		each(c.answered, h.Status)
		c.answered++
	}
	c.in = c.in[:copy(c.in, rest)]
	return nil
}

// pusher sends one message to each of the picked channels, on its own thread.
// The fields of the second group are read by the coordinator, start and failure
// when the thread has ended.
type pusher struct {
	gen    *Generator
	op     *operation
	picks  []uint32
	weight []int32 // subscribers of each
	rate   float64
	start  time.Duration
	conns  []*adminConn
	object []byte // the message being composed for nchan

	sent, accepted, refused atomic.Int64
	expected                atomic.Int64 // deliveries
	lagMax                  atomic.Int64 // nanoseconds
	lastSent                atomic.Int64 // nanoseconds of the generator's clock
	stop                    atomic.Bool
	failure                 error
}

// run sends everything and waits for the answers, or until it is told to stop.
func (p *pusher) run() {
	// A thread's own attribute: without it a wait may last 50 us longer.
	unix.Prctl(unix.PR_SET_TIMERSLACK, timerSlackNs, 0, 0, 0)
	defer closeAdmin(p.conns)
	buf := make([]byte, adminReadBytes)
	waits := make([]unix.PollFd, len(p.conns))
	var readAt time.Duration
	p.start = p.gen.now()
	for !p.stop.Load() {
		now := p.gen.now()
		if err := p.send(now); err != nil {
			p.failure = err
			return
		}
		answered := p.accepted.Load() + p.refused.Load()
		if answered == int64(len(p.picks)) {
			return
		}
		all := p.sent.Load() == int64(len(p.picks))
		if all || p.rate == 0 || now-readAt >= repliesEvery {
			readAt = now
			for i, c := range p.conns {
				if err := c.read(buf, func(reply, status int) { p.answer(reply*len(p.conns)+i, status) }); err != nil {
					p.failure = err
					return
				}
			}
		}
		p.wait(waits, all)
	}
}

// due is how many pushes shall have been sent by now.
func (p *pusher) due(now time.Duration) int {
	if p.rate == 0 {
		return min(len(p.picks), int(p.accepted.Load()+p.refused.Load())+pushWindow)
	}
	return min(len(p.picks), int((now-p.start).Seconds()*p.rate)+1)
}

// dueAt is when push i shall be sent.
func (p *pusher) dueAt(i int) time.Duration {
	return p.start + time.Duration(float64(i)/p.rate*float64(time.Second))
}

// send composes what is due and writes it, with what could not be written before.
func (p *pusher) send(now time.Duration) error {
	i, due := int(p.sent.Load()), p.due(now)
	for {
		end := min(due, i+pushBatch)
		for ; i < end; i++ {
			p.compose(i, now)
		}
		p.sent.Store(int64(i))
		for _, c := range p.conns {
			if err := c.flush(); err != nil {
				return err
			}
		}
		if i == due {
			return nil
		}
		now = p.gen.now()
	}
}

// compose notes the times of push i and appends it to its connection's output.
func (p *pusher) compose(i int, now time.Duration) {
	at := now
	if p.rate > 0 {
		at = p.dueAt(i)
	}
	p.op.due[i].Store(int64(at))
	p.op.sent[i].Store(int64(now))
	p.lagMax.Store(max(p.lagMax.Load(), int64(now-at)))
	p.lastSent.Store(int64(now))
	p.expected.Add(int64(p.weight[i]))
	c := p.conns[i%len(p.conns)]
	c.out = p.request(c.out, i)
}

// request appends push i.
func (p *pusher) request(b []byte, i int) []byte {
	if p.gen.numbers != nil {
		return p.nchanRequest(b, i)
	}
	b = append(b, "GET /push?cname=c0000000&content="...)
	putName(b, len(b)-len("&content="), p.picks[i])
	b = p.op.appendContent(b, i)
	return append(b, p.gen.pollTail...)
}

// answer takes the admin door's answer to push i.
func (p *pusher) answer(i, status int) {
	if p.gen.accepts(status) {
		p.accepted.Add(1)
		return
	}
	p.expected.Add(-int64(p.weight[i]))
	p.refused.Add(1)
}

// wait sleeps until the next push is due, an answer is wanted and here, or there
// is room for what could not be written.
func (p *pusher) wait(waits []unix.PollFd, all bool) {
	timeout := unix.NsecToTimespec(int64(briefWaitMs * time.Millisecond))
	if !all && p.rate > 0 {
		until := p.dueAt(int(p.sent.Load())) - p.gen.now()
		if until <= 0 {
			return
		}
		timeout = unix.NsecToTimespec(int64(min(until, briefWaitMs*time.Millisecond)))
	}
	for i, c := range p.conns {
		waits[i] = unix.PollFd{Fd: int32(c.fd)}
		if all || p.rate == 0 {
			waits[i].Events |= unix.POLLIN
		}
		if len(c.out) > 0 {
			waits[i].Events |= unix.POLLOUT
		}
	}
	rawnet.PollBriefly(waits, timeout)
}
