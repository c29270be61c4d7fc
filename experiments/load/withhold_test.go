package load

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

// Withheld polls stay away until they are asked for, then each connection sends one,
// no message is lost over it, and connections close as others do.
func TestWithhold(t *testing.T) {
	for _, subscribers := range []int{1, 0} {
		t.Run(fmt.Sprintf("subscribers=%d", subscribers), func(t *testing.T) {
			const n = 700 // more than a burst of each of two reactors
			s := startFake(t, 1, nil)
			o := s.options(n)
			o.Subscribers, o.Reactors = subscribers, 2
			g := startGenerator(t, o)
			ctx := context.Background()
			open(t, g, s, n)
			if r, err := g.Repoll(ctx); !errors.Is(err, errNothingWithheld) || r.Polls != 0 {
				t.Fatalf("nothing is withheld: %v %+v", err, r)
			}
			for range 2 {
				g.Withhold()
				b, err := g.Broadcast(ctx, BroadcastOptions{Count: 1, Admin: s.admin}, nil)
				if err != nil || !b.Clean() || b.Rounds[0].Delivered != n || b.Counts.Polls != 0 || b.Counts.Held != 0 {
					t.Fatalf("broadcast: %v %+v", err, b)
				}
				r, err := g.Repoll(ctx)
				if err != nil || r.Polls != n || r.Counts.Held != n || !r.Counts.Clean() {
					t.Fatalf("repoll: %v %+v", err, r)
				}
				s.await("the server holds all again", func() bool { return waiting(s) == n })
				p, err := g.Push(ctx, PushOptions{Count: 1, Seed: 1, Admin: s.admin}, nil)
				if err != nil || !p.Clean() || p.Counts.Polls != p.Delivered || p.Counts.Held != n {
					t.Fatalf("after it polls follow replies again: %v %+v", err, p)
				}
				// This server keeps no history: what is sent before the next poll is lost.
				s.await("the server holds those who were pushed to", func() bool { return waiting(s) == n })
			}
			g.Withhold()
			if p, err := g.Push(ctx, PushOptions{Count: 1, Seed: 1, Admin: s.admin}, nil); err != nil || !p.Clean() || p.Counts.Held != n-p.Delivered {
				t.Fatalf("push: %v %+v", err, p)
			}
			if c, err := g.CloseAll(ctx, nil); err != nil || c.Closed != n {
				t.Fatalf("close: %v %+v", err, c)
			}
			s.await("the server sees every connection end", func() bool { return s.conns == 0 })
		})
	}
}
