package main

import (
	"fmt"

	"github.com/alecthomas/kong"
)

// helpWidth is where help is wrapped, in columns.
const helpWidth = 88

const description = `A comet server: HTTP clients wait at the front door for messages that publishers bring
to the admin door. It speaks the protocol of icomet 0.2.5.`

const epilogue = `
Try it:
  comet --channels 1000 &
  curl 'http://127.0.0.1:8100/sub?cname=news&seq=1' &       # waits for message 1 of "news"
  curl 'http://127.0.0.1:8000/push?cname=news&content=hi'   # and now it has it
  curl  http://127.0.0.1:8000/info                          # channels and subscribers
  curl  http://127.0.0.1:8001/facts                         # what the kernel gave, counters

Many connections:
  The soft descriptor limit is raised to the hard one. Where that is too low for
  --max-connections, io_uring adds rings and epoll adds threads with descriptor tables of
  their own; gonet refuses. scripts/tune shows the kernel settings that matter. A waiting
  connection takes about 4.1 KB at the server, nearly all of it the kernel's socket.

Signals:
  SIGINT, SIGTERM   close every connection and stop; a second one stops at once
  SIGHUP            nothing to reload: logged and ignored

Exit codes:
  0   stopped by a signal, --help or --version
  1   failed while running, or was forced to stop
  2   a flag or value was wrong (and what the Go runtime exits with after a panic)
  3   could not start: a port in use, a limit too low, a kernel that lacks the engine`

// help prints kong's list of flags and what a list cannot say.
func help(options kong.HelpOptions, ctx *kong.Context) error {
	if err := kong.DefaultHelpPrinter(options, ctx); err != nil {
		return err
	}
	_, err := fmt.Fprintln(ctx.Stdout, epilogue)
	return err
}
