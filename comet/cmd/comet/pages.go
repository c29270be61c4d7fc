package main

import (
	"encoding/json"
	"mime"
	"net/http"
	"net/http/pprof"
	"os"
	"path"

	"github.com/felixge/fgprof"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"c1000k/comet"
)

// maxScrapes bounds the scrapes of /metrics at once; one more is answered with 503.
const maxScrapes = 4

// served is what the debug door tells about. It never changes.
type served struct {
	engine  comet.Engine
	service *comet.Service
	why     string // why this engine was chosen, where it was not asked for
	options *options
	doors   map[string][]string
}

func (d *debugDoor) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.Handle("/debug/fgprof", fgprof.Handler())
	mux.HandleFunc("GET /healthz", healthz)
	mux.HandleFunc("GET /readyz", d.readyz)
	mux.HandleFunc("GET /facts", d.facts)
	mux.Handle("GET /metrics", promhttp.HandlerFor(d.registry, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes}))
	dashboardRoutes(mux)
	if d.demo {
		d.demoRoutes(mux)
	}
	return mux
}

// writeFile answers with a file of the program's own, which a browser treats as what
// its name says and asks for again, and whose page may do what the policy says.
func writeFile(w http.ResponseWriter, name string, body []byte, policy string) {
	h := w.Header()
	h.Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-cache")
	h.Set("Content-Security-Policy", policy)
	w.Write(body)
}

// newRegistry has what there is to tell before the engine has started.
func newRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// serve begins to tell about a server: its engine accepts.
func (d *debugDoor) serve(s *served) {
	d.served.Store(s)
	if d.registry != nil {
		d.registry.MustRegister(newCollector(s))
	}
}

// tell has /facts tell other options.
func (d *debugDoor) tell(o *options) {
	s := *d.served.Load()
	s.options = o
	d.served.Store(&s)
}

// drain has /readyz refuse: the server is about to stop.
func (d *debugDoor) drain() { d.draining.Store(true) }

// healthz answers 200 while the process lives. It says nothing of the engine: a
// slow start is no reason to be killed.
func healthz(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("ok\n")) }

// readyz answers 200 from when the engine accepts until the server is to stop,
// 503 before and after.
func (d *debugDoor) readyz(w http.ResponseWriter, _ *http.Request) {
	switch {
	case d.served.Load() == nil:
		http.Error(w, "starting", http.StatusServiceUnavailable)
	case d.draining.Load():
		http.Error(w, "stopping", http.StatusServiceUnavailable)
	default:
		w.Write([]byte("ok\n"))
	}
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
		Stats  map[string]uint64   `json:"stats"` // the engine's
		Go     goFacts             `json:"go"`
		Build  build               `json:"build"`
		Config map[string]string   `json:"config"` // every flag by its name, as in force
		From   map[string]string   `json:"config_from"`
		Doors  map[string][]string `json:"doors"`
		PID    int                 `json:"pid"`
	}{
		Facts:  s.engine.Facts(),
		Stats:  map[string]uint64{},
		Go:     readGo(),
		Build:  readBuild(),
		Config: map[string]string{},
		From:   map[string]string{},
		Doors:  s.doors,
		PID:    os.Getpid(),
	}
	if f.Why == "" {
		f.Why = s.why
	}
	for _, stat := range s.engine.Stats() {
		f.Stats[stat.Name] = stat.Value
	}
	for i, setting := range s.options.inForce {
		f.Config[setting.Name] = setting.Value
		f.From[setting.Name] = s.options.given[i].From
	}
	w.Header().Set("Content-Type", "application/json")
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", " ")
	encoder.Encode(f) // an error here is a client that left
}
