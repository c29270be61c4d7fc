// Command experiment runs this project's experiments: the ladder that compares
// the server's backends step by step, the load and the floor that it needs as
// processes of their own, the report made from a results folder, and the
// comparison of two profiles.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// The exit codes, as --help tells them.
const (
	exitClean       = 0
	exitFailed      = 1   // could not be done, or something in it failed
	exitUsage       = 2   // a flag or a value was wrong
	exitInterrupted = 130 // by Ctrl-C, as shells have it; what was measured is kept
)

// helpWidth is where help is wrapped, in columns.
const helpWidth = 92

const description = `Experiments with the comet server: io_uring and epoll side by side, up to a million
held connections on one machine.`

// usageError is a flag or a value that cannot be used.
type usageError struct{ error }

// errFailures says that a run came to its end, but not all of it went well. What
// failed was told already.
var errFailures = errors.New("not everything went well; see FAILED above")

// environment is what every command is given beside its flags.
type environment struct {
	ctx    context.Context
	force  <-chan struct{} // closed by a second Ctrl-C
	stdin  io.Reader
	stdout io.Writer
}

// commands are the subcommands.
type commands struct {
	Ladder     ladderCommand     `cmd:"" help:"Climb to a million held connections on each backend, and compare. The main experiment."`
	Report     reportCommand     `cmd:"" help:"Make tables and figures anew from a results folder."`
	Profdiff   profdiffCommand   `cmd:"" help:"The functions that differ most a message between two profiles."`
	Benchmark  benchmarkCommand  `cmd:"" help:"The article's tool: open long-polls to any server of the protocol, with Enter at each step."`
	Turns      turnsCommand      `cmd:"" help:"What a delivery with its next poll costs, as a multiple of the floor of the same run."`
	Peers      peersCommand      `cmd:"" help:"What a delivery, a push and a held connection cost beside nchan, on one loop each."`
	Ablation   ablationCommand   `cmd:"" help:"What each choice of the io_uring engine buys, one by one and all together, beside epoll."`
	Proxy      proxyCommand      `cmd:"" help:"What a held connection costs behind nginx, with and without TLS."`
	Soak       soakCommand       `cmd:"" help:"Everything at once, for long: is nothing lost, and is nothing left?"`
	Responsive responsiveCommand `cmd:"" help:"What pings and pushes take while a broadcast goes to a million channels."`

	Load        loadCommand        `cmd:"" hidden:"" help:"The load process of a ladder; it is spoken to in lines of JSON."`
	FloorAccept floorAcceptCommand `cmd:"" hidden:"" help:"The server of the bare accept floor; it is spoken to in lines."`
	FloorTurn   floorTurnCommand   `cmd:"" hidden:"" help:"The server of the floor of turns, which a signal ends."`
}

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is main without the process: arguments in, exit code out.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) (exit int) {
	var c commands
	defer func() {
		// kong ends the program after printing help by this panic.
		switch code := recover().(type) {
		case nil:
		case kongExit:
			exit = int(code)
		default:
			panic(code)
		}
	}()
	parser, err := kong.New(&c,
		kong.Name("experiment"), kong.Description(description),
		kong.Help(help), kong.Writers(stdout, stderr),
		kong.ConfigureHelp(kong.HelpOptions{WrapUpperBound: helpWidth, Compact: true}),
		kong.Exit(func(code int) { panic(kongExit(code)) }),
		kong.WithHyphenPrefixedParameters(true), // a number below 0 gets the flag's own answer
	)
	if err != nil {
		panic(err) // the struct tags of the commands are wrong
	}
	command, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(stderr, "experiment: %v\nexperiment: see experiment --help\n", err)
		return exitUsage
	}
	e := &environment{ctx: context.Background(), stdin: stdin, stdout: stdout}
	if !command.Selected().Hidden {
		// The others are processes of a ladder, which ends them by their input; a
		// signal to them alone shall end them as it ends any program.
		var stop func()
		e.ctx, e.force, stop = signals(stderr)
		defer stop()
	}
	return exitCode(e.ctx, command.Run(e), stderr)
}

// kongExit carries an exit code out of kong.
type kongExit int

// exitCode tells the error of a command and chooses the code.
func exitCode(ctx context.Context, err error, stderr io.Writer) int {
	var usage usageError
	switch {
	case ctx.Err() != nil:
		if err != nil && !errors.Is(err, context.Canceled) {
			fmt.Fprintf(stderr, "experiment: %v\n", err)
		}
		return exitInterrupted
	case err == nil:
		return exitClean
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "experiment: %v\nexperiment: see experiment --help\n", err)
		return exitUsage
	default:
		fmt.Fprintf(stderr, "experiment: %v\n", err)
		return exitFailed
	}
}

// signals ends the context at the first SIGINT or SIGTERM, and closes force at
// the second.
func signals(stderr io.Writer) (ctx context.Context, force <-chan struct{}, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	forced := make(chan struct{})
	caught := make(chan os.Signal, 2)
	signal.Notify(caught, syscall.SIGINT, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		for n := 1; ; n++ {
			select {
			case <-done:
				return
			case s := <-caught:
				if n == 1 {
					fmt.Fprintf(stderr, "\n%v: ending the processes and keeping what was measured; once more ends them by force\n", s)
					cancel()
				} else if n == 2 {
					close(forced)
				}
			}
		}
	}()
	return ctx, forced, func() {
		signal.Stop(caught)
		close(done)
		cancel()
	}
}
