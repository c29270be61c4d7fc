package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"c1000k/uring"
)

// patience is how long a test waits for what should happen at once. It is only
// ever used up by a failure.
const patience = 60 * time.Second

var (
	buildOnce sync.Once
	builtPath string
	buildErr  error
)

func TestMain(m *testing.M) {
	if refused := os.Getenv(refusedEnv); refused != "" {
		fmt.Fprintln(os.Stderr, runRefused(refused, os.Args[1:]))
		os.Exit(noFilter)
	}
	code := m.Run()
	if builtPath != "" {
		os.RemoveAll(filepath.Dir(builtPath))
	}
	os.Exit(code)
}

// built builds the server as a user would, once for all tests.
func built(t *testing.T) string {
	t.Helper()
	buildOnce.Do(func() {
		dir, err := os.MkdirTemp("", "comet-test")
		if err != nil {
			buildErr = err
			return
		}
		builtPath = filepath.Join(dir, "comet")
		args := []string{"build", "-ldflags=-checklinkname=0", "-o", builtPath}
		if raceEnabled {
			args = append(args, "-race")
		}
		if out, err := exec.Command("go", append(args, ".")...).CombinedOutput(); err != nil {
			buildErr = fmt.Errorf("go build: %w\n%s", err, out)
		}
	})
	if buildErr != nil {
		t.Fatal(buildErr)
	}
	return builtPath
}

