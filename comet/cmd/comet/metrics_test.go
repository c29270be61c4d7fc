package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"c1000k/comet"
)

// counted is an engine that has counters and nothing else.
type counted struct{ comet.Engine }

func (counted) Stats() []comet.Stat { return []comet.Stat{{Name: "enters", Value: 42}} }
func (counted) Facts() comet.Facts {
	return comet.Facts{Engine: "none", Loops: 1, Rings: 3, MaxConns: 10}
}

// drive has a loop serve requests on connections of their own, without a kernel.
func drive(t *testing.T, service *comet.Service, requests ...string) {
	t.Helper()
	loop, err := service.NewLoop(len(requests))
	if err != nil {
		t.Fatal(err)
	}
	now := int64(1_700_000_000e9)
	for c, r := range requests {
		door := comet.DoorFront
		if strings.Contains(r, "/push") {
			door = comet.DoorAdmin
		}
		loop.Open(now, comet.Conn(c), door, comet.Peer{})
		loop.Data(now, comet.Conn(c), []byte("GET "+r+" HTTP/1.1\r\nHost: h\r\n\r\n"))
		for range 3 {
			loop.Turn(now, 0)
			for a := loop.Next(); a != nil; a = loop.Next() {
				switch a.Op {
				case comet.OpSend:
					n := 0
					for _, p := range a.Piece[:a.Pieces] {
						n += len(p)
					}
					loop.Sent(now, a.Conn, a.Token, n, 0)
				case comet.OpClose:
					loop.Closed(now, a.Conn)
				}
			}
		}
	}
}

// TestMetricsAgree proves that every counter of the service is told once, with
// the value that the service gives.
func TestMetricsAgree(t *testing.T) {
	config := parsed(t, "--channels", "2").serviceConfig()
	service, err := comet.NewService(config)
	if err != nil {
		t.Fatal(err)
	}
	drive(t, service, "/sub?cname=a&seq=1", "/sub?cname=b&seq=1", "/push?cname=a&content=x", "/sub?cname=c", "/frob", "/sub?cname=a&seq=1")
	registry := prometheus.NewRegistry()
	registry.MustRegister(newCollector(&served{engine: counted{}, service: service}))
	told := gather(t, registry)

	stats := map[string]uint64{}
	for _, s := range service.Stats() {
		stats[s.Name] = s.Value
	}
	for _, name := range []string{"subscribers", "published", "delivered", "replayed", "too_many_channels", "bad_requests", "sent_bytes", "channels"} {
		if stats[name] == 0 {
			t.Errorf("the test made no %s", name)
		}
	}
	for _, m := range serviceMetrics {
		series := m.name
		if m.label != "" {
			series = fmt.Sprintf("%s{%s=%q}", m.name, m.label, m.value)
		}
		want, known := stats[m.stat]
		if !known {
			t.Errorf("%s tells %s, which the service does not count", series, m.stat)
		}
		if got, ok := told[series]; !ok || got != float64(want) {
			t.Errorf("%s is %v, want %s = %d", series, got, m.stat, want)
		}
		delete(stats, m.stat)
	}
	for name := range stats {
		t.Errorf("the service counts %s, which no metric tells: add it to serviceMetrics", name)
	}
	for series, want := range map[string]float64{
		`comet_engine_events_total{event="enters"}`: 42,
		"comet_rings":             3,
		"comet_connections_limit": 10,
	} {
		if told[series] != want {
			t.Errorf("%s is %v, want %v", series, told[series], want)
		}
	}
	loop := service.LoopStats()[0]
	if turns := told[`comet_loop_turn_actions{loop="0"}`]; turns != float64(loop.Turns) || turns == 0 {
		t.Errorf("%v turns are told, want %d", turns, loop.Turns)
	}
}

// gather collects what a registry tells, by name and label; of a histogram the count.
func gather(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			series := f.GetName()
			for _, l := range m.Label {
				series = fmt.Sprintf("%s{%s=%q}", f.GetName(), l.GetName(), l.GetValue())
			}
			told[series] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return told
}

// TestMetrics proves that each engine's server is scraped, that every name is as
// Prometheus wants names, and that a scrape follows what the server did.
func TestMetrics(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		s := start(t, "--engine", engine, "--loops", "2")
		for range 3 {
			s.get("http://" + s.admin + "/push?cname=news&content=hi")
		}
		s.get("http://" + s.front + "/sub?cname=news&seq=1")
		resp, err := http.Get("http://" + s.front + "/sub?cname=news&seq=9")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		// A loop shows what it counted at the end of its turn.
		var text string
		for _, line := range []string{
			`comet_messages_published_total{kind="push"} 3`, `comet_deliveries_total{from="history"} 3`,
			"comet_channels 1", "comet_loops 2", "comet_connections_limit 500", "comet_channels_limit 1000",
			`comet_loop_turn_actions_count{loop="1"}`, `comet_memory_bytes{arena="channels"}`, "comet_build_info{", "go_goroutines", "process_resident_memory_bytes",
		} {
			text = s.waitForMetric(line)
		}
		problems, err := promlint.New(strings.NewReader(text)).Lint()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range problems {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	})
}

// waitForMetric scrapes until a line begins so, and returns the scrape.
func (s *server) waitForMetric(begin string) string {
	s.t.Helper()
	text := ""
	s.eventually("metric "+begin, func() bool {
		text = s.get("http://" + s.debug + "/metrics")
		return strings.Contains("\n"+text, "\n"+begin)
	})
	return text
}

// TestReady proves that the debug door is healthy and not ready before the
// engine accepts, ready then, and not ready from the signal to stop on.
func TestReady(t *testing.T) {
	door, err := openDebugDoor("127.0.0.1:0", false, newLogger(parsed(t), io.Discard).Logger)
	if err != nil {
		t.Fatal(err)
	}
	defer door.close()
	expect := func(page string, want int) {
		t.Helper()
		resp, err := http.Get("http://" + door.addrs[0] + page)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %s, want %d", page, resp.Status, want)
		}
	}
	expect("/healthz", http.StatusOK)
	expect("/readyz", http.StatusServiceUnavailable)
	expect("/facts", http.StatusServiceUnavailable)
	expect("/metrics", http.StatusOK)
	o := parsed(t)
	service, err := comet.NewService(parsed(t, "--channels", "10").serviceConfig())
	if err != nil {
		t.Fatal(err)
	}
	door.serve(&served{engine: counted{}, service: service, options: o})
	expect("/readyz", http.StatusOK)
	expect("/facts", http.StatusOK)
	door.drain()
	expect("/readyz", http.StatusServiceUnavailable)
	expect("/healthz", http.StatusOK)
	expect("/metrics", http.StatusOK)
}
