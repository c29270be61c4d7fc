package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/alecthomas/kong"

	"c1000k/experiments/baseline/epoll"
	"c1000k/uring"
)

// inputs are all that settings are made of.
type inputs struct {
	args []string
	env  environment
}

// parseOptions reads and checks the settings. Where that is the end of the
// program already, done is true and exit its code.
func parseOptions(in inputs, stdout, stderr io.Writer) (o *options, exit int, done bool) {
	defer func() {
		// kong ends the program after printing help or the version by this panic.
		if code, ok := recover().(kongExit); ok {
			exit, done = int(code), true
		}
	}()
	o, err := in.parse(stdout)
	if err != nil {
		fmt.Fprintf(stderr, "comet: %v\ncomet: see comet --help\n", err)
		return o, exitUsage, true
	}
	return o, exitClean, false
}

// kongExit carries an exit code out of kong.
type kongExit int

// parse reads and checks the settings. Asked for help or the version it prints
// that to stdout and panics with a kongExit.
func (in inputs) parse(stdout io.Writer) (*options, error) {
	o := &options{sources: newSources(in.env)}
	parser, err := kong.New(o,
		kong.Name("comet"),
		kong.Description(description),
		kong.Help(help),
		kong.ConfigureHelp(kong.HelpOptions{WrapUpperBound: helpWidth, NoAppDescFormat: true}),
		kong.ExplicitGroups(groups),
		kong.Vars{"version": versionLine(), "uring": uring.Switches.String(), "epoll": epoll.Switches.String()},
		kong.Writers(stdout, io.Discard),
		kong.Exit(func(code int) { panic(kongExit(code)) }),
		kong.WithHyphenPrefixedParameters(true), // a number below 0 gets the flag's own answer
		kong.WithBeforeResolve(o.sources.open),
		kong.Resolvers(o.sources),
	)
	if err != nil {
		panic(err) // the struct tags of options are wrong
	}
	ctx, err := parser.Parse(in.args)
	if err != nil {
		// kong's own kind of error carries its usage, which nobody asked for.
		if inner := errors.Unwrap(err); inner != nil {
			err = inner
		}
		return nil, err
	}
	o.flags = ctx.Model.Flags
	o.sources.noteFlags(ctx)
	o.given = o.readSettings()
	if err := o.check(); err != nil {
		return nil, err
	}
	o.inForce = o.readSettings()
	return o, nil
}
