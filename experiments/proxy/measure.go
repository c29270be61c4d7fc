package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"c1000k/experiments/process"
	"c1000k/experiments/sample"
)

// Options are what a measurement is told.
type Options struct {
	// Server is the comet server's binary, Recommended the nginx configuration.
	Server, Recommended string
	// Engine is the server's.
	Engine string
	// Steps are the numbers of held connections at which memory is read.
	Steps []int
	// Repetitions is how often each path is measured, with fresh processes.
	Repetitions int
	// Log is where each reading is written, a JSON object a line.
	Log io.Writer
	// Progress is told what is done.
	Progress io.Writer
}

// Paths a client can take to the server.
const (
	Direct = "direct"
	Plain  = "plain" // by nginx, without TLS
	TLS    = "tls"   // by nginx, with TLS
)

// Paths and Modes are what is measured, each of one with each of the other.
var (
	Paths = []string{Direct, Plain, TLS}
	Modes = []string{"sub", "sse"}
)

// Header is the first line of the log: what was measured, and where.
type Header struct {
	Version     int                `json:"version"`
	Engine      string             `json:"engine"`
	Steps       []int              `json:"steps"`
	Repetitions int                `json:"repetitions"`
	Nginx       []string           `json:"nginx"` // what it says of itself, its TLS library too
	ServerHash  string             `json:"server_sha256"`
	ConfigHash  string             `json:"config_sha256"`
	Environment sample.Environment `json:"environment"`
}

// header describes the measurement.
func header(o Options) (Header, error) {
	h := Header{
		Version: readingVersion, Engine: o.Engine, Steps: o.Steps, Repetitions: o.Repetitions,
		Environment: sample.ReadEnvironment(""),
	}
	path, err := Find()
	if err != nil {
		return h, err
	}
	about, err := exec.Command(path, "-V").CombinedOutput()
	if err != nil {
		return h, fmt.Errorf("%s -V: %w", path, err)
	}
	for line := range strings.Lines(string(about)) {
		if !strings.HasPrefix(line, "configure arguments") {
			h.Nginx = append(h.Nginx, strings.TrimSpace(line))
		}
	}
	if h.ServerHash, err = sample.HashFile(o.Server); err != nil {
		return h, err
	}
	h.ConfigHash, err = sample.HashFile(o.Recommended)
	return h, err
}

// Reading is the memory at one step. Bytes are those in use beyond what the same
// processes took before the first connection.
type Reading struct {
	Version    int    `json:"version"`
	Path       string `json:"path"`
	Mode       string `json:"mode"`
	Repetition int    `json:"repetition"`
	Held       int    `json:"held"`
	// Nginx is the proportional memory (PSS) of all of nginx's processes, Server
	// that of the comet server.
	Nginx  int64 `json:"nginx_bytes"`
	Server int64 `json:"server_bytes"`
	// Kernel is the machine's kernel memory: all ends of all connections,
	// the clients' included.
	Kernel sample.KernelDelta `json:"kernel"`
	// NginxAtZero is what nginx took before the first connection.
	NginxAtZero int64 `json:"nginx_at_zero_bytes"`
	// Settled is false where the memory did not come to rest in time.
	Settled bool `json:"settled"`
}

// readingVersion counts up when a field changes its meaning.
const readingVersion = 1

// settleLimits say when memory is read.
var settleLimits = sample.SettleLimits{Change: 0.001, Window: 2 * time.Second, Longest: 10 * time.Second, Every: 250 * time.Millisecond}

// Measure measures every path and mode, in turn and again, and returns all
// readings. It stops with the context.
func Measure(ctx context.Context, o Options) ([]Reading, error) {
	h, err := header(o)
	if err != nil {
		return nil, err
	}
	if err := json.NewEncoder(o.Log).Encode(h); err != nil {
		return nil, err
	}
	var all []Reading
	for rep := range o.Repetitions {
		for i := range Paths {
			path := Paths[i]
			if rep%2 == 1 { // there and back: what drifts falls on all
				path = Paths[len(Paths)-1-i]
			}
			for _, mode := range Modes {
				readings, err := measureCell(ctx, o, path, mode, rep)
				all = append(all, readings...)
				if err != nil {
					return all, fmt.Errorf("%s by %s: %w", mode, path, err)
				}
			}
		}
	}
	return all, nil
}

