package soak

import (
	"fmt"

	"c1000k/experiments/load/replies"
)

// where says who a client is, for a fault.
func (c *client) where() string {
	kind := ""
	if c.legacy {
		kind = " without gap=1"
	}
	if c.slow {
		kind += " that reads slowly"
	}
	return fmt.Sprintf("client %d (%v%s, connection %d) of %s (closed %d/%d times), next %d, epoch %.8q",
		c.id, c.mode, kind, c.lives, c.ch.name, c.ch.ended.Load(), c.ch.begun.Load(), c.next, c.epoch)
}

// object checks one object. It returns false if the connection is no more.
func (r *reactor) object(c *client, m replies.Message, id int64) bool {
	f, n := r.s.faults, &r.s.n
	if string(m.Cname) != c.ch.name {
		f.add("misdelivered", "%s: got a message for %q", c.where(), m.Cname)
		return true
	}
	if c.told && m.Kind != replies.NextSeq {
		f.add("next_seq", "%s: none after a broadcast, but kind %d, number %d", c.where(), m.Kind, m.Seq)
		c.told = false
	}
	switch m.Kind {
	case replies.Data, replies.Broadcast:
		if c.mode == modeSSE && id != int64(m.Seq) {
			f.add("event id", "%s: message %d is event %d", c.where(), m.Seq, id)
		}
		r.message(c, m)
	case replies.Gap:
		n.gaps.Add(1)
		r.gap(c, m)
	case replies.NextSeq:
		r.nextSeq(c, m)
	case replies.Noop:
		n.noops.Add(1)
		if m.Seq != c.noop {
			f.add("noop", "%s: its number is %d, not %d", c.where(), m.Seq, c.noop)
		}
		c.noop = m.Seq + 1
	case replies.Close:
		n.closes.Add(1)
		if !c.ch.mayBeAnew(c.known) {
			f.add("close", "%s: nobody closed the channel", c.where())
		}
		if m.Seq < c.next || m.Seq > c.next && c.next > 0 && !r.mayMiss(c, m.Seq-1) {
			f.add(faultLost, "%s: the channel is closed at %d", c.where(), m.Seq)
		}
	case replies.Refusal:
		return r.refused(c, m)
	}
	return true
}

// mayMiss says whether a client need not get what is numbered up to n and was not
// told of it by a gap: what was cleared, and for icomet's kind what is too old.
func (r *reactor) mayMiss(c *client, n uint64) bool {
	if c.legacy {
		return c.ch.mayEvict(n, r.s.broadcasts.Load())
	}
	return c.ch.mayClear(n)
}

// message checks the number and the content of a message.
func (r *reactor) message(c *client, m replies.Message) {
	f := r.s.faults
	r.s.n.messages.Add(1)
	name := c.ch.name
	if m.Kind == replies.Broadcast {
		name = broadcastMark
		c.told = true
	}
	// One push to several channels is marked as if it was a broadcast.
	if !isContent(m.Content, name) && !isContent(m.Content, broadcastMark) {
		f.add("content", "%s: of number %d: %.100q", c.where(), m.Seq, m.Content)
	}
	switch {
	case m.Seq == c.next:
	case c.next == 0:
		f.add("protocol", "%s: message %d, but it asked for the next number", c.where(), m.Seq)
	case m.Seq < c.next:
		f.add(faultRepeated, "%s: number %d", c.where(), m.Seq)
		return
	case !r.mayMiss(c, m.Seq-1):
		f.add(faultLost, "%s: number %d comes next; published up to %d, cleared up to %d",
			c.where(), m.Seq, c.ch.published(r.s.broadcasts.Load()), c.ch.cleared.Load())
	default:
		r.s.n.gone.Add(int64(m.Seq - c.next))
	}
	c.next = m.Seq + 1
}

// gap checks that a client is told of what it missed for a reason.
func (r *reactor) gap(c *client, m replies.Message) {
	f := r.s.faults
	switch {
	case c.legacy:
		f.add("gap", "%s: did not ask for them", c.where())
	case r.anew(c, string(m.Content)):
	case m.Seq <= c.next:
		f.add("gap", "%s: before number %d, which is none", c.where(), m.Seq)
	default:
		r.s.n.gone.Add(int64(m.Seq - c.next))
	}
	if m.Seq > 1 && !c.ch.mayEvict(m.Seq-1, r.s.broadcasts.Load()) {
		f.add(faultLost, "%s: a gap before %d; published up to %d, cleared up to %d, and %d are kept",
			c.where(), m.Seq, c.ch.published(r.s.broadcasts.Load()), c.ch.cleared.Load(), history)
	}
	c.next = m.Seq
}

// anew notes the epoch that a client is told, and says whether its channel is
// another instance than the one it knew.
func (r *reactor) anew(c *client, epoch string) bool {
	was, known := c.epoch, c.known
	c.epoch, c.known = epoch, c.ended
	if was == epoch || was == "" {
		return false
	}
	r.s.n.anew.Add(1)
	if !c.ch.mayBeAnew(known) {
		r.s.faults.add("anew", "%s: another instance than %.8q, and nobody closed the channel", c.where(), was)
	}
	return true
}

// nextSeq checks the number that comes next: of a broadcast, or because the one
// asked for is not to be had.
func (r *reactor) nextSeq(c *client, m replies.Message) {
	f := r.s.faults
	if c.told {
		c.told = false
		if m.Seq != c.next {
			f.add("next_seq", "%s: %d after a broadcast", c.where(), m.Seq)
		}
		return
	}
	r.s.n.jumps.Add(1)
	knew, known := c.next != 0 && c.epoch != "", c.known
	switch {
	case c.legacy:
		f.add("jump", "%s: to %d", c.where(), m.Seq)
	case r.anew(c, string(m.Content)):
	case knew:
		f.add("jump", "%s: to %d in the same instance", c.where(), m.Seq)
	case c.next != 0 && !c.ch.mayBeAnew(known):
		f.add("jump", "%s: to %d, and nobody closed the channel", c.where(), m.Seq)
	}
	c.next = m.Seq
}

// refused checks that a client is refused for its token alone, which another
// instance of the channel does not know.
func (r *reactor) refused(c *client, m replies.Message) (ok bool) {
	r.s.n.refused.Add(1)
	if string(m.Content) != "Token error" || !r.s.tokens || c.token != nil && !c.ch.mayBeAnew(c.token.ended) {
		r.s.faults.add("refused", "%s: %q", c.where(), m.Content)
	}
	r.gone(c, refusedAway)
	return false
}
