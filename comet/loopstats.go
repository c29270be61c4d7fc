package comet

import (
	"math/bits"
	"sync/atomic"
	"unsafe"
)

// BatchBuckets is the number of sizes that a loop's batches are sorted into:
// none, one, two, three or four, and so on by powers of two, and what is more.
const BatchBuckets = 12

// BatchBound is the largest batch of a bucket but of the last, which has none.
func BatchBound(bucket int) int {
	if bucket == 0 {
		return 0
	}
	return 1 << (bucket - 1)
}

// LoopStats is what one loop did, as of the end of its last turn.
type LoopStats struct {
	Loop    int
	Turns   uint64
	Actions uint64               // handed to the engine at the ends of the turns
	Batches [BatchBuckets]uint64 // turns by their number of actions
}

// turnCounts counts turns by what they leave to the engine. Its loop's thread
// alone writes, any may read.
type turnCounts struct {
	actions atomic.Uint64
	batches [BatchBuckets]atomic.Uint64
}

// note counts a turn that ends with so many actions.
func (t *turnCounts) note(actions int) {
	bucket := 0
	if actions > 0 {
		bucket = min(bits.Len(uint(actions-1))+1, BatchBuckets-1)
		t.actions.Store(t.actions.Load() + uint64(actions))
	}
	t.batches[bucket].Store(t.batches[bucket].Load() + 1)
}

// LoopStats reads each loop's counters, in the loops' order.
func (s *Service) LoopStats() []LoopStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]LoopStats, len(s.loops))
	for i, l := range s.loops {
		one := &all[i]
		one.Loop, one.Actions = l.id, l.turns.actions.Load()
		for j := range one.Batches {
			one.Batches[j] = l.turns.batches[j].Load()
			one.Turns += one.Batches[j]
		}
	}
	return all
}

// sharedCount is the counter of a name in countNames.
func (l *Loop) sharedCount(name string) uint64 {
	for i := range countNames {
		if countNames[i] == name {
			return l.shared[i].Load()
		}
	}
	panic("comet: there is no counter " + name)
}

// openConnections is how many connections the loop has, as of the end of its last
// turn.
func (l *Loop) openConnections() uint64 {
	// In this order no connection is seen closed that was not seen open.
	closed := l.sharedCount("connections_closed")
	return l.sharedCount("connections_opened") - closed
}

// RecordBytes is the memory of the records of the channels and connections there
// are; what they have beside it (names, histories, messages, blocks) is in Stats.
func (s *Service) RecordBytes() (channels, connections uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.loops {
		connections += l.openConnections()
	}
	return uint64(s.hub.ChannelBytes()), connections * uint64(unsafe.Sizeof(conn{}))
}
