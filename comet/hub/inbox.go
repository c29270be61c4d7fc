package hub

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"c1000k/comet/arena"
)

// InboxEntries is the capacity of a loop's inbox.
const InboxEntries = 4096

// Entry says that a channel has a new message, and holds a reference to both;
// or, without a message, that the channel was closed.
type Entry struct {
	Seq     uint64
	Channel arena.Handle
	Home    uint32
	Msg     Msg
	_       uint32
}

// Inbox is what other loops leave for one: a bounded queue. When it is full
// nothing waits and nothing is dropped: the loop is marked as behind and
// reads the histories of what it holds.
type Inbox struct {
	mu     sync.Mutex
	ring   []Entry // in memory outside the Go heap
	head   uint32
	length atomic.Int32 // written under mu; read without to look whether there is anything
	behind bool
	fulls  atomic.Uint64
	asleep atomic.Bool
	_      [24]byte
}

func newInbox() (*Inbox, error) {
	mem, err := arena.Map(InboxEntries * int(unsafe.Sizeof(Entry{})))
	if err != nil {
		return nil, err
	}
	return &Inbox{ring: unsafe.Slice((*Entry)(unsafe.Pointer(&mem[0])), InboxEntries)}, nil
}

// put leaves e; false if the inbox is full.
func (in *Inbox) put(e Entry) bool {
	in.mu.Lock()
	n := in.length.Load()
	ok := n < InboxEntries
	if ok {
		in.ring[(in.head+uint32(n))%InboxEntries] = e
		in.length.Store(n + 1)
	} else {
		in.behind = true
		in.fulls.Add(1)
	}
	in.mu.Unlock()
	return ok
}

func (in *Inbox) room() int { return InboxEntries - int(in.length.Load()) }

// Take takes the oldest entries, as many as dst holds, and says whether the
// loop is behind: it is told once.
func (in *Inbox) Take(dst []Entry) (n int, behind bool) {
	if in.length.Load() == 0 {
		return 0, false
	}
	in.mu.Lock()
	have := int(in.length.Load())
	n = min(have, len(dst))
	for i := range n {
		dst[i] = in.ring[in.head]
		in.head = (in.head + 1) % InboxEntries
	}
	in.length.Store(int32(have - n))
	behind, in.behind = in.behind, false
	in.mu.Unlock()
	return n, behind
}

// Empty reports whether there is nothing to take. A loop that is behind has a
// full inbox, so there is something to take then too.
func (in *Inbox) Empty() bool { return in.length.Load() == 0 }

// Fulls is how often an entry found the inbox full.
func (in *Inbox) Fulls() uint64 { return in.fulls.Load() }

// Sleep marks the loop as asleep; false, and awake, if there is something to take.
func (in *Inbox) Sleep() bool {
	in.asleep.Store(true)
	if in.Empty() {
		return true
	}
	in.asleep.Store(false)
	return false
}

// Awake marks the loop as awake.
func (in *Inbox) Awake() { in.asleep.Store(false) }

// Rouse reports whether the loop sleeps and must be woken; to one caller only.
func (h *Hub) Rouse(loop int) bool {
	in := h.inboxes[loop]
	return in.asleep.Load() && in.asleep.Swap(false)
}
