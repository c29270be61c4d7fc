package sim

import "slices"

// Scenes that chance alone would not come to: they are set up in the middle of
// a run, and the turmoil goes on from there.

// storm pushes more messages than an inbox holds while one loop stands still,
// the last of them to a channel that had none of the others; and one more to
// it when the loop has begun to catch up, which may not overtake the first.
func (w *world) storm() {
	const messages, batch = 4_300, 50
	w.calm = true
	defer func() { w.calm = false }()
	victim := w.loops[w.rng.IntN(len(w.loops))]
	loud, quiet := w.set.names[0], w.set.names[1]
	w.onlyStarved(w.loops, victim)
	w.gather(loud, 1)
	w.gather(quiet, 1)
	w.onlyStarved([]*loop{victim}, nil)
	c := w.steadyPublisher()
	for sent := 0; sent < messages; sent += batch {
		for range batch {
			c.publish(loud, false)
		}
		w.rest()
	}
	c.publish(quiet, false)
	w.rest()
	for range 2 + w.rng.IntN(20) {
		victim.step()
	}
	c.publish(quiet, false)
	w.rest()
	w.onlyStarved(nil, nil)
}

// crowd brings more subscribers to one channel of one loop than it serves in a
// turn, and then pushes to it, so that what happens next happens while the
// loop is in the middle of its list.
func (w *world) crowd() {
	w.onlyStarved(w.loops, w.loops[w.rng.IntN(len(w.loops))])
	w.gather(w.set.names[0], w.set.crowd)
	w.onlyStarved(nil, nil)
	c := w.steadyPublisher()
	for range 1 + w.rng.IntN(3) {
		c.publish(w.set.names[0], false)
		c.publish(pick(w.rng, w.set.names...), false)
	}
}

// onlyStarved starves these loops, but one, and no others.
func (w *world) onlyStarved(loops []*loop, but *loop) {
	for _, l := range w.loops {
		l.starved = slices.Contains(loops, l) && l != but
	}
}

// gather has n new subscribers held on a channel, by whichever loop is not
// starved.
func (w *world) gather(channel string, n int) {
	newcomers := make([]*client, n)
	for i := range newcomers {
		c := &client{w: w, steady: i%4 > 0 || n == 1, act: (*client).subscriber, next: map[string]int{}, channel: channel}
		c.connect()
		newcomers[i] = c
	}
	w.clients = append(w.clients, newcomers...)
	const mostPolls = 5
	for range mostPolls {
		for _, c := range newcomers {
			if c.sock != nil && len(c.asks) == 0 && c.usable() {
				c.poll(channel, max(c.next[channel], 1))
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
