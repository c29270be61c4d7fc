package hub

import (
	"fmt"
	"sync"
	"testing"
)

// TestBroadcastWhileChannelsCome proves, for the race detector above all, that a
// broadcast may look at records while they are freed and used for channels of
// other stripes, and that every reference comes back.
func TestBroadcastWhileChannelsCome(t *testing.T) {
	h := newHub(t, Config{Channels: 2, History: 2, TimeoutTicks: 1})
	if _, _, err := h.AddLoop(); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	const rounds = 10_000
	wg.Go(func() {
		for i := range uint32(rounds) {
			v, err := h.FindOrCreate([]byte(fmt.Sprint("c", i)), i)
			if err == nil {
				v.Touch(i)
				v.Leave()
			}
			h.Sweep(i, 100)
		}
	})
	wg.Go(func() {
		for range rounds {
			m, err := h.NewMessage([]byte("all"), true)
			if err != nil {
				t.Error(err)
				return
			}
			w := h.NewWalk(m)
			for done := false; !done; {
				_, _, done = h.Step(&w, 2, 1)
			}
		}
	})
	wg.Wait()
	for h.Sweep(2*rounds, 1000) {
	}
	if u := h.Usage(); u.Channels != 0 || u.MessageBytes != 0 {
		t.Errorf("not given back: %+v", u)
	}
}
