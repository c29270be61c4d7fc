package peers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"c1000k/experiments/load"
	"c1000k/experiments/process"
	"c1000k/experiments/proxy"
)

// server is one subject, running.
type server struct {
	doors    process.Doors
	protocol string
	pids     []int // whose CPU and memory count
	// held is how many polls the server says that it holds.
	held func(context.Context) (int, error)
	// stop ends it, and returns when it is gone.
	stop func() error
}

// startServer starts a subject on its processors.
func startServer(ctx context.Context, o *Options, subject string, doors process.Doors) (*server, error) {
	if subject == Nchan {
		return startNchan(ctx, o, doors)
	}
	return startComet(ctx, o, subject, doors)
}

// serverSpare is how many connections and channels this server may hold beside
// the load's.
const serverSpare = 64

// startComet starts this server with one loop of an engine.
func startComet(ctx context.Context, o *Options, engine string, doors process.Doors) (*server, error) {
	p, err := process.Start(o.Server, append(doors.Args(),
		"--engine="+engine, "--loops=1", "--polling-timeout=1h", "--drain-timeout=0",
		"--channels="+strconv.Itoa(o.Connections+serverSpare), "--max-connections="+strconv.Itoa(o.Connections+serverSpare)), filepath.Join(o.Dir, "comet.log"), o.serverCPUs)
	if err != nil {
		return nil, err
	}
	s := &server{
		doors: doors, protocol: load.ProtocolIcomet, pids: []int{p.PID()},
		stop: func() error { return p.Stop(o.Force) },
		held: process.Subscribers(doors.AdminAddr()),
	}
	return s, s.await(ctx, p.Await)
}

// startNchan starts nginx with nchan and one worker, in a folder of its own that
// is gone when it is stopped.
func startNchan(ctx context.Context, o *Options, doors process.Doors) (*server, error) {
	conf, err := NchanConfig(o.module, doors, o.Connections)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "peers")
	if err != nil {
		return nil, err
	}
	n, err := proxy.Run(dir, conf, doors.AdminAddr(), o.serverCPUs)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	s := &server{
		doors: doors, protocol: load.ProtocolNchan,
		stop: func() error { return errors.Join(n.Stop(), os.RemoveAll(dir)) },
		held: func(ctx context.Context) (int, error) {
			st, err := askStatus(ctx, doors)
			return st.Subscribers, err
		},
	}
	if err := s.await(ctx, n.Await); err != nil {
		return nil, err
	}
	if s.pids, err = n.PIDs(); err == nil && len(s.pids) != 2 {
		err = fmt.Errorf("nginx has the processes %v, not a master and one worker", s.pids)
	}
	if err != nil {
		return nil, errors.Join(err, s.stop())
	}
	slices.Reverse(s.pids) // the worker, which does the work, first
	return s, nil
}

// await waits until the server answers, and stops it where it does not.
func (s *server) await(ctx context.Context, wait func(ready func() bool) error) error {
	err := wait(func() bool {
		_, err := s.held(ctx)
		return err == nil || ctx.Err() != nil
	})
	if err = errors.Join(err, context.Cause(ctx)); err != nil {
		return errors.Join(fmt.Errorf("the server does not start: %w", err), s.stop())
	}
	return nil
}

// awaitHeld waits until the server says that it holds n polls.
func (s *server) awaitHeld(ctx context.Context, n int) error {
	_, err := process.AwaitHeld(ctx, n, s.held)
	return err
}
