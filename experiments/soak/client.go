package soak

import (
	"fmt"
	"math/rand/v2"
	"time"

	"golang.org/x/sys/unix"

	"c1000k/experiments/load/rawnet"
)

// mode is how a client is served.
type mode uint8

const (
	modePoll mode = iota
	modeJSONP
	modeStream
	modeIframe
	modeSSE
	numModes
)

func (m mode) String() string {
	return [numModes]string{"long-poll", "JSONP", "stream", "iframe", "sse"}[m]
}

// streams says whether a reply goes on after the first object.
func (m mode) streams() bool { return m >= modeStream }

// callback is what the JSONP clients ask for.
const callback = "soak.cb"

// state is where a client is.
type state uint8

const (
	offline    state = iota // it comes again when it is due
	connecting              // the handshake is not over
	asking                  // a request was sent; of a stream some of it has come
	leaving                 // it asks no more, and goes when it is due or the server ends it
)

// Times of a client, in the middle: each is drawn from 0 to twice as much, or with
// an exponential distribution.
const (
	meanAway     = 500 * time.Millisecond
	meanPause    = 3 * time.Second // of a slow reader, and between two
	meanPartial  = headerTimeout
	meanFlood    = 200 * time.Millisecond
	halfPatience = 10 * time.Second // for the server to end what half was closed
	refusedAway  = 100 * time.Millisecond
	slowBuffer   = 4 << 10 // a slow reader's receive buffer, in bytes
)

// client is a subscriber that comes and goes. It belongs to its reactor's thread.
type client struct {
	id     int
	mode   mode
	legacy bool // icomet's kind: knows no gap and no epoch
	slow   bool // does not read now and then
	ch     *channel

	state  state
	came   bool // it has been connected once
	paused bool
	fd     int32
	due    time.Duration // when it comes, goes, or is gone
	turnAt time.Duration // a slow reader's next pause, or the end of this one
	lives  int           // connections so far

	next  uint64 // the number it expects; 0: it does not know
	epoch string // of the instance it knows; empty: it does not know
	ended uint64 // closes of its channel that were done when it asked last
	known uint64 // ended, when it asked for what told it the epoch
	token *token // that it showed last

	told      bool   // a broadcast's next_seq must follow
	firstSeen bool   // of the present reply
	noop      uint64 // number of the next noop

	headDone bool
	out      []byte // of the request, not yet sent
	in       []byte // of the reply, not yet whole
	body     []byte // decoded, not yet whole
}

// draw is a time with that mean, from 0 to twice as much.
func draw(random *rand.Rand, mean time.Duration) time.Duration {
	return time.Duration(random.Int64N(2 * int64(mean)))
}

// request appends what a client asks for next.
func (c *client) request(b []byte, tokens bool, random *rand.Rand) []byte {
	path := [numModes]string{"/sub", "/poll", "/stream", "/iframe", "/sse"}[c.mode]
	b = fmt.Appendf(b, "GET %s?cname=%s", path, c.ch.name)
	eventID := c.mode == modeSSE && c.next > 0 && random.IntN(4) > 0
	if !eventID {
		b = fmt.Appendf(b, "&seq=%d", c.next)
	}
	if !c.legacy {
		b = append(b, "&gap=1"...)
		if c.epoch != "" {
			b = append(append(b, "&epoch="...), c.epoch...)
		}
	}
	if c.mode == modeJSONP {
		b = append(b, "&cb="+callback...)
	}
	c.token = nil
	if tokens {
		if c.token = c.ch.token.Load(); c.token != nil {
			b = append(append(b, "&token="...), c.token.text...)
		}
	}
	b = append(b, " HTTP/1.1\r\nHost: soak\r\n"...)
	if eventID {
		b = fmt.Appendf(b, "Last-Event-ID: %d\r\n", c.next-1)
	}
	c.ended = c.ch.ended.Load()
	return append(b, "\r\n"...)
}

// connect opens a client's connection.
func (r *reactor) connect(c *client) {
	fd, err := rawnet.Socket()
	if err != nil {
		r.fail(c, "socket", err)
		return
	}
	if c.slow {
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, slowBuffer)
	}
	c.lives++
	err = rawnet.Connect(fd, &r.s.fronts[(c.id+c.lives)%len(r.s.fronts)])
	if err != nil && err != unix.EINPROGRESS {
		rawnet.Close(fd)
		r.retry(c)
		return
	}
	c.fd, c.state, c.paused = int32(fd), connecting, false
	if err := r.poller.Add(fd, unix.EPOLLOUT, uint32(c.id/r.stride)); err != nil {
		rawnet.Close(fd)
		r.fail(c, "epoll", err)
	}
}

