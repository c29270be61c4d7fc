package floor

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"c1000k/experiments/load"
	processes "c1000k/experiments/process"
	"c1000k/uring"
)

// holdTurns serves turns as o says, at doors that it puts there, and returns a
// load whose connections are all open. Both end with the test.
func holdTurns(t *testing.T, o *TurnOptions) *load.Generator {
	t.Helper()
	doors, _, err := processes.FindDoors(8000)
	if err != nil {
		t.Fatal(err)
	}
	o.Front, o.Admin = doors.FrontAddrs()[0], doors.AdminAddr()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- ServeTurns(ctx, *o) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	if err := processes.WaitReady(ctx, doors); err != nil {
		t.Fatal(err)
	}
	g, err := load.New(load.Options{
		Host: "127.0.0.1", Port: doors.FirstPort, Ports: 1, Connections: o.Connections, Openers: 1, Stream: o.Stream,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.End)
	if _, err := g.Open(ctx, o.Connections, 0, nil); err != nil {
		t.Fatal(err)
	}
	return g
}

// eachWay runs a test of each of these ways of the floor.
func eachWay(t *testing.T, ways []string, test func(t *testing.T, way string)) {
	t.Helper()
	if err := uring.Probe(); err != nil {
		t.Skipf("no io_uring here: %v", err)
	}
	for _, way := range ways {
		t.Run(way, func(t *testing.T) { test(t, way) })
	}
}

// TestTurns proves of each way of the floor that a load finds every message of a
// push and of a broadcast right, as those of a server.
func TestTurns(t *testing.T) {
	eachWay(t, Turns, func(t *testing.T, way string) {
		const conns = 200
		o := TurnOptions{Connections: conns, Loops: 2, Way: way}
		g := holdTurns(t, &o)
		for range 3 {
			r, err := g.Push(t.Context(), load.PushOptions{Count: 1, Admin: o.Admin}, nil)
			if err != nil || !r.Clean() || r.Delivered != conns {
				t.Fatalf("push: %v, %+v", err, r)
			}
		}
		b, err := g.Broadcast(t.Context(), load.BroadcastOptions{Count: 2, Admin: o.Admin}, nil)
		if err != nil || !b.Clean() || b.Rounds[1].Delivered != conns {
			t.Fatalf("broadcast: %v, %+v", err, b)
		}
	})
}

// TestTurnsWaitForPolls proves of each way of the floor that a connection whose poll
// is kept back does not count as one that waits, and that no message goes out until
// it does.
func TestTurnsWaitForPolls(t *testing.T) {
	eachWay(t, Turns, func(t *testing.T, way string) {
		const conns = 20
		o := TurnOptions{Connections: conns, Loops: 2, Way: way}
		g := holdTurns(t, &o)
		waiting := processes.Subscribers(o.Admin)
		if _, err := processes.AwaitHeld(t.Context(), conns, waiting); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			g.Withhold()
			r, err := g.Push(t.Context(), load.PushOptions{Count: 1, Admin: o.Admin}, nil)
			if err != nil || !r.Clean() {
				t.Fatalf("push: %v, %+v", err, r)
			}
			if n, err := waiting(t.Context()); err != nil || n != 0 {
				t.Errorf("%d wait, though none has polled: %v", n, err)
			}
			if _, err := g.Repoll(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := processes.AwaitHeld(t.Context(), conns, waiting); err != nil {
				t.Fatal(err)
			}
		}
		g.Withhold()
		if _, err := g.Push(t.Context(), load.PushOptions{Count: 1, Admin: o.Admin}, nil); err != nil {
			t.Fatal(err)
		}
		answered := make(chan error, 1)
		go func() {
			r, err := http.Get("http://" + o.Admin + "/push?content=x")
			if err == nil {
				err = r.Body.Close()
			}
			answered <- err
		}()
		select {
		case err := <-answered:
			t.Errorf("a message went out while nobody waits for one: %v", err)
		case <-time.After(50 * time.Millisecond):
		}
		if _, err := g.Repoll(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-answered; err != nil {
			t.Error(err)
		}
	})
}

// TestSends proves of each way of the floor of streams that a load of streams
// finds every message right, the first with its head and those without.
func TestSends(t *testing.T) {
	eachWay(t, Sends, func(t *testing.T, way string) {
		const conns, pushes = 200, 3
		o := TurnOptions{Connections: conns, Loops: 2, Way: way, Stream: true}
		g := holdTurns(t, &o)
		for range pushes {
			r, err := g.Push(t.Context(), load.PushOptions{Count: 1, Admin: o.Admin}, nil)
			if err != nil || !r.Clean() || r.Delivered != conns {
				t.Fatalf("push: %v, %+v", err, r)
			}
		}
		if c := g.Counts(); c.Polls != conns || c.Messages != pushes*conns {
			t.Errorf("%d requests for %d streams, %d messages", c.Polls, conns, c.Messages)
		}
		if b, err := g.Broadcast(t.Context(), load.BroadcastOptions{Count: 1, Admin: o.Admin}, nil); err == nil {
			t.Errorf("a broadcast was not refused: %+v", b)
		}
	})
}

// TestTurnsRefuse proves that what cannot be served is refused with the reason.
func TestTurnsRefuse(t *testing.T) {
	for _, test := range []struct {
		o    TurnOptions
		says string
	}{
		{TurnOptions{Way: "pigeon", Connections: 1, Loops: 1}, TurnWrite},
		{TurnOptions{Way: TurnPoll, Connections: 0, Loops: 1}, "at least one"},
		{TurnOptions{Way: TurnPoll, Connections: 1, Loops: 1, Front: "nowhere"}, "nowhere"},
	} {
		if err := ServeTurns(context.Background(), test.o); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%+v: %v", test.o, err)
		}
	}
}
