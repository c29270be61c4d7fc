package comet

import (
	"math/bits"
	"math/rand/v2"
	"unsafe"

	"c1000k/comet/arena"
	"c1000k/comet/hub"
	"c1000k/comet/wire"
)

// Bounds on what one turn does, so that a loop comes back to its events and
// its sends go out in batches that the engine's memory is made for.
const (
	// turnDeliveries bounds the sends of a turn, of 5 to 10 us of the kernel's time
	// each, which whoever asks something of the loop meanwhile waits for.
	turnDeliveries = 64
	// leastDeliveries are made in a turn however much input waits.
	leastDeliveries = turnDeliveries / 8
	turnTimers      = 1024
	turnBroadcast   = 512
	turnSweep       = 4096
)

// broadcastRetryNanos is how long a broadcast waits where a loop's inbox has
// no room for its next slice.
const broadcastRetryNanos = 500_000

// Loop is one single-threaded event loop of the service: its connections,
// their timers, and what is on its way to them. One thread calls its methods,
// or several one at a time.
type Loop struct {
	svc   *Service
	hub   *hub.Hub
	id    int
	inbox *hub.Inbox

	connMem  []byte
	connBase unsafe.Pointer
	maxConns uint32
	high     uint32 // the highest connection ever opened, plus one
	wheel    arena.Wheel
	blocks   *arena.Blocks // replies, unused input: this loop's alone
	random   *rand.PCG
	tokens   tokens

	actions []Action
	taken   int

	now          int64
	tick         uint32
	channelTicks uint32 // Config.ChannelTimeout

	entries  [64]hub.Entry // taken from the inbox
	entry    int           // the next of them
	entryEnd int
	walk     walk
	catchUp  catchUp
	walks    []hub.Walk // broadcasts this loop carries out, in order
	retryAt  int64      // when the first of them is tried again; 0: not waiting

	drained  uint32   // connections looked at since a drain began
	watchers []uint32 // connections of /psub
	toldTo   uint64   // the place in the hub's log to which they were told

	wake uint64 // loops that have got entries since the last turn
	more bool   // the turn left work behind
	// orders counts the looks at several channels for which one reply had no room.
	orders uint32
	// batchOver: the request took as long as a slice may. Replies to what is
	// pipelined do not go out with its own.
	batchOver bool

	// Scratch memory, reused.
	reply, body, name, esc, params, events []byte
	acks, listed, called                   []byte
	walkName                               []byte // of the walk's channel; kept from turn to turn
	msgs                                   []hub.Msg
	date                                   [wire.DateBytes]byte
	dateSecond                             int64
	epoch                                  [16]byte
	req                                    wire.Request
	par                                    wire.Params
	order                                  []uint32       // a connection's subscribers; see inTurn
	channels                               []wire.Channel // of a subscriber that names several; par is one of them in turn
	room                                   int            // bytes of messages for which the reply to a stream has room still

	answered uint64 // how often input was answered at once

	n      counts
	shared sharedCounts
	turns  turnCounts
}

// NewLoop adds a loop for up to maxConns connections, numbered from 0 in the
// order of the calls.
func (s *Service) NewLoop(maxConns int) (*Loop, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &Loop{
		svc: s, hub: s.hub, blocks: arena.NewBlocks(1 << 40), tokens: newTokens(&s.cfg.TokenKey),
		channelTicks: ticks(s.cfg.ChannelTimeout),
	}
	if err := l.mapConns(maxConns); err != nil {
		return nil, err
	}
	var err error
	if l.id, l.inbox, err = s.hub.AddLoop(); err != nil {
		return nil, err
	}
	l.random = rand.NewPCG(s.cfg.Seed, uint64(l.id))
	s.loops = append(s.loops, l)
	return l, nil
}

// ID is the loop's number, which OpWake names.
func (l *Loop) ID() int { return l.id }

// enter begins every call of an engine.
func (l *Loop) enter(now int64) {
	if now == l.now {
		return
	}
	l.now = max(now, l.now)
	l.tick = l.svc.tickAt(l.now)
}

// action is a new action at the end of the queue.
func (l *Loop) action() *Action {
	l.actions = append(l.actions, Action{})
	return &l.actions[len(l.actions)-1]
}

// Next is the next thing to do for the engine; nil when there is none. It is
// valid until the next call into the loop.
func (l *Loop) Next() *Action {
	if l.taken == len(l.actions) {
		l.actions, l.taken = l.actions[:0], 0
		return nil
	}
	l.taken++
	return &l.actions[l.taken-1]
}

// Turn does what is due: messages from the inbox, timers, slices of long
// work. What it leaves is done in the next turn, which Sleep then asks for. The
// more connections wait to be read from, the fewer it delivers to: each delivery
// makes a client ask again, and whoever asks something else stands behind them.
func (l *Loop) Turn(now int64, waiting int) {
	l.enter(now)
	l.more = false
	l.deliver(max(leastDeliveries, turnDeliveries-waiting))
	l.expire(turnTimers)
	l.stepBroadcast()
	l.stepDrain()
	if l.id == 0 && l.hub.SweepAt() <= l.tick {
		l.more = l.hub.Sweep(l.tick, turnSweep) || l.more
	}
	if l.hub.SweepMoved() {
		l.wake |= 1 // loop 0 sweeps
	}
	l.tellAll()
	l.wakeOthers()
	l.publishCounts()
	l.turns.note(len(l.actions) - l.taken)
}

// wakeOthers asks for the loops that have work now and sleep. Once a turn, as
// waking a thread costs as much as a message.
func (l *Loop) wakeOthers() {
	for rest := l.wake &^ (1 << l.id); rest != 0; rest &= rest - 1 {
		id := bits.TrailingZeros64(rest)
		if l.hub.Rouse(id) {
			l.n.wakes++
			*l.action() = Action{Op: OpWake, Conn: Conn(id)}
		}
	}
	l.wake = 0
}

// Sleep says until when the engine may wait; false if there is work and it
// must take another turn first. After true every other loop wakes this one
// when it has work for it, until Awake.
func (l *Loop) Sleep() (deadline int64, ok bool) {
	l.publishCounts()
	// Actions that were carried out may have taken requests after the turn.
	if l.hub.SweepMoved() {
		l.wake |= 1 &^ (1 << l.id) // loop 0 looks for itself below
	}
	l.more = l.more || len(l.walks) > 0 && l.retryAt == 0
	if l.more || l.wake != 0 || l.taken != len(l.actions) || !l.inbox.Sleep() {
		return l.now, false
	}
	if l.hub.PresenceEnd() != l.toldTo { // who adds to it wakes those who sleep by now
		l.inbox.Awake()
		return l.now, false
	}
	deadline = NoDeadline
	if t := l.wheel.Next(); t != arena.NeverTick {
		deadline = l.svc.timeOf(t)
	}
	if l.id == 0 {
		if t := l.hub.SweepAt(); t != arena.NeverTick {
			deadline = min(deadline, l.svc.timeOf(t))
		}
	}
	if l.retryAt != 0 {
		deadline = min(deadline, l.retryAt)
	}
	return deadline, true
}

// Awake ends what Sleep began.
func (l *Loop) Awake() { l.inbox.Awake() }

// Answered is how many times what came from a connection was answered and not held;
// several requests that came together were, as their answers go out together.
func (l *Loop) Answered() uint64 { return l.answered }
