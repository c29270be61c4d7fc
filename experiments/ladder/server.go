package ladder

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"c1000k/experiments/sample"
)

// Server is a server process as the ladder runs one, for other experiments. It
// belongs to one goroutine.
type Server struct {
	Doors Doors
	child *child
}

// StartServer starts the server's binary on the doors, with args beside those that
// name them, its output in the file log, and waits until it answers.
func StartServer(ctx context.Context, binary, engine string, d Doors, args []string, log string) (*Server, error) {
	if err := executable(binary); err != nil {
		return nil, fmt.Errorf("--server: %w", err)
	}
	c, err := startChild(binary, append(d.args(engine), args...), log, nil)
	if err != nil {
		return nil, err
	}
	s := &Server{Doors: d, child: c}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-c.exited:
			cancel(errServerDied)
		case <-ctx.Done():
		}
	}()
	if err := waitReady(ctx, d); err != nil {
		return nil, errors.Join(s.Explain(err), s.Stop(nil))
	}
	return s, nil
}

// PID is the process's number.
func (s *Server) PID() int { return s.child.pid() }

// Stop ends the process, by force as soon as force is closed.
func (s *Server) Stop(force <-chan struct{}) error { return s.child.stop(force) }

// Explain adds to an error how the server ended, and its last words, if it did.
func (s *Server) Explain(err error) error {
	if err == nil || !s.child.died() {
		return err
	}
	return fmt.Errorf("%w: %w: %v; its last lines:\n%s", err, errServerDied, s.child.cmd.ProcessState,
		strings.Join(tail(s.child.logPath, s.child.logFrom), "\n"))
}

// Structure is how many loops, rings and descriptor tables the server has now.
func (s *Server) Structure(ctx context.Context) (loops, rings, tables int, err error) {
	f, err := askFacts(ctx, s.Doors)
	return f.Loops, f.Rings, f.Tables, err
}

// Info asks the admin door how many channels and subscribers there are.
func (s *Server) Info(ctx context.Context) (Info, error) { return askInfo(ctx, s.Doors) }

// Debug reads a page of the debug door.
func (s *Server) Debug(ctx context.Context, path string) ([]byte, error) {
	return get(ctx, "http://"+s.Doors.DebugAddr()+path)
}

// Noisy says by which limits of the specs the machine was not quiet between two
// looks.
func Noisy(before, after sample.Machine) []string { return noisy(before, after) }

// CheckMemory refuses to hold so many connections, which are not open yet, where
// the machine has not the memory.
func CheckMemory(connections int) error {
	available, err := memoryAvailable()
	if err != nil {
		return err
	}
	if need := memoryNeeded(connections); available < need {
		return fmt.Errorf("%s connections take up to %s (8.5 KB each, and 2 GiB stay free), and %s are available",
			grouped(connections), size(need), size(available))
	}
	return nil
}
