package sim

import (
	"bytes"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"c1000k/comet"
)

type sockState uint8

const (
	sockWaiting sockState = iota // connected, in the backlog
	sockOpen
	sockClosing // OpClose was given
	sockDead
)

// abandon is what becomes of a send that OpClose gives up.
type abandon uint8

const (
	abandonTold  abandon = iota // Sent with an error, then Closed
	abandonQuiet                // Closed alone
	abandonLate                 // Closed, and Sent when the slot is used again
)

// socket is a connection: its two ends and the kernel between them.
type socket struct {
	id              int
	client          *client
	admin           bool
	peer            netip.Addr
	denied, proxied bool // what the list said of peer when the connection was accepted
	loop            *loop
	slot            int
	state           sockState

	// From client to server.
	unread           []byte // in the server's receive buffer
	eof, reset       bool   // the client closed its half; or all of it
	paused, hungUp   bool
	look             bool // to be read from, whether or not there is anything
	refused          bool // there was no buffer; it is read from after the turn
	unwatched        bool // the loop is told nothing until its turn
	written, decoded int  // bytes written by the client, given to the core
	takenTo          int  // the end of the last request taken
	quiet            bool // the client writes no more

	// From server to client.
	send      *sending
	out       []byte // given to the kernel, not yet a whole reply
	failed    bool   // a send failed
	stuck     bool   // the client reads nothing
	lastReply bool   // the reply given says that the connection ends
	abandon   abandon

	queue    []*ask // written, not taken
	inflight []*ask // taken, not answered
	busy     bool   // the core has taken a request and its reply is not sent
	ended    bool   // a request was taken after which no other is
	forsaken bool   // nobody waits for its replies any more
	// since is when the core last had reason to begin a timeout, sinceAtTurn the
	// same as of the last Turn, in which timeouts are found.
	since, sinceAtTurn int64
}

// windowBytes is what a receive buffer holds: a client that writes more waits.
const windowBytes = 3_000

// sending is one OpSend under way.
type sending struct {
	sock     *socket
	token    uint16
	pieces   [][]byte // the core's memory
	copied   []byte   // what it held when the action came
	at       int      // bytes gone
	errno    int
	reported bool
}

func (s *socket) String() string {
	return fmt.Sprintf("connection %d (loop %d, slot %d)", s.id, s.loop.id, s.slot)
}

// readable says whether the core can be given input.
func (s *socket) readable() bool {
	return !s.paused && !s.hungUp && !s.reset && len(s.unread) > 0
}

// gone says whether a hang-up can be told: also before all input was read.
func (s *socket) gone() bool {
	return !s.hungUp && (s.reset || s.eof && (s.paused || len(s.unread) == 0 || s.loop.w.chance(200)))
}

// receive is a receive, which may find no buffer, or nothing, or has ended without
// either.
func (s *socket) receive() {
	l := s.loop
	switch {
	case !s.readable():
		s.look = false
		l.w.happened(ReceiveEmpty)
	case l.buffers == 0:
		l.w.happened(ReceiveRefused)
		s.refused = true
	case l.w.provoke(WatchEnded):
		s.unwatched = true
	default:
		l.buffers--
		s.look = false
		s.give()
	}
}

// give gives the core a part of the input and takes note of the requests that
// are complete with it.
func (s *socket) give() {
	w := s.loop.w
	n := min(len(s.unread), 1+w.rng.IntN(w.set.readBytes))
	if w.ending {
		n = min(len(s.unread), w.set.readBytes)
	}
	p := s.unread[:n:n]
	s.unread = s.unread[n:]
	s.decoded += n
	now := s.loop.call("data", s.slot, n)
	w.mixText(p)
	s.take()
	buffer := append([]byte(nil), p...)
	more := s.loop.core.Data(now, comet.Conn(s.slot), buffer)
	for i := range buffer {
		buffer[i] = 0xAA // the buffer is the engine's again
	}
	if !more {
		if s.paused {
			w.fail("%v: told twice to stop reading", s)
		}
		s.paused = true
	}
}

// take lets the model do what the core does in the same call.
func (s *socket) take() {
	w := s.loop.w
	for !s.ended && !s.busy && len(s.queue) > 0 && s.queue[0].end <= s.decoded {
		a := s.queue[0]
		s.queue = s.queue[1:]
		a.taken = true
		a.since(w.callTime)
		s.takenTo = a.end
		if w.draining != 0 {
			a.restyle(func(s *style) { s.closes, s.leaves = true, true })
		}
		if s.admin && s.bars(a) {
			if a.kind == "broadcast" {
				w.castBusy = false
			}
			a.kind, a.style.closes = "barred", true
		}
		s.loop.fresh = append(s.loop.fresh, a)
		s.inflight = append(s.inflight, a)
		s.ended = a.style.ends()
		switch a.kind {
		case "sub":
			if len(a.parts) > 0 {
				w.model.subAll(a)
			} else {
				w.model.sub(a)
			}
		case "push":
			w.model.push(a)
		case "broadcast":
			w.model.broadcast(a)
			w.castLoop, s.loop.turns = s.loop, 0
		case "check":
			w.model.check(a)
		case "psub":
			a.watch = &watching{began: w.id(), snapshot: a.snapshot, last: map[string]byte{}, told: map[string]int64{}}
			s.ended = true // it has no end
		case "sign":
			w.model.sign(a)
		case "close", "clear":
			w.model.end(a)
		case "list":
			w.model.list(a)
			s.busy = !a.badLimit() // what is pipelined behind it waits until it has gone
		case "info":
			c := w.model.channels[a.channel]
			w.model.settle(c)
			a.low, a.high = w.model.subscribersOf(c)
		}
		if !s.admin {
			s.busy = true
		}
	}
	if len(s.inflight) > 0 {
		s.busy = true
	}
}

