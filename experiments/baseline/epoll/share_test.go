package epoll

import (
	"sync/atomic"
	"testing"
	"time"

	"c1000k/comet"
	timerslack "c1000k/comet/slack"
)

// TestShare proves that of more loops than processors, none of which ever has nothing to
// do, no more run at a time than there are processors, that all of them run all the
// same, and that a client of each is answered.
func TestShare(t *testing.T) {
	loops := 2*timerslack.Processors() + 1
	var running, most atomic.Int32
	cores := &testCores{
		onTurn: func() {
			if n := running.Add(1); n > most.Load() {
				most.Store(n)
			}
			time.Sleep(2 * quantum)
			running.Add(-1)
		},
		sleep: func(now int64) int64 { return now }, // there is always more to do
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
	for _, name := range []string{"share_waits", "share_yields"} {
		if r.stat(name) == 0 {
			t.Errorf("no %s, though every loop had more to do than its quantum", name)
		}
	}
}
