package comet

import (
	"errors"

	"c1000k/comet/hub"
	"c1000k/comet/wire"
)

// admin answers the request l.req of a publisher by adding to l.reply; false
// if the connection ends with it.
func (l *Loop) admin(r *conn) (stay bool) {
	switch string(l.req.Path) {
	case "/push", "/pub", "/broadcast":
		if l.req.Method != wire.MethodGet && l.req.Method != wire.MethodPost {
			return l.adminReply(r, 405, wire.TypeDefault, nil)
		}
	case "/info", "/check":
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
	switch string(l.req.Path) {
	case "/push", "/pub":
		return l.push(r)
	case "/broadcast":
		return l.broadcast(r)
	case "/info":
		return l.info(r)
	}
	return l.check(r)
}

// adminReply adds a reply of the admin door.
func (l *Loop) adminReply(r *conn, status int, contentType string, body []byte) (stay bool) {
	stay = r.flags&flagKeepAlive != 0
	if status >= 400 {
		l.n.refusedPublishes++
	}
	l.reply = wire.AppendAdmin(l.reply, wire.Admin{
		Date: l.httpDate(), Server: l.svc.server, Minor: l.req.Minor, KeepAlive: stay,
		Bodyless: l.req.Method == wire.MethodHead,
	}, status, contentType, body)
	return stay
}

// content is the message's content, escaped for JSON, unless it is to be so
// already; status is 0 if it is fit to be published.
func (l *Loop) content(escaped bool) (content []byte, status int) {
	content = l.par.Content
	if escaped {
		if !wire.ValidEscaped(content) {
			return nil, 400
		}
	} else {
		l.esc = wire.AppendEscaped(l.esc[:0], content)
		content = l.esc
	}
	if len(content) > l.svc.cfg.MaxContentBytes {
		return nil, 413
	}
	return content, 0
}

// push publishes to one channel, which is made if there is none.
func (l *Loop) push(r *conn) (stay bool) {
	content, status := l.content(string(l.req.Path) == "/pub")
	if status != 0 {
		return l.adminReply(r, status, wire.TypeDefault, nil)
	}
	m, err := l.hub.NewMessage(content, false)
	if err != nil {
		l.n.noMemory++
		return l.adminReply(r, 503, wire.TypeDefault, nil)
	}
	v, err := l.hub.FindOrCreate(l.par.Cname, l.tick)
	if err != nil {
		l.hub.Unref(m)
		status = 503
		if errors.Is(err, hub.ErrTooManyChannels) {
			l.n.tooManyChannels++
			status = 429
		}
		return l.adminReply(r, status, wire.TypeDefault, nil)
	}
	_, loops := v.Publish(m, l.tick)
	v.Leave()
	l.hub.Unref(m)
	l.wake |= loops
	l.n.published++
	l.body = wire.AppendPushBody(l.body[:0], l.par.Cb)
	return l.adminReply(r, 200, wire.TypeScript, l.body)
}

// broadcast begins to publish to all channels; the answer does not wait.
func (l *Loop) broadcast(r *conn) (stay bool) {
	content, status := l.content(false)
	if status != 0 {
		return l.adminReply(r, status, wire.TypeDefault, nil)
	}
	if len(l.walks) == maxBroadcasts {
		return l.adminReply(r, 503, wire.TypeDefault, nil)
	}
	m, err := l.hub.NewMessage(content, true)
	if err != nil {
		l.n.noMemory++
		return l.adminReply(r, 503, wire.TypeDefault, nil)
	}
	l.walks = append(l.walks, l.hub.NewWalk(m))
	l.n.broadcasts++
	return l.adminReply(r, 200, wire.TypeDefault, []byte(wire.BroadcastOK))
}

// maxBroadcasts is the most broadcasts under way at once on a loop; one more
// is refused with 503.
const maxBroadcasts = 64

// stepBroadcast carries the oldest broadcast on by a slice.
func (l *Loop) stepBroadcast() {
	if len(l.walks) == 0 || l.now < l.retryAt {
		return
	}
	loops, stepped, done := l.hub.Step(&l.walks[0], turnBroadcast, l.tick)
	l.wake |= loops
	l.retryAt = 0
	if !stepped {
		l.retryAt = l.now + broadcastRetryNanos
		return
	}
	if done {
		l.walks = append(l.walks[:0], l.walks[1:]...)
	}
	l.more = l.more || len(l.walks) > 0 || loops&(1<<l.id) != 0
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
	l.esc = wire.AppendEscaped(l.esc[:0], l.par.Cname)
	l.body = wire.AppendChannelInfoBody(l.body[:0], l.esc, int64(n))
	return l.adminReply(r, 200, wire.TypeHTML, l.body)
}

func (l *Loop) check(r *conn) (stay bool) {
	v, ok := l.hub.Find(l.par.Cname)
	if ok {
		v.Leave()
	}
	l.esc = wire.AppendEscaped(l.esc[:0], l.par.Cname)
	l.body = wire.AppendCheckBody(l.body[:0], l.esc, ok)
	return l.adminReply(r, 200, wire.TypeHTML, l.body)
}
