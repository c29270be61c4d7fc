package ladder

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"c1000k/experiments/sample"
)

// What the fake server is told by its environment, which it inherits.
const (
	// fakeDieAt makes it end with fakeExit when it holds that many subscribers.
	fakeDieAt = "LADDER_FAKE_DIE_AT"
	// fakeDieOn names the engine that dies; empty: each.
	fakeDieOn = "LADDER_FAKE_DIE_ON"
	// fakeTwice makes it send every message twice.
	fakeTwice = "LADDER_FAKE_TWICE"
	// fakeDieAfter makes it end so many noops after its start.
	fakeDieAfter = "LADDER_FAKE_DIE_AFTER_NOOPS"
	fakeExit     = 7
)

// fakeServer speaks as much of the protocol as a ladder needs, on package net,
// a goroutine a connection: what is tested is the ladder, not the server.
type fakeServer struct {
	mu      sync.Mutex
	waiting map[string][]chan string
	next    map[string]int
	again   map[string]string // what a channel's next poll is sent once more
	held    int
	dieAt   int
	twice   bool
	// expire answers a poll with a noop, unless a message comes first; dieAfter
	// is how many of these there may be, 0 without bound.
	expire          time.Duration
	noops, dieAfter int
}

// runFake is the fake server's main.
func runFake(args []string) int {
	flags := map[string]string{}
	for _, a := range args {
		name, value, _ := strings.Cut(strings.TrimPrefix(a, "--"), "=")
		flags[name] = value
	}
	s := &fakeServer{
		waiting: map[string][]chan string{}, next: map[string]int{}, again: map[string]string{},
		twice: os.Getenv(fakeTwice) != "",
	}
	if on := os.Getenv(fakeDieOn); on == "" || on == flags["engine"] {
		s.dieAt, _ = strconv.Atoi(os.Getenv(fakeDieAt))
	}
	s.dieAfter, _ = strconv.Atoi(os.Getenv(fakeDieAfter))
	s.expire, _ = time.ParseDuration(flags["polling-timeout"])
	fmt.Printf("fake: engine %s, channels %s\n", flags["engine"], flags["channels"])

	debug := http.NewServeMux()
	debug.HandleFunc("/facts", func(w http.ResponseWriter, _ *http.Request) { s.facts(w, flags["engine"]) })
	admin := http.NewServeMux()
	admin.HandleFunc("/info", s.info)
	admin.HandleFunc("/push", s.push)
	admin.HandleFunc("/broadcast", s.broadcast)
	front := http.NewServeMux()
	front.HandleFunc("/sub", s.sub)
	var addrs []string
	host, ports, _ := strings.Cut(flags["front"], ":")
	first, last, _ := strings.Cut(ports, "-")
	low, _ := strconv.Atoi(first)
	high, _ := strconv.Atoi(last)
	for p := low; p <= high; p++ {
		addrs = append(addrs, net.JoinHostPort(host, strconv.Itoa(p)))
	}
	for _, door := range []struct {
		mux   *http.ServeMux
		addrs []string
	}{{debug, []string{flags["debug"]}}, {front, addrs}, {admin, []string{flags["admin"]}}} {
		for _, addr := range door.addrs {
			l, err := net.Listen("tcp", addr)
			if err != nil {
				fmt.Println("fake:", err)
				return 3
			}
			go (&http.Server{Handler: door.mux}).Serve(l)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	<-ctx.Done()
	fmt.Println("fake: stopped")
	return 0
}

func (s *fakeServer) facts(w http.ResponseWriter, engine string) {
	f := serverFacts{Engine: engine, Loops: 2, Tables: 1, Got: []string{"fake"}, PID: os.Getpid()}
	f.Go.HeapBytes, f.Go.TotalBytes = 1<<20, 8<<20
	json.NewEncoder(w).Encode(f)
}

func (s *fakeServer) info(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(w, "{\"version\": \"fake\", \"channels\": %d, \"subscribers\": %d}\n", len(s.next), s.held)
}

// sub holds the poll until a message comes or the client leaves. History is not
// needed: the load polls again before it sends the next message.
func (s *fakeServer) sub(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("cname")
	line := make(chan string, 1)
	s.mu.Lock()
	if s.next[name] == 0 {
		s.next[name] = 1
	}
	if text := s.again[name]; text != "" {
		delete(s.again, name)
		line <- text
	} else {
		s.waiting[name] = append(s.waiting[name], line)
		s.held++
	}
	if s.dieAt > 0 && s.held >= s.dieAt {
		fmt.Println("fake: first of the last lines")
		fmt.Println("fake: out of something important")
		os.Exit(fakeExit)
	}
	s.mu.Unlock()
	expired := time.NewTimer(s.expire)
	defer expired.Stop()
	answer := func(text string) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		fmt.Fprint(w, text)
		w.(http.Flusher).Flush()
	}
	select {
	case text := <-line:
		answer(text)
	case <-expired.C:
		if s.leave(name, line) {
			answer(fmt.Sprintf("{\"type\":\"noop\",\"cname\":%q,\"seq\":0,\"content\":\"\"}\n", name))
		} else {
			answer(<-line)
		}
	case <-r.Context().Done():
		s.leave(name, line)
	}
}

// leave takes a poll off its channel; false if a message is under way to it.
func (s *fakeServer) leave(name string, line chan string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, other := range s.waiting[name] {
		if other != line {
			continue
		}
		s.waiting[name] = append(s.waiting[name][:i], s.waiting[name][i+1:]...)
		s.held--
		if s.noops++; s.noops == s.dieAfter {
			fmt.Println("fake: tired of noops")
			os.Exit(fakeExit)
		}
		return true
	}
	return false
}

// give answers all who wait on a channel; the lock is held.
func (s *fakeServer) give(name, text string) {
	if s.twice {
		s.again[name] = text
	}
	for _, line := range s.waiting[name] {
		line <- text
		s.held--
	}
	s.waiting[name] = nil
}

func (s *fakeServer) push(w http.ResponseWriter, r *http.Request) {
	name, content := r.FormValue("cname"), r.FormValue("content")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next[name] = max(s.next[name], 1)
	s.give(name, fmt.Sprintf("{\"type\":\"data\",\"cname\":%q,\"seq\":%d,\"content\":%q}\n", name, s.next[name], content))
	s.next[name]++
	fmt.Fprint(w, "{\"type\":\"ok\"}\n")
}

func (s *fakeServer) broadcast(w http.ResponseWriter, r *http.Request) {
	content := r.FormValue("content")
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, seq := range s.next {
		s.give(name, fmt.Sprintf("[{\"type\":\"broadcast\",\"cname\":%q,\"seq\":%d,\"content\":%q},{\"type\":\"next_seq\",\"cname\":%q,\"seq\":%d,\"content\":\"\"}]\n",
			name, seq, content, name, seq+1))
		s.next[name]++
	}
	fmt.Fprint(w, "ok\n")
}

// quick are the options of a ladder of some hundred connections in a few
// seconds, with this test binary as server, load and floor.
func quick(self, results string) Options {
	o := usual()
	o.To, o.Step = 300, 150
	o.Push, o.PushRate = 100, 2_000
	o.Server, o.Load = self, []string{self, "load"}
	o.Results, o.PortBase = results, 12_000
	o.NoFloor = true
	o.Idle = 100 * time.Millisecond
	o.Seed = 1
	// What others do on this machine shall not make the test wait.
	o.ReturnPatience = time.Millisecond
	o.Settle = &sample.SettleLimits{Change: 1, Window: 100 * time.Millisecond, Longest: time.Second, Every: 50 * time.Millisecond}
	return o
}
