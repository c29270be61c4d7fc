package floor

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

// serveEnv makes the test binary the floor's server.
const serveEnv = "FLOOR_TEST_SERVE"

func TestMain(m *testing.M) {
	if os.Getenv(serveEnv) == "" {
		os.Exit(m.Run())
	}
	var o ServeOptions
	flags := flag.NewFlagSet("serve", flag.ExitOnError)
	flags.StringVar(&o.Host, "host", "", "")
	flags.IntVar(&o.Port, "port", 0, "")
	flags.IntVar(&o.Ports, "ports", 0, "")
	flags.IntVar(&o.Connections, "connections", 0, "")
	flags.Parse(os.Args[1:])
	if err := Serve(o, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// accept measures with this binary as the server.
func accept(t testing.TB, o AcceptOptions) (AcceptResult, error) {
	t.Helper()
	t.Setenv(serveEnv, "1")
	o.ServerArgv = []string{os.Args[0]}
	var log strings.Builder
	o.Log = &log
	r, err := Accept(context.Background(), o)
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, log.String())
	}
	return r, err
}

// Every connection that was opened is accepted, and both sides' CPU is measured.
func TestAccept(t *testing.T) {
	r, err := accept(t, AcceptOptions{Ports: 3, Connections: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if r.Connections != 1000 || r.Rate <= 0 || r.ServerCPU <= 0 || r.ClientCPU <= 0 || r.Openers != DefaultOpeners {
		t.Fatalf("%+v", r)
	}
}

// Anything but IPv4 loopback is refused before a socket is opened.
func TestAcceptRefusesOthers(t *testing.T) {
	for _, host := range []string{"192.0.2.1", "::1", "somewhere"} {
		if _, err := accept(t, AcceptOptions{Host: host}); err == nil {
			t.Errorf("%q was not refused", host)
		}
	}
}

// A server that cannot listen is reported with its own words.
func TestAcceptServerFails(t *testing.T) {
	_, err := accept(t, AcceptOptions{Port: 65535, Ports: 2, Connections: 1})
	if err == nil || !strings.Contains(err.Error(), "65536") {
		t.Fatalf("a range past the last port: %v", err)
	}
}

// The floor at the size that a ladder's step has.
func BenchmarkAccept100k(b *testing.B) {
	for b.Loop() {
		r, err := accept(b, AcceptOptions{})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(r.Rate, "conns/s")
		b.ReportMetric(float64(r.ServerCPU)/1e3, "server-us/conn")
		b.ReportMetric(float64(r.ClientCPU)/1e3, "client-us/conn")
	}
}