// measureCell measures one path and mode with processes of their own.
func measureCell(ctx context.Context, o Options, path, mode string, rep int) (readings []Reading, err error) {
	dir, err := os.MkdirTemp("", "proxycost")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	s, err := startServer(dir, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.process.Stop(nil)) }()
	way := route{addr: s.front}
	var n *Nginx
	if path != Direct {
		if n, err = Start(dir, o.Recommended, path == TLS, []string{s.front}); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, n.Stop()) }()
		way = route{addr: n.Addr}
		if path == TLS {
			way.trust = n.Trust
		}
	}
	zero, err := look(ctx, s, n)
	if err != nil {
		return nil, err
	}
	c := &crowd{way: way, mode: mode}
	defer c.leave()
	for _, step := range o.Steps {
		if err := c.grow(ctx, step); err != nil {
			return readings, err
		}
		if _, err := process.AwaitHeld(ctx, step, process.Subscribers(s.admin)); err != nil {
			return readings, err
		}
		now, err := look(ctx, s, n)
		if err != nil {
			return readings, err
		}
		r := Reading{
			Version: readingVersion, Path: path, Mode: mode, Repetition: rep, Held: step,
			Nginx: now.nginx - zero.nginx, Server: now.server - zero.server, Kernel: now.kernel.Since(zero.kernel),
			NginxAtZero: zero.nginx, Settled: now.settled,
		}
		if err := json.NewEncoder(o.Log).Encode(r); err != nil {
			return readings, err
		}
		readings = append(readings, r)
		fmt.Fprintf(o.Progress, "%d: %s by %s, %d held: a connection %d B of nginx, %d B of the server, %d B of the kernel\n",
			rep+1, mode, path, step, r.Nginx/int64(step), r.Server/int64(step), r.Kernel.Bytes/int64(step))
	}
	return readings, nil
}

// sight is the memory at one moment.
type sight struct {
	nginx, server int64
	kernel        sample.Kernel
	settled       bool
}

// look waits until memory has come to rest and reads it.
func look(ctx context.Context, s *server, n *Nginx) (v sight, err error) {
	settled, err := sample.Settle(ctx, s.process.PID(), settleLimits)
	if err != nil {
		return v, err
	}
	v.settled = settled.Settled
	if v.server, err = proportional(s.process.PID()); err != nil {
		return v, err
	}
	if n != nil {
		pids, err := n.PIDs()
		if err != nil {
			return v, err
		}
		for _, pid := range pids {
			bytes, err := proportional(pid)
			if err != nil {
				return v, err
			}
			v.nginx += bytes
		}
	}
	v.kernel, err = sample.ReadKernel()
	return v, err
}

func proportional(pid int) (int64, error) {
	m, err := sample.ReadMemory(pid)
	if err != nil {
		return 0, err
	}
	if m.Proportional == nil {
		return 0, fmt.Errorf("the kernel does not tell the memory of process %d (smaps_rollup): run as its owner, or as root", pid)
	}
	return int64(*m.Proportional), nil
}

// server is a running comet server.
type server struct {
	process      *process.Process
	front, admin string
}

var servingLine = regexp.MustCompile(`msg=serving .* front=(\S+) admin=(\S+) `)

// startServer starts a server that no timer disturbs, and waits until it serves.
func startServer(dir string, o Options) (*server, error) {
	log := filepath.Join(dir, "server.log")
	p, err := process.Start(o.Server, []string{"--engine=" + o.Engine, "--front=127.0.0.1:0", "--admin=127.0.0.1:0", "--debug=none",
		"--polling-timeout=1h"}, log, nil)
	if err != nil {
		return nil, err
	}
	s := &server{process: p}
	err = p.Await(func() bool {
		text, err := os.ReadFile(log)
		m := servingLine.FindSubmatch(text)
		if err != nil || m == nil {
			return false
		}
		s.front, s.admin = string(m[1]), string(m[2])
		return true
	})
	if err != nil {
		words, _ := os.ReadFile(log)
		return nil, errors.Join(fmt.Errorf("the server does not start: %w: %s", err, words), p.Stop(nil))
	}
	return s, nil
}
