package comet

import (
	"time"

	"c1000k/comet/wire"
)

// signedHistory is how many of the newest messages /sign has a client begin with.
const signedHistory = 10

// admin answers the request l.req of a publisher by adding to l.reply; false
// if the connection ends with it.
func (l *Loop) admin(h uint32, r *conn) (stay bool) {
	if status := l.barred(r); status != 0 {
		r.flags &^= flagKeepAlive
		if status == 403 {
			l.adminReply(r, status, wire.TypeDefault, nil)
		} else {
			l.refuse(r, status)
		}
		return false
	}
	path := string(l.req.Path)
	switch path {
	case "/push", "/pub", "/broadcast":
		if l.req.Method != wire.MethodGet && l.req.Method != wire.MethodPost {
			return l.refusePublish(r, 405)
		}
	case "/info", "/check", "/sign", "/close", "/clear", "/psub", "/channels":
	default:
		l.n.badRequests++
		l.refuse(r, 404)
		return false
	}
	var form []byte
	if l.req.Form {
		form = l.req.Body
	}
	l.params = wire.ParseParams(&l.par, l.params[:0], l.req.Query, form)
	if len(l.par.Cname) > maxNameBytes || len(l.par.Cb) > maxCallbackBytes ||
		len(l.par.Cb) > 0 && !wire.ValidCallback(l.par.Cb) {
		l.n.badRequests++
		return l.adminReply(r, 400, wire.TypeDefault, nil)
	}
	switch path {
	case "/push", "/pub":
		return l.push(r, form)
	case "/broadcast":
		return l.broadcast(r)
	case "/info":
		return l.info(r)
	case "/check":
		return l.check(r)
	case "/sign":
		return l.sign(r)
	case "/psub":
		return l.psub(h, r)
	case "/channels":
		return l.list(r)
	}
	return l.end(r, path == "/close")
}

// adminReply adds a reply of the admin door.
func (l *Loop) adminReply(r *conn, status int, contentType string, body []byte) (stay bool) {
	stay = r.flags&flagKeepAlive != 0
	l.reply = wire.AppendAdmin(l.reply, wire.Admin{
		Date: l.httpDate(), Server: l.svc.server, Minor: l.req.Minor, KeepAlive: stay,
		Bodyless: l.req.Method == wire.MethodHead,
	}, status, contentType, body)
	return stay
}

func (l *Loop) info(r *conn) (stay bool) {
	if !l.par.HasCname {
		l.publishCounts()
		l.body = wire.AppendInfoBody(l.body[:0], l.svc.version,
			int64(l.hub.Count()), l.svc.Subscribers())
		return l.adminReply(r, 200, wire.TypeHTML, l.body)
	}
	n := 0
	if v, ok := l.hub.Find(l.par.Cname); ok {
		n = v.Subscribers()
		v.Leave()
	}
	l.esc = wire.AppendEscapedHTML(l.esc[:0], l.par.Cname)
	l.body = wire.AppendChannelInfoBody(l.body[:0], l.esc, int64(n))
	return l.adminReply(r, 200, wire.TypeHTML, l.body)
}

func (l *Loop) check(r *conn) (stay bool) {
	v, ok := l.hub.Find(l.par.Cname)
	if ok {
		v.Leave()
	}
	l.esc = wire.AppendEscapedHTML(l.esc[:0], l.par.Cname)
	l.body = wire.AppendCheckBody(l.body[:0], l.esc, ok)
	return l.adminReply(r, 200, wire.TypeHTML, l.body)
}

// sign makes a channel, if there is none, and tells what a client needs to
// subscribe to it. The channel lives for the time it asks for, or the usual one.
func (l *Loop) sign(r *conn) (stay bool) {
	v, err := l.hub.FindOrCreate(l.par.Cname, l.tick)
	if err != nil {
		l.n.tooManyChannels++
		return l.adminReply(r, 429, wire.TypeDefault, nil)
	}
	lives := l.svc.cfg.ChannelTimeout
	if e := l.par.Expires; e > 0 {
		lives = time.Duration(min(e, int64(MaxTimeout/time.Second))) * time.Second
	}
	v.Extend(l.tick, ticks(lives))
	token, start := l.token(v), v.HistoryStart(signedHistory)
	v.Leave()
	l.esc = wire.AppendEscapedHTML(l.esc[:0], l.par.Cname)
	l.body = wire.AppendSignBody(l.body[:0], wire.Sign{
		EscName: l.esc, Seq: start, Token: token[:],
		Expires: int64(lives.Seconds()), SubTimeout: int64(l.svc.limits.Load().polling.Seconds()), Cb: l.par.Cb,
	})
	return l.adminReply(r, 200, wire.TypeHTML, l.body)
}

// end closes a channel, or clears its history.
func (l *Loop) end(r *conn, close bool) (stay bool) {
	v, ok := l.hub.Find(l.par.Cname)
	l.esc = wire.AppendEscapedHTML(l.esc[:0], l.par.Cname)
	if !ok {
		l.body = wire.AppendNotConnectedBody(l.body[:0], l.esc)
		return l.adminReply(r, 404, wire.TypeHTML, l.body)
	}
	next := v.Next()
	if close {
		l.wake |= v.Close(l.tick)
		l.n.closedChannels++
	} else {
		v.Clear()
		v.Touch(l.tick)
	}
	v.Leave()
	l.body = wire.AppendEndBody(l.body[:0], next)
	return l.adminReply(r, 200, wire.TypeHTML, l.body)
}
