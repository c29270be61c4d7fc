package load

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"syscall"
	"time"

	"c1000k/comet/slack"
)

// Patience of a driver with its load.
const (
	stopPatience = 10 * time.Second // for the result of a command that was told to stop
	endPatience  = 20 * time.Second // for the process to end by itself
	mostEvent    = 4 << 20          // bytes of a line
)

// Client drives a load process. Its methods are for one goroutine, except Close.
type Client struct {
	// Ready is how the load is laid out.
	Ready Ready

	cmd    *exec.Cmd
	in     io.WriteCloser
	events chan Event
	broken error // why events was closed; read after that
	exited chan struct{}
	exit   error // when exited is closed
}

// Start starts a load process: argv must lead to Run on its standard input and
// output. Its standard error goes to log. The process is in a process group of
// its own, so that an interrupt from the terminal does not reach it, and ends by
// itself when the caller dies.
func Start(ctx context.Context, argv []string, log io.Writer) (*Client, error) {
	if len(argv) == 0 {
		return nil, errors.New("no command to start the load with")
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stderr = log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := slack.Start(loadSlack, cmd.Start); err != nil {
		return nil, fmt.Errorf("starting the load: %w", err)
	}
	c := &Client{cmd: cmd, in: in, events: make(chan Event, 16), exited: make(chan struct{})}
	go c.listen(out)
	first, err := c.next(ctx)
	if err == nil && first.Ready == nil {
		err = fmt.Errorf("the load began with %q instead of %q", first.Event, EventReady)
	}
	if err != nil {
		_ = c.Close() // says the same of a load that ended, less of another
		return nil, err
	}
	c.Ready = *first.Ready
	return c, nil
}

// loadSlack is how late the kernel may end a sleep of the load's threads; the one
// that sends on time sets its own. The Go runtime's monitor sleeps 20 us at a time
// whenever some thread came back from a long wait, and past the descriptor limit
// some always does: it used a seventh of a processor.
const loadSlack = time.Millisecond

// PID is the load's process number.
func (c *Client) PID() int { return c.cmd.Process.Pid }

// listen passes events on until the process closes its output, then waits for it.
func (c *Client) listen(out io.Reader) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, mostEvent)
	for lines.Scan() {
		var e Event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			c.broken = fmt.Errorf("the load said %q: %w", lines.Bytes(), err)
			break
		}
		c.events <- e
	}
	if c.broken == nil {
		c.broken = lines.Err()
	}
	io.Copy(io.Discard, out)
	c.exit = c.cmd.Wait()
	if c.broken == nil {
		c.broken = fmt.Errorf("the load ended: %v", c.cmd.ProcessState)
	}
	close(c.events)
	close(c.exited)
}

func (c *Client) next(ctx context.Context) (Event, error) {
	select {
	case e, ok := <-c.events:
		if !ok {
			return Event{}, c.broken
		}
		return e, nil
	case <-ctx.Done():
		return Event{}, ctx.Err()
	}
}

// Do sends a command and waits for its outcome; progress, which may be nil, is
// called meanwhile. If the context ends, the load is told to stop, and the event
// holds what it had reached. An error that the load reports is returned beside
// the event.
func (c *Client) Do(ctx context.Context, command Command, progress func(Progress)) (Event, error) {
	if err := c.send(command); err != nil {
		return Event{}, err
	}
	for {
		e, err := c.next(ctx)
		if err != nil && ctx.Err() != nil {
			return c.stop(ctx)
		}
		if err != nil {
			return e, err
		}
		if e.Event == EventDone {
			return e, e.err()
		}
		if e.Progress != nil && progress != nil {
			progress(*e.Progress)
		}
	}
}

// err is what the load reports of a command.
func (e Event) err() error {
	if e.Error == "" {
		return nil
	}
	return fmt.Errorf("load: %s: %s", e.Do, e.Error)
}

