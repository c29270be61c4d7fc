package comet

import (
	"c1000k/comet/arena"
	"c1000k/comet/wire"
)

// Limits of one request, by door. A front request has no body.
const (
	maxHeaderBytes = 8192
	// MaxContentBytes is the largest content a message may be configured to
	// have, so that its replay fits into one block of the arena.
	MaxContentBytes = 4 << 20
	// maxBodyBytes is the longest body, which is kept in one block of the arena
	// with its header and what one read brings after it.
	maxBodyBytes = arena.MaxBlockBytes - 1<<18
	// maxBatchBytes is how many bytes of replies to pipelined admin requests
	// are sent as one.
	maxBatchBytes = 16 << 10
)

func (l *Loop) limits(r *conn) wire.Limits {
	if r.flags&flagAdmin == 0 {
		return wire.Limits{HeaderBytes: maxHeaderBytes}
	}
	// Everything in a form body may be escaped: three bytes for one.
	return wire.Limits{
		HeaderBytes: maxHeaderBytes,
		BodyBytes:   min(3*l.svc.limits.Load().maxContent+maxHeaderBytes, maxBodyBytes),
	}
}

// Data gives the loop bytes that connection c sent; all are taken. false
// means: stop reading until OpResume.
func (l *Loop) Data(now int64, c Conn, p []byte) (more bool) {
	l.enter(now)
	h := uint32(c) + 1
	r := l.at(h)
	switch r.state {
	case stateReading, stateIdle:
		l.request(h, r, p)
	case stateHeld, stateSending:
		if !l.keep(r, p) {
			l.n.noMemory++
			l.close(h, r)
		}
	}
	return l.wantsMore(r)
}

// wantsMore says whether to go on reading, and notes if not.
func (l *Loop) wantsMore(r *conn) bool {
	if (r.state == stateHeld || r.state == stateSending) && l.inputBytes(r) >= earlyBytes {
		if r.flags&flagPaused == 0 {
			r.flags |= flagPaused
			l.n.paused++
		}
		return false
	}
	return r.flags&flagPaused == 0
}

// request takes p, and what was kept before it, as requests.
func (l *Loop) request(h uint32, r *conn, p []byte) {
	if r.extra == 0 {
		rest := l.process(h, r, p)
		l.keepRest(h, r, p[len(p)-rest:])
		return
	}
	if !l.keep(r, p) {
		l.n.noMemory++
		l.close(h, r)
		return
	}
	if e := l.extraAt(r.extra); e.input >= e.need {
		l.again(h, r)
	}
}

// again takes what was kept as requests. The block is the connection's no
// longer while it is read, since a request may ask for one of its own.
func (l *Loop) again(h uint32, r *conn) {
	x := r.extra
	p := l.input(x)
	r.extra = 0
	rest := l.process(h, r, p)
	if rest == len(p) && rest > 0 && r.takes() {
		r.extra = x // nothing was used: it stays where it is
		l.extraAt(x).need = uint32(l.req.Need)
		return
	}
	l.keepRest(h, r, p[len(p)-rest:])
	l.blocks.Free(x)
}

// keepRest keeps what process left.
func (l *Loop) keepRest(h uint32, r *conn, rest []byte) {
	if len(rest) == 0 || r.state == stateClosing {
		return
	}
	if !l.keep(r, rest) {
		l.n.noMemory++
		l.close(h, r)
		return
	}
	if r.takes() {
		// A request has begun, and must end in time.
		l.setState(r, stateReading)
		l.extraAt(r.extra).need = uint32(l.req.Need)
		l.setDeadline(h, r, l.tick+l.svc.limits.Load().headerTicks)
	}
}

// process takes requests from the front of p until one has to wait for its
// reply, and returns how many bytes it left. Replies to publishers who
// pipeline go out as one.
func (l *Loop) process(h uint32, r *conn, p []byte) (rest int) {
	l.reply = l.reply[:0]
	lim := l.limits(r)
	closing := false
	before := l.n.requests
	l.batchOver = false
	for len(p) > 0 && r.takes() && !closing && !l.batchOver && len(l.reply) < maxBatchBytes {
		n, err := wire.Parse(p, lim, &l.req)
		if err != nil {
			l.n.badRequests++
			status := err.Status
			if r.flags&flagAdmin == 0 {
				status = l.unread(err)
			}
			l.refuse(r, status)
			closing = true
			p = nil
			break
		}
		if n == 0 {
			if l.req.Continue && r.flags&flagContinued == 0 {
				r.flags |= flagContinued
				l.reply = append(l.reply, wire.ContinueReply...)
			}
			break
		}
		p = p[n:]
		l.n.requests++
		r.flags &^= flagHTTP11 | flagKeepAlive | flagContinued
		if r.flags&flagAdmin == 0 {
			r.flags &^= flagMode | flagBehind
		}
		if l.req.Minor == 1 {
			r.flags |= flagHTTP11
		}
		if l.req.KeepAlive && l.svc.draining.Load() == 0 {
			r.flags |= flagKeepAlive
		}
		if r.flags&flagAdmin != 0 {
			closing = !l.admin(h, r)
		} else {
			closing = !l.front(h, r)
			break
		}
	}
	if len(l.reply) > 0 {
		if closing {
			r.flags &^= flagKeepAlive
		} else {
			r.flags |= flagKeepAlive // a batch that ends open, whatever its last request was
		}
		l.sendReply(h, r)
	}
	if l.n.requests != before && r.state != stateHeld {
		l.answered++
	}
	return len(p)
}

// refuse answers with an error, after which the connection is closed.
func (l *Loop) refuse(r *conn, status int) { l.appendError(r, status, false) }

// appendError adds a refusal. Front replies say who may read them.
func (l *Loop) appendError(r *conn, status int, keep bool) {
	allow := l.svc.origin
	if r.flags&flagAdmin != 0 {
		allow = nil
	}
	if status == 404 {
		l.reply = wire.AppendNotFound(l.reply, l.httpDate(), allow, &l.req, keep)
		return
	}
	if l.req.Method == wire.MethodHead {
		l.reply = wire.AppendHeadError(l.reply, l.httpDate(), allow, status, keep, l.req.Minor)
		return
	}
	l.reply = wire.AppendError(l.reply, l.httpDate(), allow, status, keep, l.req.Minor)
}

// httpDate is the present date for headers, composed once a second.
func (l *Loop) httpDate() []byte {
	if s := l.now / 1e9; s != l.dateSecond {
		l.dateSecond = s
		wire.AppendDate(l.date[:0], s)
	}
	return l.date[:]
}
