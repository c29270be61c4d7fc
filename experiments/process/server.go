package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

// Server is a running comet server and its doors. Its methods are for one
// goroutine, but for Ended, which is for any.
type Server struct {
	Doors   Doors
	process *Process
}

// CheckProgram refuses a path at which no server can be started, before anything
// else is begun.
func CheckProgram(path string) error {
	st, err := os.Stat(path)
	switch {
	case err != nil:
		return fmt.Errorf("--server: %w: name the server's program, or build it (scripts/experiment builds it beside this one)", err)
	case st.IsDir() || st.Mode()&0o111 == 0:
		return fmt.Errorf("--server: %s is no program", path)
	}
	return nil
}

// StartServer starts the server at path with the doors and further arguments,
// its output appended to the file logPath, and waits until it answers.
func StartServer(ctx context.Context, path string, doors Doors, logPath string, args ...string) (*Server, error) {
	p, err := Start(path, append(doors.Args(), args...), logPath, nil)
	if err != nil {
		return nil, err
	}
	s := &Server{Doors: doors, process: p}
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-p.Ended():
			cancel()
		case <-waiting.Done():
		}
	}()
	if err := WaitReady(waiting, doors); err != nil {
		return nil, errors.Join(s.Explain(err), p.Stop(nil))
	}
	return s, nil
}

// PID is the server's process number.
func (s *Server) PID() int { return s.process.PID() }

// Ended is closed when the process is gone.
func (s *Server) Ended() <-chan struct{} { return s.process.Ended() }

// Death describes a server that ended by itself.
func (s *Server) Death() error {
	f := s.process.Failure()
	how := f.Signal
	if f.ExitStatus != nil {
		how = fmt.Sprintf("exit status %d", *f.ExitStatus)
	}
	return fmt.Errorf("the server ended by itself (%s); its last lines:\n%s", how, strings.Join(f.LastLines, "\n"))
}

// Explain adds to an error that the server ended and its last words, if it did.
func (s *Server) Explain(err error) error {
	if err == nil || !s.process.Died() {
		return err
	}
	return fmt.Errorf("%w: %w", err, s.Death())
}

// Stop asks the server to leave, and makes it leave if it does not, or as soon as
// force is closed. An error tells that force was needed, or that it failed.
func (s *Server) Stop(force <-chan struct{}) error {
	if err := s.process.Stop(force); err != nil {
		return err
	}
	if !s.process.cmd.ProcessState.Success() {
		return s.Death()
	}
	return nil
}

// Info is what the admin door tells by /info.
func (s *Server) Info(ctx context.Context) (Info, error) { return AskInfo(ctx, s.Doors.AdminAddr()) }

// DebugPage reads a page of the debug door.
func (s *Server) DebugPage(ctx context.Context, path string) ([]byte, error) {
	return Get(ctx, "http://"+s.Doors.DebugAddr()+path)
}
