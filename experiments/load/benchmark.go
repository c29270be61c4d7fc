package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// BenchmarkOptions are those of the article's tool, with the tags of its command
// line.
type BenchmarkOptions struct {
	Host  string  `arg:"" help:"IPv4 loopback address of the server, or localhost for 127.0.0.1."`
	Port  int     `arg:"" help:"First port."`
	Ports int     `help:"Number of ports, from PORT on." default:"100"`
	To    int     `help:"Connections in the end." default:"1000000"`
	Step  int     `help:"Connections a step." default:"100000"`
	Rate  float64 `help:"Connections a second; 0 is as fast as goes." default:"0"`
}

// atOnce is how long a server has to answer polls that it does not hold.
const atOnce = time.Second

// ErrNotHeld says that a server answers long-polls at once.
var ErrNotHeld = errors.New("the server holds no subscription")

// Benchmark opens long-polls to any server that speaks the protocol, in steps,
// and waits for a line of input at 0 and after each step, so that its user can
// look at the server meanwhile. It returns when all steps are done or the input
// ends, with all connections closed; with ErrNotHeld if the server answers every
// poll at once.
func Benchmark(ctx context.Context, o BenchmarkOptions, in io.Reader, out io.Writer) error {
	if o.Step < 1 || o.To < 1 {
		return fmt.Errorf("steps of %d connections up to %d: both must be at least 1", o.Step, o.To)
	}
	g, err := New(Options{Host: o.Host, Port: o.Port, Ports: o.Ports, Connections: o.To, Subscribers: 1, Openers: DefaultOpeners})
	if err != nil {
		return err
	}
	defer g.End()
	fmt.Fprintf(out, "%s, ports %d to %d: up to %d long-polls, %d a step\n", o.Host, o.Port, o.Port+o.Ports-1, o.To, o.Step)
	lines := readLines(in)
	for at := 0; ; {
		if goOn, err := prompt(ctx, out, lines, at, at >= o.To); !goOn || err != nil {
			return err
		}
		if at >= o.To {
			return nil
		}
		at = min(at+o.Step, o.To)
		if err := g.step(ctx, o, at, out); err != nil {
			return err
		}
	}
}

// step opens to a number of connections and says what came of it.
func (g *Generator) step(ctx context.Context, o BenchmarkOptions, to int, out io.Writer) error {
	r, err := g.Open(ctx, to, o.Rate, func(p Progress) {
		fmt.Fprintf(out, "\r  %d of %d", p.Done, p.Of)
	})
	fmt.Fprintf(out, "\r  opened %d in %.1f s, %.0f a second", r.Added, r.Seconds, r.Rate)
	if r.Retries > 0 {
		fmt.Fprintf(out, ", %d connects tried again", r.Retries)
	}
	fmt.Fprintln(out)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(atOnce):
	}
	c := g.Counts()
	fmt.Fprintf(out, "  held %d of %d\n", c.Held, c.Opened)
	if c.NotHeld > 0 {
		fmt.Fprintf(out, "  NOT HELD: the server answered %d polls at once with next_seq, so it holds no subscription of them\n", c.NotHeld)
	}
	for _, odd := range []struct {
		n    int64
		what string
	}{
		{c.RefusedPolls, "polls refused (401 or 429)"},
		{c.BadReplies, "replies that are not the protocol's"},
		{c.Resets, "connections ended by the server"},
		{c.Messages, "messages from the server's history or from others"},
		{c.Noops, "polls answered by noop, and polled again"},
	} {
		if odd.n > 0 {
			fmt.Fprintf(out, "  %d %s\n", odd.n, odd.what)
		}
	}
	if c.Held == 0 && c.NotHeld > 0 {
		return ErrNotHeld
	}
	return nil
}

// prompt waits for a line. It returns false when the input has ended.
func prompt(ctx context.Context, out io.Writer, lines <-chan struct{}, at int, last bool) (bool, error) {
	next := "go on"
	if last {
		next = "close all and end"
	}
	fmt.Fprintf(out, "%d connections. Press Enter to %s: ", at, next)
	select {
	case _, ok := <-lines:
		if !ok {
			fmt.Fprintln(out, "(no more input)")
		}
		return ok, nil
	case <-ctx.Done():
		fmt.Fprintln(out)
		return false, ctx.Err()
	}
}

// readLines tells of each line of in, and closes the channel at its end.
func readLines(in io.Reader) <-chan struct{} {
	lines := make(chan struct{})
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(in); s.Scan(); {
			lines <- struct{}{}
		}
	}()
	return lines
}
