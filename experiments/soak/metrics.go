package soak

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"c1000k/experiments/process"
)

// metrics are the server's own figures, by name and labels as they stand in
// /metrics.
type metrics map[string]float64

// readMetrics reads them.
func readMetrics(ctx context.Context, server *process.Server) (metrics, error) {
	page, err := server.DebugPage(ctx, "/metrics")
	if err != nil {
		return nil, err
	}
	m := metrics{}
	for line := range strings.Lines(string(page)) {
		line = strings.TrimSpace(line)
		name, value, ok := cutLast(line, " ")
		if !ok || line[0] == '#' {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return nil, fmt.Errorf("/metrics: %q: %w", line, err)
		}
		m[name] = v
	}
	return m, nil
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// held names the figures that tell what a server holds, labels apart.
var held = []string{"comet_connections", "comet_subscribers", "comet_channels", "comet_memory_bytes"}

// holds lists the figures of what the server holds, in order.
func (m metrics) holds() []string {
	var names []string
	for name := range m {
		if bare, _, _ := strings.Cut(name, "{"); slices.Contains(held, bare) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// more lists what the server holds that it did not hold when it was empty.
func (m metrics) more(empty metrics) []string {
	var more []string
	for _, name := range m.holds() {
		if m[name] != empty[name] {
			more = append(more, fmt.Sprintf("%s is %.0f and was %.0f", name, m[name], empty[name]))
		}
	}
	return more
}

// cuts is how many connections the server ended for being too slow, or because it
// could not send to them.
func (m metrics) cuts() float64 {
	return m[`comet_drops_total{cause="stream_overrun"}`] + m[`comet_timeouts_total{kind="stall"}`] + m[`comet_drops_total{cause="send_error"}`]
}

// connections is how many are open, in whatever state.
func (m metrics) connections() (n float64) {
	for name, in := range m {
		if strings.HasPrefix(name, "comet_connections{") {
			n += in
		}
	}
	return n
}
