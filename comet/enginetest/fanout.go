package enginetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"c1000k/comet"
)

// together runs f for each number below n, each in a goroutine of its own, and
// returns all their errors.
func together(n int, f func(i int) error) error {
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if err := f(i); err != nil {
				errs[i] = fmt.Errorf("%d: %w", i, err)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// expectAll wants a reply on each connection.
func expectAll(t *testing.T, clients []*client, want func(i int) string) {
	t.Helper()
	for i, c := range clients {
		if err := c.expect(want(i)); err != nil {
			t.Fatalf("client %d: %v", i, err)
		}
	}
}

// heldMany is how many polls the tests of many hold at once.
const heldMany = 1_000

// testFanOut proves that one push to one channel reaches each of its thousand
// held polls, with its number, and again after all have polled anew.
func testFanOut(t *testing.T, f Factory) {
	const rounds = 3
	n := scaled(heldMany)
	s := newServer(t, f, setup{})
	held := s.hold(n, func(int) string { return "fan" })
	for round := 1; round <= rounds; round++ {
		s.mustCall("/push?cname=fan&content=" + decimal(round))
		expectAll(t, held, func(int) string { return polled(data("fan", round, decimal(round)) + "\n") })
		if got := s.subscribers("fan"); got != 0 {
			t.Fatalf("%d subscribers after all were served, want 0", got)
		}
		for _, c := range held {
			c.mustSend(t, sub("fan", round+1))
		}
		s.waitSubscribers("fan", n)
	}
}

// testBroadcast proves that a broadcast reaches a thousand channels, each with
// its own name and its own number.
func testBroadcast(t *testing.T, f Factory) {
	n := scaled(heldMany)
	s := newServer(t, f, setup{})
	name := func(i int) string { return "own" + decimal(i) }
	number := func(i int) int { return 1 + i%3 }
	for i := range n {
		for range number(i) - 1 {
			s.mustCall("/push?cname=" + name(i) + "&content=x")
		}
	}
	clients := make([]*client, n)
	for i := range clients {
		clients[i] = s.mustDial(comet.DoorFront)
		clients[i].mustSend(t, sub(name(i), number(i)))
	}
	s.waitSubscribers("", n)
	s.mustCall("/broadcast?content=to+all")
	expectAll(t, clients, func(i int) string { return polled(broadcasted(name(i), number(i), "to all")) })
}

// testSeveralLoops proves that a push reaches subscribers whichever loop holds
// them and whichever took the push, with two loops and with four.
func testSeveralLoops(t *testing.T, f Factory) {
	for _, loops := range []int{2, 4} {
		subtest(t, decimal(loops), func(t *testing.T) {
			const channels = 5
			clients, rounds := scaled(200), scaled(20)
			s := newServer(t, f, setup{fronts: 3, options: comet.EngineOptions{Loops: loops}})
			if got := s.engine.Facts().Loops; got != loops {
				t.Fatalf("the engine says it has %d loops, want %d", got, loops)
			}
			name := func(i int) string { return "l" + decimal(i%channels) }
			held := s.hold(clients, name)
			for round := 1; round <= rounds; round++ {
				for i := range channels {
					s.mustCall("/push?cname=" + name(i) + "&content=" + decimal(round))
				}
				expectAll(t, held, func(i int) string { return polled(data(name(i), round, decimal(round)) + "\n") })
				for i, c := range held {
					c.mustSend(t, sub(name(i), round+1))
				}
				s.waitSubscribers("", clients)
			}
		})
	}
}
