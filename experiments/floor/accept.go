package floor

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"c1000k/experiments/load/rawnet"
)

// AcceptOptions say what the floor of opening is measured with.
type AcceptOptions struct {
	// ServerArgv starts a process that calls Serve on its standard input and
	// output, without arguments; host, ports and number are appended.
	ServerArgv  []string
	Host        string // "" is 127.0.0.1
	Port        int    // first port; 0 lets the kernel choose each
	Ports       int    // 0 is 100
	Connections int    // 0 is 100,000
	// Openers is how many threads connect at the same time; 0 is DefaultOpeners.
	// A fair comparison has as many as the load.
	Openers int
	Log     io.Writer // of the server; nil is standard error
	// Held is called while all connections are held and, at the client's end,
	// watched by epoll as a load watches them; nil leaves both out. What it
	// returns as an error is Accept's.
	Held func(ctx context.Context) error
}

// AcceptResult is the floor of opening connections.
type AcceptResult struct {
	Connections int           `json:"connections"`
	Seconds     float64       `json:"seconds"` // first connect to last accept
	Rate        float64       `json:"connections_per_second"`
	ServerCPU   time.Duration `json:"server_cpu_ns_per_connection"`
	ClientCPU   time.Duration `json:"client_cpu_ns_per_connection"` // the connecting threads alone
	Openers     int           `json:"openers"`                      // threads that connected at the same time
}

// DefaultOpeners keeps two processors busy together with the server, as the load
// does.
const DefaultOpeners = 2

// Limits of Accept.
const (
	// acceptStall is how long Accept waits without progress.
	acceptStall = 30 * time.Second
	// acceptAhead bounds what is connected but not accepted yet, a port: a fourth
	// of the usual accept queue.
	acceptAhead = 1024
	// usualPorts is how many a server listens on where nothing else is said.
	usualPorts = 100
	// aheadPause is how long a connecting thread then lets the server catch up.
	aheadPause = time.Millisecond
)

// Accept starts a bare server and opens connections to it, as fast as goes, from
// threads of the calling process; all are closed when it returns.
func Accept(ctx context.Context, opts AcceptOptions) (AcceptResult, error) {
	if opts.Host == "" {
		opts.Host = "127.0.0.1"
	}
	if opts.Ports == 0 {
		opts.Ports = usualPorts
	}
	if opts.Connections == 0 {
		opts.Connections = 100_000
	}
	ip, err := netip.ParseAddr(opts.Host)
	if err != nil || !ip.Is4() || !ip.IsLoopback() {
		return AcceptResult{}, fmt.Errorf("%q is not an IPv4 loopback address", opts.Host)
	}
	if opts.Openers == 0 {
		opts.Openers = DefaultOpeners
	}
	l, err := plan(opts.Connections, 0, opts.Openers)
	if err != nil {
		return AcceptResult{}, err
	}
	srv, err := startServer(ctx, opts)
	if err != nil {
		return AcceptResult{}, err
	}
	defer srv.end()
	before, err := srv.ask(askCPU)
	if err != nil {
		return AcceptResult{}, err
	}

	c := &client{layout: l, openers: opts.Openers, most: int64(opts.Connections), accepted: &srv.accepted}
	for _, port := range srv.ports {
		c.targets = append(c.targets, rawnet.NewAddr(ip, port))
	}
	if err := c.start(); err != nil {
		return AcceptResult{}, err
	}
	defer c.end()
	start := time.Now()
	c.goOn()
	if err := srv.awaitAccepted(ctx, c, opts.Connections); err != nil {
		return AcceptResult{}, err
	}
	after, err := srv.ask(askCPU)
	if err != nil {
		return AcceptResult{}, err
	}
	c.settle()
	if opts.Held != nil {
		if err := c.watchAll(); err != nil {
			return AcceptResult{}, err
		}
		if err := opts.Held(ctx); err != nil {
			return AcceptResult{}, err
		}
	}
	n := time.Duration(opts.Connections)
	seconds := srv.lastProgress.Sub(start).Seconds()
	return AcceptResult{
		Connections: opts.Connections,
		Seconds:     seconds,
		Rate:        float64(opts.Connections) / seconds,
		ServerCPU:   (after.CPU - before.CPU) / n,
		ClientCPU:   time.Duration(c.cpu.Load()) / n,
		Openers:     opts.Openers,
	}, nil
}

// client is what the connecting threads share. They take turns as the server's
// do, some at a time.
type client struct {
	layout   layout
	openers  int
	most     int64
	targets  []rawnet.Addr
	accepted *atomic.Int64 // by the server, as last heard
	turns    []int
	begun    atomic.Int64
	busy     atomic.Int32 // threads that connect now
	cpu      atomic.Int64 // nanoseconds
	stopping atomic.Bool
	watching atomic.Bool  // the threads shall watch what they hold
	watched  atomic.Int32 // threads that do
	failure  atomic.Pointer[error]
	ended    []<-chan struct{}
}

func (c *client) start() error {
	for range c.layout.threads {
		turn, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
		if err != nil {
			return err
		}
		c.turns = append(c.turns, turn)
	}
	for i := range c.turns {
		thread, err := c.layout.start(c.turns, func() { c.life(i) })
		if err != nil {
			c.end()
			return err
		}
		c.ended = append(c.ended, thread.Done())
	}
	return nil
}

// goOn lets the first threads connect.
func (c *client) goOn() {
	for i := range min(c.openers, len(c.turns)) {
		c.busy.Add(1)
		wake(c.turns[i])
	}
}

