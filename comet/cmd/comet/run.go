package main

import (
	"fmt"
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
func (r *running) untilStopped(signals signals) error {
	var failure error
	for stop := false; !stop; {
		select {
		case <-signals.hangUp:
			r.reload()
		case s := <-signals.stop:
			r.log.Info("stopping; a second signal stops at once", "signal", s.String(), "drain_timeout", r.options.DrainTimeout.String())
			stop = true
		case err := <-r.door.failed:
			failure = fmt.Errorf("the debug door failed: %w", err)
			stop = true
		}
	}
	r.door.drain()
	notify("STOPPING=1")
	if failure == nil {
		if err := r.letGo(signals); err != nil {
			return err
		}
	}
	return r.stop(signals, failure)
}

// drainLook is how often a drain looks how many connections are left.
const drainLook = 20 * time.Millisecond

// letGo tells the clients and waits until all are gone or the time is up. A
// signal meanwhile is the second one.
func (r *running) letGo(signals signals) error {
	if r.options.DrainTimeout == 0 {
		return nil
	}
	farewell := comet.FarewellNoop
	if r.options.Drain == "close" {
		farewell = comet.FarewellClose
	}
	began := time.Now()
	before := r.service.Connections()
	r.service.Drain(farewell)
	r.engine.StopAccepting()
	timeout := time.After(r.options.DrainTimeout)
	look := time.NewTicker(drainLook)
	defer look.Stop()
	for {
		left := r.service.Connections()
		if left == 0 {
			r.log.Info("drained", "connections", before, "seconds", fmt.Sprintf("%.1f", time.Since(began).Seconds()))
			return nil
		}
		select {
		case <-look.C:
		case <-timeout:
			r.log.Warn("clients are left: their connections are closed", "connections", left, "of", before, "drain_timeout", r.options.DrainTimeout.String())
			return nil
		case s := <-signals.stop:
			return fmt.Errorf("forced to stop by a second signal (%v) with %d connections left", s, left)
		}
	}
}

// stop stops the engine. A signal while it does is the second one.
func (r *running) stop(signals signals, failure error) error {
	began := time.Now()
	stopped := make(chan struct{})
	go func() {
		r.engine.Stop()
		close(stopped)
	}()
	select {
	case <-stopped:
		r.log.Info("stopped", "seconds", fmt.Sprintf("%.1f", time.Since(began).Seconds()))
		return failure
	case s := <-signals.stop:
		return fmt.Errorf("forced to stop by a second signal (%v) after %.1f s", s, time.Since(began).Seconds())
	}
}
