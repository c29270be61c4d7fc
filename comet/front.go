package comet

import (
	"bytes"

	"c1000k/comet/wire"
)

// headEnd ends the head of a reply.
const headEnd = "\r\n\r\n"

// front answers or holds the request l.req of a subscriber; false if the
// connection ends with the reply.
func (l *Loop) front(h uint32, r *conn) (stay bool) {
	keep := r.flags&flagKeepAlive != 0
	switch string(l.req.Path) {
	case "/sub", "/poll":
		if l.req.Method != wire.MethodGet {
			return l.wrongMethod(r, keep)
		}
		l.params = wire.ParseParams(&l.par, l.params[:0], l.req.Query, nil)
		if len(l.par.Cname) > maxNameBytes || len(l.par.Cb) > maxCallbackBytes ||
			len(l.par.Cb) > 0 && !wire.ValidCallback(l.par.Cb) {
			l.n.badRequests++
			l.refuse(r, 400)
			return false
		}
		return l.subscribe(h, r)
	case "/ping":
		l.params = wire.ParseParams(&l.par, l.params[:0], l.req.Query, nil)
		if len(l.par.Cb) > 0 && !wire.ValidCallback(l.par.Cb) {
			l.n.badRequests++
			l.refuse(r, 400)
			return false
		}
		begin := len(l.reply)
		l.reply = wire.AppendPing(l.reply, l.httpDate(), l.par.Cb,
			int64(l.svc.cfg.PollingTimeout.Seconds()), l.req.Minor, keep)
		if l.req.Method == wire.MethodHead {
			head, _, _ := bytes.Cut(l.reply[begin:], []byte(headEnd))
			l.reply = l.reply[:begin+len(head)+len(headEnd)]
		}
		return keep
	}
	l.n.badRequests++
	l.refuse(r, 404)
	return false
}

func (l *Loop) wrongMethod(r *conn, keep bool) bool {
	l.n.badRequests++
	if l.req.Method == wire.MethodHead {
		l.reply = wire.AppendHeadError(l.reply, l.httpDate(), 405, keep, l.req.Minor)
	} else {
		l.reply = wire.AppendError(l.reply, l.httpDate(), 405, keep, l.req.Minor)
	}
	return keep
}
