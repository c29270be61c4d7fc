package comet

import (
	"errors"

	"c1000k/comet/hub"
	"c1000k/comet/wire"
)

// maxNames is the most channels that one push may name.
const maxNames = 1024

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
	if len(content) > l.svc.limits.Load().maxContent {
		return nil, 413
	}
	return content, 0
}

// refusePublish answers a message that is not taken.
func (l *Loop) refusePublish(r *conn, status int) (stay bool) {
	l.n.refusedPublishes++
	return l.adminReply(r, status, wire.TypeDefault, nil)
}

// push publishes to the channels named, which are made where there are none.
func (l *Loop) push(r *conn, form []byte) (stay bool) {
	content, status := l.content(string(l.req.Path) == "/pub")
	if status != 0 {
		return l.refusePublish(r, status)
	}
	names := wire.Names{Form: form, Query: l.req.Query}
	named := names.Count()
	if named > 1 && (named > maxNames || !l.namesFit(names)) {
		return l.refusePublish(r, 400)
	}
	m, err := l.hub.NewMessage(content, false)
	if err != nil {
		l.n.noMemory++
		return l.refusePublish(r, 503)
	}
	l.acks = l.acks[:0]
	status = 200
	name, _ := names.Next(l.name[:0])
	for more := true; more; name, more = names.Next(l.name[:0]) { // without any it is the empty name
		l.name = name
		s := l.publish(name, m)
		if s == 200 {
			continue
		}
		if status = s; named > 1 { // the others may have it: who was refused is said, asked for or not
			l.esc = wire.AppendEscaped(l.esc[:0], name)
			l.acks = wire.AppendRefused(l.acks, l.esc, s)
		}
	}
	l.hub.Unref(m)
	switch {
	case status == 200:
		l.body = wire.AppendPushBody(l.body[:0], l.par.Cb, l.acks)
	case named > 1:
		l.n.refusedPublishes++
		l.body = wire.AppendPushRefusedBody(l.body[:0], l.par.Cb, status, l.acks)
	default:
		return l.refusePublish(r, status)
	}
	return l.adminReply(r, status, wire.TypeScript, l.body)
}

// namesFit reports whether every name is short enough.
func (l *Loop) namesFit(names wire.Names) bool {
	for {
		name, ok := names.Next(l.name[:0])
		if !ok {
			return true
		}
		if l.name = name[:0]; len(name) > maxNameBytes {
			return false
		}
	}
}

// publish publishes m to one channel and returns the status that this is worth.
func (l *Loop) publish(name []byte, m hub.Msg) (status int) {
	v, err := l.hub.FindOrCreate(name, l.tick)
	if err != nil {
		if errors.Is(err, hub.ErrTooManyChannels) {
			l.n.tooManyChannels++
			return 429
		}
		return 503
	}
	seq, loops := v.Publish(m, l.tick)
	receivers := v.Subscribers()
	v.Leave()
	l.wake |= loops
	l.n.published++
	if l.par.Ack {
		l.esc = wire.AppendEscaped(l.esc[:0], name)
		l.acks = wire.AppendAck(l.acks, l.esc, seq, receivers)
	}
	return 200
}

// broadcast begins to publish to all channels; the answer does not wait.
func (l *Loop) broadcast(r *conn) (stay bool) {
	content, status := l.content(false)
	if status != 0 {
		return l.refusePublish(r, status)
	}
	if len(l.walks) == maxBroadcasts {
		return l.refusePublish(r, 503)
	}
	m, err := l.hub.NewMessage(content, true)
	if err != nil {
		l.n.noMemory++
		return l.refusePublish(r, 503)
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
