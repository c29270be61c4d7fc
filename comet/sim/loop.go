package sim

import (
	"fmt"
	"time"

	"c1000k/comet"
)

// phase is where a loop stands in its turn.
type phase uint8

const (
	phaseEvents phase = iota
	phaseTurn
	phaseActions
	phaseSleep
	phaseAsleep
)

// loop is an engine's loop: it carries the core's actions to the kernel of
// this package, one call at a time.
type loop struct {
	w     *world
	id    int
	core  *comet.Loop
	slots []*socket // by slot; nil is free
	free  []int     // slots, the next to be used last
	phase phase
	// budget is how many events this turn may still take.
	budget int
	// buffers is how many receives of this turn find a buffer.
	buffers  int
	deadline int64
	woken    bool
	starved  bool
	// began, calledAt and turnedAt are when the present turn began, and when the
	// last call and the last Turn were.
	began, calledAt, turnedAt int64

	late  []lateSent // completions of slots that were closed
	fresh []*ask     // taken in this turn
	found []event    // what events lists, reused
	turns int        // since the broadcast under way was taken
}

// lateSent is a completion that comes after its connection has gone.
type lateSent struct {
	slot     int
	token    uint16
	n, errno int
}

// What a failed send reports.
const (
	errPipe  = 32
	errReset = 104
	errGone  = 125 // cancelled
)

// event is one thing that the kernel can tell a loop now.
type event struct {
	kind string // open, data, hangup, sent, closed, late
	slot int
	sock *socket
}

// call notes a call into the core; every one goes through here.
func (l *loop) call(kind string, numbers ...int) int64 {
	l.w.result.Calls++
	l.w.callTime, l.calledAt = l.w.now, l.w.now
	l.w.mix(kind, append([]int{l.id, int(l.w.now - startTime)}, numbers...)...)
	return l.w.now
}

// step advances the loop by one call; false if it sleeps on.
func (l *loop) step() bool {
	switch l.phase {
	case phaseAsleep:
		if !l.woken && l.deadline > l.w.now && len(l.events()) == 0 {
			if !l.w.spurious() {
				return false
			}
			l.w.happened(WaitInterrupted)
		}
		l.woken = false
		l.call("awake")
		l.core.Awake()
		l.begin()
	case phaseEvents:
		events := l.events()
		if l.budget <= 0 || len(events) == 0 {
			if len(events) > 0 {
				l.w.happened(EventsHeld)
			}
			l.phase = phaseTurn
			break
		}
		l.budget--
		l.fire(events[l.w.rng.IntN(len(events))])
	case phaseTurn:
		for _, s := range l.slots {
			if s != nil {
				s.sinceAtTurn, s.refused, s.unwatched = s.since, false, false
			}
		}
		l.core.Turn(l.call("turn"), len(l.events()))
		l.turnedAt = l.w.now
		l.turns++
		l.phase = phaseActions
	case phaseActions:
		if l.tellAmid() {
			break
		}
		a := l.core.Next()
		if a == nil {
			l.drained()
			l.phase = phaseSleep
			break
		}
		l.perform(a)
	case phaseSleep:
		l.call("sleep")
		deadline, ok := l.core.Sleep()
		if !ok {
			l.begin()
			break
		}
		l.deadline, l.phase = deadline, phaseAsleep
		if l.w.castLoop != l {
			break
		}
		if l.turns == 0 {
			l.w.fail("loop %d sleeps over a broadcast that it took after its last turn", l.id)
		}
		l.w.model.castEnd()
		l.w.castLoop, l.w.castBusy = nil, false
	}
	return true
}

func (l *loop) begin() {
	l.phase, l.began = phaseEvents, l.w.now
	l.noteDue()
	l.budget = l.w.rng.IntN(8)
	l.buffers = len(l.slots)
	if !l.w.ending && l.w.chance(l.w.set.troubles) {
		l.buffers = l.w.rng.IntN(3)
	}
	if l.w.ending || l.w.set.crowd > 0 && l.w.chance(300) {
		l.budget = 64
	}
}

// spurious is a wait that ends for no reason, as one that a signal interrupts.
func (w *world) spurious() bool { return !w.ending && w.chance(20) }

