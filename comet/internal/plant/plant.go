// Package plant names the bugs that the simulator must find, and the cost that an
// experiment must find. With the build tag plant they can be switched on; without
// it Is is constantly false, Spin does nothing, and the compiler leaves nothing of
// either.
package plant

// Bug is one planted bug.
type Bug int

const (
	// None is no bug.
	None Bug = iota
	// StaleGeneration takes a late completion of an earlier connection in the
	// same slot for one of the present connection.
	StaleGeneration
	// LostRearm forgets to read a paused connection again after its reply.
	LostRearm
	// DoubleSend delivers a message to a subscriber that has had it.
	DoubleSend
	// LostReference keeps a message's reference after its delivery.
	LostReference
	// WrongNumber numbers now and then two messages alike.
	WrongNumber
	// ForgottenBehind forgets of a stream that its list of waiting messages was
	// full, and so what came after the list.
	ForgottenBehind
	// LostStay does not put the last of those that stay after a walk back into
	// the channel's list, where there are several.
	LostStay
	// LostClose does not see that a channel was closed where a connection is
	// looked at: when an inbox had no room for the close, or behind a send.
	LostClose
	// StuckNumber does not move a stream's number on when a walk gave it a message.
	StuckNumber
	// StuckOther does not move the number of one of several channels of a stream
	// on when it got a message.
	StuckOther
	// HastyID has an event's id say of other channels what still waits for a send.
	HastyID
	// StillThere does not take a subscription out of the channels that it joined
	// before one refused it.
	StillThere
	// BelievedClient takes anybody's word, not a trusted proxy's alone, about where
	// a publisher comes from.
	BelievedClient
	// UnwokenWatcher does not wake loops that have readers of /psub to tell.
	UnwokenWatcher
	// KeptReply forgets in a drain that a reply under way is its connection's last.
	KeptReply
	// SkippedPlace has the next page of a list begin a place too far.
	SkippedPlace
)
