package load

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"c1000k/experiments/fdtable"
	"c1000k/experiments/load/rawnet"
)

// Every command through the process: what a driver sees of a load that works.
func TestClient(t *testing.T) {
	const n = 60
	s := startFake(t, 2, func(s *fakeServer) { s.history = 10 })
	c := startLoad(t, s.options(n), 0)
	if c.Ready.PID != c.PID() || c.Ready.Connections != n || c.Ready.OwnTables {
		t.Fatalf("ready: %+v", c.Ready)
	}
	ctx := context.Background()
	if r, err := c.Open(ctx, n, 0, nil); err != nil || r.Opened != n || r.CPU <= 0 {
		t.Fatalf("open: %v %+v", err, r)
	}
	s.await("all polls", func() bool { return s.polls == n })
	if r, err := c.Push(ctx, PushOptions{Count: n, Seed: 1, Admin: s.admin}, nil); err != nil || !r.Clean() || r.Delivered != n || r.Seed != 1 {
		t.Fatalf("push: %v %+v", err, r)
	}
	if r, err := c.Broadcast(ctx, BroadcastOptions{Count: 2, Admin: s.admin}, nil); err != nil || !r.Clean() || len(r.Rounds) != 2 {
		t.Fatalf("broadcast: %v %+v", err, r)
	}
	if r, err := c.Counts(ctx); err != nil || r.Held != n || r.Messages != 3*n || !r.Clean() {
		t.Fatalf("counts: %v %+v", err, r)
	}
	if r, err := c.Ceiling(ctx, CeilingOptions{Connections: 10, Duration: 50 * time.Millisecond}); err != nil || r.Messages == 0 {
		t.Fatalf("ceiling: %v %+v", err, r)
	}
	if r, err := c.CloseAll(ctx, nil); err != nil || r.Closed != n {
		t.Fatalf("close: %v %+v", err, r)
	}
	if _, err := c.Do(ctx, Command{Do: "dance"}, nil); err == nil || !strings.Contains(err.Error(), "dance") {
		t.Fatalf("an unknown command: %v", err)
	}
	if _, err := c.Open(ctx, n+1, 0, nil); err == nil {
		t.Fatal("too many connections were not refused")
	}
}

// When the driver's context ends, the load stops and hands over what it reached;
// it can go on afterwards.
func TestClientStops(t *testing.T) {
	const n = 10_000
	s := startFake(t, 1, nil)
	c := startLoad(t, s.options(n), 0)
	ctx, cancel := context.WithCancel(context.Background())
	r, err := c.Open(ctx, n, 100, func(Progress) { cancel() })
	if !errors.Is(err, context.Canceled) || r.Opened == 0 || r.Opened == n {
		t.Fatalf("%v %+v", err, r)
	}
	again, err := c.Open(context.Background(), int(r.Opened)+10, 0, nil)
	if err != nil || again.Opened != r.Opened+10 {
		t.Fatalf("%v %+v", err, again)
	}
}

// The process ends by itself when its driver is gone, that is when its input
// ends, even in the middle of a command; an interrupt does not end it.
func TestLoadEndsWithItsDriver(t *testing.T) {
	s := startFake(t, 1, nil)
	c := startLoad(t, s.options(1000), 0)
	if err := c.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := c.send(Command{Do: DoOpen, To: 1000, Rate: 50}); err != nil {
		t.Fatal(err)
	}
	s.await("some connections", func() bool { return s.conns > 3 })
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if state := c.cmd.ProcessState; !state.Exited() || state.ExitCode() != 0 {
		t.Fatalf("the load: %v", state)
	}
	s.await("its connections end", func() bool { return s.conns == 0 })
}

// A load that dies is an error of the command under way, not a wait without end.
func TestLoadDies(t *testing.T) {
	s := startFake(t, 1, nil)
	options, _ := json.Marshal(s.options(1000))
	t.Setenv(roleEnv, "load")
	t.Setenv(optionsEnv, string(options))
	c, err := Start(context.Background(), []string{os.Args[0]}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Open(context.Background(), 1000, 50, func(Progress) { c.cmd.Process.Kill() })
	if err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("open on a load that is killed: %v", err)
	}
	if err := c.Close(); err == nil {
		t.Fatal("Close does not tell that the load was killed")
	}
}

// A load that cannot start says why, and leaves no process behind.
func TestLoadDoesNotStart(t *testing.T) {
	t.Setenv(roleEnv, "load")
	t.Setenv(optionsEnv, `{"Host":"192.0.2.1","Port":1,"Ports":1,"Connections":1,"Openers":1}`)
	var log bytes.Buffer
	_, err := Start(context.Background(), []string{os.Args[0]}, &log)
	if err == nil || !strings.Contains(log.String(), "192.0.2.1") {
		t.Fatalf("%v; it said %q", err, log.String())
	}
	if _, err := Start(context.Background(), []string{filepath.Join(t.TempDir(), "none")}, &log); err == nil {
		t.Fatal("a program that is not there was started")
	}
}

