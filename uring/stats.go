package uring

import (
	"sync/atomic"

	"c1000k/comet"
)

// counter is one of a loop's counters.
type counter int

const (
	cEnters counter = iota
	cWaits
	cLulls
	cCollects
	cCompletions
	cAccepts
	cPolls
	cRecvs
	cRecvEmpty
	cSends
	cPartialSends
	cRearms
	cStale
	cENOBUFS
	cCQOverflow
	cSQFull
	cBusy
	cEINTR
	cCancels
	cCancelLate
	cCloses
	cDiscards
	cSlotReused
	cWakes
	cWoken
	cAcceptPaused
	cAcceptMoved
	cAcceptErrors
	cRings
	counters
)

// counterNames are the names of Stats; the README's glossary is this list.
var counterNames = [counters]string{
	cEnters:       "enters",        // io_uring_enter calls
	cWaits:        "waits",         // of them, those that were willing to wait
	cLulls:        "lulls",         // of these, those of a loaded loop, that let a batch gather
	cCollects:     "collects",      // of them, those for what the one before had left
	cCompletions:  "completions",   // completion entries read
	cAccepts:      "accepts",       // connections accepted
	cPolls:        "polls",         // readiness reports of connections
	cRecvs:        "recvs",         // receives completed
	cRecvEmpty:    "recv_empty",    // of them, those that found nothing
	cSends:        "sends",         // sends completed, continued ones once
	cPartialSends: "partial_sends", // sends that went on after a part
	cRearms:       "rearms",        // multishot requests that ended and were armed again
	cStale:        "stale",         // completions of an earlier life of a slot
	cENOBUFS:      "enobufs",       // receives that found the buffer ring empty
	cCQOverflow:   "cq_overflow",   // times completions had to wait in the kernel
	cSQFull:       "sq_full",       // submissions forced by a full queue
	cBusy:         "busy",          // enters refused for want of memory
	cEINTR:        "eintr",         // waits ended by a signal
	cCancels:      "cancels",       // cancels asked for
	cCancelLate:   "cancels_late",  // of them, those that found nothing to cancel
	cCloses:       "closes",        // connections closed
	cDiscards:     "discards",      // closes before which unread input was thrown away
	cSlotReused:   "slot_reused",   // slots taken by an accept before their end had been read
	cWakes:        "wakes",         // wakes of other loops
	cWoken:        "woken",         // wakes received
	cAcceptPaused: "accept_paused", // times a listener had to wait for a free slot
	cAcceptMoved:  "accept_moved",  // times accepting moved to another ring, or behind another loop
	cAcceptErrors: "accept_errors", // failed accepts
	cRings:        "rings",         // rings opened
}

// tally is a loop's counters. The loop counts in plain memory and shows what
// changed once a turn; Stats reads what was shown.
type tally struct {
	n     [counters]uint64
	last  [counters]uint64
	shown [counters]atomic.Uint64
}

// show makes the counts visible to other threads. Loop thread only.
func (t *tally) show() {
	for i := range t.n {
		if t.n[i] != t.last[i] {
			t.last[i] = t.n[i]
			t.shown[i].Store(t.n[i])
		}
	}
}

// Stats sums the counters of all loops, always the same names in the same
// order. Any thread may call it.
func (e *Engine) Stats() []comet.Stat {
	out := make([]comet.Stat, counters)
	for i := range out {
		out[i].Name = counterNames[i]
		for _, l := range e.loops {
			out[i].Value += l.count.shown[i].Load()
		}
	}
	return out
}
