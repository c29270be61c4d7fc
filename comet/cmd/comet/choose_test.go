package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// parsed is what the command line gives.
func parsed(t *testing.T, args ...string) *options {
	t.Helper()
	o, _, done := parseOptions(inputs{args: args}, io.Discard, io.Discard)
	if done {
		t.Fatalf("%v ended the program", args)
	}
	return o
}

// TestChooseEngine proves which engine is taken on which kernel, that another
// one than io_uring is explained, and that a refusal says what still works.
func TestChooseEngine(t *testing.T) {
	yes := func() error { return nil }
	holds := func(most int) func(int, int) error {
		return func(n, _ int) error {
			if n > most {
				return fmt.Errorf("no tables; what still works: up to %d connections", most)
			}
			return nil
		}
	}
	whole := probes{yes, holds(1 << 30), holds(19900)}
	container := probes{func() error { return errors.New("seccomp refuses io_uring") }, holds(19000), holds(19900)}

	for _, c := range []struct {
		args   string
		kernel probes
		limit  int
		engine string // empty: refused
		said   string // in why, or in the refusal; parts separated by |
	}{
		{"", whole, 20000, "uring", ""},
		{"--engine uring", whole, 20000, "uring", ""},
		{"--loops 2", whole, 300, "", "io_uring, which --engine=auto chose since|3336 rings of 300 slots|6837|it is 300|--max-connections=19500"},
		{"--engine uring --loops 2", whole, 300, "", "--engine=uring: |3336 rings"},
		{"--max-connections 500", whole, 150, "", "it is 150|fewer than the 101 ports of --front"},
		{"--max-connections 500 --front 127.0.0.1:9000", whole, 64, "", "it is 64. What works: a higher limit (scripts"},
		{"--loops 2 --max-connections 19500", whole, 300, "uring", ""},
		{"--loops 2 --max-connections 19501", whole, 300, "", "68 rings"},
		{"--loops 2 --max-connections 19001 --uring fds=plain", whole, 19000, "", "plain descriptors|it is 19000|fds=direct|--max-connections=18"},
		{"--loops 2 --max-connections 18000 --uring fds=plain", whole, 19000, "uring", ""},
		{"--engine epoll", whole, 20000, "epoll", ""},
		{"--engine epoll --epoll trigger=level", whole, 20000, "epoll", ""},
		{"--engine uring --epoll trigger=level", whole, 20000, "", "--epoll=trigger=level|epoll engine|engine is uring"},
		{"--engine epoll --uring batch=1", whole, 20000, "", "--uring=batch=1|io_uring engine|engine is epoll"},
		{"--max-connections 19000", container, 20000, "epoll", "seccomp refuses io_uring"},
		{"--max-connections 19000 --uring batch=1", container, 20000, "", "--uring=batch=1|seccomp refuses io_uring|leave them out"},
		{"--engine uring", container, 20000, "", "--engine=uring|seccomp refuses io_uring|--engine=epoll"},
		{"", container, 20000, "", "--max-connections=1000064|seccomp refuses io_uring|epoll, which --engine=auto takes then|no tables|19000"},
		{"--engine gonet", whole, 20000, "gonet", ""},
		{"--engine gonet --max-connections 19900", whole, 20000, "gonet", ""},
		{"--engine gonet --max-connections 19901", whole, 20000, "", "--max-connections=19901|19900"},
	} {
		got, err := chooseEngine(parsed(t, strings.Fields(c.args)...), c.limit, c.kernel)
		said := got.why
		if err != nil {
			said = err.Error()
			if !errors.As(err, &refusal{}) {
				t.Errorf("%q: %v is no refusal", c.args, err)
			}
		}
		if (err != nil) != (c.engine == "") || err == nil && got.name != c.engine {
			t.Errorf("%q: engine %q, %v, want %q", c.args, got.name, err, c.engine)
		}
		if !strings.Contains(c.args, "--engine uring") && strings.Contains(said, "--engine=uring: ") {
			t.Errorf("%q: --engine=uring, which nobody said, is refused: %q", c.args, said)
		}
		for part := range strings.SplitSeq(c.said, "|") {
			if !strings.Contains(said, part) {
				t.Errorf("%q: no %q in %q", c.args, part, said)
			}
		}
		if c.said == "" && said != "" {
			t.Errorf("%q: explains %q", c.args, said)
		}
	}
}

// TestMaxConnectionsDefault proves the documented default.
func TestMaxConnectionsDefault(t *testing.T) {
	for args, want := range map[string]int{
		"":                                       1_000_064,
		"--channels 5000":                        5064,
		"--channels 0":                           1024,
		"--channels 5000 --max-connections 2000": 2000,
	} {
		if got := parsed(t, strings.Fields(args)...).MaxConnections; got != want {
			t.Errorf("%q: %d connections, want %d", args, got, want)
		}
	}
}
