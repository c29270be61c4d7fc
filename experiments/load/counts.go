package load

import "sync/atomic"

// counter names one of a reactor's counters.
type counter int

const (
	cOpened counter = iota
	cHeld
	cPolls
	cMessages
	cDelivered
	cUnrelated
	cLost
	cRepeated
	cOutOfOrder
	cMisdelivered
	cNotHeld
	cRefusedPolls
	cJumps
	cNoops
	cCloses
	cBadReplies
	cResets
	cPartials
	cConnectRefused
	cConnectTimeouts
	cConnectWaits
	counters
)

// tally is a reactor's counters. Its thread adds, any thread reads.
type tally [counters]atomic.Int64

func (t *tally) add(c counter, n int64) { t[c].Add(n) }

// Counts is what the load has seen, summed over its reactors. Opened and Held
// are as of now, the others since the process started.
type Counts struct {
	Opened int64 `json:"opened"` // connections that sent their first poll
	Held   int64 `json:"held"`   // connections with a poll that is not answered
	Polls  int64 `json:"polls"`  // requests sent

	Messages  int64 `json:"messages"`  // data and broadcast objects received
	Unrelated int64 `json:"unrelated"` // of them, not of the push or broadcast under way

	// These must be 0 for a correct server. Lost are numbers that were skipped
	// and did not come later; Misdelivered are messages of another channel.
	Lost         int64 `json:"lost"`
	Repeated     int64 `json:"repeated"`
	OutOfOrder   int64 `json:"out_of_order"`
	Misdelivered int64 `json:"misdelivered"`
	BadReplies   int64 `json:"bad_replies"` // not HTTP 200, or not the protocol; the connection is closed
	Resets       int64 `json:"resets"`      // connections that ended though nobody here closed them

	NotHeld      int64 `json:"not_held"`      // polls that were answered at once by next_seq
	RefusedPolls int64 `json:"refused_polls"` // answered by 401 or 429
	Jumps        int64 `json:"jumps"`         // later next_seq replies that were followed
	Noops        int64 `json:"noops"`
	Closes       int64 `json:"closes"`
	Partials     int64 `json:"partials"` // reads that did not complete a reply

	ConnectRefused  int64 `json:"connect_refused"`  // each is tried again
	ConnectTimeouts int64 `json:"connect_timeouts"` // each is tried again
	ConnectWaits    int64 `json:"connect_waits"`    // handshakes that were not over at once
}

// totals are the counters of all reactors together.
type totals [counters]int64

// sum reads the counters of all reactors.
func (g *Generator) sum() (all totals) {
	for _, r := range g.reactors {
		for c := range all {
			all[c] += r.tally[c].Load()
		}
	}
	return all
}

// since returns the totals less earlier ones; opened and held stay as they are.
func (t totals) since(earlier totals) totals {
	for c := range t {
		if counter(c) != cOpened && counter(c) != cHeld {
			t[c] -= earlier[c]
		}
	}
	return t
}

func (t totals) counts() Counts {
	return Counts{
		Opened: t[cOpened], Held: t[cHeld], Polls: t[cPolls],
		Messages: t[cMessages], Unrelated: t[cUnrelated],
		Lost: t[cLost], Repeated: t[cRepeated], OutOfOrder: t[cOutOfOrder], Misdelivered: t[cMisdelivered],
		BadReplies: t[cBadReplies], Resets: t[cResets],
		NotHeld: t[cNotHeld], RefusedPolls: t[cRefusedPolls], Jumps: t[cJumps],
		Noops: t[cNoops], Closes: t[cCloses], Partials: t[cPartials],
		ConnectRefused: t[cConnectRefused], ConnectTimeouts: t[cConnectTimeouts], ConnectWaits: t[cConnectWaits],
	}
}

// Counts returns the sum over all reactors. Any goroutine may call it.
func (g *Generator) Counts() Counts { return g.sum().counts() }

// Clean says whether every message came once, in order, to the right connection,
// and no connection was lost.
func (c Counts) Clean() bool {
	return c.Lost == 0 && c.Repeated == 0 && c.OutOfOrder == 0 && c.Misdelivered == 0 &&
		c.BadReplies == 0 && c.Resets == 0
}
