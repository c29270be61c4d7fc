package peers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"

	"c1000k/experiments/load"
)

// Wire is how many bytes HTTP takes, heads and bodies, of one message: by a load of
// one connection through a tap.
type Wire struct {
	Poll      int64 `json:"poll_bytes"`
	Reply     int64 `json:"reply_bytes"`
	Push      int64 `json:"push_bytes"`
	PushReply int64 `json:"push_reply_bytes"`
}

// measureWire counts what goes over the wire with a subject.
func measureWire(ctx context.Context, o *Options, subject string, port *int) (w Wire, err error) {
	doors, err := findDoors(port)
	if err != nil {
		return w, err
	}
	s, err := startServer(ctx, o, subject, doors)
	if err != nil {
		return w, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	front, err := newTap(doors.FrontAddrs()[0])
	if err != nil {
		return w, err
	}
	defer front.close()
	admin, err := newTap(doors.AdminAddr())
	if err != nil {
		return w, err
	}
	defer admin.close()
	g, err := load.New(load.Options{
		Host: doors.Host, Port: front.port(), Ports: 1, Connections: 1, Subscribers: 1, Reactors: 1, Openers: 1, Protocol: s.protocol,
	})
	if err != nil {
		return w, err
	}
	defer g.End()
	if _, err := g.Open(ctx, 1, 0, nil); err != nil {
		return w, err
	}
	if err := s.awaitHeld(ctx, 1); err != nil {
		return w, err
	}
	// The second message is like all that follow: the poll before the first had no
	// position.
	var before Wire
	for i := range 2 {
		before = Wire{front.up.Load(), front.down.Load(), admin.up.Load(), admin.down.Load()}
		r, err := g.Push(ctx, load.PushOptions{Count: 1, Seed: 1, Admin: admin.addr()}, nil)
		if err == nil && !r.Clean() {
			err = fmt.Errorf("not delivered as it must be: %d missing, %+v", r.Missing, r.Counts)
		}
		if err != nil {
			return w, fmt.Errorf("message %d: %w", i+1, err)
		}
		if err := s.awaitHeld(ctx, 1); err != nil {
			return w, err
		}
	}
	return Wire{
		front.up.Load() - before.Poll, front.down.Load() - before.Reply,
		admin.up.Load() - before.Push, admin.down.Load() - before.PushReply,
	}, nil
}

// tap passes on what comes to an address of its own, and counts it.
type tap struct {
	to       string
	listener net.Listener
	up, down atomic.Int64
	ended    sync.WaitGroup
	mutex    sync.Mutex
	open     []net.Conn
	closed   bool
}

func newTap(to string) (*tap, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t := &tap{to: to, listener: l}
	t.ended.Go(t.accept)
	return t, nil
}

func (t *tap) addr() string { return t.listener.Addr().String() }
func (t *tap) port() int    { return t.listener.Addr().(*net.TCPAddr).Port }

func (t *tap) accept() {
	for {
		c, err := t.listener.Accept()
		if err != nil {
			return
		}
		s, err := net.Dial("tcp", t.to)
		if err != nil {
			c.Close()
			continue
		}
		t.mutex.Lock()
		closed := t.closed
		t.open = append(t.open, c, s)
		t.mutex.Unlock()
		if closed {
			c.Close()
			s.Close()
			return
		}
		t.ended.Go(func() { pass(s, c, &t.up) })
		t.ended.Go(func() { pass(c, s, &t.down) })
	}
}

// pass copies until one side ends, and then ends the other. What is counted has
// not been passed on yet: who has it knows that it was counted.
func pass(to, from net.Conn, count *atomic.Int64) {
	defer to.Close()
	io.Copy(to, io.TeeReader(from, counter{count}))
}

type counter struct{ n *atomic.Int64 }

func (c counter) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return len(p), nil
}

// close ends the tap with all that goes through it.
func (t *tap) close() {
	t.listener.Close()
	t.mutex.Lock()
	t.closed = true
	for _, c := range t.open {
		c.Close()
	}
	t.mutex.Unlock()
	t.ended.Wait()
}
