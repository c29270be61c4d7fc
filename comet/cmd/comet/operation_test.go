package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// eventually waits until a condition holds.
func (s *server) eventually(what string, holds func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("it never came to this: %s", what)
		}
	}
}

// status fetches a page of the admin door and returns the status alone.
func (s *server) status(path string, header http.Header) int {
	s.t.Helper()
	req, err := http.NewRequest("GET", "http://"+s.admin+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header = header
	// A connection of its own: an open one keeps what it was told at first.
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// rewrite puts another text into a file of settings.
func rewrite(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestSources proves on a running server that flag, environment and file are
// read, which of them counts, and that the start and /facts say so.
func TestSources(t *testing.T) {
	path := configFile(t, "channel-buffer-size = 3\nidle-timeout = \"9s\"\nstall-timeout = \"9s\"\nchannel-timeout = \"9s\"\n")
	t.Setenv("COMET_STALL_TIMEOUT", "8s")
	t.Setenv("COMET_CHANNEL_TIMEOUT", "8s")
	t.Setenv("COMET_CHANELS", "8")
	s := start(t, "--engine", "epoll", "--config", path, "--channel-timeout", "7s")
	s.waitFor(`msg="settings other than the defaults" from=flag .*channel-timeout=7s`)
	s.waitFor(`msg="settings other than the defaults" from=env stall-timeout=8s\n`)
	s.waitFor(`msg="settings other than the defaults" from=file channel-buffer-size=3 idle-timeout=9s\n`)
	s.waitFor(`level=WARN msg="a variable of the environment is no setting" variable=COMET_CHANELS nearest=COMET_CHANNELS`)
	var facts struct {
		Config map[string]string `json:"config"`
		From   map[string]string `json:"config_from"`
	}
	if err := json.Unmarshal([]byte(s.get("http://"+s.debug+"/facts")), &facts); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"channel-timeout": "7s flag", "stall-timeout": "8s env", "idle-timeout": "9s file", "header-timeout": "30s default",
	} {
		if got := facts.Config[name] + " " + facts.From[name]; got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	for i := range 5 {
		s.get(fmt.Sprintf("http://%s/push?cname=x&content=%d", s.admin, i))
	}
	if got := s.get("http://" + s.front + "/sub?cname=x&seq=1"); strings.Count(got, `"type":"data"`) != 3 {
		t.Errorf("the file's history of 3 messages: %s", got)
	}
}

// TestBadConfigEnds proves that a server with a bad file does not start, with
// the code for usage.
func TestBadConfigEnds(t *testing.T) {
	exit, stdout, stderr := runToEnd(t, "--config", configFile(t, "poling-timeout = \"9s\""))
	if exit != exitUsage || stdout != "" || !strings.Contains(stderr, `no setting "poling-timeout"; the nearest is "polling-timeout"`) {
		t.Errorf("exit code %d: %q %q", exit, stdout, stderr)
	}
}

// TestReload proves that a hang-up signal changes the log level, that it leaves
// what needs a restart and says so, and that a file with an error changes
// nothing and is named.
func TestReload(t *testing.T) {
	path := configFile(t, "channel-timeout = \"9s\"")
	s := start(t, "--engine", "epoll", "--config", path)

	rewrite(t, path, "channel-timeout = \"9s\"\nlog-level = \"frob\"")
	s.signal(syscall.SIGHUP)
	s.waitFor(`level=ERROR msg="reload: the settings in force stay.*frob.*comet.toml`)

	rewrite(t, path, "channel-timeout = \"5s\"\nlog-level = \"warn\"")
	s.signal(syscall.SIGHUP)
	s.waitFor(`level=WARN msg="reload: these settings change with a restart alone" channel-timeout=5s`)
	s.waitFor(`msg=reloaded log-level=warn`)
	s.eventually("/facts tells the settings in force", func() bool {
		facts := s.get("http://" + s.debug + "/facts")
		return strings.Contains(facts, `"log-level": "warn"`) && strings.Contains(facts, `"channel-timeout": "9s"`)
	})

	rewrite(t, path, "channel-timeout = \"9s\"\nlog-level = \"error\"")
	s.signal(syscall.SIGHUP) // says nothing: only warnings are logged
	rewritten := func() bool {
		return strings.Contains(s.get("http://"+s.debug+"/facts"), `"log-level": "error"`)
	}
	s.eventually("the level is error", rewritten)
	if n := strings.Count(s.log.String(), "msg=reloaded"); n != 1 {
		t.Errorf("a reload was logged %d times, want once, while the level let it", n)
	}
	s.waitForInfo(`"subscribers": 0}`) // and it serves still
	s.signal(syscall.SIGTERM)
	if code := s.exit(); code != exitClean || strings.Contains(s.log.String(), "msg=stopped") {
		t.Errorf("exit code %d; at the level error the stop is not logged", code)
	}
}

// TestAccess proves that address lists and the secret keep publishers out, that
// subscribers are not asked, and that a reload changes the lists for new connections.
func TestAccess(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		secret := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(secret, []byte("sesame\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		path := configFile(t, `admin-allow = ["10.0.0.0/8"]`)
		s := start(t, "--engine", engine, "--config", path, "--admin-secret-file", secret)
		known := http.Header{"Authorization": {"Bearer sesame"}}
		if got := s.status("/push?cname=a&content=b", known); got != http.StatusForbidden {
			t.Errorf("not on the list: %d", got)
		}
		if got := s.get("http://" + s.front + "/sub?cname=a"); !strings.Contains(got, "next_seq") {
			t.Errorf("a subscriber: %s", got)
		}
		rewrite(t, path, `admin-allow = ["10.0.0.0/8", "127.0.0.0/8"]`)
		s.signal(syscall.SIGHUP)
		s.waitFor("msg=reloaded admin-allow=10.0.0.0/8,127.0.0.0/8")
		if got := s.status("/push?cname=a&content=b", known); got != http.StatusOK {
			t.Errorf("on the list, with the secret: %d", got)
		}
		if got := s.status("/push?cname=a&content=b", http.Header{"Authorization": {"Bearer sesam"}}); got != http.StatusUnauthorized {
			t.Errorf("with another secret: %d", got)
		}
		rewrite(t, path, "admin-deny = [\"127.0.0.0/8\"]\ntrusted-proxies = [\"127.0.0.1\"]")
		s.signal(syscall.SIGHUP)
		s.waitFor("msg=reloaded .*trusted-proxies=127.0.0.1")
		known.Set("X-Forwarded-For", "192.0.2.7")
		if got := s.status("/push?cname=a&content=b", known); got != http.StatusOK {
			t.Errorf("by a trusted proxy for a client that is not denied: %d", got)
		}
		known.Set("X-Forwarded-For", "127.0.0.9")
		if got := s.status("/push?cname=a&content=b", known); got != http.StatusForbidden {
			t.Errorf("by a trusted proxy for a client that is denied: %d", got)
		}
	})
}

// TestReloadSecret proves that a hang-up signal puts another secret into force, on
// connections that are open too, that a file without one leaves the old one, and
// that a server without the file asks for none.
func TestReloadSecret(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	path := configFile(t, fmt.Sprintf("admin-secret-file = %q", secret))
	rewrite(t, secret, "sesame\n")
	s := start(t, "--engine", "epoll", "--config", path)
	expect := func(word string, want int) {
		t.Helper()
		if got := s.status("/push?cname=a&content=b", http.Header{"Authorization": {"Bearer " + word}}); got != want {
			t.Errorf("with %q: %d, want %d", word, got, want)
		}
	}
	open, err := net.Dial("tcp", s.admin)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	ask := func(word string) string {
		t.Helper()
		fmt.Fprintf(open, "GET /push?cname=a&content=b HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer %s\r\n\r\n", word)
		open.SetReadDeadline(time.Now().Add(patience))
		b := make([]byte, 1000)
		n, err := open.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
	expect("sesame", http.StatusOK)
	if got := ask("sesame"); !strings.Contains(got, " 200 ") {
		t.Errorf("on a connection that stays: %s", got)
	}

	rewrite(t, secret, "\n")
	s.signal(syscall.SIGHUP)
	s.waitFor(`level=ERROR msg="reload: the settings in force stay.*the file is empty`)
	expect("sesame", http.StatusOK)

	rewrite(t, secret, "abracadabra")
	s.signal(syscall.SIGHUP)
	s.waitFor(`msg=reloaded admin-secret=another`)
	expect("sesame", http.StatusUnauthorized)
	expect("abracadabra", http.StatusOK)
	if got := ask("sesame"); !strings.Contains(got, " 401 ") {
		t.Errorf("on a connection that was open before, with the old secret: %s", got)
	}
	if strings.Contains(s.log.String(), "abracadabra") {
		t.Error("the secret is in the log")
	}

	rewrite(t, path, "")
	s.signal(syscall.SIGHUP)
	s.waitFor(`msg=reloaded admin-secret-file="" admin-secret=another`)
	expect("", http.StatusOK)
}

// TestReloadTimeouts proves that a hang-up signal changes timeouts for what begins
// from then on: of requests, between them, of polls, and what /ping and /sign tell.
func TestReloadTimeouts(t *testing.T) {
	path := configFile(t, "polling-timeout = \"10m\"\nheader-timeout = \"10m\"\nidle-timeout = \"10m\"")
	s := start(t, "--engine", "epoll", "--config", path)
	rewrite(t, path, "polling-timeout = \"1s\"\nheader-timeout = \"200ms\"\nidle-timeout = \"300ms\"\nstall-timeout = \"7s\"")
	s.signal(syscall.SIGHUP)
	s.waitFor(`msg=reloaded polling-timeout=1s header-timeout=200ms idle-timeout=300ms stall-timeout=7s`)
	if got := s.get("http://" + s.front + "/ping"); !strings.Contains(got, `"sub_timeout":1}`) {
		t.Errorf("ping: %s", got)
	}
	if got := s.get("http://" + s.admin + "/sign?cname=b"); !strings.Contains(got, `"sub_timeout":1}`) {
		t.Errorf("sign: %s", got)
	}
	// By the old timeouts none of these would end before the test is given up.
	if got := s.get("http://" + s.front + "/sub?cname=a&seq=1"); !strings.Contains(got, `"noop"`) {
		t.Errorf("a poll: %s", got)
	}
	for _, bytes := range []string{"GET /sub", "GET /ping HTTP/1.1\r\nHost: h\r\n\r\n"} {
		c, err := net.Dial("tcp", s.front)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprint(c, bytes)
		c.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.ReadAll(c); err != nil {
			t.Errorf("after %q the server does not end the connection: %v", bytes, err)
		}
	}
	s.waitForMetric(`comet_timeouts_total{kind="header"} 1`)
	s.waitForMetric(`comet_timeouts_total{kind="idle"}`)
}

// TestReloadLimits proves that a hang-up signal changes limits for what comes
// from then on, up and down.
func TestReloadLimits(t *testing.T) {
	path := configFile(t, "max-content-bytes = 4\nmax-subscribers-per-channel = 1")
	s := start(t, "--engine", "epoll", "--config", path)
	push := func(content string) int { return s.status("/push?cname=a&content="+content, nil) }
	hold := func() string {
		t.Helper()
		c, err := net.Dial("tcp", s.front)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		fmt.Fprintf(c, "GET /stream?cname=held&seq=1 HTTP/1.1\r\nHost: h\r\n\r\n")
		c.SetReadDeadline(time.Now().Add(patience))
		b := make([]byte, 1000)
		n, err := c.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
	two := func() int {
		t.Helper()
		r, err := http.Get("http://" + s.front + "/sub?cname=x&cname=y")
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		return r.StatusCode
	}
	hold()
	s.waitForInfo(`"subscribers": 1}`)
	if status := two(); status != http.StatusOK {
		t.Errorf("a subscription of two channels: %d", status)
	}
	if got := hold(); !strings.Contains(got, `"429"`) {
		t.Errorf("a second subscriber of one: %s", got)
	}
	if short, long := push("1234"), push("12345"); short != http.StatusOK || long != http.StatusRequestEntityTooLarge {
		t.Errorf("of at most 4 bytes: 4 %d, 5 %d", short, long)
	}
	rewrite(t, path, "max-content-bytes = 3\nmax-subscribers-per-channel = 2\nmax-channels-per-subscription = 1\ndrain = \"close\"")
	s.signal(syscall.SIGHUP)
	s.waitFor(`msg=reloaded max-subscribers-per-channel=2 max-channels-per-subscription=1 max-content-bytes=3 drain=close`)
	if status := two(); status != http.StatusBadRequest {
		t.Errorf("a subscription of two channels where one is the most: %d", status)
	}
	if short, long := push("123"), push("1234"); short != http.StatusOK || long != http.StatusRequestEntityTooLarge {
		t.Errorf("of at most 3 bytes: 3 %d, 4 %d", short, long)
	}
	if got := hold(); strings.Contains(got, `"429"`) {
		t.Errorf("a second subscriber of two: %s", got)
	}
	s.waitForInfo(`"subscribers": 2}`)
	if got := hold(); !strings.Contains(got, `"429"`) {
		t.Errorf("a third subscriber of two: %s", got)
	}
}

// TestAuth proves that --auth=token keeps out who does not show the token that
// /sign gave, and that tokens differ from process to process.
func TestAuth(t *testing.T) {
	tokens := map[string]bool{}
	for range 2 {
		s := start(t, "--engine", "epoll", "--auth", "token")
		var signed struct{ Token string }
		if err := json.Unmarshal([]byte(s.get("http://"+s.admin+"/sign?cname=a")), &signed); err != nil {
			t.Fatal(err)
		}
		tokens[signed.Token] = true
		if got := s.get("http://" + s.front + "/sub?cname=a&token=" + signed.Token); !strings.Contains(got, "next_seq") {
			t.Errorf("with the token: %s", got)
		}
		if got := s.get("http://" + s.front + "/sub?cname=a&token=x"); !strings.Contains(got, `"401"`) {
			t.Errorf("without it: %s", got)
		}
	}
	if len(tokens) != 2 {
		t.Errorf("two processes gave the same token: %v", tokens)
	}
}

// TestJSONLog proves that each line of a log in JSON is an object with the level
// and the message.
func TestJSONLog(t *testing.T) {
	// The debug door's warning is logged, then the front door cannot be opened.
	exit, _, stderr := runToEnd(t, "--log-format", "json", "--engine", "epoll", "--channels", "10",
		"--debug", "0.0.0.0:0", "--front", "192.0.2.1:0", "--admin", "127.0.0.1:0")
	lines := 0
	for line := range strings.Lines(stderr) {
		if strings.HasPrefix(line, "comet: ") {
			continue // the last word of a program that cannot start
		}
		var entry struct{ Level, Msg, Time string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil || entry.Level == "" || entry.Msg == "" || entry.Time == "" {
			t.Errorf("%v in %s", err, line)
		}
		lines++
	}
	if exit == exitClean || lines == 0 {
		t.Errorf("exit code %d, %d lines: %s", exit, lines, stderr)
	}
}

// TestNotify proves that a service manager is told when the server serves and
// when it is to stop.
func TestNotify(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify.sock")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	s := start(t, "--engine", "epoll")
	hear := func(want string) {
		t.Helper()
		manager.SetReadDeadline(time.Now().Add(patience))
		b := make([]byte, 100)
		if n, err := manager.Read(b); err != nil || string(b[:n]) != want {
			t.Errorf("the manager heard %q, %v, want %q", b[:n], err, want)
		}
	}
	hear("READY=1")
	s.signal(syscall.SIGTERM)
	hear("STOPPING=1")
	if code := s.exit(); code != exitClean {
		t.Errorf("exit code %d", code)
	}
}

// TestDebugLogIsQuiet proves that nothing is logged for a connection or a
// message even at the level of debug, so that logs cost no throughput.
func TestDebugLogIsQuiet(t *testing.T) {
	s := start(t, "--engine", "epoll", "--log-level", "debug")
	s.waitFor(`"settings other than the defaults"`) // the last of what a start says
	exchanges := func() {
		s.get("http://" + s.front + "/sub?cname=x")
		s.get("http://" + s.admin + "/push?cname=x&content=y")
		s.get("http://" + s.front + "/sub?cname=x&seq=1")
		s.status("/nope", nil)
	}
	exchanges()
	before := s.log.String()
	for range 20 {
		exchanges()
	}
	if after := s.log.String(); after != before {
		t.Errorf("logged for connections and messages: %s", strings.TrimPrefix(after, before))
	}
}
