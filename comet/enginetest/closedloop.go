package enginetest

import (
	"sync"
	"testing"

	"c1000k/comet"
)

// testClosedLoop proves that publishers who each ask again when they are answered
// have no loop let events gather before it looks, where there is a counter of that:
// eight of them were answered eight at a time then, whatever else the loop could do.
func testClosedLoop(t *testing.T, f Factory) {
	const publishers, pushes = 8, 400
	s := newServer(t, f, setup{options: comet.EngineOptions{Loops: 1, MaxConns: 1_000}})
	lulls := func() (n uint64) {
		for _, st := range s.engine.Stats() {
			if st.Name == "lulls" {
				n = st.Value
			}
		}
		return n
	}
	push := get("/push?cname=closed&content=x")
	var clients []*client
	for range publishers {
		c := s.mustDial(comet.DoorAdmin)
		c.mustAsk(t, push, pushed) // it is accepted then
		clients = append(clients, c)
	}
	before := lulls()
	var group sync.WaitGroup
	for _, c := range clients {
		group.Go(func() {
			for range pushes {
				if err := c.ask(push, pushed); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	// A loop that lets them gather does so once for each of a publisher's pushes.
	if n := lulls() - before; n > pushes/10 {
		t.Errorf("%d lulls while %d publishers had %d answers each", n, publishers, pushes)
	}
}