// retry has a client whose connect did not come about try again.
func (r *reactor) retry(c *client) {
	r.s.n.retries.Add(1)
	c.state, c.due = offline, r.now+draw(r.random, meanAway)
}

// fail is for what the machine refuses.
func (r *reactor) fail(c *client, what string, err error) {
	r.s.faults.add("machine", "client %d: %s: %v", c.id, what, err)
	c.state, c.due = offline, r.now+time.Second
}

// connected is the end of the handshake.
func (r *reactor) connected(c *client) {
	if err := rawnet.SocketError(int(c.fd)); err != nil {
		rawnet.Close(int(c.fd))
		r.retry(c)
		return
	}
	r.s.n.connects.Add(1)
	c.came = true
	c.headDone, c.in, c.body, c.out = false, nil, nil, nil
	c.due = r.now + time.Duration(r.random.ExpFloat64()*float64(r.s.o.meanLife()))
	c.turnAt = r.now + draw(r.random, meanPause)
	if r.s.churns() && r.random.IntN(50) == 0 {
		r.s.n.partials.Add(1)
		request := c.request(nil, r.s.tokens, r.random)
		c.out = request[:1+r.random.IntN(len(request)-1)]
		c.state, c.due = leaving, r.now+draw(r.random, meanPartial)
		r.flush(c)
		return
	}
	r.ask(c)
}

// ask sends a client's next request.
func (r *reactor) ask(c *client) {
	c.state, c.told, c.firstSeen, c.noop = asking, false, false, 0
	if c.next == 0 && !c.legacy && r.random.IntN(4) == 0 || c.next == 0 && (c.legacy || c.ch.fleeting) {
		c.next = 1 // from the oldest that there is
	}
	c.out = c.request(c.out[:0], r.s.tokens, r.random)
	r.flush(c)
}

// flush sends what is left of a request, and has the connection watched.
func (r *reactor) flush(c *client) {
	n, err := rawnet.Write(int(c.fd), c.out)
	if err != nil && err != unix.EAGAIN {
		return // the end is told by an event
	}
	c.out = c.out[:copy(c.out, c.out[n:])]
	r.watch(c)
}

// watch has the kernel tell of what a client waits for.
func (r *reactor) watch(c *client) {
	events := uint32(unix.EPOLLIN | unix.EPOLLRDHUP)
	if c.paused {
		events = 0
	}
	if len(c.out) > 0 {
		events |= unix.EPOLLOUT
	}
	r.poller.Modify(int(c.fd), events, uint32(c.id/r.stride))
}

// gone ends a client's connection on this side, by a reset unless it is ended
// already; it comes again after about that time.
func (r *reactor) gone(c *client, away time.Duration) {
	rawnet.Close(int(c.fd))
	c.in, c.body, c.out = nil, nil, nil
	c.state, c.due = offline, r.now+draw(r.random, away)
	if c.ch.fleeting { // with another channel
		c.ch = r.s.fleetingChannel(c)
		c.next, c.epoch = 0, ""
	}
}

// leave has a client go, in one of the ways there are.
func (r *reactor) leave(c *client) {
	switch way := r.random.IntN(8); {
	case way == 0 && !c.paused: // half a close: the server is to end it
		r.s.n.halves.Add(1)
		unix.Shutdown(int(c.fd), unix.SHUT_WR)
		c.state, c.due = leaving, r.now+halfPatience
	case way == 1: // what nobody asked for
		r.s.n.floods.Add(1)
		c.out = append(c.out, make([]byte, 1+r.random.IntN(2048))...)
		c.state, c.due = leaving, r.now+draw(r.random, meanFlood)
		r.flush(c)
	case way < 5: // an orderly end
		r.s.n.ends.Add(1)
		unix.SetsockoptLinger(int(c.fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{})
		r.gone(c, meanAway)
	default:
		r.s.n.resets.Add(1)
		r.gone(c, meanAway)
	}
}
