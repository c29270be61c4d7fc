package load

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"time"
)

// mostCommandBytes bounds a line of input.
const mostCommandBytes = 64 << 10

// Run is the load process: it carries out the commands that it reads, a line of
// JSON each, and writes events likewise. It returns when it is told to quit or
// the input ends, with everything closed. Interrupts from the terminal are
// ignored: they reach the driver too, which decides.
func Run(opts Options, in io.Reader, out io.Writer) error {
	signal.Ignore(os.Interrupt)
	g, err := New(opts)
	if err != nil {
		return err
	}
	defer g.End()
	s := &session{gen: g, out: json.NewEncoder(out)}
	ready := g.Ready()
	s.send(Event{Event: EventReady, Ready: &ready})
	return s.serve(in)
}

// session is the conversation with a driver.
type session struct {
	gen   *Generator
	mutex sync.Mutex
	out   *json.Encoder
	err   error // of writing
}

func (s *session) send(e Event) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if err := s.out.Encode(e); err != nil && s.err == nil {
		s.err = fmt.Errorf("writing an event: %w", err)
	}
}

// serve reads commands, and carries them out one after the other.
func (s *session) serve(in io.Reader) error {
	all, cancelAll := context.WithCancel(context.Background())
	defer cancelAll()
	commands := make(chan Command)
	finished := make(chan struct{})
	current := &canceller{}
	go func() {
		defer close(finished)
		for c := range commands {
			ctx, cancel := context.WithCancel(all)
			current.set(cancel)
			s.send(s.carryOut(ctx, c))
			current.set(nil)
			cancel()
		}
	}()
	err := s.read(in, commands, current)
	cancelAll()
	close(commands)
	<-finished
	if err == nil {
		err = s.err
	}
	return err
}

// canceller ends the command under way, if there is one.
type canceller struct {
	mutex  sync.Mutex
	cancel context.CancelFunc
}

func (c *canceller) set(f context.CancelFunc) {
	c.mutex.Lock()
	c.cancel = f
	c.mutex.Unlock()
}

func (c *canceller) stop() {
	c.mutex.Lock()
	if c.cancel != nil {
		c.cancel()
	}
	c.mutex.Unlock()
}

// read hands commands on until quit or the end of the input.
func (s *session) read(in io.Reader, commands chan<- Command, current *canceller) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, mostCommandBytes)
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var c Command
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			s.send(Event{Event: EventDone, Error: fmt.Sprintf("not a command: %v", err)})
			continue
		}
		switch c.Do {
		case DoQuit:
			return nil
		case DoStop:
			current.stop()
		default:
			commands <- c
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("reading commands: %w", err)
	}
	return nil
}

// carryOut does one command and returns its final event.
func (s *session) carryOut(ctx context.Context, c Command) Event {
	e := Event{Event: EventDone, Do: c.Do}
	report := func(p Progress) { s.send(Event{Event: EventProgress, Do: c.Do, Progress: &p}) }
	var err error
	switch c.Do {
	case DoSign:
		e.Sign = new(SignResult)
		*e.Sign, err = s.gen.Sign(ctx, c.Admin, c.To, report)
	case DoOpen:
		e.Open = new(OpenResult)
		*e.Open, err = s.gen.Open(ctx, c.To, c.Rate, report)
	case DoPush:
		e.Push = new(PushResult)
		*e.Push, err = s.gen.Push(ctx, PushOptions{Count: c.Count, Rate: c.Rate, Seed: c.Seed, Admin: c.Admin}, report)
	case DoBroadcast:
		e.Broadcast = new(BroadcastResult)
		*e.Broadcast, err = s.gen.Broadcast(ctx, BroadcastOptions{Count: c.Count, Admin: c.Admin}, report)
	case DoCounts:
		counts := s.gen.Counts()
		e.Counts = &counts
	case DoClose:
		e.Close = new(CloseResult)
		*e.Close, err = s.gen.CloseAll(ctx, report)
	case DoWithhold:
		s.gen.Withhold()
	case DoRepoll:
		e.Repoll = new(RepollResult)
		*e.Repoll, err = s.gen.Repoll(ctx)
	case DoCeiling:
		e.Ceiling = new(CeilingResult)
		*e.Ceiling, err = Ceiling(ctx, CeilingOptions{
			Connections: c.To, Duration: time.Duration(c.Seconds * float64(time.Second)),
		})
	default:
		err = fmt.Errorf("%q is not a command", c.Do)
	}
	if errors.Is(err, context.Canceled) {
		err = errStopped
	}
	if err != nil {
		e.Error = err.Error()
	}
	return e
}

var errStopped = errors.New("stopped")
