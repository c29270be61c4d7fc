package soak

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"c1000k/experiments/process"
)

// buildServer builds the server.
func buildServer(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "comet")
	if out, err := exec.Command("go", "build", "-ldflags=-checklinkname=0", "-o", path, "c1000k/comet/cmd/comet").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// TestSoak proves on each engine, without tokens and with them, that of a few
// hundred clients of every mode that come and go none loses anything, and that the
// server is as empty in the end as it was. It also proves that the soak sees what
// it is about: every kind of doing happened.
func TestSoak(t *testing.T) {
	server := buildServer(t)
	var all sync.WaitGroup
	var rounds []*round
	port := 9000
	for _, one := range []struct {
		engine        string
		tokens, short bool
	}{{"uring", false, false}, {"uring", true, true}, {"epoll", false, true}, {"epoll", true, false}} {
		if testing.Short() && !one.short {
			continue
		}
		doors, next, err := process.FindDoors(port)
		if err != nil {
			t.Fatal(err)
		}
		port = next
		s := newRound(Options{
			Server: server, Engines: []string{one.engine}, Time: 10 * time.Second, Connections: 300,
			Seed: uint64(port), Logs: t.TempDir(), Progress: &bytes.Buffer{},
		}, one.engine, one.tokens)
		// They wait for timers, and so all at once, whatever the number of processors.
		all.Go(func() { soakOnce(t, s, doors) })
		rounds = append(rounds, s)
	}
	all.Wait()
	// On a machine that has much else to do some of it may be missing in one round.
	did := map[string]int64{}
	for _, s := range rounds {
		n := &s.n
		for what, count := range map[string]*atomic.Int64{
			"messages": &n.messages, "broadcasts": &n.broadcasts, "resets": &n.resets, "orderly ends": &n.ends,
			"half closes": &n.halves, "floods": &n.floods, "pauses": &n.pauses, "clears": &n.clears, "closes": &n.ended,
			"signs": &n.signs, "jumps": &n.jumps, "gaps": &n.gaps, "other instances": &n.anew,
		} {
			did[what] += count.Load()
		}
	}
	for what, count := range did {
		if count == 0 {
			t.Errorf("there were no %s", what)
		}
	}
}

// soakOnce holds one round.
func soakOnce(t *testing.T, s *round, doors process.Doors) {
	err := s.run(context.Background(), doors)
	var told bytes.Buffer
	s.write(&told)
	if err != nil || s.faults.count("") > 0 {
		t.Errorf("%v\n%s", err, told.String())
	}
}

// TestInterrupted proves that a soak that is interrupted ends at once, tells what it
// counted, and leaves no server behind.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	told := &cancelOn{text: " of 600 s:", cancel: cancel}
	err := Run(ctx, Options{
		Server: buildServer(t), Engines: []string{"epoll"}, Time: 20 * time.Minute, Connections: leastConnections,
		Seed: 1, Logs: t.TempDir(), Progress: told,
	})
	if !errors.Is(err, context.Canceled) || !strings.Contains(told.all.String(), "connections  ") || strings.Contains(told.all.String(), "nothing lost") {
		t.Errorf("%v\n%s", err, told.all.String())
	}
}

// cancelOn cancels when a text is written.
type cancelOn struct {
	all    bytes.Buffer
	text   string
	cancel func()
}

func (w *cancelOn) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte(w.text)) {
		w.cancel()
	}
	return w.all.Write(b)
}

// TestServerDies proves that a server that ends by itself is told so.
func TestServerDies(t *testing.T) {
	err := Run(context.Background(), Options{
		Server: "/bin/false", Engines: []string{"epoll"}, Time: 10 * time.Second, Connections: leastConnections,
		Seed: 1, Logs: t.TempDir(), Progress: &bytes.Buffer{},
	})
	if err == nil || !strings.Contains(err.Error(), "exit status 1") {
		t.Error(err)
	}
}
