package soak

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"c1000k/experiments/fdtable"
	"c1000k/experiments/load/rawnet"
)

// A reactor's turn.
const (
	eventBatch = 512
	readBytes  = 64 << 10
	lookEvery  = 20 * time.Millisecond // at what is due
	openBurst  = 64                    // connections opened in one look
)

// reactor is a thread and its clients: those whose number leaves its index when it
// is divided by the number of reactors.
type reactor struct {
	s      *round
	stride int // reactors
	thread *fdtable.Thread

	// For any thread.
	came    atomic.Int64 // clients that have been connected once
	online  atomic.Int64 // that are connected, or about to be
	settled atomic.Int64 // that came to the last message

	clients []*client
	poller  *rawnet.Poller
	random  *rand.Rand
	buf     []byte
	now     time.Duration // since the round began
	opened  int           // clients that have been opened the first time
}

// start runs the reactor on a thread of its own, with a table of its own or not.
func (r *reactor) start(own bool) (err error) {
	body := func(*fdtable.Table) {
		if err := r.run(); err != nil {
			r.s.faults.add("machine", "a thread of clients: %v", err)
		}
	}
	if own {
		r.thread, err = fdtable.Go(nil, body)
	} else {
		r.thread = fdtable.GoShared(body)
	}
	return err
}

// run is the reactor's life: until all have left.
func (r *reactor) run() (err error) {
	if r.poller, err = rawnet.NewPoller(eventBatch); err != nil {
		return err
	}
	defer r.poller.Close()
	r.buf = make([]byte, readBytes)
	looked := time.Duration(0)
	for {
		n, err := r.poller.Wait(int(lookEvery / time.Millisecond))
		if err != nil {
			return err
		}
		r.now = time.Since(r.s.began)
		for i := range n {
			events, slot := r.poller.Event(i)
			r.handle(r.clients[slot], events)
		}
		if r.now-looked < lookEvery {
			continue
		}
		looked = r.now
		online := r.look()
		if r.s.phase.Load() >= phaseLeave && online == 0 {
			return nil
		}
	}
}

// look does what is due, and counts.
func (r *reactor) look() (online int64) {
	phase := r.s.phase.Load()
	came, settled, burst := int64(0), int64(0), openBurst
	for i, c := range r.clients {
		switch {
		case c.state == offline:
			if phase < phaseLeave && burst > 0 && (i < r.opened || i == r.opened) && r.now >= c.due {
				r.opened = max(r.opened, i+1)
				burst--
				r.connect(c)
			}
		case c.state == leaving && r.now >= c.due, phase >= phaseEnd:
			r.gone(c, meanAway)
		case c.state != asking:
		case phase >= phaseLeave, phase == phaseChurn && r.now >= c.due:
			r.leave(c)
		case c.slow && r.now >= c.turnAt && (c.paused || phase == phaseChurn), c.paused && phase > phaseChurn:
			r.turn(c)
		}
		if c.state != offline {
			online++
		}
		if c.came {
			came++
		}
		if c.settled() {
			settled++
		}
	}
	r.came.Store(came)
	r.online.Store(online)
	r.settled.Store(settled)
	return online
}

// turn has a slow reader stop or go on.
func (r *reactor) turn(c *client) {
	if c.paused = !c.paused; c.paused {
		r.s.n.pauses.Add(1)
	}
	c.turnAt = r.now + draw(r.random, r.s.meanPause(c))
	r.watch(c)
}

// meanPause is how long a slow reader reads nothing, on average: of the channel of
// long contents longer than a send may take.
func (s *round) meanPause(c *client) time.Duration {
	if c.paused && c.ch == s.channels[0] {
		return stallTimeout
	}
	return meanPause
}

// settled says whether a client has come to its channel's last message.
func (c *client) settled() bool {
	final := c.ch.final.Load()
	return c.ch.fleeting || final != 0 && c.next > final
}

// handle is one event of one client.
func (r *reactor) handle(c *client, events uint32) {
	switch c.state {
	case offline:
		return // gone earlier in this turn
	case connecting:
		r.connected(c)
		return
	}
	if events&unix.EPOLLOUT != 0 {
		r.flush(c)
	}
	if events&^unix.EPOLLOUT != 0 {
		r.receive(c)
	}
}