// drained is the end of a turn's actions: who has no reply now is held.
func (l *loop) drained() {
	for _, a := range l.fresh {
		if !a.done && a.kind == "sub" {
			l.w.model.observeHeld(a)
		}
	}
	l.fresh = l.fresh[:0]
}

// events lists what could be told now. The list is good until the next call.
func (l *loop) events() []event {
	events := l.found[:0]
	if len(l.free) > 0 && !l.w.deaf {
		for _, s := range l.w.backlog {
			events = append(events, event{"open", l.free[len(l.free)-1], s})
		}
	}
	for slot, s := range l.slots {
		if s == nil {
			continue
		}
		if s.state == sockClosing {
			if s.send != nil && !s.send.reported && s.abandon == abandonTold {
				events = append(events, event{"sent", slot, s})
			} else {
				events = append(events, event{"closed", slot, s})
			}
			continue
		}
		if !s.unwatched && !s.refused && (s.readable() || s.look) {
			events = append(events, event{"data", slot, s})
		}
		if !s.unwatched && s.gone() {
			events = append(events, event{"hangup", slot, s})
		}
		if s.send != nil && s.send.over() {
			events = append(events, event{"sent", slot, s})
		}
	}
	for i := range l.late {
		if l.slots[l.late[i].slot] != nil || l.w.ending {
			events = append(events, event{"late", i, nil})
		}
	}
	l.found = events
	return events
}

// fire tells the core one event.
func (l *loop) fire(e event) {
	s := e.sock
	switch e.kind {
	case "open":
		l.open(s)
	case "data":
		s.receive()
	case "hangup":
		if l.w.provoke(WatchEnded) {
			s.unwatched = true
			break
		}
		s.hungUp = true
		l.core.Hangup(l.call("hangup", e.slot), comet.Conn(e.slot))
		s.forsake()
	case "sent":
		s.reportSent()
	case "closed":
		l.closed(s)
	case "late":
		late := l.late[e.slot]
		l.late = append(l.late[:e.slot], l.late[e.slot+1:]...)
		if l.slots[late.slot] != nil {
			l.w.happened(StaleSent)
		}
		now := l.call("late", late.slot, int(late.token))
		l.core.Sent(now, comet.Conn(late.slot), late.token, late.n, late.errno)
	}
}

func (l *loop) open(s *socket) {
	for i, b := range l.w.backlog {
		if b == s {
			l.w.backlog = append(l.w.backlog[:i], l.w.backlog[i+1:]...)
			break
		}
	}
	s.loop, s.slot, s.state = l, l.free[len(l.free)-1], sockOpen
	l.free = l.free[:len(l.free)-1]
	l.slots[s.slot] = s
	door := comet.DoorFront
	if s.admin {
		door = comet.DoorAdmin
	}
	now := l.call("open", s.slot, int(door))
	s.since = now
	l.core.Open(now, comet.Conn(s.slot), door, s.registered())
}

// closed ends a slot. A send that was given up and not reported is so later,
// perhaps when the slot belongs to another.
func (l *loop) closed(s *socket) {
	if s.send != nil && !s.send.reported {
		s.send.verify()
		if s.abandon == abandonLate {
			l.late = append(l.late, lateSent{s.slot, s.send.token, s.send.at, pick(l.w.rng, 0, errGone, errReset)})
		}
	}
	if len(l.free) == 0 && len(l.w.backlog) > 0 && !l.w.deaf {
		l.w.happened(TableFull)
	}
	s.state = sockDead
	l.slots[s.slot] = nil
	l.free = append(l.free, s.slot)
	if l.w.chance(300) { // not always the one freed last
		i := l.w.rng.IntN(len(l.free))
		l.free[i], l.free[len(l.free)-1] = l.free[len(l.free)-1], l.free[i]
	}
	l.core.Closed(l.call("closed", s.slot), comet.Conn(s.slot))
}

var actionNames = map[comet.Op]string{comet.OpSend: "send", comet.OpResume: "resume", comet.OpClose: "close", comet.OpWake: "wake"}

