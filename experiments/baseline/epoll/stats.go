package epoll

import (
	"sync/atomic"

	"c1000k/comet"
)

// The counters of a loop.
const (
	statWaits         = iota // waits that may have slept
	statLulls                // rests of a loaded loop, or after accepting
	statPolls                // looks for events without waiting
	statEvents               // events
	statAccepts              // connections accepted
	statAcceptEagain         // accepts that found nobody
	statAcceptErrors         // accepts that failed because the peer had left
	statAcceptRefused        // accepts that failed for lack of descriptors or memory
	statAcceptPaused         // times the loop stopped listening
	statSweeps               // looks at all listeners on behalf of a loop that stopped
	statReads                // reads
	statReadEagain           // reads that found nothing
	statWrites               // sends, system calls
	statWriteEagain          // sends that found no room
	statPartialSends         // sends that had to be continued
	statWakesSent            // other loops woken
	statWakes                // times the loop was woken by another
	statCloses               // connections closed
	statStale                // events for a connection that was gone
	statConnControls         // epoll_ctl calls for connections: added, and changed
	statInterrupted          // waits ended by a signal
	statShareWaits           // waits for a processor that other loops had
	statShareYields          // times others that waited for it went first
	statCount
)

// statNames are the names of the counters, in their order.
var statNames = [statCount]string{
	"waits", "lulls", "polls", "events", "accepts", "accept_eagain", "accept_errors", "accept_refused", "accept_paused", "sweeps",
	"reads", "eagain", "writes", "write_eagain", "partial_sends", "wakes_sent", "wakes", "closes", "stale_events", "conn_epoll_ctls", "eintr",
	"share_waits", "share_yields",
}

// counters are counted by the loop without locks and shown to others once a
// turn, where they changed.
type counters struct {
	now   [statCount]uint64
	shown [statCount]atomic.Uint64
	last  [statCount]uint64
}

// show publishes what has changed. Only the loop's thread calls it.
func (c *counters) show() {
	for i, n := range c.now {
		if n != c.last[i] {
			c.last[i] = n
			c.shown[i].Store(n)
		}
	}
}

// sum adds the counters of all loops.
func sum(loops []*loop) []comet.Stat {
	stats := make([]comet.Stat, statCount)
	for i := range stats {
		stats[i].Name = statNames[i]
		for _, l := range loops {
			stats[i].Value += l.counters.shown[i].Load()
		}
	}
	return stats
}
