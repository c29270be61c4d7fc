package enginetest

import (
	"fmt"
	"math"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"c1000k/comet"
)

const (
	smallTable    = 50
	tableClients  = 300
	tableReserved = 8 // of the small table, for the admin door
)

// testFullTable proves that a full server turns nobody away: with room for
// fifty connections and three hundred clients, those past the room wait where
// the kernel keeps them, none is reset, and each is served as others leave. In
// the meantime the admin door has room.
func testFullTable(t *testing.T, f Factory) {
	s := newServer(t, f, setup{options: comet.EngineOptions{
		Loops: 1, TableLimit: smallTable, MaxConns: smallTable, AdminReserve: tableReserved,
	}})
	done := make(chan error, tableClients)
	for i := range tableClients {
		go func() { done <- s.waitForBroadcast("full" + decimal(i)) }()
	}
	// All the room there is gets used, and no more than that.
	held, at := -1, time.Now()
	wait(t, func() bool {
		if n := s.subscribers(""); n != held {
			held, at = n, time.Now()
		}
		return held >= smallTable/2 && time.Since(at) > 200*time.Millisecond
	}, func() string { return fmt.Sprintf("%d held", held) })
	t.Logf("%d of %d clients held at first", held, tableClients)
	if held > smallTable {
		t.Errorf("%d held, want no more than %d", held, smallTable)
	}
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for served := 0; served < tableClients; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatalf("after %d clients: %v", served, err)
			}
			served++
		case <-tick.C:
			s.mustCall("/broadcast?content=all")
		}
	}
}

// waitForBroadcast is a client that holds a poll of its own channel and leaves
// when it has been served.
func (s *server) waitForBroadcast(channel string) error {
	c, err := s.dial(comet.DoorFront)
	if err != nil {
		return err
	}
	defer c.conn.Close()
	if err := c.ask(sub(channel, 1), polled(broadcasted(channel, 1, "all"))); err != nil {
		return fmt.Errorf("%s: %w", channel, err)
	}
	return nil
}

// testFullTableRests proves that accepting does not spin where there is room for
// nobody: while clients wait in the backlog of a full server it takes almost no
// CPU, where a loop that is told again and again of what it cannot accept would
// take all of a core.
func testFullTableRests(t *testing.T, f Factory) {
	const window = 500 * time.Millisecond
	s := newServer(t, f, setup{options: comet.EngineOptions{
		Loops: 1, TableLimit: smallTable, MaxConns: smallTable, AdminReserve: tableReserved,
	}})
	for range 2 * smallTable {
		c, err := s.dial(comet.DoorFront)
		if err != nil {
			t.Fatal(err)
		}
		defer c.conn.Close()
		c.mustSend(t, sub("rest", 1))
	}
	wait(t, func() bool { return s.subscribers("rest") >= smallTable/2 }, func() string { return "the table does not fill" })
	runtime.GC() // what earlier tests left is not this one's
	began, before := time.Now(), cpuTime(t)
	time.Sleep(window)
	used, passed := cpuTime(t)-before, time.Since(began)
	t.Logf("%v of CPU in %v, with %d held and others waiting", used, passed, s.subscribers("rest"))
	if used > passed/2 {
		t.Errorf("a full server at rest takes %v of CPU in %v", used, passed)
	}
}

// cpuTime is what the process has used.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// testManyTables proves that more clients than one table holds are all held at
// once where the engine may have several, and all served; and twice over,
// after all have left, so that slots are used again.
func testManyTables(t *testing.T, f Factory) {
	s := newServer(t, f, setup{options: comet.EngineOptions{
		TableLimit: smallTable, MaxConns: 2 * tableClients, AdminReserve: tableReserved,
	}})
	for round := range 2 {
		name := func(i int) string { return "tables" + decimal(round) + "." + decimal(i) }
		held := s.hold(tableClients, name)
		s.mustCall("/broadcast?content=all")
		expectAll(t, held, func(i int) string { return polled(broadcasted(name(i), 1, "all")) })
		for i, c := range held {
			c.mustSend(t, sub(name(i), 2))
		}
		s.waitSubscribers("", tableClients)
		for _, c := range held {
			if err := c.reset(); err != nil {
				t.Fatal(err)
			}
		}
		s.waitSubscribers("", 0)
	}
}

// testFacts proves that an engine says what it is: a name, its loops, a line
// for the choice, and counters with names that do not change.
func testFacts(t *testing.T, f Factory) {
	const loops = 2
	s := newServer(t, f, setup{options: comet.EngineOptions{Loops: loops, MaxConns: 1_000}})
	facts := s.engine.Facts()
	if facts.Engine == "" || facts.Loops != loops || facts.MaxConns != 1_000 {
		t.Errorf("facts: %+v", facts)
	}
	before := s.engine.Stats()
	s.hold(10, func(int) string { return "facts" })
	after := s.engine.Stats()
	if len(before) == 0 || len(before) != len(after) {
		t.Fatalf("%d counters, then %d", len(before), len(after))
	}
	grew := uint64(0)
	for i := range before {
		if before[i].Name != after[i].Name || before[i].Name == "" {
			t.Errorf("counter %d is called %q, then %q", i, before[i].Name, after[i].Name)
		}
		if d := after[i].Value - before[i].Value; d < math.MaxInt64 {
			grew = max(grew, d)
		}
	}
	if grew < 10 {
		t.Errorf("ten connections moved no counter by ten: %+v", after)
	}
}
