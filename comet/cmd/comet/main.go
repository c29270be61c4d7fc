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
	"os"

	"c1000k/comet/slack"
)

// The exit codes, as --help tells them.
const (
	exitClean   = 0 // stopped by SIGINT or SIGTERM
	exitFailed  = 1 // failed while running, or was forced to stop
	exitUsage   = 2 // a flag or a value was wrong
	exitListen  = 3 // could not listen
	exitMachine = 4 // the kernel, a limit or the memory does not carry what was asked for
)

// refusal is a reason not to start that is not the settings' fault.
type refusal struct {
	error
	exit int
}

func (r refusal) Unwrap() error { return r.error }

// refuse is a refusal of the machine.
func refuse(format string, a ...any) error { return refusal{fmt.Errorf(format, a...), exitMachine} }

// refuseListen is a refusal of a door.
func refuseListen(format string, a ...any) error {
	return refusal{fmt.Errorf(format, a...), exitListen}
}

// begin may have the process begin anew, as is good where so many loops run at a time.
// Only main knows that what it is in is this program.
var begin = func(running int, leave func() bool) {}

func main() {
	begin = slack.Process
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is main without the process: arguments in, exit code out.
func run(args []string, stdout, stderr io.Writer) int {
	// First of all, so that no hang-up signal ends a server that is starting.
	signals := newSignals()
	signals.heed()
	in := inputs{args: args, env: os.Environ()}
	o, exit, done := parseOptions(in, stdout, stderr)
	if done {
		return exit
	}
	err := serve(in, o, signals, newLogger(o, stderr))
	var refused refusal
	switch {
	case err == nil:
		return exitClean
	case errors.As(err, &refused):
		fmt.Fprintf(stderr, "comet: cannot start: %v\n", err)
		return refused.exit
	default:
		fmt.Fprintf(stderr, "comet: %v\n", err)
		return exitFailed
	}
}
