package load

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"c1000k/experiments/floor"
)

// Roles of this test binary, re-executed as another process.
const (
	roleEnv    = "LOAD_TEST_ROLE" // "load" or "accept"
	optionsEnv = "LOAD_TEST_OPTIONS"
	limitEnv   = "LOAD_TEST_LIMIT" // descriptors, soft and hard
)

// startAccepting runs the floor's server, which accepts and never answers, and
// returns its ports.
func startAccepting(b *testing.B, o floor.ServeOptions) []int {
	b.Helper()
	options, err := json.Marshal(o)
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleEnv+"=accept", optionsEnv+"="+string(options))
	cmd.Stderr = os.Stderr
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { in.Close(); cmd.Wait() })
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		b.Fatal(err)
	}
	go io.Copy(io.Discard, out)
	var r floor.ServerReport
	if err := json.Unmarshal(line, &r); err != nil {
		b.Fatal(err)
	}
	return r.Ports
}

// Opening towards a server that accepts and reads nothing: the load's own cost.
func benchmarkOpen(b *testing.B, n int) {
	const first = 21000
	startAccepting(b, floor.ServeOptions{Host: "127.0.0.1", Port: first, Ports: 100, Connections: n})
	c := startLoad(b, Options{Host: "127.0.0.1", Port: first, Ports: 100, Connections: n, Subscribers: 1, Openers: DefaultOpeners}, 0)
	ctx := context.Background()
	for b.Loop() {
		r, err := c.Open(ctx, n, 0, nil)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(r.Rate, "conns/s")
		b.ReportMetric(r.CPU/float64(n)*1e6, "load-us/conn")
		b.ReportMetric(float64(r.Waits+r.Retries), "waits+retries")
		closed, err := c.CloseAll(ctx, nil)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(closed.CPU/float64(n)*1e6, "close-us/conn")
	}
}

func BenchmarkOpen15k(b *testing.B) { benchmarkOpen(b, 15_000) }
func BenchmarkOpen60k(b *testing.B) { benchmarkOpen(b, 60_000) }

// The load's receive and re-poll loop.
func BenchmarkCeiling(b *testing.B) {
	for b.Loop() {
		r, err := Ceiling(context.Background(), CeilingOptions{Duration: 3 * time.Second})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(r.Rate, "msgs/s")
		b.ReportMetric(r.CPU, "load-us/msg")
		b.ReportMetric(r.ResponderCPU, "responder-us/msg")
	}
}
