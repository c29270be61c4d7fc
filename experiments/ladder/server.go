package ladder

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Server is a running server and its doors. Its methods are for one goroutine,
// but for Exited, which is for any.
type Server struct {
	Doors Doors
	child *child
}

// StartServer starts the server at path with the doors and further arguments,
// its output appended to the file logPath, and waits until it answers.
func StartServer(ctx context.Context, path string, doors Doors, logPath string, args ...string) (*Server, error) {
	c, err := startChild(path, append(doors.Args(), args...), logPath, nil)
	if err != nil {
		return nil, err
	}
	s := &Server{Doors: doors, child: c}
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-c.exited:
			cancel()
		case <-waiting.Done():
		}
	}()
	if err := waitReady(waiting, doors); err != nil {
		if c.died() {
			err = s.Death()
		}
		return nil, errors.Join(err, c.stop(nil))
	}
	return s, nil
}

// PID is the server's process number.
func (s *Server) PID() int { return s.child.pid() }

// Exited is closed when the process is gone.
func (s *Server) Exited() <-chan struct{} { return s.child.exited }

// Death describes a server that ended by itself.
func (s *Server) Death() error {
	f := s.child.failure()
	how := f.Signal
	if f.ExitStatus != nil {
		how = fmt.Sprintf("exit status %d", *f.ExitStatus)
	}
	return fmt.Errorf("the server ended by itself (%s); its last lines:\n%s", how, strings.Join(f.LastLines, "\n"))
}

// Stop asks the server to leave, and makes it leave if it does not, or as soon as
// force is closed. An error tells that force was needed, or that it failed.
func (s *Server) Stop(force <-chan struct{}) error {
	if err := s.child.stop(force); err != nil {
		return err
	}
	if state := s.child.cmd.ProcessState; !state.Success() {
		return s.Death()
	}
	return nil
}

// Info is what the admin door tells by /info.
func (s *Server) Info(ctx context.Context) (Info, error) { return askInfo(ctx, s.Doors) }

// DebugPage reads a page of the debug door.
func (s *Server) DebugPage(ctx context.Context, path string) ([]byte, error) {
	return get(ctx, "http://"+s.Doors.DebugAddr()+path)
}