// runToEnd runs the server with arguments with which it ends by itself.
func runToEnd(t *testing.T, args ...string) (exit int, stdout, stderr string) {
	t.Helper()
	cmd := exec.Command(built(t), args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	watchdog := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer watchdog.Stop()
	err := cmd.Run()
	if _, ok := err.(*exec.ExitError); err != nil && !ok {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// logBuffer collects a server's log; reading it while the server writes is safe.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// server is a running server, with a port for each door chosen by the kernel.
type server struct {
	t                   *testing.T
	cmd                 *exec.Cmd
	log                 logBuffer
	ended               chan struct{}
	front, admin, debug string // HOST:PORT
}

var servingLine = regexp.MustCompile(`msg=serving .* front=(\S+) admin=(\S+) debug=(\S+)`)

// start runs a small server and waits until it serves.
func start(t *testing.T, args ...string) *server {
	t.Helper()
	return started(t, exec.Command(built(t), append(smallServer(), args...)...))
}

// smallServer are the arguments of a small server.
func smallServer() []string {
	return []string{"--front", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--debug", "127.0.0.1:0",
		"--channels", "1000", "--max-connections", "500"}
}

// started runs a server's command and waits until it serves.
func started(t *testing.T, cmd *exec.Cmd) *server {
	t.Helper()
	s := launched(t, cmd)
	s.waitFor(servingLine.String())
	m := servingLine.FindStringSubmatch(s.log.String())
	s.front, s.admin, s.debug = m[1], m[2], m[3]
	return s
}

// launched runs a server's command, until the test ends.
func launched(t *testing.T, cmd *exec.Cmd) *server {
	t.Helper()
	s := &server{t: t, cmd: cmd, ended: make(chan struct{})}
	s.cmd.Stderr = &s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		s.cmd.Wait()
		close(s.ended)
	}()
	t.Cleanup(func() {
		s.cmd.Process.Kill()
		<-s.ended
		if t.Failed() {
			t.Logf("the server's log:\n%s", s.log.String())
		}
	})
	return s
}

// waitFor waits until the log matches.
func (s *server) waitFor(pattern string) {
	s.t.Helper()
	re := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(patience); !re.MatchString(s.log.String()); {
		select {
		case <-s.ended:
			s.t.Fatalf("the server ended (%v) before its log had %q:\n%s", s.cmd.ProcessState, pattern, s.log.String())
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("no %q in the log:\n%s", pattern, s.log.String())
		}
	}
}

// signal sends a signal.
func (s *server) signal(sig os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// exit waits for the end and returns the exit code, -1 if a signal ended it.
func (s *server) exit() int {
	s.t.Helper()
	select {
	case <-s.ended:
	case <-time.After(patience):
		s.t.Fatal("the server does not end")
	}
	return s.cmd.ProcessState.ExitCode()
}

// get fetches a page and returns its body; the status must be 200.
func (s *server) get(url string) string {
	s.t.Helper()
	client := http.Client{Timeout: patience}
	defer client.CloseIdleConnections()
	resp, err := client.Get(url)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		s.t.Fatalf("GET %s: %s, %v: %s", url, resp.Status, err, body)
	}
	return string(body)
}

// waitForInfo waits until /info tells of so many channels and subscribers.
func (s *server) waitForInfo(want string) {
	s.t.Helper()
	got := ""
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if got = s.get("http://" + s.admin + "/info"); strings.Contains(got, want) {
			return
		}
	}
	s.t.Fatalf("/info has no %q: %s", want, got)
}

// engines runs a test once for each engine; one that the kernel does not give is
// skipped with the reason.
func engines(t *testing.T, test func(t *testing.T, engine string)) {
	for _, engine := range []string{"uring", "epoll", "gonet"} {
		t.Run(engine, func(t *testing.T) {
			if engine == "uring" {
				if err := uring.Probe(); err != nil {
					t.Skipf("io_uring is not to be had here: %v", err)
				}
			}
			test(t, engine)
		})
	}
}

// TestServesAndStops proves that each engine serves a long-poll from the socket
// to the message, outlives a hang-up signal, and on SIGTERM tells whom it holds,
// as it was asked to, lets nobody wait for nothing, and exits 0.
func TestServesAndStops(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		s := start(t, "--engine", engine)
		poll := make(chan string)
		go func() {
			resp, err := http.Get("http://" + s.front + "/sub?cname=news&seq=1")
			if err != nil {
				poll <- err.Error()
				return
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(resp.Body)
			poll <- string(body)
		}()
		s.waitForInfo(`"subscribers": 1}`)
		if got, want := s.get("http://"+s.admin+"/push?cname=news&content=hi"), "{\"type\":\"ok\"}\n"; got != want {
			t.Errorf("push: got %q, want %q", got, want)
		}
		want := `{"type":"data","cname":"news","seq":1,"content":"hi"}` + "\n"
		if got := <-poll; got != want {
			t.Errorf("poll: got %q, want %q", got, want)
		}

		s.signal(syscall.SIGHUP)
		s.waitFor("msg=reloaded")
		held, err := net.Dial("tcp", s.front)
		if err != nil {
			t.Fatal(err)
		}
		defer held.Close()
		fmt.Fprintf(held, "GET /sub?cname=other&seq=1 HTTP/1.1\r\nHost: h\r\n\r\n")
		s.waitForInfo(`"channels": 2, "subscribers": 1}`)

		s.stopHolding(held, `"type":"noop","cname":"other"`)
		s.waitFor("msg=drained connections=")
	})
}

// stopHolding stops the server, which holds a poll, and wants the poll to read
// want, or nothing if that is empty, and then the end.
func (s *server) stopHolding(held net.Conn, want string) {
	s.t.Helper()
	s.signal(syscall.SIGTERM)
	held.SetReadDeadline(time.Now().Add(patience))
	got, err := io.ReadAll(held)
	if os.IsTimeout(err) || !strings.Contains(string(got), want) || want == "" && len(got) > 0 {
		s.t.Errorf("a held poll read %q and %v at the stop, want %q and its end", got, err, want)
	}
	if code := s.exit(); code != exitClean {
		s.t.Errorf("exit code %d after SIGTERM, want %d", code, exitClean)
	}
}

