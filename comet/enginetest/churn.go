package enginetest

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"c1000k/comet"
)

// testChurn proves that thousands of connections that come and go, by every
// way there is to go, disturb neither each other nor those that stay, and that
// the server counts nobody in the end.
func testChurn(t *testing.T, f Factory) {
	const workers = 8
	rounds := scaled(400)
	s := newServer(t, f, setup{fronts: 2, options: comet.EngineOptions{Loops: 2}})
	stay := s.hold(20, func(int) string { return "stay" })
	if err := together(workers, func(w int) error {
		for i := range rounds {
			if err := s.comeAndGo(w, i); err != nil {
				return fmt.Errorf("round %d: %w", i, err)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	s.waitSubscribers("", len(stay))
	s.mustCall("/push?cname=stay&content=still+here")
	expectAll(t, stay, func(int) string { return polled(data("stay", 1, "still here") + "\n") })
}

// comeAndGo is one short life: the way of going is the round's.
func (s *server) comeAndGo(worker, round int) error {
	c, err := s.dialFrom(comet.DoorFront, worker, "")
	if err != nil {
		return err
	}
	defer c.reset()
	channel := "churn" + decimal(worker)
	switch round % 5 {
	case 0: // says nothing
		return nil
	case 1: // is answered and closes
		return c.ask(get("/sub?cname="+channel), polled(nextSeq(channel, 1)+"\n"))
	case 2: // is held and resets
		return c.send(sub(channel, 1))
	case 3: // asks twice, the second time to close
		if err := c.ask(get("/sub?cname="+channel), polled(nextSeq(channel, 1)+"\n")); err != nil {
			return err
		}
		return c.ask("GET /sub?cname="+channel+" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
			polledAndClosed(nextSeq(channel, 1)+"\n"))
	}
	// is held and closes its half
	if err := c.send(sub(channel, 1)); err != nil {
		return err
	}
	if err := c.conn.CloseWrite(); err != nil {
		return err
	}
	if got, err := c.reply(); err == nil || got != "" {
		return fmt.Errorf("got %q, %v after leaving", got, err)
	}
	return nil
}

// testCollectorAndTimers proves that the Go runtime's own doings on the loops'
// threads never reach a connection: while the collector runs without pause and
// timers fire everywhere, held connections, in several tables, hear nothing,
// and then get exactly their bytes. A thread whose descriptor table lacks the
// runtime's poller writes its wake-up into whatever took that number.
func testCollectorAndTimers(t *testing.T, f Factory) {
	const (
		rounds  = 3
		clients = 200
		listen  = 2 * time.Millisecond // on each connection in turn
	)
	s := newServer(t, f, setup{options: comet.EngineOptions{
		TableLimit: smallTable, MaxConns: 2 * tableClients, AdminReserve: tableReserved,
	}})
	stop := make(chan struct{})
	var busy sync.WaitGroup
	busy.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
			}
		}
	})
	for range 8 {
		busy.Go(func() {
			for i := 1; ; i++ {
				timer := time.NewTimer(time.Duration(i%100) * 10 * time.Microsecond)
				again := time.AfterFunc(time.Microsecond, func() {})
				select {
				case <-stop:
					return
				case <-timer.C:
				}
				again.Stop()
			}
		})
	}
	defer busy.Wait()
	defer close(stop)
	held := s.hold(clients, func(int) string { return "quiet" })
	for round := 1; round <= scaled(rounds); round++ {
		if err := together(clients, func(i int) error {
			return held[i].silent(listen * time.Duration(clients) / 4)
		}); err != nil {
			t.Fatal(err)
		}
		s.mustCall("/push?cname=quiet&content=" + decimal(round))
		expectAll(t, held, func(int) string { return polled(data("quiet", round, decimal(round)) + "\n") })
		for _, c := range held {
			c.mustSend(t, sub("quiet", round+1))
		}
		s.waitSubscribers("quiet", clients)
	}
}
