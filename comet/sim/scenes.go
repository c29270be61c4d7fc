package sim

import "slices"

// Scenes that chance alone would not come to: they are set up in the middle of
// a run, and the turmoil goes on from there.

// storm pushes more messages than an inbox holds while one loop stands still,
// the last of them to a channel that had none of the others. The loop must find
// it by itself; or one more is pushed when it has begun to, which may not
// overtake the first.
func (w *world) storm() {
	const messages, batch = 4_300, 50
	w.calm = true
	w.allRead()
	defer func() { w.calm = false }()
	victim := w.loops[w.rng.IntN(len(w.loops))]
	loud, quiet := w.set.names[0], w.set.names[1]
	w.onlyStarved(w.loops, victim)
	// Both by poll and by stream, and on a channel that will be closed.
	ending := w.set.names[len(w.set.names)-2]
	for _, name := range []string{loud, quiet, ending} {
		w.gather(name, "poll", 1)
		w.gather(name, pick(w.rng, "stream", "iframe", "sse"), 1)
	}
	w.onlyStarved([]*loop{victim}, nil)
	c := w.steadyPublisher()
	for sent := 0; sent < messages; sent += batch {
		for range batch {
			c.publish(loud, false)
		}
		w.rest()
	}
	c.publish(quiet, false)
	if w.chance(500) {
		c.publish(ending, false)
	}
	if ending != loud && ending != quiet {
		c.end("close", ending)
	}
	w.rest()
	for range 2 + w.rng.IntN(20) {
		victim.step()
	}
	if w.chance(500) {
		c.publish(quiet, false)
	}
	w.onlyStarved(nil, nil)
	w.rest()
	w.nobodyWaitsInVain()
}

// crowd brings more subscribers to one channel of one loop than it serves in a
// turn, and then pushes to it. When the loop is in the middle of its list,
// some leave, more is pushed, and some come.
func (w *world) crowd() {
	const rounds, steps = 3, 60
	w.calm = true
	w.allRead()
	defer func() { w.calm = false }()
	victim := w.loops[w.rng.IntN(len(w.loops))]
	w.onlyStarved(w.loops, victim)
	members := w.gather(w.set.names[0], "", w.set.crowd)
	w.onlyStarved(nil, nil)
	c := w.steadyPublisher()
	for round := range rounds {
		w.onlyStarved(w.loops, victim)
		w.haveHeld(members)
		w.onlyStarved(nil, nil)
		w.rest()
		c.publish(w.set.names[0], false)
		c.publish(pick(w.rng, w.set.names...), false)
		if round == 1 && w.chance(500) {
			c.end("close", w.set.names[0])
		}
		for len(c.sock.queue) > 0 && c.sock.state == sockOpen {
			c.push()
			c.sock.progress(1 << 30)
			c.sock.loop.step()
		}
		victim.turnOnce()
		for _, m := range members {
			if w.chance(200) && m.usable() {
				m.sock.reset = true
			}
		}
		victim.step() // it does not sleep, as there is more to do
		victim.budget = len(members)
		for range steps {
			switch r := w.rng.IntN(10); {
			case r == 0:
				c.publish(pick(w.rng, w.set.names[0], pick(w.rng, w.set.names...)), false)
			case r == 1:
				m := members[w.rng.IntN(len(members))]
				m.act(m)
			case r < 4:
				w.network()
				c.push()
			case r < 5:
				w.loops[w.rng.IntN(len(w.loops))].step()
			default:
				for range 1 + w.rng.IntN(40) { // its turns are long
					victim.step()
				}
			}
		}
	}
}

// turnOnce advances the loop to the end of its next turn.
func (l *loop) turnOnce() {
	for turned := l.turnedAt; l.turnedAt == turned || l.phase != phaseSleep; {
		l.w.now++
		l.woken = true
		l.step()
	}
}

// onlyStarved starves these loops, but one, and no others.
func (w *world) onlyStarved(loops []*loop, but *loop) {
	for _, l := range w.loops {
		l.starved = slices.Contains(loops, l) && l != but
	}
}

// stall has subscribers whose clients read nothing, while more is published
// than may wait for their sends, and then has them read again, or leave, or
// their channel closed or cleared before that.
func (w *world) stall() {
	const readers = 6
	w.onlyStarved(nil, nil)
	w.calm = true
	w.allRead()
	defer func() { w.calm = false }()
	name := w.set.names[0]
	members := w.gather(name, "", readers)
	members = append(members, w.gather(name, pick(w.rng, "stream", "iframe", "sse"), 2)...)
	c := w.steadyPublisher()
	for range 2 {
		w.haveHeld(members)
		for _, m := range members {
			if m.sock != nil && m.sock.state == sockOpen {
				m.sock.stuck = w.chance(800)
			}
		}
		w.flood(c, name, pick(w.rng, 3, 100, 250, 258, 300, 600))
		for _, m := range members {
			if m.sock != nil && w.chance(200) {
				m.sock.stuck = false
			}
		}
		if w.chance(300) {
			c.end(pick(w.rng, "close", "clear"), name)
			w.rest()
		}
		w.flood(c, name, pick(w.rng, 0, 1, 20, 300))
		if w.chance(300) {
			c.end(pick(w.rng, "close", "clear"), name)
		}
		for _, m := range members {
			if m.sock != nil {
				m.sock.stuck = false
			}
			if w.chance(100) && m.usable() {
				m.sock.reset = true
			}
		}
		for range 300 { // a message more falls between any two calls
			if w.chance(30) {
				c.publish(name, false)
			}
			w.network()
			c.push()
			w.loops[w.rng.IntN(len(w.loops))].step()
		}
	}
	for _, other := range w.set.names { // of several channels some are closed
		if w.chance(300) {
			c.end("close", other)
		}
	}
	w.rest()
	w.nobodyWaitsInVain()
}

// flood pushes n messages to a channel and waits for them to be taken.
func (w *world) flood(c *client, channel string, n int) {
	const batch = 50
	for sent := 0; sent < n; sent += batch {
		for range min(batch, n-sent) {
			c.publish(channel, false)
		}
		w.rest()
	}
}

// gather has n new subscribers held on a channel, by whichever loop is not
// starved, some of them on others too. mode is how they are served; empty is anyhow.
func (w *world) gather(channel, mode string, n int) []*client {
	newcomers := make([]*client, n)
	for i := range newcomers {
		newcomers[i] = &client{w: w, steady: i%4 > 0 || n == 1, act: (*client).subscriber, next: map[string]int{}, epochs: map[string]string{}, channel: channel, mode: mode}
	}
	for _, c := range newcomers {
		if w.chance(w.set.several) {
			c.more = []string{pick(w.rng, w.set.names...), pick(w.rng, w.set.names...)}
		}
	}
	w.clients = append(w.clients, newcomers...)
	w.haveHeld(newcomers)
	return newcomers
}

// haveHeld has clients connect and poll until they are held, as far as they
// are let.
func (w *world) haveHeld(clients []*client) {
	const mostPolls = 6
	for range mostPolls {
		for _, c := range clients {
			if c.usable() && len(c.asks) == 0 {
				c.poll(c.channel, max(c.next[c.channel], 1))
			}
		}
		w.rest()
	}
}

// steadyPublisher is a new publisher that stays.
func (w *world) steadyPublisher() *client {
	c := &client{w: w, admin: true, steady: true, act: (*client).publisher}
	w.clients = append(w.clients, c)
	c.connect()
	return c
}
