package comet

import (
	"bytes"
	"cmp"

	"c1000k/comet/wire"
)

// headEnd ends the head of a reply.
const headEnd = "\r\n\r\n"

// modeOf is the mode that a path of the front door asks for.
func modeOf(path []byte) (m wire.Mode, ok bool) {
	switch string(path) {
	case "/sub", "/poll":
		return wire.ModePoll, true
	case "/stream":
		return wire.ModeStream, true
	case "/iframe":
		return wire.ModeIframe, true
	case "/sse":
		return wire.ModeSSE, true
	}
	return 0, false
}

// front answers or holds the request l.req of a subscriber; false if the
// connection ends with the reply.
func (l *Loop) front(h uint32, r *conn) (stay bool) {
	keep := r.flags&flagKeepAlive != 0
	mode, subscribes := modeOf(l.req.Path)
	switch l.wrongTarget(subscribes) {
	case 404:
		l.n.badRequests++
		l.refuse(r, 404)
		return false
	case 405:
		l.n.badRequests++
		l.appendError(r, 405, keep)
		return keep
	}
	if l.preflight() {
		l.reply = wire.AppendPreflight(l.reply, l.httpDate(), l.svc.origin, keep, l.req.Minor)
		return keep
	}
	l.params = wire.ParseParams(&l.par, l.params[:0], l.req.Query, nil)
	if mode.Streams() {
		l.par.Cb = nil // of them it is no parameter, and so neither used nor refused
	}
	if len(l.par.Cname) > maxNameBytes || len(l.par.Cb) > maxCallbackBytes ||
		len(l.par.Cb) > 0 && !wire.ValidCallback(l.par.Cb) {
		l.n.badRequests++
		l.refuse(r, 400)
		return false
	}
	if !subscribes {
		l.ping(keep)
		return keep
	}
	l.channels = l.channels[:0]
	if l.par.Several && !l.nameChannels() {
		l.n.badRequests++
		l.refuse(r, 400)
		return false
	}
	if mode == wire.ModeSSE {
		l.resumeEvents()
	}
	return l.subscribe(h, r, mode)
}

// unread is the status for a front request that is refused for its body, which
// is not read: what is wrong with its path or its method is said first.
func (l *Loop) unread(err *wire.Error) (status int) {
	if err != wire.ErrBodyTooLarge && err != wire.ErrLengthRequired {
		return err.Status
	}
	_, subscribes := modeOf(l.req.Path)
	return cmp.Or(l.wrongTarget(subscribes), err.Status)
}

// wrongTarget is the status for the path or the method of a front request that is wrong,
// and 0 for one that is not.
func (l *Loop) wrongTarget(subscribes bool) (status int) {
	switch {
	case !subscribes && string(l.req.Path) != "/ping":
		return 404
	case subscribes && l.req.Method != wire.MethodGet && !l.preflight():
		return 405
	}
	return 0
}

// preflight says whether a browser asks if it may ask.
func (l *Loop) preflight() bool {
	return l.req.Method == wire.MethodOptions && len(l.svc.origin) > 0
}

func (l *Loop) ping(keep bool) {
	begin := len(l.reply)
	l.reply = wire.AppendPing(l.reply, l.httpDate(), l.par.Cb, l.svc.origin,
		int64(l.svc.limits.Load().polling.Seconds()), l.req.Minor, keep)
	if l.req.Method == wire.MethodHead {
		head, _, _ := bytes.Cut(l.reply[begin:], []byte(headEnd))
		l.reply = l.reply[:begin+len(head)+len(headEnd)]
	}
}
