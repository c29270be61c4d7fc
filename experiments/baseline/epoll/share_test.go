package epoll

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"c1000k/comet"
	timerslack "c1000k/comet/slack"
)

// TestShare proves that of more loops than processors no more run at a time than there
// are processors, whether they have more to do or sleep between their turns, that all of
// them run all the same, and that clients are answered meanwhile.
func TestShare(t *testing.T) {
	loops := 2*timerslack.Processors() + 1
	var running, most atomic.Int32
	var turns atomic.Int64
	cores := &testCores{
		onTurn: func() {
			n := running.Add(1)
			for was := most.Load(); n > was && !most.CompareAndSwap(was, n); was = most.Load() {
			}
			time.Sleep(2 * quantum)
			running.Add(-1)
		},
		sleep: func(now int64) int64 {
			if turns.Add(1)%4 == 0 {
				return now + int64(4*quantum) // some of which the turn has taken
			}
			return now // there is more to do
		},
	}
	r := start(t, cores, Options{EngineOptions: comet.EngineOptions{Loops: loops, MaxConns: 20 * loops}})
	for range 4 * loops {
		c := r.dial()
		exchange(t, c, "e", "e")
		c.Close()
	}
	eventually(t, "every loop to have its turns", func() bool {
		for _, c := range cores.list {
			if c.turns.Load() < 10 {
				return false
			}
		}
		return true
	})
	if n := int(most.Load()); n > timerslack.Processors() {
		t.Errorf("%d loops ran at a time on %d processors", n, timerslack.Processors())
	}
	for _, name := range []string{"share_waits", "share_yields", "waits", "polls"} {
		if r.stat(name) == 0 {
			t.Errorf("no %s, though loops had more to do than their quantum, and slept", name)
		}
	}
	share := r.engine.loops[0].share
	r.engine.Stop()
	if share.free != timerslack.Processors() || share.wanted() {
		t.Errorf("%d of %d places are free after the end", share.free, timerslack.Processors())
	}
}

// TestShareInOrder proves that a place goes to who has waited longest.
func TestShareInOrder(t *testing.T) {
	const loops = 5
	s := newShare(loops, 1)
	s.take(&place{})
	order := make(chan int, loops)
	for i := range loops {
		go func() {
			s.take(&place{})
			order <- i
			s.give()
		}()
		eventually(t, "the next to wait", func() bool { return int(s.waiting.Load()) == i+1 })
	}
	s.give()
	var got []int
	for range loops {
		got = append(got, <-order)
	}
	if !slices.IsSorted(got) {
		t.Errorf("places went to %v", got)
	}
	if newShare(2, 2) != nil {
		t.Error("loops that have a processor each share")
	}
}
