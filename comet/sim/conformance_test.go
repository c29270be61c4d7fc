package sim

import (
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"c1000k/comet"
	"c1000k/comet/enginetest"
)

// TestConformance proves that the service gives the same bytes through this
// package's kernel, which cuts all input and delays what it can, as it does
// through a real one: it runs those tests of every engine's suite that need no
// sockets.
func TestConformance(t *testing.T) {
	enginetest.RunVirtual(t, func(svc *comet.Service, o comet.EngineOptions) (comet.Engine, error) {
		return newVirtual(svc, o), nil
	})
}

// virtual is a world as an engine. It moves when a client writes or reads.
type virtual struct {
	mu sync.Mutex
	w  *world
}

var _ enginetest.Dialer = (*virtual)(nil)

func newVirtual(svc *comet.Service, o comet.EngineOptions) *virtual {
	now := time.Now().UnixNano() // the suite holds dates against the real clock
	w := &world{rng: rand.New(rand.NewPCG(1, 0x51ed2701)), now: now, callTime: now, trace: newTrace(), svc: svc}
	w.set = settings{loops: max(o.Loops, 1), conns: o.MaxConns, readBytes: 64}
	w.model = newModel(w)
	return &virtual{w: w}
}

func (v *virtual) Start([]comet.Listener) error { v.w.makeLoops(); return nil }

func (v *virtual) StopAccepting() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.w.deaf = true
	for _, l := range v.w.loops {
		l.woken = true
	}
	v.w.rest()
}

func (v *virtual) Stop() {}

func (v *virtual) Facts() comet.Facts { return comet.Facts{Engine: "virtual", Loops: len(v.w.loops)} }

func (v *virtual) Stats() []comet.Stat {
	return []comet.Stat{{Name: "calls", Value: uint64(v.w.result.Calls)}}
}

// Dial connects a client.
func (v *virtual) Dial(d comet.Door, from string) (enginetest.Link, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	end := &endpoint{v: v, c: &client{w: v.w, admin: d == comet.DoorAdmin}}
	end.c.raw = func(p []byte) { end.in = append(end.in, p...) }
	end.c.connect()
	if from != "" {
		end.c.sock.peer = netip.MustParseAddr(from)
	}
	v.w.clients = append(v.w.clients, end.c)
	return end, nil
}

// endpoint is a client's end of a connection. All waiting is done by letting
// virtual time pass.
type endpoint struct {
	v        *virtual
	c        *client
	in       []byte
	deadline time.Time // of reads, on the real clock
}

// patience is how long a read waits that is not given less.
const patience = 10 * time.Second

// Read returns what is there when everything is at rest; if that is nothing, it
// waits for timers of the service, unless it is to wait for a moment alone.
func (e *endpoint) Read(p []byte) (int, error) {
	e.v.mu.Lock()
	defer e.v.mu.Unlock()
	w := e.v.w
	until := w.now
	if time.Until(e.deadline) > time.Second {
		until += int64(patience)
	}
	for {
		w.rest()
		switch {
		case len(e.in) > 0:
			n := copy(p, e.in)
			e.in = e.in[n:]
			return n, nil
		case e.c.sock.state == sockClosing || e.c.sock.state == sockDead:
			return 0, io.EOF
		}
		next := comet.NoDeadline
		for _, l := range w.loops {
			next = min(next, l.deadline)
		}
		if next > until {
			return 0, os.ErrDeadlineExceeded
		}
		w.now = max(w.now, next) + 1
	}
}

// Write is all taken; the kernel brings it to the service bit by bit.
func (e *endpoint) Write(p []byte) (int, error) {
	e.v.mu.Lock()
	defer e.v.mu.Unlock()
	e.c.outbox = append(e.c.outbox, p...)
	e.v.w.now += int64(time.Millisecond)
	e.v.w.rest()
	return len(p), nil
}

func (e *endpoint) Close() error {
	e.v.mu.Lock()
	defer e.v.mu.Unlock()
	e.c.sock.reset = true
	e.v.w.rest()
	return nil
}

func (e *endpoint) CloseWrite() error {
	e.v.mu.Lock()
	defer e.v.mu.Unlock()
	e.c.leaving = true
	e.v.w.rest()
	return nil
}

func (e *endpoint) SetDeadline(t time.Time) error     { e.deadline = t; return nil }
func (e *endpoint) SetReadDeadline(t time.Time) error { e.deadline = t; return nil }
func (e *endpoint) SetWriteDeadline(time.Time) error  { return nil }
func (e *endpoint) SetLinger(int) error               { return nil }
func (e *endpoint) SetWriteBuffer(int) error          { return nil }
func (e *endpoint) LocalAddr() net.Addr               { return &net.TCPAddr{} }
func (e *endpoint) RemoteAddr() net.Addr              { return &net.TCPAddr{} }