// TestDrainChoices proves that a stop can tell clients that their channel is
// closed, that it can tell them nothing, and that it does not wait for a request that is
// never whole longer than it may.
func TestDrainChoices(t *testing.T) {
	for _, x := range []struct {
		args []string
		want string
	}{
		{[]string{"--drain=close"}, `"type":"close","cname":"c"`},
		{[]string{"--drain-timeout=0"}, ""},
	} {
		t.Run(x.args[0], func(t *testing.T) {
			s := start(t, x.args...)
			held, err := net.Dial("tcp", s.front)
			if err != nil {
				t.Fatal(err)
			}
			defer held.Close()
			fmt.Fprintf(held, "GET /sub?cname=c&seq=1 HTTP/1.1\r\nHost: h\r\n\r\n")
			s.waitForInfo(`"subscribers": 1}`)
			s.stopHolding(held, x.want)
		})
	}
	t.Run("timeout", func(t *testing.T) {
		s := start(t, "--drain-timeout=1s")
		begun, err := net.Dial("tcp", s.front)
		if err != nil {
			t.Fatal(err)
		}
		defer begun.Close()
		fmt.Fprintf(begun, "GET /sub?cname=c&seq=1 HTTP/1.1\r\n") // and no more
		fmt.Fprintf(begun, "Host: h\r\n")
		s.waitForInfo(`"subscribers": 0}`)
		s.stopHolding(begun, "")
	})
}

// TestFacts proves that /facts says what runs: the engine, the counters, the Go
// runtime's memory, the settings in force and the process.
func TestFacts(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		s := start(t, "--engine", engine, "--polling-timeout", "1h", "--loops", "1")
		var facts struct {
			Engine string              `json:"engine"`
			Loops  int                 `json:"loops"`
			Most   int                 `json:"max_connections"`
			Stats  map[string]uint64   `json:"stats"`
			Go     map[string]float64  `json:"go"`
			Build  map[string]any      `json:"build"`
			Config map[string]string   `json:"config"`
			Doors  map[string][]string `json:"doors"`
			PID    int                 `json:"pid"`
		}
		if err := json.Unmarshal([]byte(s.get("http://"+s.debug+"/facts")), &facts); err != nil {
			t.Fatal(err)
		}
		if facts.Engine != engine || facts.Loops != 1 || facts.Most != 500 || facts.PID != s.cmd.Process.Pid {
			t.Errorf("engine %q with %d loops, %d connections, process %d", facts.Engine, facts.Loops, facts.Most, facts.PID)
		}
		if len(facts.Stats) == 0 {
			t.Error("no counters")
		}
		for _, name := range []string{"heap_bytes", "heap_sys_bytes", "stacks_bytes", "total_bytes", "goroutines"} {
			if facts.Go[name] <= 0 {
				t.Errorf("go.%s is %v", name, facts.Go[name])
			}
		}
		for name, want := range map[string]string{"polling-timeout": "1h0m0s", "channels": "1000", "engine": engine, "channel-buffer-size": "10"} {
			if facts.Config[name] != want {
				t.Errorf("config.%s is %q, want %q", name, facts.Config[name], want)
			}
		}
		if facts.Config["seed"] == "0" {
			t.Error("no seed was drawn")
		}
		if facts.Build["go"] == "" || facts.Build["version"] == "" {
			t.Errorf("build: %v", facts.Build)
		}
		for door, addr := range map[string]string{"front": s.front, "admin": s.admin, "debug": s.debug} {
			if len(facts.Doors[door]) != 1 || facts.Doors[door][0] != addr {
				t.Errorf("doors.%s is %v, want %s", door, facts.Doors[door], addr)
			}
		}
	})
}

