package sim

// Fault is what the core can see of something that goes wrong between an engine and
// its kernel. Each is provoked by chance and counted, and the seeds together must
// come to all of them; the tables of faults of the engines' tests say which of
// them stands for what.
type Fault int

const (
	// ReceiveRefused: input is there, and there is no buffer for it in this turn.
	ReceiveRefused Fault = iota
	// ReceiveEmpty: the loop read since it was to, and there was nothing.
	ReceiveEmpty
	// WatchEnded: the loop is told nothing of a connection until it has watched it anew.
	WatchEnded
	// EventsHeld: a turn began though more had happened, which is told later and in
	// another order.
	EventsHeld
	// ToldWhileActing: a send of one connection, or its close, ended while what the core
	// asked for others was being carried out, and was told there.
	ToldWhileActing
	// TableFull: somebody waited in the backlog until a slot was free.
	TableFull
	// StaleSent: a send of an earlier connection ended when the slot was another's.
	StaleSent
	// ClosedSending: the core closed a connection whose send was under way.
	ClosedSending
	// ClosedUnread: the core closed a connection that had sent more.
	ClosedUnread
	// ClosedAsPeerLeft: the core closed a connection whose peer had left, unknown to it.
	ClosedAsPeerLeft
	// CancelLate: a send that a close gave up went whole all the same.
	CancelLate
	// WaitInterrupted: a wait ended early and for nothing.
	WaitInterrupted
	// SendPartial: a part of a send went.
	SendPartial
	// SendFailed: a send failed, perhaps after a part.
	SendFailed

	// NumFaults is how many there are.
	NumFaults
)

var faultNames = [NumFaults]string{
	"receive refused", "receive empty", "watch ended", "events held", "told while acting", "table full", "stale sent",
	"closed while sending", "closed with input unread", "closed as the peer left", "cancel too late", "wait interrupted",
	"send partial", "send failed",
}

func (f Fault) String() string { return faultNames[f] }

// happened counts a fault.
func (w *world) happened(f Fault) { w.result.Faults[f]++ }

// provoke says whether a fault that is not to be had otherwise happens now.
func (w *world) provoke(f Fault) bool {
	if w.ending || !w.chance(w.set.troubles) {
		return false
	}
	w.happened(f)
	return true
}
