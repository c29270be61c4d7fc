package main

import (
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"

	"c1000k/comet"
)

// stuck is an engine whose Stop returns when released.
type stuck struct {
	comet.Engine
	release chan struct{}
}

func (s stuck) Stop() { <-s.release }

// StopAccepting has nothing to stop.
func (stuck) StopAccepting() {}

// runningWith is a server whose engine is e, with a door that has no listener.
func runningWith(t *testing.T, e comet.Engine) *running {
	t.Helper()
	o := parsed(t, "--channels", "10")
	service, err := comet.NewService(o.serviceConfig())
	if err != nil {
		t.Fatal(err)
	}
	door := &debugDoor{failed: make(chan error, 1)}
	door.serve(&served{engine: e, service: service, options: o})
	return &running{
		engine: e, service: service, door: door, log: newLogger(o, io.Discard),
		in: inputs{args: []string{"--channels", "10"}}, options: o,
	}
}

// TestSecondSignal proves that a stop which hangs is ended by a second signal,
// with the code for failure, and that a hang-up signal does not count as one.
func TestSecondSignal(t *testing.T) {
	engine := stuck{release: make(chan struct{})}
	defer close(engine.release)
	signals := newSignals()
	signals.hangUp <- syscall.SIGHUP
	signals.stop <- syscall.SIGTERM
	signals.stop <- syscall.SIGINT
	r := runningWith(t, engine)
	err := r.untilStopped(signals)
	if err == nil || !strings.Contains(err.Error(), "second signal (interrupt)") {
		t.Errorf("got %v", err)
	}
}

// TestDebugDoorFails proves that a debug door that breaks stops the server and
// is its failure: it would else run on unobserved.
func TestDebugDoorFails(t *testing.T) {
	engine := stuck{release: make(chan struct{})}
	close(engine.release)
	r := runningWith(t, engine)
	r.door.failed <- errors.New("accept: broken")
	err := r.untilStopped(newSignals())
	if err == nil || !strings.Contains(err.Error(), "accept: broken") {
		t.Errorf("got %v", err)
	}
}
