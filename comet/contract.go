// Package comet is the comet service without its I/O: bytes and time go in,
// actions come out, and an engine carries them to the kernel and back.
//
// This file is the whole contract between the two. Everything that decides
// lives on this side of it and can be replayed; everything that touches a
// kernel lives on the other side and can be exchanged.
//
// # The life of a connection, as an engine sees it
//
//	accept  -> Open                     (input is watched from here on)
//	bytes   -> Data                     (all are taken; the buffer is the engine's again on return;
//	                                     false: read no more until OpResume)
//	EOF, reset, error -> Hangup         (a half-close is leaving; also while reading is paused)
//	OpSend  -> ... -> Sent              (once, when all pieces went or the send failed)
//	OpResume                            (read again; only after Data said false)
//	OpClose -> ... -> Closed            (once, when no armed request of the slot is left)
//
// After OpClose the engine calls nothing for that slot but the outstanding
// Sent, if it wants to, and then Closed; after Closed the slot may be reused.
//
// # A turn of an engine's loop
//
//	for each event: Open, Data, Hangup, Sent, Closed
//	Turn(now, waiting)
//	for a := Next(); a != nil; a = Next() { carry it out; this may call Sent or Closed at once }
//	deadline, ok := Sleep()
//	if !ok { look for events without waiting, take another turn }
//	wait for events, or for the deadline
//	Awake()
//
// Sleep comes last because an action carried out may have moved the deadline.
package comet

// Conn names a connection within its loop: the engine's own index, dense and
// small (a direct slot, a descriptor), below the loop's MaxConns.
type Conn uint32

// Door says which listener a connection came in by.
type Door uint8

const (
	// DoorFront is for subscribers.
	DoorFront Door = iota
	// DoorAdmin is for publishers.
	DoorAdmin
)

// Op is what an engine is asked to do.
type Op uint8

const (
	// OpSend sends Piece[:Pieces] in order, then reports Sent with Token.
	// The bytes belong to the engine until then. At most one send is
	// outstanding a connection. The engine continues a partial send.
	OpSend Op = iota + 1
	// OpResume reads again after Data returned false, beginning with what the
	// kernel already holds.
	OpResume
	// OpClose gives up the connection: armed requests are ended, an
	// unfinished send is abandoned, then Closed is called.
	OpClose
	// OpWake ends the wait of the loop whose number is in Conn. It is only
	// asked for a loop that said it sleeps.
	OpWake
)

// MaxPieces is the most pieces of one send: head, object, tail.
const MaxPieces = 3

// Action is one thing an engine is asked to do. The memory of the pieces lies
// outside the Go heap (but under the race detector) and does not move.
type Action struct {
	Op     Op
	Pieces uint8
	// Token comes back with Sent; it tells a late completion of an earlier
	// connection in the same slot from one of this connection.
	Token uint16
	Conn  Conn
	Piece [MaxPieces][]byte
}

// Listener is a listening socket, open for the life of the process. The
// engine accepts from it and never closes it.
type Listener struct {
	Door Door
	FD   int
	Addr string // as given to the user, for messages
}

// Facts says what an engine is and what the kernel gave it. It is printed at
// start and recorded with every result.
type Facts struct {
	Engine     string   `json:"engine"`      // uring, epoll, gonet
	Loops      int      `json:"loops"`       // event loops, each a locked thread (gonet: core loops)
	Rings      int      `json:"rings"`       // io_uring rings open now
	Tables     int      `json:"tables"`      // descriptor tables in use
	TableLimit int      `json:"table_limit"` // slots of one ring or table
	MaxConns   int      `json:"max_connections"`
	Asked      []string `json:"asked"` // features and switches asked for
	Got        []string `json:"got"`   // what the kernel gave
	Why        string   `json:"why"`   // why this engine, where another was preferred
	LoopLines  []string `json:"loop_lines"`
}

// Stat is one of an engine's counters.
type Stat struct {
	Name  string `json:"name"`
	Value uint64 `json:"value"`
}

// Engine carries a service's actions to a kernel. Its methods may be called
// from any thread.
type Engine interface {
	// Start begins to accept and returns when every loop runs. It is called once.
	Start(listeners []Listener) error
	// StopAccepting has whoever comes from now on wait in the backlog, and wakes
	// every loop. What is open goes on. It is called after Start, and may be
	// called again.
	StopAccepting()
	// Stop closes every connection and ends the loops. It is idempotent and
	// returns when nothing of the engine is left.
	Stop()
	// Facts may be called once Start has returned.
	Facts() Facts
	// Stats reads the counters, always the same names in the same order.
	Stats() []Stat
}

// EngineOptions are the options every engine takes; what an engine alone
// understands stands in its own package.
type EngineOptions struct {
	// Loops is the number of event loops; 0 leaves it to the engine.
	Loops int
	// MaxConns is the most connections held at once, over all loops, both
	// doors together.
	MaxConns int
	// TableLimit is the most descriptors of one table, or slots of one ring;
	// 0 takes what the process's descriptor limit permits.
	TableLimit int
	// AdminReserve is the number of slots kept for the admin door; 0 is 64.
	AdminReserve int
}

// Core is the service's side as an engine calls it: a Loop, of which
// Service.NewLoop makes one for each of the engine's loops, numbered from 0.
// Engines hold one by this interface where their tests put another in its place.
//
// A loop is single-threaded: one thread calls it, or one at a time. now is in
// nanoseconds since the Unix epoch and never goes back: the wall clock read
// once, then the monotonic clock (package comet reads none).
type Core interface {
	// Open begins a connection; p is the other end's address, of publishers
	// alone.
	Open(now int64, c Conn, d Door, p Peer)
	// Data takes all of p; false means: stop reading until OpResume.
	Data(now int64, c Conn, p []byte) (more bool)
	Hangup(now int64, c Conn)
	Sent(now int64, c Conn, token uint16, n, errno int)
	Closed(now int64, c Conn)
	// Turn is told how many connections wait to be read from, as far as the engine
	// knows: what they ask comes before what they were not told yet.
	Turn(now int64, waiting int)
	// Next is nil when none is left, and valid until the next call into the loop.
	Next() *Action
	// Sleep says false when work came in: take another turn.
	Sleep() (deadline int64, ok bool)
	Awake()
	// Answered is how many times Data was answered at once, ever: whoever sent it
	// waits for nothing more, and may ask again.
	Answered() uint64
}

var _ Core = (*Loop)(nil)

// NoDeadline is the deadline of a loop that waits for events alone.
const NoDeadline = int64(1<<63 - 1)
