package main

import (
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"
)

// send sends this process a signal and waits until it has come to c.
func send(t *testing.T, s syscall.Signal, c chan os.Signal) {
	t.Helper()
	before := len(c)
	if err := syscall.Kill(os.Getpid(), s); err != nil {
		t.Fatal(err)
	}
	for len(c) == before {
		time.Sleep(time.Millisecond)
	}
}

// TestSignalsLeave proves that a process which is about to begin anew does not where it
// was told to stop, survives a hang-up meanwhile, and heeds signals afterwards.
func TestSignalsLeave(t *testing.T) {
	defer signal.Reset(syscall.SIGHUP)
	s := newSignals()
	s.heed()
	send(t, syscall.SIGHUP, s.hangUp)
	if !s.leave() {
		t.Error("a hang-up keeps the process from beginning anew")
	}
	if !signal.Ignored(syscall.SIGHUP) {
		t.Error("a hang-up would end the process until it heeds signals again")
	}
	s.heed()
	defer signal.Stop(s.stop)
	<-s.hangUp
	send(t, syscall.SIGHUP, s.hangUp)
	send(t, syscall.SIGTERM, s.stop)
	if s.leave() {
		t.Error("a signal to stop is lost")
	}
}

// TestStopsWhileStarting proves that a signal to stop ends a server at whatever moment
// of its start it comes, also around that in which it begins anew.
func TestStopsWhileStarting(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		for after := time.Duration(0); after < 60*time.Millisecond; after += 3 * time.Millisecond {
			s := launched(t, exec.Command(built(t), append(smallServer(), "--engine", engine)...))
			time.Sleep(after)
			s.signal(syscall.SIGTERM)
			select {
			case <-s.ended:
			case <-time.After(patience):
				s.cmd.Process.Kill()
				<-s.ended
				t.Errorf("%v after its start a signal to stop was lost", after)
			}
		}
	})
}
