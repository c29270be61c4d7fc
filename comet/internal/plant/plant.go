// Package plant names the bugs that the simulator must find. With the build
// tag plant one of them can be switched on; without it Is is constantly false
// and the compiler leaves nothing of it.
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
)
