package comet

import (
	"fmt"
	"unsafe"

	"c1000k/comet/arena"
	"c1000k/comet/wire"
)

// state is where a connection stands.
type state uint8

const (
	stateFree    state = iota
	stateReading       // a request is awaited for the first time, or has begun
	stateIdle          // between requests
	stateHeld          // a subscriber waits for messages; of a stream a piece may be on its way
	stateSending       // a reply is with the engine
	stateClosing       // OpClose was given; waiting for Closed

	numStates
)

// takes reports that a connection is in a state in which its input is taken as
// requests.
func (r *conn) takes() bool { return r.state == stateReading || r.state == stateIdle }

// setState moves r to another state, and counts.
func (l *Loop) setState(r *conn, s state) {
	l.n.states[r.state]--
	l.n.states[s]++
	r.state = s
}

// Flags of a connection; those of a request are set anew by each.
const (
	flagAdmin     uint8 = 1 << iota // came in by the admin door
	flagHTTP11                      // the request is of HTTP/1.1
	flagKeepAlive                   // the connection stays after the reply
	flagPaused                      // the engine was told to stop reading
	flagContinued                   // the request that is being read was answered with 100 Continue
	// flagBehind says of a held connection that a channel has messages for
	// it which are not on its way: they are looked for when a send is over.
	flagBehind
	// The highest two bits are the subscriber's mode.
	modeShift = 6
	flagMode  = uint8(3 << modeShift)
)

// mode is how the held connection is served.
func (r *conn) mode() wire.Mode { return wire.Mode(r.flags >> modeShift) }

// busy reports that a held connection has a send outstanding.
func (r *conn) busy() bool { return r.out != 0 }

// conn is one connection and its one subscriber: 48 bytes. Where it has several
// its place names no channel and the first of them: see channels.go. The
// engine's descriptor is not stored, since the record's index is its slot.
type conn struct {
	wants uint64 // the message number it waits for
	place
	state state
	flags uint8
	gen   uint16 // the token of its sends
	timer arena.Link
	// deadline is when the state has lasted too long. The timer may be armed
	// for an earlier tick, and is then armed again: see setDeadline.
	deadline uint32
	extra    arena.Handle // input not yet used, callback, noop number; most have none
	out      arena.Handle // the reply that is being sent
}

// at is the record of connection number h-1; h is not 0.
func (l *Loop) at(h uint32) *conn {
	return (*conn)(unsafe.Add(l.connBase, uintptr(h-1)*unsafe.Sizeof(conn{})))
}

// mapConns reserves the records of maxConns connections.
func (l *Loop) mapConns(maxConns int) error {
	if maxConns <= 0 || maxConns >= 1<<30 {
		return fmt.Errorf("comet: a loop for %d connections", maxConns)
	}
	mem, err := arena.Map(maxConns * int(unsafe.Sizeof(conn{})))
	if err != nil {
		return err
	}
	l.connMem, l.connBase, l.maxConns = mem, unsafe.Pointer(&mem[0]), uint32(maxConns)
	l.wheel.Init(unsafe.Pointer(&l.at(1).timer), unsafe.Sizeof(conn{}), 1)
	return nil
}

// Open begins the life of connection c, which came in by door d from p.
func (l *Loop) Open(now int64, c Conn, d Door, p Peer) {
	l.enter(now)
	if uint32(c) >= l.maxConns {
		panic(fmt.Sprintf("comet: connection %d of a loop for %d: the engine accepted what cannot be held", c, l.maxConns))
	}
	r := l.at(uint32(c) + 1)
	if r.state != stateFree {
		panic(fmt.Sprintf("comet: connection %d opened in state %d", c, r.state))
	}
	*r = conn{gen: r.gen + 1}
	l.setState(r, stateReading)
	l.high = max(l.high, uint32(c)+1)
	if d == DoorAdmin {
		l.admit(r, p)
	}
	l.n.opened++
	l.setDeadline(uint32(c)+1, r, l.tick+l.svc.limits.Load().headerTicks)
}

// Hangup says that the peer of c left, or its socket failed.
func (l *Loop) Hangup(now int64, c Conn) {
	l.enter(now)
	r := l.at(uint32(c) + 1)
	if r.state == stateFree || r.state == stateClosing {
		return
	}
	l.n.hangups++
	l.close(uint32(c)+1, r)
}

// close gives connection h up.
func (l *Loop) close(h uint32, r *conn) {
	switch {
	case r.state != stateHeld:
	case r.watches():
		l.unwatch(h, r)
	default:
		l.unsubscribe(h, r)
	}
	l.wheel.Cancel(h)
	l.freeExtra(r)
	l.setState(r, stateClosing)
	*l.action() = Action{Op: OpClose, Conn: Conn(h - 1)}
}

// Closed ends the life of connection c: its slot may be used again.
func (l *Loop) Closed(now int64, c Conn) {
	l.enter(now)
	h := uint32(c) + 1
	r := l.at(h)
	if r.state != stateClosing {
		panic(fmt.Sprintf("comet: connection %d closed in state %d: nobody asked for it", c, r.state))
	}
	l.releaseOut(r)
	l.setState(r, stateFree)
	l.n.closed++
}
