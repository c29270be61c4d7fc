package main

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"c1000k/comet/doors"
)

// The demo is a chat in the browser, at the debug door's /demo/. It publishes
// for whoever reaches it, so it is off unless asked for, kept to loopback, and
// deaf to pages of other sites; and it publishes to its own channels alone.

//go:embed web
var web embed.FS

const (
	// demoChannel begins the name of every channel of the demo.
	demoChannel = "chat-"
	// maxDemoForm bounds what a page may send, in bytes.
	maxDemoForm = 8 << 10
	// maxRoom, maxName and maxText bound the parts of a message, in bytes.
	maxRoom, maxName, maxText = 64, 160, 4096
	// maxDemoFronts is how many addresses of the front door a page is told: a
	// page needs one, and what its policy lists grows with them.
	maxDemoFronts = 8
	// demoPushTimeout is how long the admin door has to answer.
	demoPushTimeout = 10 * time.Second
)

// checkDemo refuses a demo that others could reach. Its doors were parsed.
func (o *options) checkDemo() error {
	if !o.Demo {
		return nil
	}
	if o.Debug == noDoor {
		return errors.New("--demo: it is served by the debug door, and --debug=none leaves that out")
	}
	endpoints, err := doors.Parse(o.Debug)
	if err != nil {
		return err
	}
	for _, e := range endpoints {
		if e.Path == "" && !e.Addr.Addr().IsLoopback() {
			return fmt.Errorf("--demo: the debug door's %s is open beyond loopback, and who reaches the demo publishes; give --debug a loopback address", e)
		}
	}
	return nil
}

// demoRoutes adds the demo to the debug door.
func (d *debugDoor) demoRoutes(mux *http.ServeMux) {
	own := http.NewServeMux()
	own.HandleFunc("GET /demo/{$}", d.demoFile)
	own.HandleFunc("GET /demo/{file}", d.demoFile)
	own.HandleFunc("GET /demo/where", d.demoWhere)
	own.HandleFunc("POST /demo/push", d.demoPush)
	mux.Handle("/demo/", onlyLoopbackNames(http.NewCrossOriginProtection().Handler(own)))
}

// onlyLoopbackNames turns away requests to another host's name: a site whose
// name was made to point at this machine (DNS rebinding) would pass for our own
// page.
func onlyLoopbackNames(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
		if host != "localhost" && (err != nil || !addr.IsLoopback()) {
			http.Error(w, "the demo answers to localhost alone", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// demoFile serves the page and its scripts. The page may run no script but
// those, and connect to nothing but the demo and the front door.
func (d *debugDoor) demoFile(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	if name == "" {
		name = "chat.html"
	}
	body, err := web.ReadFile("web/" + name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	writeFile(w, name, body, "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; connect-src 'self' "+
		strings.Join(d.demoFronts(), " "))
}

// demoFronts are addresses of the front door for a page.
func (d *debugDoor) demoFronts() []string {
	s := d.served.Load()
	if s == nil {
		return nil
	}
	var urls []string
	for _, a := range s.doors["front"] {
		addr, err := netip.ParseAddrPort(a)
		if err != nil {
			continue // a unix socket, which no browser reaches
		}
		if addr.Addr().IsUnspecified() {
			loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
			if addr.Addr().Is6() {
				loopback = netip.IPv6Loopback()
			}
			addr = netip.AddrPortFrom(loopback, addr.Port())
		}
		if urls = append(urls, "http://"+addr.String()); len(urls) == maxDemoFronts {
			break
		}
	}
	return urls
}

// demoWhere tells a page where to subscribe.
func (d *debugDoor) demoWhere(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{"front": d.demoFronts(), "channel": demoChannel + r.FormValue("room")})
}

// demoPush publishes a page's message by the admin door, as any publisher does.
func (d *debugDoor) demoPush(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxDemoForm)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "this is no form, or too long a one", http.StatusBadRequest)
		return
	}
	room, name, text := r.PostForm.Get("room"), r.PostForm.Get("name"), r.PostForm.Get("text")
	if room == "" || text == "" || len(room) > maxRoom || len(name) > maxName || len(text) > maxText {
		http.Error(w, fmt.Sprintf("a message needs a room of at most %d bytes, a name of at most %d and a text of at most %d", maxRoom, maxName, maxText), http.StatusBadRequest)
		return
	}
	content, err := json.Marshal(map[string]string{"name": name, "text": text})
	if err == nil {
		err = d.push(r.Context(), demoChannel+room, content)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// push publishes by the admin door.
func (d *debugDoor) push(ctx context.Context, channel string, content []byte) error {
	s := d.served.Load()
	if s == nil {
		return errors.New("the server is starting")
	}
	ctx, cancel := context.WithTimeout(ctx, demoPushTimeout)
	defer cancel()
	form := url.Values{"cname": {channel}, "content": {string(content)}}
	// The host is a name for the header: adminDial says where it goes.
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://admin/push", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if secret := s.options.secret; len(secret) > 0 {
		r.Header.Set("Authorization", "Bearer "+string(secret))
	}
	client := http.Client{Transport: &http.Transport{DialContext: adminDial(s.doors["admin"]), DisableKeepAlives: true}}
	resp, err := client.Do(r)
	if err != nil {
		return fmt.Errorf("the admin door cannot be reached: %w", err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxDemoForm))
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the admin door refused: %s %s", resp.Status, bytes.TrimSpace(body))
	}
	return nil
}

// adminDial connects to the first of the admin door's addresses.
func adminDial(addrs []string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		endpoints, err := doors.Parse(addrs[0])
		if err != nil {
			return nil, err
		}
		network, address := "tcp", endpoints[0].Addr.String()
		if endpoints[0].Path != "" {
			network, address = "unix", endpoints[0].Path
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
}
