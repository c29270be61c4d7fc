package enginetest

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"c1000k/comet"
)

const (
	// patience is how long the suite waits for what has to come; a machine
	// that is slower than that fails the test.
	patience = 60 * time.Second
	// listenBacklog is the backlog asked for; the kernel cuts it to somaxconn.
	listenBacklog = 4096
	// testVersion is the version the servers of the suite say they are.
	testVersion = "7.5.3"
)

// setup says what server a test wants. The zero value of a field leaves it to
// newServer.
type setup struct {
	config  func(*comet.Config)
	options comet.EngineOptions
	fronts  int // front doors, 0 is 1
	// sendBuffer and receiveBuffer are set on the listening sockets, in
	// bytes, and so on every connection accepted; 0 is the kernel's choice.
	sendBuffer, receiveBuffer int
}

// server is a running engine with its listening sockets.
type server struct {
	t         testing.TB
	svc       *comet.Service
	engine    comet.Engine
	fronts    []string
	adminAddr string

	mu    sync.Mutex // of admin
	admin *client
}

// newServer starts an engine and stops it when the test ends. When the test
// failed, the engine's counters are logged.
func newServer(t testing.TB, f Factory, s setup) *server {
	t.Helper()
	srv, stop := startServer(t, f, s)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("engine: %+v", srv.engine.Facts())
			for _, st := range srv.engine.Stats() {
				if st.Value != 0 {
					t.Logf("engine: %s = %d", st.Name, st.Value)
				}
			}
		}
		stop()
	})
	return srv
}

// startServer starts an engine; stop ends it and closes the listeners.
func startServer(t testing.TB, f Factory, s setup) (srv *server, stop func()) {
	t.Helper()
	cfg := comet.DefaultConfig()
	cfg.Channels = 2_000
	cfg.ChannelTimeout = time.Hour
	cfg.PollingTimeout = time.Hour
	cfg.Seed = 1
	cfg.Version = testVersion
	if s.config != nil {
		s.config(&cfg)
	}
	if s.options.MaxConns == 0 {
		s.options.MaxConns = 2_500
	}
	svc, err := comet.NewService(cfg)
	if err != nil {
		t.Fatalf("new service: %v", err)
	}
	srv = &server{t: t, svc: svc}
	var listeners []comet.Listener
	if srv.engine, err = f(svc, s.options); err != nil {
		t.Fatalf("make engine: %v", err)
	}
	if _, ok := srv.engine.(Dialer); !ok {
		for range max(1, s.fronts) {
			l := listen(t, comet.DoorFront, s)
			srv.fronts = append(srv.fronts, l.Addr)
			listeners = append(listeners, l)
		}
		l := listen(t, comet.DoorAdmin, setup{})
		srv.adminAddr = l.Addr
		listeners = append(listeners, l)
	}
	if err := srv.engine.Start(listeners); err != nil {
		t.Fatalf("start engine: %v", err)
	}
	return srv, func() {
		if srv.admin != nil {
			srv.admin.conn.Close()
		}
		srv.engine.Stop()
		for _, l := range listeners {
			unix.Close(l.FD)
		}
	}
}

// listen opens a listening socket on a free port of the loopback address.
func listen(t testing.TB, d comet.Door, s setup) comet.Listener {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatalf("socket: %v", err)
	}
	for _, o := range []struct{ name, value int }{{unix.SO_SNDBUF, s.sendBuffer}, {unix.SO_RCVBUF, s.receiveBuffer}} {
		if o.value == 0 {
			continue
		}
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, o.name, o.value); err != nil {
			t.Fatalf("set a listener's buffer: %v", err)
		}
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatalf("bind: %v", err)
	}
	if err := unix.Listen(fd, listenBacklog); err != nil {
		t.Fatalf("listen: %v", err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatalf("getsockname: %v", err)
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(sa.(*unix.SockaddrInet4).Port))
	return comet.Listener{Door: d, FD: fd, Addr: addr}
}

// call makes one admin request on the server's kept admin connection and
// returns the reply's body. It may be called from any goroutine.
func (s *server) call(pathAndQuery string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.admin == nil {
		c, err := s.dial(comet.DoorAdmin)
		if err != nil {
			return "", err
		}
		s.admin = c
	}
	reply, err := s.admin.do(get(pathAndQuery))
	if err != nil {
		return "", fmt.Errorf("admin %s: %w", pathAndQuery, err)
	}
	head, body, _ := strings.Cut(reply, "\r\n\r\n")
	if !strings.HasPrefix(head, "HTTP/1.1 200 ") {
		return "", fmt.Errorf("admin %s: %q", pathAndQuery, reply)
	}
	return body, nil
}

// mustCall is call for the test's own goroutine.
func (s *server) mustCall(pathAndQuery string) string {
	s.t.Helper()
	body, err := s.call(pathAndQuery)
	if err != nil {
		s.t.Fatal(err)
	}
	return body
}

// subscribers asks how many connections are held, on one channel or, if the
// name is empty, in all.
func (s *server) subscribers(channel string) int {
	s.t.Helper()
	path := "/info"
	if channel != "" {
		path += "?cname=" + channel
	}
	body := s.mustCall(path)
	_, n, _ := strings.Cut(body, `"subscribers": `)
	count, err := strconv.Atoi(strings.TrimRight(n, "}\n"))
	if err != nil {
		s.t.Fatalf("%s: %q", path, body)
	}
	return count
}

// waitSubscribers waits until exactly want connections are held.
func (s *server) waitSubscribers(channel string, want int) {
	s.t.Helper()
	got := 0
	wait(s.t, func() bool { got = s.subscribers(channel); return got == want },
		func() string { return fmt.Sprintf("%d subscribers of %q, want %d", got, channel, want) })
}

// wait asks until ok says true. It gives up after patience.
func wait(t testing.TB, ok func() bool, state func() string) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("waited %v: %s", patience, state())
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// entries counts what stands in a folder of /proc/self.
func entries(t testing.TB, folder string) int {
	t.Helper()
	e, err := os.ReadDir("/proc/self/" + folder)
	if err != nil {
		t.Fatal(err)
	}
	return len(e)
}