func (c *Client) send(command Command) error {
	line, err := json.Marshal(command)
	if err != nil {
		return err
	}
	if _, err := c.in.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("commanding the load: %w", err)
	}
	return nil
}

// stop ends the command under way and returns what it had reached, with the
// reason for stopping.
func (c *Client) stop(ctx context.Context) (Event, error) {
	reason := context.Cause(ctx)
	if err := c.send(Command{Do: DoStop}); err != nil {
		return Event{}, errors.Join(reason, err)
	}
	patience, cancel := context.WithTimeout(context.Background(), stopPatience)
	defer cancel()
	for {
		e, err := c.next(patience)
		if err != nil {
			return e, errors.Join(reason, err)
		}
		if e.Event == EventDone {
			return e, reason
		}
	}
}

// Sign gets a token for each channel of the first to connections; see Generator.Sign.
func (c *Client) Sign(ctx context.Context, admin string, to int, progress func(Progress)) (SignResult, error) {
	e, err := c.Do(ctx, Command{Do: DoSign, Admin: admin, To: to}, progress)
	return value(e.Sign), err
}

// Open holds to connections in all; see Generator.Open.
func (c *Client) Open(ctx context.Context, to int, rate float64, progress func(Progress)) (OpenResult, error) {
	e, err := c.Do(ctx, Command{Do: DoOpen, To: to, Rate: rate}, progress)
	return value(e.Open), err
}

// Push sends messages to drawn channels; see Generator.Push.
func (c *Client) Push(ctx context.Context, o PushOptions, progress func(Progress)) (PushResult, error) {
	e, err := c.Do(ctx, Command{Do: DoPush, Count: o.Count, Rate: o.Rate, Seed: o.Seed, Admin: o.Admin}, progress)
	return value(e.Push), err
}

// Broadcast sends messages to all channels; see Generator.Broadcast.
func (c *Client) Broadcast(ctx context.Context, o BroadcastOptions, progress func(Progress)) (BroadcastResult, error) {
	e, err := c.Do(ctx, Command{Do: DoBroadcast, Count: o.Count, Admin: o.Admin}, progress)
	return value(e.Broadcast), err
}

// Counts returns what the load has seen so far.
func (c *Client) Counts(ctx context.Context) (Counts, error) {
	e, err := c.Do(ctx, Command{Do: DoCounts}, nil)
	return value(e.Counts), err
}

// CloseAll closes all connections; the process stays.
func (c *Client) CloseAll(ctx context.Context, progress func(Progress)) (CloseResult, error) {
	e, err := c.Do(ctx, Command{Do: DoClose}, progress)
	return value(e.Close), err
}

// Withhold has no poll follow a reply; see Generator.Withhold.
func (c *Client) Withhold(ctx context.Context) error {
	_, err := c.Do(ctx, Command{Do: DoWithhold}, nil)
	return err
}

// Repoll sends what was withheld; see Generator.Repoll.
func (c *Client) Repoll(ctx context.Context) (RepollResult, error) {
	e, err := c.Do(ctx, Command{Do: DoRepoll}, nil)
	return value(e.Repoll), err
}

// Ceiling measures the load's own limit, in the load's process; see Ceiling.
func (c *Client) Ceiling(ctx context.Context, o CeilingOptions) (CeilingResult, error) {
	e, err := c.Do(ctx, Command{Do: DoCeiling, To: o.Connections, Seconds: o.Duration.Seconds()}, nil)
	return value(e.Ceiling), err
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// Close ends the process, which closes its connections, and kills it if it does
// not end by itself. It may be called from any goroutine and more than once.
func (c *Client) Close() error {
	c.in.Close()
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		for range c.events { // the listener must not be held up
		}
	}()
	select {
	case <-c.exited:
	case <-time.After(endPatience):
		c.cmd.Process.Kill()
		<-c.exited
	}
	<-drained
	if c.exit != nil {
		return fmt.Errorf("the load: %w", c.exit)
	}
	return nil
}
