package enginetest

import (
	"os"
	"testing"
	"time"

	"c1000k/comet"
)

// testStop proves that Stop with connections in every state ends them all and
// leaves no descriptor and no thread: after some cycles that let the Go
// runtime make what it keeps, further cycles add nothing.
func testStop(t *testing.T, f Factory) {
	const (
		warmUps = 3
		cycles  = 6
		loops   = 2
		slack   = loops - 1 + cycles/2 // threads the runtime may add on its own
		// A runtime whose threads wait for busy processors may add more, but comes to
		// an end of it; an engine that leaves threads leaves more each round.
		rounds = 5
	)
	for range warmUps {
		stopOnce(t, f, loops)
	}
	for round := 1; ; round++ {
		descriptors, threads := entries(t, "fd"), entries(t, "task")
		for range cycles {
			stopOnce(t, f, loops)
		}
		fds, tasks := settled(t, descriptors, threads+slack)
		if fds <= 0 && tasks <= 0 {
			return
		}
		if fds > 0 || round == rounds {
			t.Fatalf("%d cycles, in round %d, left %d descriptors and %d threads; there are %v", cycles, round, fds, tasks+slack, links(t))
		}
	}
}

// settled waits until the process has no more descriptors and threads than these, and
// says how many more it has. What is closed last ends a little later, in the kernel.
func settled(t *testing.T, descriptors, threads int) (fds, tasks int) {
	t.Helper()
	const threadPatience = patience / 10
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		fds, tasks = entries(t, "fd")-descriptors, entries(t, "task")-threads
		waited := time.Since(began)
		if fds <= 0 && (tasks <= 0 || waited > threadPatience) || waited > patience {
			return fds, tasks
		}
	}
}

// links says what each descriptor of the process is.
func links(t testing.TB) (names []string) {
	t.Helper()
	e, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range e {
		// One that was closed meanwhile has no name.
		if name, err := os.Readlink("/proc/self/fd/" + d.Name()); err == nil {
			names = append(names, d.Name()+"="+name)
		}
	}
	return names
}

// stopOnce starts an engine, puts connections into every state there is, stops
// it, and sees them end.
func stopOnce(t *testing.T, f Factory, loops int) {
	t.Helper()
	s, stop := startServer(t, f, setup{options: comet.EngineOptions{Loops: loops}})
	var clients []*client
	dial := func(d comet.Door, request string) *client {
		c, err := s.dial(d)
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, c)
		c.mustSend(t, request)
		return c
	}
	const held = 20
	for i := range held {
		dial(comet.DoorFront, sub("stop"+decimal(i%3), 1))
	}
	dial(comet.DoorFront, "")
	dial(comet.DoorFront, "GET /sub?cna")
	dial(comet.DoorAdmin, "GET /push?cna")
	dial(comet.DoorFront, get("/sub?cname=idle")).mustExpect(t, polled(nextSeq("idle", 1)+"\n"))
	s.waitSubscribers("", held)
	stop()
	for i, c := range clients {
		if got, err := c.reply(); got != "" || err == nil {
			t.Errorf("client %d: got %q, %v from a server that stopped", i, got, err)
		}
		c.conn.Close()
	}
}

// testStopTwice proves that Stop may be called again, from several goroutines,
// and right after Start, and that the counters can be read afterwards.
func testStopTwice(t *testing.T, f Factory) {
	s := newServer(t, f, setup{})
	if err := together(4, func(int) error { s.engine.Stop(); return nil }); err != nil {
		t.Fatal(err)
	}
	s.engine.Stop()
	if len(s.engine.Stats()) == 0 {
		t.Error("no counters after Stop")
	}
}