// settle returns when no thread is connecting: their CPU is counted then.
func (c *client) settle() {
	for c.busy.Load() > 0 {
		time.Sleep(aheadPause)
	}
}

// watchAll returns when every thread watches what it holds.
func (c *client) watchAll() error {
	c.watching.Store(true)
	for _, turn := range c.turns {
		wake(turn)
	}
	for int(c.watched.Load()) < len(c.turns) {
		time.Sleep(aheadPause)
	}
	if err := c.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// watch puts connections into an epoll set for input, as a load does.
func watch(held []int) (*rawnet.Poller, error) {
	poller, err := rawnet.NewPoller(1)
	if err != nil {
		return nil, err
	}
	for i, fd := range held {
		if err := poller.Add(fd, unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLET, uint32(i)); err != nil {
			poller.Close()
			return nil, err
		}
	}
	return poller, nil
}

func (c *client) end() {
	c.stopping.Store(true)
	for _, turn := range c.turns {
		wake(turn)
	}
	for _, done := range c.ended {
		<-done
	}
	closeAll(c.turns)
}

// life connects this thread's share, lets another go on, and holds until the end.
func (c *client) life(i int) {
	awaitWake(c.turns[i])
	began := threadCPU()
	held, err := c.connectShare()
	c.cpu.Add(int64(threadCPU() - began))
	if err != nil {
		c.failure.CompareAndSwap(nil, &err)
	} else if i+c.openers < len(c.turns) {
		c.busy.Add(1)
		wake(c.turns[i+c.openers])
	}
	c.busy.Add(-1)
	for !c.stopping.Load() {
		awaitWake(c.turns[i])
		if c.watching.Load() && !c.stopping.Load() {
			poller, err := watch(held)
			if err != nil {
				c.failure.CompareAndSwap(nil, &err)
			} else {
				defer poller.Close()
			}
			c.watched.Add(1)
		}
	}
	if !c.layout.own {
		closeAll(held)
	}
}

func (c *client) connectShare() ([]int, error) {
	held := make([]int, 0, c.layout.perThread)
	ahead := int64(acceptAhead * len(c.targets))
	for len(held) < c.layout.perThread && !c.stopping.Load() {
		n := c.begun.Add(1) - 1
		if n >= c.most {
			break
		}
		for n-c.accepted.Load() >= ahead && !c.stopping.Load() {
			time.Sleep(aheadPause)
		}
		fd, err := rawnet.Socket()
		if err != nil {
			return held, fmt.Errorf("socket %d: %w", n, err)
		}
		held = append(held, fd)
		if err := rawnet.Connect(fd, &c.targets[n%int64(len(c.targets))]); err != nil && err != unix.EINPROGRESS {
			return held, fmt.Errorf("connect %d: %w", n, err)
		}
	}
	return held, nil
}

// threadCPU is the calling thread's CPU time.
func threadCPU() time.Duration {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts) != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

// process is the running server.
type process struct {
	cmd          *exec.Cmd
	in           io.WriteCloser
	out          *bufio.Reader
	ports        []int
	accepted     atomic.Int64
	lastProgress time.Time
}

func startServer(ctx context.Context, opts AcceptOptions) (*process, error) {
	if len(opts.ServerArgv) == 0 {
		return nil, errors.New("the floor needs a command that serves it")
	}
	args := append(append([]string{}, opts.ServerArgv[1:]...),
		"--host="+opts.Host, fmt.Sprintf("--port=%d", opts.Port), fmt.Sprintf("--ports=%d", opts.Ports),
		fmt.Sprintf("--connections=%d", opts.Connections))
	cmd := exec.CommandContext(ctx, opts.ServerArgv[0], args...)
	cmd.Stderr = opts.Log
	if cmd.Stderr == nil {
		cmd.Stderr = os.Stderr
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the floor's server: %w", err)
	}
	p := &process{cmd: cmd, in: in, out: bufio.NewReader(out)}
	first, err := p.report()
	if err != nil {
		p.end()
		return nil, err
	}
	p.ports = first.Ports
	return p, nil
}

func (p *process) report() (ServerReport, error) {
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return ServerReport{}, fmt.Errorf("the floor's server ended: %w", err)
	}
	var r ServerReport
	if err := json.Unmarshal(line, &r); err != nil {
		return r, fmt.Errorf("the floor's server said %q: %w", line, err)
	}
	if r.Error != "" {
		return r, fmt.Errorf("the floor's server: %s", r.Error)
	}
	return r, nil
}

func (p *process) ask(what string) (ServerReport, error) {
	if _, err := io.WriteString(p.in, what+"\n"); err != nil {
		return ServerReport{}, fmt.Errorf("the floor's server ended: %w", err)
	}
	return p.report()
}

// awaitAccepted asks every few milliseconds until the server holds n.
func (p *process) awaitAccepted(ctx context.Context, c *client, n int) error {
	const interval = 5 * time.Millisecond
	p.lastProgress = time.Now()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := c.failure.Load(); err != nil {
			return *err
		}
		r, err := p.ask(askCount)
		if err != nil {
			return err
		}
		if int64(r.Accepted) > p.accepted.Load() {
			p.accepted.Store(int64(r.Accepted))
			p.lastProgress = time.Now()
		}
		if r.Accepted >= n {
			return nil
		}
		if time.Since(p.lastProgress) > acceptStall {
			return fmt.Errorf("the floor's server accepted %d of %d and none for %v", r.Accepted, n, acceptStall)
		}
		time.Sleep(interval)
	}
}

// end lets the server go, by closing its input, and waits for it.
func (p *process) end() {
	p.in.Close()
	io.Copy(io.Discard, p.out)
	p.cmd.Wait()
}
