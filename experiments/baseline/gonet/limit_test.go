package gonet

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"c1000k/comet"
	"c1000k/comet/doors"
)

// childEnv makes the test binary a server under a low descriptor limit, which is
// a property of a whole process.
const childEnv = "GONET_TEST_CHILD"

const (
	childLimit   = 300
	childAsks    = 1000 // connections, more than the limit allows
	childClients = 500
	childReserve = 1 // of them, for the admin door
	patience     = 60 * time.Second
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) == "" {
		os.Exit(m.Run())
	}
	if err := serveUnderLimit(); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

// serveUnderLimit is the child: it prints its address and its facts, serves
// until its input ends, and prints its counters.
func serveUnderLimit() error {
	limit := unix.Rlimit{Cur: childLimit, Max: childLimit}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	cfg := comet.DefaultConfig()
	cfg.Channels = 100
	svc, err := comet.NewService(cfg)
	if err != nil {
		return err
	}
	listeners, closer, err := doors.Listen("127.0.0.1:0", comet.DoorFront, 0)
	if err != nil {
		return err
	}
	defer closer.Close()
	e, err := New(svc, Options{comet.EngineOptions{MaxConns: childAsks, AdminReserve: childReserve}})
	if err != nil {
		return err
	}
	if err := e.Start(listeners); err != nil {
		return err
	}
	fmt.Println(listeners[0].Addr)
	fmt.Println(e.Facts().MaxConns)
	fmt.Println(e.Facts().Why)
	io.Copy(io.Discard, os.Stdin)
	e.Stop()
	for _, s := range e.Stats() {
		fmt.Printf("%s=%d ", s.Name, s.Value)
	}
	fmt.Println()
	return nil
}

// Asked for more than the descriptor limit allows, the engine says where it
// stops, never runs into the limit, and turns nobody away: five hundred clients
// of a server with room for some two hundred are all served, as others leave.
func TestStopsAcceptingAtTheLimit(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	line := func() string {
		if !lines.Scan() {
			t.Fatalf("the server said nothing more: %v", lines.Err())
		}
		return lines.Text()
	}
	addr, room, why := line(), line(), line()
	if !strings.Contains(why, "stops accepting at "+room+" of 1000") || !strings.Contains(why, "descriptor limit is 300") {
		t.Errorf("with a limit of %d the facts say %q connections, because: %q", childLimit, room, why)
	}
	most, err := strconv.Atoi(room)
	if err != nil || most >= childClients {
		t.Fatalf("room for %q connections: %v", room, err)
	}
	crowd := &crowd{room: int64(most - childReserve), full: make(chan struct{})}
	var clients sync.WaitGroup
	for i := range childClients {
		clients.Go(func() {
			if err := askOnce(addr, crowd); err != nil {
				t.Errorf("client %d: %v", i, err)
			}
		})
	}
	clients.Wait()
	in.Close()
	counters := line()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(counters, fmt.Sprintf("accepts=%d ", childClients)) || !strings.Contains(counters, "accept_errors=0 ") ||
		strings.Contains(counters, "accept_paused=0 ") {
		t.Errorf("counters: %s", counters)
	}
}

// crowd are clients that stay until the server has no room.
type crowd struct {
	room     int64
	answered atomic.Int64
	full     chan struct{} // closed when so many were answered
}

// overfull is how long the crowd stays when there is no room, so that the server finds
// that out, however slow it is at it.
const overfull = 200 * time.Millisecond

// askOnce asks for something that is answered at once, stays until the server is full,
// and leaves.
func askOnce(addr string, in *crowd) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, "GET /sub?cname=limit HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
		return err
	}
	status, err := bufio.NewReader(c).ReadString('\n')
	if err != nil || status != "HTTP/1.1 200 OK\r\n" {
		return fmt.Errorf("%q, %v", status, err)
	}
	if in.answered.Add(1) == in.room {
		time.Sleep(overfull)
		close(in.full)
	}
	select {
	case <-in.full:
		return nil
	case <-time.After(patience):
		return fmt.Errorf("%d of %d that have room are answered", in.answered.Load(), in.room)
	}
}

// Options that cannot be are refused with a message that says why.
func TestRefuses(t *testing.T) {
	for _, test := range []struct {
		o    comet.EngineOptions
		says string
	}{
		{comet.EngineOptions{}, "room for a connection"},
		{comet.EngineOptions{MaxConns: 10, Loops: -1}, "negative"},
		{comet.EngineOptions{MaxConns: 10, AdminReserve: 10}, "leave none"},
	} {
		if _, err := New(nil, Options{test.o}); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%+v: %v does not say %q", test.o, err, test.says)
		}
	}
	if err := Probe(100_000_000, 2); err == nil || !strings.Contains(err.Error(), "still works") {
		t.Errorf("a hundred million connections: %v", err)
	}
	if err := Probe(100, 2); err != nil {
		t.Errorf("a hundred connections: %v", err)
	}
	// Where the listeners alone are too many no number of connections works.
	if err := Probe(100, 100_000_000); err == nil || !strings.Contains(err.Error(), "still works: a higher limit") {
		t.Errorf("more listeners than descriptors: %v", err)
	}
}