// holds says whether a poll is held here.
func (s *socket) holds() bool {
	return len(s.inflight) > 0 && s.inflight[0].held && s.send == nil
}

// forsake forgets the asks that nobody will answer.
func (s *socket) forsake() {
	for _, a := range s.inflight {
		s.loop.w.model.leave(a)
	}
	s.forget()
	s.inflight, s.out = nil, nil
	s.ended, s.forsaken = true, true
}

// forget forgets the requests that will not be taken.
func (s *socket) forget() {
	for _, a := range s.queue {
		a.done = true
		if a.kind == "broadcast" {
			s.loop.w.castBusy = false
		}
	}
	s.queue = nil
}

// beginSend is OpSend.
func (s *socket) beginSend(a *comet.Action) {
	w := s.loop.w
	if s.send != nil {
		w.fail("%v: OpSend while a send is outstanding", s)
	}
	if a.Pieces == 0 || a.Pieces > comet.MaxPieces {
		w.fail("%v: OpSend of %d pieces", s, a.Pieces)
	}
	send := &sending{sock: s, token: a.Token}
	for _, p := range a.Piece[:a.Pieces] {
		if len(p) == 0 {
			w.fail("%v: OpSend of an empty piece", s)
		}
		send.pieces = append(send.pieces, p)
		send.copied = append(send.copied, p...)
	}
	w.mixText(send.copied)
	s.send = send
	s.since = s.loop.began
	s.out = append(s.out, send.copied...)
	s.replies()
	// At once, within the action; but not where the core may have given the
	// connection up in its last turn, as OpClose then is on its way and what
	// the core does with the rest of the input could not be told.
	if w.chance(200) && !s.timedOut() && !s.stuck && !s.reset {
		send.at = len(send.copied)
		s.reportSent()
	}
}

// timedOut says whether the core may have found a timeout in its last turn.
func (s *socket) timedOut() bool {
	cfg := &s.loop.w.set.config
	shortest := min(cfg.HeaderTimeout, cfg.IdleTimeout, cfg.StallTimeout)
	return s.loop.turnedAt-s.sinceAtTurn >= int64(shortest-tick) && !s.holds()
}

// progress lets some bytes of the send go; false if there is none.
func (s *socket) progress(n int) bool {
	send := s.send
	if s.state != sockOpen || send == nil || send.over() || s.stuck {
		return false
	}
	w := s.loop.w
	send.verify()
	if s.reset || !w.ending && !w.calm && w.chance(w.set.faults) {
		send.errno = pick(w.rng, errPipe, errReset)
		w.happened(SendFailed)
		if send.at == 0 && w.chance(500) {
			return true
		}
	}
	send.at = min(send.at+n, len(send.copied)-min(send.errno, 1))
	if send.errno == 0 && send.at < len(send.copied) {
		w.happened(SendPartial)
	}
	return true
}

// fail has the send end with an error, a byte short at the least.
func (s *sending) fail(errno int) {
	s.errno = errno
	s.at = min(s.at, len(s.copied)-1)
}

// over says whether the send is done with, well or not.
func (s *sending) over() bool { return s.errno != 0 || s.at == len(s.copied) }

// verify holds the memory of a send against what it was.
func (s *sending) verify() {
	at := 0
	for _, p := range s.pieces {
		if !bytes.Equal(p, s.copied[at:at+len(p)]) {
			s.sock.loop.w.fail("%v: the memory of a send changed before it was reported: %q was %q", s.sock, p, s.copied[at:at+len(p)])
		}
		at += len(p)
	}
}

// reportSent is Sent.
func (s *socket) reportSent() {
	send := s.send
	send.verify()
	if !send.over() { // given up by OpClose
		send.errno = errGone
	}
	send.reported = true
	now := s.loop.call("sent", s.slot, int(send.token), send.at, send.errno)
	if s.state == sockOpen {
		// What is held goes on being so behind its head, or a piece of a stream.
		s.send, s.busy = nil, !s.admin && len(s.inflight) > 0
		s.since = now
		if s.busy && s.inflight[0].style.streams() {
			s.inflight[0].since(now)
		}
		if send.errno != 0 {
			s.failed = true
			s.forsake()
		} else if !s.ended && !s.lastReply {
			s.take()
		}
	}
	s.loop.core.Sent(now, comet.Conn(s.slot), send.token, send.at, send.errno)
}

