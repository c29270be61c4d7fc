package main

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"c1000k/comet"
)

// running is a server that serves, as signals find it.
type running struct {
	engine  comet.Engine
	service *comet.Service
	door    *debugDoor
	in      inputs
	options *options // in force
	log     logger
}

// untilStopped carries out signals until one stops the server, or until it fails.
func (r *running) untilStopped(signals <-chan os.Signal) error {
	var failure error
	for stop := false; !stop; {
		select {
		case s := <-signals:
			if s == syscall.SIGHUP {
				r.reload()
				continue
			}
			r.log.Info("stopping: closing every connection; a second signal stops at once", "signal", s.String())
			stop = true
		case err := <-r.door.failed:
			failure = fmt.Errorf("the debug door failed: %w", err)
			stop = true
		}
	}
	r.door.drain()
	notify("STOPPING=1")
	return r.stop(signals, failure)
}

// stop stops the engine. A signal while it does is the second one.
func (r *running) stop(signals <-chan os.Signal, failure error) error {
	began := time.Now()
	stopped := make(chan struct{})
	go func() {
		r.engine.Stop()
		close(stopped)
	}()
	for {
		select {
		case <-stopped:
			r.log.Info("stopped", "seconds", fmt.Sprintf("%.1f", time.Since(began).Seconds()))
			return failure
		case s := <-signals:
			if s != syscall.SIGHUP {
				return fmt.Errorf("forced to stop by a second signal (%v) after %.1f s", s, time.Since(began).Seconds())
			}
		}
	}
}