// TestProfiles proves that profiles are to be had while each engine runs: the
// CPU profiler's signals must not disturb its loops.
func TestProfiles(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		s := start(t, "--engine", engine)
		if body := s.get("http://" + s.debug + "/debug/pprof/"); !strings.Contains(body, "goroutine") {
			t.Errorf("the index of profiles lists no goroutines: %s", body)
		}
		for _, page := range []string{"/debug/pprof/profile?seconds=1", "/debug/pprof/heap", "/debug/fgprof?seconds=1"} {
			if body := s.get("http://" + s.debug + page); !strings.HasPrefix(body, "\x1f\x8b") {
				t.Errorf("%s is no compressed profile", page)
			}
		}
		if got := s.get("http://" + s.debug + "/healthz"); got != "ok\n" {
			t.Errorf("/healthz: %q", got)
		}
		s.waitForInfo(`"subscribers": 0}`) // and it serves still
		s.signal(syscall.SIGINT)
		if code := s.exit(); code != exitClean {
			t.Errorf("exit code %d after SIGINT, want %d", code, exitClean)
		}
	})
}

// TestStartLine proves that the start says what the kernel gave, and which
// settings are not the defaults, and no others.
func TestStartLine(t *testing.T) {
	s := start(t, "--engine", "epoll", "--channel-timeout", "5s")
	s.waitFor(`msg=serving version=\S+ pid=\d+ engine=epoll loops=\d+ rings=0 tables=\d+ .*descriptor_limit=\d+ max_connections=500`)
	s.waitFor(`msg="settings other than the defaults" from=flag .*channel-timeout=5s .*engine=epoll`)
	if strings.Contains(s.log.String(), "channel-buffer-size=") {
		t.Error("a setting at its default is listed")
	}
}

// TestRaisesSoftLimit proves that a low soft limit is raised to what is needed.
func TestRaisesSoftLimit(t *testing.T) {
	bin := built(t)
	cmd := exec.Command("sh", "-c", `ulimit -Sn 128 && exec "$0" "$@"`, bin, "--engine", "epoll", "--max-connections", "600",
		"--channels", "10", "--front", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--debug", "none")
	var log logBuffer
	cmd.Stderr = &log
	s := &server{t: t, cmd: cmd, ended: make(chan struct{})}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { cmd.Wait(); close(s.ended) }()
	defer func() { cmd.Process.Kill(); <-s.ended }()
	deadline := time.Now().Add(patience)
	for !strings.Contains(log.String(), "msg=serving") && time.Now().Before(deadline) {
		time.Sleep(5 * time.Millisecond)
	}
	m := regexp.MustCompile(`descriptor_limit=(\d+) .*debug=none`).FindStringSubmatch(log.String())
	if m == nil {
		t.Fatalf("the log:\n%s", log.String())
	}
	if limit, _ := strconv.Atoi(m[1]); limit < 600 {
		t.Errorf("the limit in force is %d, below the connections asked", limit)
	}
}

// TestLogReaderLeaves proves that the server outlives the reader of its log: a
// broken pipe must not end a process that holds connections.
func TestLogReaderLeaves(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "debug.sock")
	cmd := exec.Command(built(t), "--engine", "epoll", "--channels", "10", "--max-connections", "500",
		"--front", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--debug", "unix:"+socket)
	cmd.Stderr = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	w.Close()
	for line := bufio.NewScanner(r); line.Scan() && !strings.Contains(line.Text(), "settings other"); {
	}
	r.Close() // nothing else is written before a signal comes

	client := http.Client{Timeout: patience, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
		DisableKeepAlives: true,
	}}
	healthy := func() error {
		resp, err := client.Get("http://debug/healthz")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return errors.New(resp.Status)
		}
		return nil
	}
	for range 3 {
		cmd.Process.Signal(syscall.SIGHUP) // makes it log
		if err := healthy(); err != nil {
			t.Fatalf("the server is gone after it logged into a broken pipe: %v", err)
		}
	}
	cmd.Process.Signal(syscall.SIGTERM) // and twice more
	if err := cmd.Wait(); err != nil {
		t.Errorf("the stop after it logged into a broken pipe: %v", err)
	}
}
