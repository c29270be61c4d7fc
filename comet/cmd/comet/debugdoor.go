package main

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/felixge/fgprof"

	"c1000k/comet"
	"c1000k/comet/doors"
)

// debugHeaderTimeout ends a debug connection that sends no request.
const debugHeaderTimeout = 10 * time.Second

// debugDoor is the third door: plain net/http, on the Go runtime's threads and
// not on the engine's. Its methods may be called from any goroutine.
type debugDoor struct {
	server http.Server
	demo   bool                   // serve /demo/ too
	addrs  []string               // listened on, with the ports that the kernel chose
	served atomic.Pointer[served] // nil until the engine has started
	failed chan error             // receives the errors that end a listener
}

// served is what the debug door tells about.
type served struct {
	engine comet.Engine
	why    string // why this engine was chosen, where it was not asked for
	config map[string]string
	doors  map[string][]string
}

// openDebugDoor listens and answers at once. It comes first at start: it makes
// the Go runtime open its poller, which must be there before an engine gives a
// thread a descriptor table of its own.
func openDebugDoor(spec string, demo bool, log *slog.Logger) (*debugDoor, error) {
	d := &debugDoor{demo: demo}
	if spec == noDoor {
		return d, nil
	}
	d.server = http.Server{
		Handler:           d.routes(),
		ReadHeaderTimeout: debugHeaderTimeout,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	endpoints, err := doors.Parse(spec)
	if err != nil {
		return nil, err
	}
	d.failed = make(chan error, len(endpoints))
	for _, e := range endpoints {
		l, err := listenHTTP(e)
		if err != nil {
			d.close()
			return nil, err
		}
		d.addrs = append(d.addrs, l.Addr().String())
		if tcp, ok := l.Addr().(*net.TCPAddr); ok && !tcp.IP.IsLoopback() {
			log.Warn("the debug door is open beyond loopback: whoever reaches it reads profiles of this process", "debug", l.Addr().String())
		}
		go func() {
			if err := d.server.Serve(l); err != http.ErrServerClosed {
				d.failed <- err
			}
		}()
	}
	return d, nil
}

// listenHTTP listens for net/http, on the Go runtime's poller.
func listenHTTP(e doors.Endpoint) (net.Listener, error) {
	network, address := "tcp", e.Addr.String()
	if e.Path != "" {
		network, address = "unix", e.Path
	}
	l, err := net.Listen(network, address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, refuse("--debug: %w; see `ss -tanp`, and stop that server or choose another address (or --debug=%s)", err, noDoor)
	}
	if err != nil {
		return nil, refuse("--debug: %w", err)
	}
	return l, nil
}

func (d *debugDoor) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.Handle("/debug/fgprof", fgprof.Handler())
	mux.HandleFunc("GET /healthz", d.healthz)
	mux.HandleFunc("GET /facts", d.facts)
	if d.demo {
		d.demoRoutes(mux)
	}
	return mux
}

// healthz answers 200 from when the engine accepts, 503 before.
func (d *debugDoor) healthz(w http.ResponseWriter, _ *http.Request) {
	if d.served.Load() == nil {
		http.Error(w, "starting", http.StatusServiceUnavailable)
		return
	}
	w.Write([]byte("ok\n"))
}

// facts is what the experiments read: what the kernel gave, the counters, the
// Go runtime's own memory, the program and its settings.
func (d *debugDoor) facts(w http.ResponseWriter, _ *http.Request) {
	s := d.served.Load()
	if s == nil {
		http.Error(w, "starting", http.StatusServiceUnavailable)
		return
	}
	f := struct {
		comet.Facts
		Stats  map[string]uint64   `json:"stats"`
		Go     goFacts             `json:"go"`
		Build  build               `json:"build"`
		Config map[string]string   `json:"config"` // every flag by its name, as in force
		Doors  map[string][]string `json:"doors"`
		PID    int                 `json:"pid"`
	}{
		Facts:  s.engine.Facts(),
		Stats:  map[string]uint64{},
		Go:     readGo(),
		Build:  readBuild(),
		Config: s.config,
		Doors:  s.doors,
		PID:    os.Getpid(),
	}
	if f.Why == "" {
		f.Why = s.why
	}
	for _, stat := range s.engine.Stats() {
		f.Stats[stat.Name] = stat.Value
	}
	w.Header().Set("Content-Type", "application/json")
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", " ")
	encoder.Encode(f) // an error here is a client that left
}

// brief names the addresses on one line.
func (d *debugDoor) brief() string {
	if len(d.addrs) == 0 {
		return noDoor
	}
	return strings.Join(d.addrs, ",")
}

// close ends the door and what it still answers.
func (d *debugDoor) close() { d.server.Close() }