// replies takes whole replies from what was given to the kernel.
func (s *socket) replies() {
	w := s.loop.w
	for len(s.out) > 0 {
		if s.client.raw != nil {
			s.client.raw(s.out)
			s.out = nil
			return
		}
		if s.forsaken {
			s.out = nil
			return
		}
		if s.client.stranger {
			if !refusal.Match(s.out) {
				w.fail("%v: a stranger gets %q", s, s.out)
			}
			s.out, s.lastReply = nil, true
			return
		}
		if len(s.inflight) == 0 {
			w.fail("%v: bytes that nobody asked for: %q", s, s.out)
		}
		a := s.inflight[0]
		if a.style.streams() {
			s.hear(a)
			continue
		}
		if a.kind == "psub" {
			s.watch(a)
			continue
		}
		n := replyLength(s.out)
		if a.style.minor == 0 {
			n = len(s.out)
			if a.kind == "sub" && bytes.HasSuffix(s.out, []byte("\r\n\r\n")) {
				return // an early head
			}
		}
		if n == 0 {
			return
		}
		reply := s.mask(a, string(s.out[:n]))
		s.out = s.out[n:]
		s.inflight = s.inflight[1:]
		s.lastReply = s.lastReply || a.style.ends()
		w.result.Replies++
		s.judge(a, reply)
		s.client.answered(a, reply)
	}
}

// hear takes a piece of a stream.
func (s *socket) hear(a *ask) {
	text := string(s.out)
	if !a.begun {
		text = s.mask(a, text)
	}
	s.out = nil
	s.client.learn(a, text)
	if s.loop.w.model.hear(a, text) {
		s.inflight = s.inflight[1:]
		s.lastReply = s.lastReply || a.style.ends()
		s.loop.w.result.Replies++
		s.client.asks = s.client.asks[1:]
	}
}

// refusal begins what is said to strangers.
var refusal = regexp.MustCompile(`^HTTP/1\.[01] [45]\d\d [A-Z]`)

// judge holds a reply against the model.
func (s *socket) judge(a *ask, reply string) {
	w := s.loop.w
	switch a.kind {
	case "barred":
		a.done = true
		if reply != a.style.admin("403 Forbidden", "", "") {
			w.fail("%v: reply %q", a, reply)
		}
	case "broadcast":
		a.done = true
		if reply != a.style.admin("200 OK", "", "ok\n") {
			w.fail("%v: reply %q", a, reply)
		}
	case "info":
		a.done = true
		for n := a.low; n <= a.high; n++ {
			body := fmt.Sprintf("{\"cname\": \"%s\", \"subscribers\": %d}\n", escape(a.channel), n)
			if reply == a.style.admin("200 OK", "text/html; charset=utf-8", body) {
				return
			}
		}
		w.fail("%v: reply %q, want %d to %d subscribers", a, reply, a.low, a.high)
	case "push":
		w.model.observePush(a, reply)
	case "sub":
		if len(a.parts) > 0 {
			w.model.observeAll(a, reply)
		} else {
			w.model.observe(a, reply)
		}
	case "list":
		w.model.observeList(a, reply)
	default:
		w.model.observe(a, reply)
	}
}

// replyLength is the length of the reply at the front of p, 0 if it is not whole.
func replyLength(p []byte) int {
	text := string(p)
	head, rest, ok := strings.Cut(text, "\r\n\r\n")
	if !ok {
		return 0
	}
	if _, length, ok := strings.Cut(head, "Content-Length: "); ok {
		n := 0
		fmt.Sscanf(length, "%d", &n)
		if len(rest) < n {
			return 0
		}
		return len(head) + 4 + n
	}
	const last = "\r\n0\r\n\r\n"
	end := strings.Index(rest, last)
	if end < 0 {
		return 0
	}
	return len(head) + 4 + end + len(last)
}

var dateLine = regexp.MustCompile(`\r\nDate: ([^\r]*)`)

// mask replaces the server's name, and a date between the request and now: a
// reply to many is composed once and may take several turns.
func (s *socket) mask(a *ask, reply string) string {
	head, body, _ := strings.Cut(reply, "\r\n\r\n")
	if m := dateLine.FindStringSubmatchIndex(head); m != nil {
		at, err := time.Parse("Mon, 02 Jan 2006 15:04:05 GMT", head[m[2]:m[3]])
		if err == nil && at.Unix() >= a.heldAt/1e9 && at.Unix() <= s.loop.calledAt/1e9 {
			head = head[:m[2]] + "<date>" + head[m[3]:]
		}
	}
	head = strings.Replace(head, "\r\nServer: c1000k "+s.loop.w.set.config.Version, "\r\nServer: <server>", 1)
	if s.loop.w.draining != 0 {
		return unmarked(head + "\r\n\r\n" + body)
	}
	return head + "\r\n\r\n" + body
}
