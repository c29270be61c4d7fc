package gonet

import (
	"errors"
	"net"
	"time"

	"c1000k/comet"
)

// acceptRetry is the pause after accept failed: for lack of descriptors, most
// often, and trying again at once would spin.
const acceptRetry = 100 * time.Millisecond

// acceptFrom accepts from one listener until it is closed. A connection for
// which there is no slot waits here, unread, and keeps the next one in the
// backlog: one a listener, which the capacity leaves room for. Taking the slot
// first would set one aside for each listener that nobody comes to.
func (e *Engine) acceptFrom(ln listener) {
	for {
		nc, err := ln.Accept()
		switch {
		case err == nil:
			e.counters.accepts.Add(1)
			slot := e.takeSlot(ln.door)
			if slot == nil {
				nc.Close()
				return
			}
			e.serve(nc, ln.door, slot)
		case errors.Is(err, net.ErrClosed) || e.paused.Load():
			return
		default:
			e.counters.acceptErrors.Add(1)
			select {
			case <-time.After(acceptRetry):
			case <-e.stopping:
				return
			}
		}
	}
}

// takeSlot waits until a connection by this door may be served and returns
// where its token lies; nil when the engine stops. The admin door has its
// reserve, and takes of the others' slots where there are any.
func (e *Engine) takeSlot(door comet.Door) chan struct{} {
	admin := e.adminSlots
	if door != comet.DoorAdmin {
		admin = nil
	}
	select {
	case e.frontSlots <- struct{}{}:
		return e.frontSlots
	default:
	}
	select {
	case admin <- struct{}{}:
		return e.adminSlots
	default:
	}
	e.counters.acceptPaused.Add(1)
	select {
	case e.frontSlots <- struct{}{}:
		return e.frontSlots
	case admin <- struct{}{}:
		return e.adminSlots
	case <-e.stopping:
		return nil
	}
}

// serve gives a connection to the loop that has the fewest.
func (e *Engine) serve(nc net.Conn, door comet.Door, slot chan struct{}) {
	best := e.loops[0]
	for _, l := range e.loops[1:] {
		if l.held.Load() < best.held.Load() {
			best = l
		}
	}
	best.open(nc, door, slot)
}
