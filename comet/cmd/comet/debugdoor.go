package main

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"c1000k/comet/doors"
)

// debugHeaderTimeout ends a debug connection that sends no request.
const debugHeaderTimeout = 10 * time.Second

// debugDoor is the third door: plain net/http, on the Go runtime's threads and
// not on the engine's. Its methods may be called from any goroutine.
type debugDoor struct {
	server   http.Server
	demo     bool     // serve /demo/ too
	addrs    []string // listened on, with the ports that the kernel chose
	registry *prometheus.Registry
	served   atomic.Pointer[served] // nil until the engine has started
	draining atomic.Bool            // the server is to stop
	failed   chan error             // receives the errors that end a listener
}

// openDebugDoor listens and answers at once. It comes first at start: it makes
// the Go runtime open its poller, which must be there before an engine gives a
// thread a descriptor table of its own.
func openDebugDoor(spec string, demo bool, log *slog.Logger) (*debugDoor, error) {
	d := &debugDoor{demo: demo}
	if spec == noDoor {
		return d, nil
	}
	d.registry = newRegistry()
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
	switch {
	case e.Path != "":
		network, address = "unix", e.Path
	case e.Addr.Addr().Is4():
		network = "tcp4" // of any address, "tcp" would take those of IPv6 too
	}
	l, err := net.Listen(network, address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, refuseListen("--debug: %w; see `ss -tanp`, and stop that server or choose another address (or --debug=%s)", err, noDoor)
	}
	if err != nil {
		return nil, refuseListen("--debug: %w", err)
	}
	return l, nil
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
