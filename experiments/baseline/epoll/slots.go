package epoll

import (
	"fmt"
	"unsafe"

	"c1000k/comet"
	"c1000k/comet/arena"
)

// A connection's state is one word: what goes on with it, and above that a
// generation, by which an event that was meant for an earlier connection in the
// same slot is told from one for this.
const (
	stateOpen    uint32 = 1 << iota // held
	statePaused                     // the core wants no input until OpResume
	stateEnded                      // Hangup was said; only a send may go on
	stateSending                    // the rest of a send waits for room (loop.partial)
	stateWatched                    // EPOLLOUT is asked for
	stateQueued                     // stands in loop.again
	stateRdhup                      // the peer has shut down; bytes may stand before the end
	stateAdmin                      // came in by the admin door
	stateMuted                      // level-triggered: input is no longer asked for, as nobody takes it

	generationShift = 9
	generationBits  = 16
	stateMask       = 1<<generationShift - 1
	generationMask  = 1<<generationBits - 1
)

// slots maps a loop's connections to descriptors and holds their state, 4 bytes
// each, and 4 more where the table is shared. The memory lies outside the Go
// heap and is touched as it is used.
//
// In a table of its own a loop's connections are its descriptors: they are dense
// already. In a table shared by several loops each would see every second number
// or so, and the core's records, which lie in the order of connections, would
// touch every page in every loop. There the lowest free index is handed out and
// the descriptor kept beside it.
type slots struct {
	state []uint32
	fds   []int32 // nil where connections are descriptors
	free  int32   // the first of the freed indices, -1 if none; the next stands in fds
	fresh int     // indices from here on were never used
	memo  [][]byte
}

// newSlots reserves room for connections below limit.
func newSlots(limit int, ownTable bool) (*slots, error) {
	s := &slots{free: -1}
	memory, err := arena.Map(4 * limit)
	if err != nil {
		return nil, fmt.Errorf("epoll: the state of %d connections: %w", limit, err)
	}
	s.memo = append(s.memo, memory)
	s.state = unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(memory))), limit)
	if ownTable {
		return s, nil
	}
	if memory, err = arena.Map(4 * limit); err != nil {
		s.unmap()
		return nil, fmt.Errorf("epoll: the descriptors of %d connections: %w", limit, err)
	}
	s.memo = append(s.memo, memory)
	s.fds = unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(memory))), limit)
	return s, nil
}

// take gives an accepted descriptor its connection and a new generation. It
// says false if there is no room, which the caller's own count rules out.
func (s *slots) take(fd int) (comet.Conn, bool) {
	i := fd
	if s.fds != nil {
		if s.free >= 0 {
			i = int(s.free)
			s.free = s.fds[i]
		} else {
			i = s.fresh
			if i < len(s.fds) {
				s.fresh++
			}
		}
	}
	if i >= len(s.state) {
		return 0, false
	}
	if s.fds != nil {
		s.fds[i] = int32(fd)
	}
	generation := (s.state[i]>>generationShift + 1) & generationMask
	s.state[i] = generation<<generationShift | stateOpen
	return comet.Conn(i), true
}

// drop gives a connection's slot back. Its generation stays.
func (s *slots) drop(c comet.Conn) {
	s.state[c] &^= stateMask
	if s.fds != nil {
		s.fds[c] = s.free
		s.free = int32(c)
	}
}

// fd is the descriptor of an open connection.
func (s *slots) fd(c comet.Conn) int {
	if s.fds == nil {
		return int(c)
	}
	return int(s.fds[c])
}

// generation is the connection's, as an event carries it.
func (s *slots) generation(c comet.Conn) uint32 { return s.state[c] >> generationShift }

// is says whether an event for generation g is for the connection that now has
// the slot.
func (s *slots) is(c comet.Conn, g uint32) bool {
	return s.state[c]&stateOpen != 0 && s.state[c]>>generationShift == g
}

// end is one more than the highest index that may be open.
func (s *slots) end() int {
	if s.fds == nil {
		return len(s.state)
	}
	return s.fresh
}

// unmap gives the memory back. Nothing may use s after.
func (s *slots) unmap() {
	for _, m := range s.memo {
		// It was mapped just so; an error would be a bug, and the memory ends
		// with the process.
		_ = arena.Unmap(m)
	}
	*s = slots{}
}
