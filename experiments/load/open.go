package load

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"c1000k/experiments/load/rawnet"
)

// How a connection is watched: edges are enough, because a reply is read until
// the buffer is not filled, and RDHUP tells of an end that a read did not reach.
const (
	readEvents    = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET
	connectEvents = readEvents | unix.EPOLLOUT
)

// Patience with handshakes.
const (
	connectPatience = 10 * time.Second       // then the connect is tried anew
	retryPause      = 100 * time.Millisecond // after a refusal
)

// opening says whether there are connections to open now.
func (r *reactor) opening() bool {
	return r.active.Load() && int64(r.opened) < r.target.Load() &&
		len(r.pending)+len(r.retries) < mostPending && r.failure.Load() == nil
}

// openSome opens a burst of connections, and looks after those under way.
func (r *reactor) openSome() {
	if len(r.pending)+len(r.retries) > 0 {
		r.tend(r.gen.now())
	}
	if !r.opening() {
		return
	}
	target := int(r.target.Load())
	for n := 0; n < openBurst && r.opened < target; n++ {
		if len(r.pending)+len(r.retries) >= mostPending || !r.gen.permit() {
			return
		}
		slot := uint32(r.opened)
		if err := r.connect(slot); err != nil {
			r.fail(err)
			return
		}
		r.opened++
	}
}

// tend gives up handshakes that take too long and tries again what may be.
func (r *reactor) tend(now time.Duration) {
	kept := r.pending[:0]
	for _, a := range r.pending {
		c := &r.records[a.slot]
		switch {
		case c.state != stateConnecting:
		case now-a.at < connectPatience:
			kept = append(kept, a)
		default:
			r.tally.add(cConnectTimeouts, 1)
			r.again(a.slot, c)
		}
	}
	r.pending = kept

	due := 0
	for r.active.Load() && due < len(r.retries) && r.retries[due].at <= now {
		due++
	}
	for _, a := range r.retries[:due] {
		if err := r.connect(a.slot); err != nil {
			r.fail(err)
			return
		}
	}
	// connect may have appended to retries, so the rest is taken only now.
	r.retries = append(r.retries[:0], r.retries[due:]...)
}

// connect opens slot's connection and sends its first poll. On loopback the
// handshake is normally over when connect returns, and the poll can follow it at
// once. An error means that no connection can be opened any more.
func (r *reactor) connect(slot uint32) error {
	id := r.gen.layout.id(r.index, int(slot))
	fd, err := rawnet.Socket()
	if err != nil {
		return fmt.Errorf("socket for connection %d: %w%s", id, err, hint(err))
	}
	c := &r.records[slot]
	*c = record{fd: int32(fd), channel: r.gen.opts.channel(id), state: stateConnecting}
	c.begin(firstSeq)
	target := &r.gen.targets[id%len(r.gen.targets)]
	switch err := rawnet.Connect(fd, target); err {
	case nil, unix.EINPROGRESS:
	case unix.ECONNREFUSED:
		r.tally.add(cConnectRefused, 1)
		r.again(slot, c)
		return nil
	default:
		rawnet.Close(fd)
		c.state = stateFree
		return fmt.Errorf("connect connection %d: %w%s", id, err, hint(err))
	}
	switch _, err := rawnet.Write(fd, r.pollRequest(slot, c)); err {
	case nil:
		r.hold(c)
		err = r.poller.Add(fd, readEvents, slot)
		if err != nil {
			return fmt.Errorf("epoll of connection %d: %w%s", id, err, hint(err))
		}
	case unix.EAGAIN, unix.ENOTCONN:
		// The accept queue is full: the kernel tries the handshake again.
		r.tally.add(cConnectWaits, 1)
		r.pending = append(r.pending, attempt{slot, r.gen.now()})
		if err := r.poller.Add(fd, connectEvents, slot); err != nil {
			return fmt.Errorf("epoll of connection %d: %w%s", id, err, hint(err))
		}
	default:
		r.tally.add(cConnectRefused, 1)
		r.again(slot, c)
	}
	return nil
}

// connected is the end of a handshake that took longer.
func (r *reactor) connected(slot uint32, c *record, events uint32) {
	if events&(unix.EPOLLOUT|unix.EPOLLERR|unix.EPOLLHUP) == 0 {
		return
	}
	_, err := rawnet.Write(int(c.fd), r.pollRequest(slot, c))
	switch err {
	case nil:
		r.hold(c)
		r.poller.Modify(int(c.fd), readEvents, slot)
	case unix.EAGAIN:
	default:
		r.tally.add(cConnectRefused, 1)
		r.again(slot, c)
	}
}

// hold notes that a connection's first poll has been sent.
func (r *reactor) hold(c *record) {
	c.state = stateHeld
	r.gen.subscribers[c.channel].Add(1)
	r.tally.add(cOpened, 1)
	r.tally.add(cHeld, 1)
	r.tally.add(cPolls, 1)
}

// again closes a connection that did not come about, to try anew in a while.
func (r *reactor) again(slot uint32, c *record) {
	rawnet.Close(int(c.fd))
	*c = record{}
	r.retries = append(r.retries, attempt{slot, r.gen.now() + retryPause})
}

// hint names the likely setting behind an error.
func hint(err error) string {
	switch err {
	case unix.EMFILE:
		return " (the descriptor limit of the process: ulimit -n)"
	case unix.ENFILE:
		return " (the descriptor limit of the machine: sysctl fs.file-max)"
	case unix.EADDRNOTAVAIL:
		return " (no source port is left towards this port: more --ports or --addresses, or a wider sysctl net.ipv4.ip_local_port_range)"
	case unix.ENOBUFS, unix.ENOMEM:
		return " (memory of the kernel: sysctl net.ipv4.tcp_mem, or the machine's)"
	case unix.ENOSPC:
		return " (sysctl fs.epoll.max_user_watches)"
	}
	return ""
}
