package comet

import (
	"c1000k/comet/hub"
	"c1000k/comet/internal/plant"
	"c1000k/comet/wire"
)

// MaxChannelsPerSubscription is the most channels that one subscription may be let
// name: what an EventSource sends back of them must fit into a request's head.
const MaxChannelsPerSubscription = 128

// nameChannels makes l.channels, which is empty, of the request's channels; one
// that is named again counts once. It is false if they are too many, or a name is
// too long.
func (l *Loop) nameChannels() (ok bool) {
	most := l.svc.limits.Load().maxNamed
	l.channels, l.params = wire.ParseChannels(l.channels, l.params, l.req.Query, most)
	if len(l.channels) > most {
		l.n.tooManyNamed++
		return false
	}
	for i := range l.channels {
		if len(l.channels[i].Cname) > maxNameBytes {
			return false
		}
	}
	return true
}

// turnTo makes channel i of l.channels that of the subscriber l.par.
func (l *Loop) turnTo(i int) {
	c, p := &l.channels[i], &l.par
	p.Cname, p.Token, p.Epoch, p.Seq = c.Cname, c.Token, c.Epoch, c.Seq
}

// subscribeToAll carries out the sequence table for each of l.channels, in order,
// with one stripe locked at a time. A channel that has nothing to say is joined
// there and then, so that what comes to it while the next is looked at is not
// missed. Where one refuses, or a poll has its answer, all are left again.
func (l *Loop) subscribeToAll(h uint32, r *conn, mode wire.Mode) (stay bool) {
	if !l.newSubscriptions(h, r) {
		l.n.noMemory++
		l.close(h, r)
		return true
	}
	streams := mode.Streams()
	if streams {
		l.setMode(r, mode)
		l.beginStream(r)
	}
	l.body = append(l.body[:0], '[')
	said, lone := 0, false // channels that have something to say; the last of them one object
	s := r.place.next
	for i := range l.channels {
		l.turnTo(i)
		v, why := l.find()
		switch {
		case why.text != "":
			if !plant.Is(plant.StillThere) {
				l.leaveAll(h, r)
				l.freeSubscriptions(r)
			}
			l.reply = l.reply[:0]
			return l.inBand(r, mode, why)
		case streams:
			l.joinStream(r, s, v)
		default:
			var says bool
			if says, lone = l.ask(s, v, said, lone); says {
				said++
			}
		}
		s = l.after(s)
	}
	if streams {
		l.holdStream(h, r)
		return true
	}
	if said == 0 {
		l.hold(h, r)
		return true
	}
	l.leaveAll(h, r)
	l.freeSubscriptions(r)
	body := append(l.body, ']')
	if l.body = body; said == 1 && lone {
		body = body[1 : len(body)-1] // as if it was asked alone
	}
	l.reply = wire.AppendPollReply(l.reply, l.head(r), l.par.Cb, body)
	return r.flags&flagKeepAlive != 0
}

// ask looks at the channel v of the poll l.par, which it unlocks, and appends
// to l.body what it says, behind the said channels before it; what does not fit
// the client's next poll gets. Where none has said anything s joins it. lone is
// whether the last that said anything said but one object that is no message.
func (l *Loop) ask(s uint32, v hub.View, said int, lone bool) (says, isLone bool) {
	if said > 0 && len(l.body) >= maxReplayBytes { // before its history is read
		v.Touch(l.tick)
		v.Leave()
		return false, lone
	}
	next, epoch := v.Next(), l.toldEpoch(v)
	answer, from := l.tabled(v)
	if answer == answerHold && said == 0 {
		l.join(v, s, next)
		return false, false
	}
	v.Touch(l.tick)
	v.Leave()
	if answer == answerHold {
		return false, lone
	}
	if said > 0 {
		l.body = append(l.body, ',')
	}
	if answer == answerJump {
		l.esc = wire.AppendEscaped(l.esc[:0], l.par.Cname)
		l.body = wire.AppendObject(l.body, wire.KindNextSeq, l.esc, int64(next), l.appendEpoch(epoch))
		return true, true
	}
	l.appendReplay(l.par.Cname, from, l.gap(from, epoch))
	return true, false
}

// resumeEvents has the channels of an EventSource that comes back go on from what
// it has had.
func (l *Loop) resumeEvents() {
	if len(l.channels) > 1 {
		wire.Resume(l.channels, l.req.LastEventID)
	} else if had, ok := wire.ParseEventID(l.req.LastEventID); ok {
		l.par.Seq = had + 1
	}
}
