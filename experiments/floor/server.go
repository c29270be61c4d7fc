package floor

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"c1000k/comet/slack"
	"c1000k/experiments/fdtable"
	"c1000k/experiments/load/rawnet"
	"c1000k/experiments/sample"
)

// ServeOptions are those of the floor's server, with the tags of a command line.
type ServeOptions struct {
	Host        string `help:"IPv4 address to listen on." default:"127.0.0.1"`
	Port        int    `help:"First port; 0 lets the kernel choose each." default:"0"`
	Ports       int    `help:"Number of ports." default:"100"`
	Connections int    `help:"Most connections to hold." default:"100000"`
}

// Threads is how many the server will have; where it will be refused, any number.
func (o ServeOptions) Threads() int {
	l, _ := plan(o.Connections, o.Ports, 1)
	return l.threads
}

// What the server may be asked, each in a line.
const (
	askCount = "count" // how many are accepted: cheap
	askCPU   = "cpu"   // and the CPU used so far
)

// ServerReport is one line of the server's output: the first when it listens,
// the others in answer to a line of input.
type ServerReport struct {
	Ports    []int         `json:"ports,omitempty"` // in the first line only
	Accepted int           `json:"accepted"`
	CPU      time.Duration `json:"cpu_ns,omitempty"` // all threads, since the start
	Error    string        `json:"error,omitempty"`
}

// acceptBatch is how many connections are taken from one listener before the
// others are looked at.
const acceptBatch = 64

// Serve accepts connections and holds them. It writes a ServerReport as a line
// of JSON when it listens, and another for each line that it reads. It ends, and
// closes all, when in ends.
func Serve(opts ServeOptions, in io.Reader, out io.Writer) error {
	ip, err := netip.ParseAddr(opts.Host)
	if err != nil || !ip.Is4() {
		return fmt.Errorf("%q is not an IPv4 address", opts.Host)
	}
	l, err := plan(opts.Connections, opts.Ports, 1)
	if err != nil {
		return err
	}
	s := &server{most: opts.Connections, layout: l}
	var ports []int
	if s.listeners, ports, err = listenAll(ip, opts.Port, opts.Ports); err != nil {
		return err
	}
	defer closeAll(s.listeners)
	if err := s.startThreads(); err != nil {
		return err
	}
	defer s.end()

	cpu, err := sample.NewCPUMeter(os.Getpid())
	if err != nil {
		return err
	}
	defer cpu.Close()
	encoder := json.NewEncoder(out)
	if err := encoder.Encode(ServerReport{Ports: ports}); err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		r := ServerReport{Accepted: int(s.accepted.Load())}
		if lines.Text() == askCPU {
			used, err := cpu.Read()
			if err != nil {
				return err
			}
			r.CPU = used.Process
		}
		if e := s.failure.Load(); e != nil {
			r.Error = (*e).Error()
		}
		if err := encoder.Encode(r); err != nil {
			return err
		}
	}
	return lines.Err()
}

// server is what the accepting threads share.
type server struct {
	most      int
	layout    layout
	listeners []int
	turns     []int // an eventfd a thread: the first wake starts it, the second ends it
	threads   []*fdtable.Thread
	accepted  atomic.Int64
	stopping  atomic.Bool
	failure   atomic.Pointer[error]
}

// startThreads starts the threads. They take turns: a thread accepts until
// it holds its share, then wakes the next and keeps still.
func (s *server) startThreads() error {
	for range s.layout.threads {
		turn, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
		if err != nil {
			return err
		}
		s.turns = append(s.turns, turn)
	}
	slack.Loops(len(s.turns))
	keep := append(append([]int{}, s.listeners...), s.turns...)
	for i := range s.turns {
		thread, err := s.layout.start(keep, func() { s.life(i) })
		if err != nil {
			return err
		}
		s.threads = append(s.threads, thread)
	}
	wake(s.turns[0])
	return nil
}

// end lets every thread go, and with it its connections.
func (s *server) end() {
	s.stopping.Store(true)
	for _, turn := range s.turns {
		wake(turn)
		wake(turn)
	}
	for _, thread := range s.threads {
		thread.Wait()
	}
	closeAll(s.turns)
}

// life is that of one thread.
func (s *server) life(i int) {
	slack.Loop()
	awaitWake(s.turns[i])
	held, err := s.acceptShare()
	if err != nil {
		s.failure.CompareAndSwap(nil, &err)
	}
	if i+1 < len(s.turns) && !s.stopping.Load() {
		wake(s.turns[i+1])
	}
	for !s.stopping.Load() {
		awaitWake(s.turns[i])
	}
	if !s.layout.own { // an own table closes by itself
		closeAll(held)
	}
}

// acceptShare accepts until this thread's share is held, or all, or the end. It
// returns what it holds.
func (s *server) acceptShare() ([]int, error) {
	poller, err := rawnet.NewPoller(len(s.listeners))
	if err != nil {
		return nil, err
	}
	defer poller.Close()
	for i, fd := range s.listeners {
		if err := poller.Add(fd, unix.EPOLLIN, uint32(i)); err != nil {
			return nil, err
		}
	}
	held := make([]int, 0, s.layout.perThread)
	for !s.stopping.Load() {
		n, err := poller.Wait(stopCheckMs)
		if err != nil {
			return held, err
		}
		for i := range n {
			_, listener := poller.Event(i)
			for range acceptBatch {
				if len(held) == s.layout.perThread || int(s.accepted.Load()) == s.most {
					return held, nil
				}
				fd, err := rawnet.Accept(s.listeners[listener])
				if err == unix.EAGAIN {
					break
				}
				if err != nil {
					return held, fmt.Errorf("accept: %w", err)
				}
				held = append(held, fd)
				s.accepted.Add(1)
			}
		}
	}
	return held, nil
}

// stopCheckMs is how long a thread waits for connections before it looks
// whether it shall end.
const stopCheckMs = 50

// wake adds one to an eventfd; awaitWake blocks until it is not zero and resets it.
func wake(eventfd int) {
	one := [8]byte{1}
	unix.Write(eventfd, one[:])
}

func awaitWake(eventfd int) {
	var count [8]byte
	for {
		if _, err := unix.Read(eventfd, count[:]); err != unix.EINTR {
			return
		}
	}
}
