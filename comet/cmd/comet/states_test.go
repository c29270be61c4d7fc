package main

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestConnectionStates proves, by real connections in each state, that /metrics
// tells how many there are in it, and none when they have left.
func TestConnectionStates(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		const large = 4 << 20 // more than the buffers of both ends take, where one of them is small
		s := start(t, "--engine", engine, "--loops", "2", "--max-content-bytes", fmt.Sprint(large))
		resp, err := http.PostForm("http://"+s.admin+"/push", url.Values{"cname": {"large"}, "content": {strings.Repeat("x", large)}})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatal(resp.Status)
		}
		http.DefaultClient.CloseIdleConnections()
		s.waitForMetric(`comet_connections{state="idle"} 0`)

		var conns []net.Conn
		dial := func(door, bytes string) net.Conn {
			c, err := net.Dial("tcp", door)
			if err != nil {
				t.Fatal(err)
			}
			conns = append(conns, c)
			c.(*net.TCPConn).SetReadBuffer(4 << 10)
			if _, err := c.Write([]byte(bytes)); err != nil {
				t.Fatal(err)
			}
			return c
		}
		ask := func(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n" }
		for _, bytes := range []string{"", "GET /sub", "GET /sub?cname=a HTTP/1.1\r\nHost"} {
			dial(s.front, bytes)
		}
		for range 2 {
			dial(s.front, ask("/ping"))
		}
		for range 4 {
			dial(s.front, ask("/sub?cname=a&seq=1"))
		}
		for _, path := range []string{"/stream", "/iframe", "/sse", "/stream", "/sse"} {
			dial(s.front, ask(path+"?cname=a&seq=1"))
		}
		dial(s.admin, ask("/psub"))
		dial(s.front, ask("/sub?cname=large&seq=1"))
		for _, want := range []string{"reading\"} 3", "idle\"} 2", "poll\"} 4", "stream\"} 5", "watcher\"} 1", "writing\"} 1", "closing\"} 0"} {
			s.waitForMetric(`comet_connections{state="` + want)
		}
		// A poll that is answered waits for the next, in which a request may begin.
		s.get("http://" + s.admin + "/push?cname=a&content=x")
		http.DefaultClient.CloseIdleConnections()
		s.waitForMetric(`comet_connections{state="idle"} 6`)
		s.waitForMetric(`comet_connections{state="poll"} 0`)
		conns[3].Write([]byte("GET /"))
		s.waitForMetric(`comet_connections{state="reading"} 4`)
		s.waitForMetric(`comet_connections{state="idle"} 5`)
		for _, c := range conns {
			c.Close()
		}
		for _, state := range []string{"reading", "idle", "poll", "stream", "watcher", "writing", "closing"} {
			s.waitForMetric(`comet_connections{state="` + state + `"} 0`)
		}
	})
}
