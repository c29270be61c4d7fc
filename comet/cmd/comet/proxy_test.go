package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"c1000k/experiments/proxy"
)

// proxyConfig is the configuration that users are given.
const proxyConfig = "../../../scripts/nginx.conf"

// behind is a client of a server behind nginx, by TLS.
type behind struct {
	t      *testing.T
	s      *server
	client http.Client
	major  int     // of the version of HTTP
	inside *cutter // between nginx and the server
}

// newBehind starts nginx before a server.
func newBehind(t *testing.T, s *server, major int) *behind {
	t.Helper()
	if _, err := proxy.Find(); err != nil {
		t.Skip(err)
	}
	inside := newCutter(t, s.front)
	n, err := proxy.Start(t.TempDir(), proxyConfig, true, []string{inside.addr()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Stop(); err != nil {
			t.Error(err)
		}
	})
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: n.Trust},
		ForceAttemptHTTP2: major == 2,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, n.Addr)
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &behind{t: t, s: s, client: http.Client{Transport: transport}, major: major, inside: inside}
}

// ask sends a request; leave ends it, as a client that leaves does.
func (b *behind) ask(target string) (resp *http.Response, leave func()) {
	b.t.Helper()
	ctx, leave := context.WithTimeout(context.Background(), patience)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://localhost"+target, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	resp, err = b.client.Do(r)
	if err != nil {
		b.t.Fatalf("%s: %v", target, err)
	}
	if resp.ProtoMajor != b.major {
		b.t.Errorf("%s: %s, want HTTP/%d", target, resp.Proto, b.major)
	}
	return resp, leave
}

func (b *behind) push(text string) {
	b.t.Helper()
	b.s.get("http://" + b.s.admin + "/push?cname=news&content=" + text)
}

// TestBehindProxy proves that the recommended nginx carries long-polls, streams
// and server-sent events, each message at once, that the server notices a client
// that leaves, and that nginx lets nobody publish.
func TestBehindProxy(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		for major := 1; major <= 2; major++ {
			t.Run(fmt.Sprint("http", major), func(t *testing.T) {
				s := start(t, "--engine", engine)
				b := newBehind(t, s, major)
				b.testPolls()
				for _, path := range []string{"/stream", "/sse", "/iframe"} {
					b.testStream(path)
				}
				resp, leave := b.ask("/push?cname=news&content=x")
				defer leave()
				resp.Body.Close()
				if resp.StatusCode != http.StatusNotFound {
					t.Errorf("/push by the proxy: %s", resp.Status)
				}
			})
		}
	})
}

// TestRestartBehindProxy proves that nginx goes to a restarted server at once,
// though it saw each of its ports fail.
func TestRestartBehindProxy(t *testing.T) {
	if _, err := proxy.Find(); err != nil {
		t.Skip(err)
	}
	fronts := []string{lowPort(t), lowPort(t)}
	s := start(t, "--drain-timeout=0", "--front", strings.Join(fronts, ","), "--admin", lowPort(t), "--debug", lowPort(t))
	n, err := proxy.Start(t.TempDir(), proxyConfig, false, fronts)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Stop()
	status := func(path string) string {
		client := http.Client{Timeout: patience}
		defer client.CloseIdleConnections()
		resp, err := client.Get("http://" + n.Addr + path)
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close()
		return resp.Status
	}
	held := make(chan string, 4)
	for range cap(held) { // for both workers, on both ports
		go func() { held <- status("/sub?cname=c&seq=1") }()
	}
	s.waitForInfo(`"subscribers": 4}`)
	s.signal(syscall.SIGTERM)
	s.exit()
	for range cap(held) {
		if got := <-held; got != "502 Bad Gateway" {
			t.Errorf("a poll held at the stop: %s, want 502", got)
		}
	}
	start(t, "--front", s.front, "--admin", s.admin, "--debug", s.debug)
	for i := range 8 {
		if got := status("/sub?cname=c"); got != "200 OK" {
			t.Errorf("poll %d after the restart: %s, want 200", i, got)
		}
	}
}

// testPolls polls a few times, each time held until there is a message.
func (b *behind) testPolls() {
	b.t.Helper()
	for n := 1; n <= 3; n++ {
		got := make(chan string, 1)
		go func() {
			resp, err := b.client.Get(fmt.Sprintf("https://localhost/sub?cname=news&seq=%d", n))
			if err != nil {
				got <- err.Error()
				return
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(resp.Body)
			got <- string(body)
		}()
		b.s.waitForInfo(`"subscribers": 1}`)
		b.push(fmt.Sprint("p", n))
		if want, text := fmt.Sprintf(`{"type":"data","cname":"news","seq":%d,"content":"p%d"}`+"\n", n, n), <-got; text != want {
			b.t.Errorf("poll %d: got %q, want %q", n, text, want)
		}
	}
	if n := b.inside.carried(); n != 1 {
		b.t.Errorf("nginx opened %d connections to the server for polls one after the other, want 1", n)
	}
}

// testStream reads each message before the next is published: a proxy that
// gathered them would be waited for in vain. Then it leaves.
func (b *behind) testStream(path string) {
	b.t.Helper()
	resp, leave := b.ask(path + "?cname=news")
	defer leave()
	lines := bufio.NewScanner(resp.Body)
	next := func(part string) {
		b.t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), part) {
				return
			}
		}
		b.t.Fatalf("%s ended (%v) before it had %q", path, lines.Err(), part)
	}
	next(`"type":"next_seq"`)
	for n := range 3 {
		text := fmt.Sprint(strings.TrimPrefix(path, "/"), n)
		b.push(text)
		next(`"content":"` + text + `"`)
	}
	b.s.waitForInfo(`"subscribers": 1}`)
	leave()
	b.s.waitForInfo(`"subscribers": 0}`)
}
