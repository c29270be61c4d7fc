// Command comet is the comet server: subscribers wait at its front door for the
// messages that publishers bring to its admin door.
//
// It parses and checks what it was told, looks at what the kernel gives, opens
// the doors, and hands them with a service to an engine; all that moves a
// message lives in packages comet, uring and the engines it is compared with.
package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
)

// The exit codes, as --help tells them.
const (
	exitClean   = 0 // stopped by SIGINT or SIGTERM
	exitFailed  = 1 // failed while running, or was forced to stop
	exitUsage   = 2 // a flag or a value was wrong
	exitRefused = 3 // could not start: a port, a limit, the kernel
)

// refusal is a reason not to start that is not the command line's fault.
type refusal struct{ err error }

func (r refusal) Error() string { return r.err.Error() }
func (r refusal) Unwrap() error { return r.err }

func refuse(format string, a ...any) error { return refusal{fmt.Errorf(format, a...)} }

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is main without the process: arguments in, exit code out.
func run(args []string, stdout, stderr io.Writer) int {
	log := slog.New(slog.NewTextHandler(stderr, nil))
	o, exit, done := parseOptions(args, stdout, stderr)
	if done {
		return exit
	}
	err := serve(o, log)
	var refused refusal
	switch {
	case err == nil:
		return exitClean
	case errors.As(err, &refused):
		fmt.Fprintf(stderr, "comet: cannot start: %v\n", err)
		return exitRefused
	default:
		fmt.Fprintf(stderr, "comet: %v\n", err)
		return exitFailed
	}
}
