package main

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestDemoKeepsToItself proves that the demo is off unless asked for, refuses to
// be where others reach it, and publishes neither for pages of other sites nor to
// channels that are not its own.
func TestDemoKeepsToItself(t *testing.T) {
	for args, said := range map[string]string{
		"--debug none":                        "--debug=none leaves that out",
		"--debug 0.0.0.0:0":                   "0.0.0.0:0 is open beyond loopback",
		"--debug 127.0.0.1:8001,192.0.2.1:80": "192.0.2.1:80 is open beyond loopback",
	} {
		exit, _, stderr := runToEnd(t, append(strings.Fields(args), "--demo")...)
		if exit != exitUsage || !strings.Contains(stderr, said) {
			t.Errorf("%s --demo: exit code %d, %q; want %d and %q", args, exit, stderr, exitUsage, said)
		}
	}

	off, on := start(t), start(t, "--demo")
	for _, c := range []struct {
		name           string
		s              *server
		method, target string
		host, origin   string // headers, where not the usual
		body           string
		status         int
	}{
		{"off", off, "GET", "/demo/", "", "", "", http.StatusNotFound},
		{"push when off", off, "POST", "/demo/push", "", "", "room=r&text=x", http.StatusNotFound},
		{"page", on, "GET", "/demo/", "", "", "", http.StatusOK},
		{"client", on, "GET", "/demo/comet.js", "", "", "", http.StatusOK},
		{"another file", on, "GET", "/demo/..%2f..%2fdemo.go", "", "", "", http.StatusNotFound},
		{"by another name", on, "GET", "/demo/", "rebound.example", "", "", http.StatusForbidden},
		{"by localhost", on, "GET", "/demo/", "localhost:1", "", "", http.StatusOK},
		{"push", on, "POST", "/demo/push", "", "http://" + on.debug, "room=r&name=n&text=x", http.StatusNoContent},
		{"push of another site", on, "POST", "/demo/push", "", "http://other.example", "room=r&text=x", http.StatusForbidden},
		{"push by a link", on, "GET", "/demo/push?room=r&text=x", "", "", "", http.StatusNotFound},
		{"push of nothing", on, "POST", "/demo/push", "", "", "room=r", http.StatusBadRequest},
		{"push of too much", on, "POST", "/demo/push", "", "", "room=r&text=" + strings.Repeat("x", maxText+1), http.StatusBadRequest},
		{"push without end", on, "POST", "/demo/push", "", "", "room=r&text=" + strings.Repeat("x", maxDemoForm), http.StatusBadRequest},
	} {
		r, err := http.NewRequest(c.method, "http://"+c.s.debug+c.target, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = c.host
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != c.status {
			t.Errorf("%s: %s, %q, want %d", c.name, resp.Status, body, c.status)
		}
	}
	if got, want := on.get("http://"+on.admin+"/info"), `"channels": 1,`; !strings.Contains(got, want) {
		t.Errorf("after one good push: %s, want %s", got, want)
	}
	got := on.get("http://" + on.front + "/sub?cname=chat-r&seq=1")
	if want := `[{"type":"data","cname":"chat-r","seq":1,"content":"{\"name\":\"n\",\"text\":\"x\"}"}]` + "\n"; got != want {
		t.Errorf("the message is %q, want %q", got, want)
	}
}
