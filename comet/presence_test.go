package comet

import (
	"fmt"
	"strings"
	"testing"

	"c1000k/comet/hub"
)

// TestWatcherLost proves that a reader of /psub who does not read holds nobody
// up: it is closed, and counted, once the log does not hold what it has not had;
// and that one who reads has it all.
func TestWatcherLost(t *testing.T) {
	const channels = 8_192
	e := newRigs(t, 1, 10, func(c *Config) { c.Channels = channels })[0]
	e.slow = true
	for c := range Conn(2) {
		e.l.Open(e.now, c, DoorAdmin, Peer{})
		e.get(c, "/psub")
	}
	e.settle()
	e.finish(0)
	e.finish(1)
	name := strings.Repeat("n", hub.MaxNameBytes-8)
	for i := range channels {
		e.push(fmt.Sprintf("%s%08d", name, i), "x")
		e.turn()
		if _, ok := e.open[1]; ok {
			e.finish(1)
		}
	}
	e.finish(0) // its one send; what followed is long gone
	e.settle()
	if !e.closed[0] || e.stat("watchers_lost") != 1 {
		t.Errorf("the one who did not read: closed %v, %d lost", e.closed[0], e.stat("watchers_lost"))
	}
	for i := 0; e.l.at(2).busy() && i < channels; i++ {
		e.finish(1)
		e.settle()
	}
	if got := strings.Count(e.out[1], "1 "+name); got != channels || e.closed[1] {
		t.Errorf("the one who read has %d channels, want %d; closed %v", got, channels, e.closed[1])
	}
}
