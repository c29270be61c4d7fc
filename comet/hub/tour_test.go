package hub

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"c1000k/comet/arena"
)

// tour goes through all channels by tours of so little a budget, and calls between
// before each but the first. It returns how often each name was met.
func tour(t *testing.T, h *Hub, budget int, between func()) map[string]int {
	t.Helper()
	met := map[string]int{}
	var place arena.Handle
	for range 2*h.chans.Cap() + 1 {
		one := h.Tour(place, budget)
		visited := 0
		for v, ok := one.Next(); ok; v, ok = one.Next() {
			met[string(v.Name())]++
			v.Leave()
			visited++
		}
		if most := 1 + (budget-1)/VisitCost; visited > most {
			t.Fatalf("%d channels met with a budget of %d, which is for %d", visited, budget, most)
		}
		if place = one.Place(); place == 0 {
			return met
		}
		between()
	}
	t.Fatal("the tours come to no end")
	return nil
}

// TestTour proves that each channel that is there throughout is met once, whatever
// comes and goes meanwhile, with any budget, and that one that is closed and still
// held is not met.
func TestTour(t *testing.T) {
	const stay, others = 50, 50
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 0))
		h := newHub(t, Config{Channels: stay + others, History: 2})
		loop, _, err := h.AddLoop()
		if err != nil {
			t.Fatal(err)
		}
		here := map[string]bool{}
		flip := func() {
			name := fmt.Sprint("other", r.IntN(others-1))
			if v, ok := h.Find([]byte(name)); ok {
				v.Close(1)
				v.Leave()
				return
			}
			publish(t, h, name, "x", 1)
		}
		for i := range stay {
			flip()
			flip()
			name := fmt.Sprint("stay", i)
			publish(t, h, name, "x", 1)
			here[name] = true
		}
		v, err := h.FindOrCreate([]byte("held"), 1)
		if err != nil {
			t.Fatal(err)
		}
		v.SetHead(loop, 1)
		v.Add(1)
		v.Close(1)
		v.Leave()
		met := tour(t, h, 1+r.IntN(100), func() {
			for range r.IntN(4) {
				flip()
			}
		})
		for name := range here {
			if met[name] != 1 {
				t.Errorf("seed %d: %q was met %d times", seed, name, met[name])
			}
		}
		if met["held"] != 0 {
			t.Errorf("seed %d: a channel that was closed is met", seed)
		}
	}
}

// TestTourAmongThreads proves, for the race detector too, that tours meet what
// stays once while other threads make and close channels of the same stripes.
func TestTourAmongThreads(t *testing.T) {
	const stay, others, tours = 200, 100, 30
	h := newHub(t, Config{Channels: stay + others})
	for i := range stay {
		publish(t, h, fmt.Sprint("stay", i), "x", 1)
	}
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for thread := range 2 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				name := fmt.Sprint("other", thread, i%(others/2))
				if v, ok := h.Find([]byte(name)); ok {
					v.Close(1)
					v.Leave()
				} else {
					publish(t, h, name, "x", 1)
				}
			}
		})
	}
	for range tours {
		met := tour(t, h, 10, func() {})
		for i := range stay {
			if n := met[fmt.Sprint("stay", i)]; n != 1 {
				t.Errorf("channel %d was met %d times", i, n)
			}
		}
	}
	close(stop)
	wg.Wait()
}

// TestCursor proves that a cursor names its place, in its own hub and in no other,
// and that a number which is none is known for it.
func TestCursor(t *testing.T) {
	a, b := newHub(t, Config{Seed: 1}), newHub(t, Config{Seed: 2})
	for place := range arena.Handle(1000) {
		c := a.Cursor(place)
		if got, ok := a.PlaceOf(c); !ok || got != place {
			t.Errorf("the cursor of %d names %d, %v", place, got, ok)
		}
		for _, other := range []uint64{c + 1, c ^ 1<<32, c ^ 1<<63} {
			if got, ok := a.PlaceOf(other); ok {
				t.Errorf("%x is taken for %d", other, got)
			}
		}
		if _, ok := b.PlaceOf(c); ok {
			t.Errorf("another hub takes the cursor of %d", place)
		}
	}
}

// BenchmarkTour is a channel met in a table that is full, BenchmarkTourEmpty a place
// seen in one that is empty.
func BenchmarkTour(b *testing.B)      { benchmarkTour(b, true) }
func BenchmarkTourEmpty(b *testing.B) { benchmarkTour(b, false) }

func benchmarkTour(b *testing.B, full bool) {
	const channels = 1_000_000
	h := newHub(b, Config{Channels: channels})
	for i := range channels {
		v, err := h.FindOrCreate(fmt.Appendf(nil, "c%07d", i), 1)
		if err != nil {
			b.Fatal(err)
		}
		v.Leave()
	}
	if !full {
		for i := range channels {
			v, _ := h.Find(fmt.Appendf(nil, "c%07d", i))
			v.Close(1)
			v.Leave()
		}
	}
	var place arena.Handle
	b.ResetTimer()
	for left := b.N; left > 0; {
		const slice = 512 * VisitCost
		t := h.Tour(place, slice)
		for v, ok := t.Next(); ok; v, ok = t.Next() {
			v.Leave()
		}
		place = t.Place()
		if left -= slice; full {
			left += slice - slice/VisitCost
		}
	}
}
