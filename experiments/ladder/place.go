package ladder

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"c1000k/experiments/process"
)

// errNoInput says that nobody can press Enter.
var errNoInput = errors.New("--pause waits for Enter, but the input has ended")

// awaitEnter waits for a line of input.
func (r *run) awaitEnter(ctx context.Context) error {
	if r.enter == nil {
		r.enter = make(chan error)
		go readLines(r.o.Input, r.enter)
	}
	select {
	case err := <-r.enter:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// readLines sends nil for each line, then the end. It lives as long as the
// process: a read of a terminal cannot be called off.
func readLines(in io.Reader, lines chan<- error) {
	s := bufio.NewScanner(in)
	for s.Scan() {
		lines <- nil
	}
	for {
		lines <- errNoInput
	}
}

// placement says which processors server and load have; nil is all.
type placement struct{ server, load []int }

// place divides the processors as the options say.
func place(o *Options) (placement, error) {
	if o.Pin != PinApart {
		return placement{}, nil
	}
	server, load, err := process.Apart()
	if err != nil {
		return placement{}, fmt.Errorf("--pin %s: %w", PinApart, err)
	}
	return placement{server: server, load: load}, nil
}

// String is what run.json says of it.
func (p placement) String() string {
	if p.server == nil {
		return "Server and load are not pinned: the kernel places them."
	}
	return fmt.Sprintf("Pinned apart: the server on processors %v, the load on %v.", p.server, p.load)
}