// perform carries out an action and holds it against the contract.
func (l *loop) perform(a *comet.Action) {
	w := l.w
	w.mix("  "+actionNames[a.Op], l.id, int(a.Conn), int(a.Token), int(a.Pieces))
	if a.Op == comet.OpWake {
		if int(a.Conn) >= len(w.loops) {
			w.fail("loop %d wakes loop %d, which there is not", l.id, a.Conn)
		}
		w.loops[a.Conn].woken = true
		return
	}
	if int(a.Conn) >= len(l.slots) || l.slots[a.Conn] == nil {
		w.fail("loop %d: operation %d on slot %d, which is free", l.id, a.Op, a.Conn)
	}
	s := l.slots[a.Conn]
	if s.state != sockOpen {
		w.fail("loop %d: operation %d on slot %d, which is closing", l.id, a.Op, a.Conn)
	}
	switch a.Op {
	case comet.OpSend:
		s.beginSend(a)
	case comet.OpResume:
		if !s.paused {
			w.fail("%v: OpResume, but reading was not stopped", s)
		}
		s.paused, s.look = false, true
	case comet.OpClose:
		l.close(s)
	default:
		w.fail("operation %d", a.Op)
	}
}

// close is OpClose: there must be a reason for it.
func (l *loop) close(s *socket) {
	w := l.w
	caused := s.hungUp || s.failed || s.lastReply || s.timedOut() || s.client.stranger || s.client.raw != nil || s.dismissed()
	if !caused && len(s.inflight) > 0 && s.inflight[0].begun {
		w.overruns++
		w.model.overrun(s.inflight[0])
	} else if !caused {
		w.fail("%v: closed without a cause; %v after its last event, requests taken %d, written %d, unread %q, sending %v",
			s, time.Duration(l.turnedAt-s.sinceAtTurn), len(s.inflight), len(s.queue), s.unread, s.send != nil)
	}
	l.noteClose(s)
	s.state = sockClosing
	s.forsake()
	s.abandon = abandon(w.rng.IntN(3))
	if s.send != nil && !s.send.reported && s.send.over() {
		s.abandon = abandonTold
	}
	if s.send != nil && !s.send.reported && !s.send.over() && s.abandon == abandonTold && w.chance(300) {
		w.happened(CancelLate)
		s.send.at = len(s.send.copied)
	}
	if w.chance(300) { // at once, within the action
		if s.send != nil && !s.send.reported && s.abandon == abandonTold {
			s.reportSent()
		}
		l.closed(s)
	}
}

// noteClose counts what a close comes amid.
func (l *loop) noteClose(s *socket) {
	if s.send != nil && !s.send.reported && !s.send.over() {
		l.w.happened(ClosedSending)
	}
	if len(s.unread) > 0 {
		l.w.happened(ClosedUnread)
	}
	if !s.hungUp && (s.eof || s.reset) {
		l.w.happened(ClosedAsPeerLeft)
	}
}

// tellAmid tells, while the core's actions are being carried out, that a send or a
// close of some connection is over: an engine whose queues are full makes room so. It
// says whether there was one. Where the core may have given the connection up in its
// last turn, OpClose is on its way and what it does with the rest of the input could
// not be told.
func (l *loop) tellAmid() bool {
	if l.w.ending || !l.w.chance(l.w.set.troubles) {
		return false
	}
	var over []event
	for _, e := range l.events() {
		if e.kind == "closed" || e.kind == "sent" && !e.sock.timedOut() {
			over = append(over, e)
		}
	}
	if len(over) == 0 {
		return false
	}
	l.w.happened(ToldWhileActing)
	l.fire(over[l.w.rng.IntN(len(over))])
	return true
}

func (p phase) String() string {
	return [...]string{"events", "turn", "actions", "sleep", "asleep"}[p]
}

func (a *ask) String() string {
	if len(a.parts) > 0 {
		text := fmt.Sprintf("ask %d (%s, HTTP/1.%d, of", a.id, a.style.mode, a.style.minor)
		for _, part := range a.parts {
			text += fmt.Sprintf(" %q seq %d", part.channel, part.seq)
		}
		return text + fmt.Sprintf(") on %v", a.sock)
	}
	return fmt.Sprintf("ask %d (%s of %q, seq %d, HTTP/1.%d) on %v", a.id, a.kind, a.channel, a.seq, a.style.minor, a.sock)
}