// Past the descriptor limit: more connections than one table may have, on tables
// of their own, opened in steps, pushed to, closed and opened again.
func TestPastTheDescriptorLimit(t *testing.T) {
	if err := fdtable.Probe(); err != nil {
		t.Skip("skipped: ", err)
	}
	const n, limit = 1000, tableReserve + 210 // five tables
	s := startFake(t, 3, func(s *fakeServer) { s.history = 10 })
	c := startLoad(t, s.options(n), limit)
	if c.Ready.DescriptorLimit != limit {
		t.Skip("skipped: the descriptor limit can be raised here")
	}
	if !c.Ready.OwnTables || c.Ready.Reactors != 5 {
		t.Fatalf("ready: %+v", c.Ready)
	}
	ctx := context.Background()
	for range 2 {
		for _, to := range []int{150, 700, n} {
			if r, err := c.Open(ctx, to, 0, nil); err != nil || r.Opened != int64(to) {
				t.Fatalf("open: %v %+v", err, r)
			}
		}
		s.await("all poll", func() bool { return s.conns == n && waiting(s) == n })
		if r, err := c.Push(ctx, PushOptions{Count: 2 * n, Admin: s.admin}, nil); err != nil || r.Missing != 0 || r.Counts.Resets != 0 {
			t.Fatalf("push: %v %+v", err, r)
		}
		s.await("all poll again", func() bool { return waiting(s) == n })
		if r, err := c.Broadcast(ctx, BroadcastOptions{Count: 1, Admin: s.admin}, nil); err != nil || !r.Clean() {
			t.Fatalf("broadcast: %v %+v", err, r)
		}
		if r, err := c.CloseAll(ctx, nil); err != nil || r.Closed != n {
			t.Fatalf("close: %v %+v", err, r)
		}
		s.await("all are gone", func() bool { return s.conns == 0 })
		s.mutex.Lock()
		s.channels = map[string]*fakeChannel{}
		s.mutex.Unlock()
	}
}

// waiting counts the polls that the server holds. The mutex is held.
func waiting(s *fakeServer) (n int) {
	for _, ch := range s.channels {
		n += len(ch.waiting)
	}
	return n
}

// Opening pauses while a listener's accept queue is half full, and goes on when
// it has been emptied: with a short queue nothing is refused or waits a second.
func TestAcceptQueue(t *testing.T) {
	ip, err := loopback("localhost")
	if err != nil {
		t.Fatal(err)
	}
	listener, port, err := rawnet.Listen(ip, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(listener)
	const short = 64
	if err := unix.Listen(listener, short); err != nil {
		t.Fatal(err)
	}
	q := newAcceptQueue(port, 1)
	defer q.close()
	if q.fd < 0 {
		t.Skip("skipped: sock_diag is not to be had here")
	}
	if q.full(0) {
		t.Fatal("full without a connection")
	}
	var held []net.Conn
	for range short/queueStopPart + 1 {
		c, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		held = append(held, c)
	}
	if q.full(queueLookEvery / 2) {
		t.Fatal("looked again before its time")
	}
	// What ends the last handshake may come a little after it has been seen here.
	look := queueLookEvery
	for end := time.Now().Add(time.Minute); !q.full(look); look += queueLookEvery {
		if time.Now().After(end) {
			t.Fatalf("not full with %d of %d", len(held), short)
		}
		time.Sleep(time.Millisecond)
	}
	for i := range held {
		fd, err := rawnet.Accept(listener)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		if i == 2 && !q.full(look+queueLookEvery) {
			t.Fatal("goes on though hardly any was accepted")
		}
	}
	if q.full(look + 2*queueLookEvery) {
		t.Fatal("full after all were accepted")
	}
}

// The article's tool: waits at 0 and after each step, prints the counts, closes
// all in the end.
func TestBenchmark(t *testing.T) {
	s := startFake(t, 2, nil)
	o := BenchmarkOptions{Host: "localhost", Port: s.port, Ports: 2, To: 50, Step: 20}
	var out bytes.Buffer
	if err := Benchmark(context.Background(), o, strings.NewReader("\n\n\n\n"), &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{"0 connections. Press Enter", "held 20 of 20", "held 40 of 40", "held 50 of 50", "50 connections. Press Enter to close"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, out.String())
		}
	}
	s.await("all are closed", func() bool { return s.conns == 0 })
}

// Without input the article's tool opens nothing; it refuses other machines and
// impossible steps.
func TestBenchmarkInput(t *testing.T) {
	s := startFake(t, 1, nil)
	good := BenchmarkOptions{Host: "127.0.0.1", Port: s.port, Ports: 1, To: 5, Step: 5}
	if err := Benchmark(context.Background(), good, strings.NewReader(""), io.Discard); err != nil || s.polls != 0 {
		t.Errorf("without input: %v, %d polls", err, s.polls)
	}
	for what, change := range map[string]func(*BenchmarkOptions){
		"another machine": func(o *BenchmarkOptions) { o.Host = "192.0.2.1" },
		"no step":         func(o *BenchmarkOptions) { o.Step = 0 },
		"no end":          func(o *BenchmarkOptions) { o.To = 0 },
	} {
		o := good
		change(&o)
		if err := Benchmark(context.Background(), o, strings.NewReader("\n"), io.Discard); err == nil {
			t.Errorf("%s was not refused", what)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	blocked, _ := io.Pipe()
	if err := Benchmark(ctx, good, blocked, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled one: %v", err)
	}
}

// The article's tool says so when a server holds nothing, and fails.
func TestBenchmarkNotHeld(t *testing.T) {
	s := startFake(t, 1, func(s *fakeServer) { s.atOnce = true })
	var out bytes.Buffer
	o := BenchmarkOptions{Host: "127.0.0.1", Port: s.port, Ports: 1, To: 10, Step: 10}
	err := Benchmark(context.Background(), o, strings.NewReader("\n\n"), &out)
	if !errors.Is(err, ErrNotHeld) || !strings.Contains(out.String(), "holds no subscription") {
		t.Fatalf("%v\n%s", err, out.String())
	}
}

// A load is started with coarse sleeps.
func TestTimerSlack(t *testing.T) {
	// Not a load: what it says instead of being ready is in the error.
	_, err := Start(context.Background(), []string{"cat", "/proc/self/timerslack_ns"}, io.Discard)
	if want := fmt.Sprintf("said %q", strconv.Itoa(int(loadSlack))); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v: want one that has %s", err, want)
	}
}
