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
  http://127.0.0.1:8001/                                    # a dashboard, in a browser
  curl  http://127.0.0.1:8001/metrics                       # for Prometheus
  curl  http://127.0.0.1:8001/facts                         # what the kernel gave, counters

Settings:
  Each flag is also a variable of the environment and a key of the file of --config. A
  flag counts before the environment, that before the file, that before the default.
      --polling-timeout=1m     COMET_POLLING_TIMEOUT=1m     polling-timeout = "1m"
  An empty variable counts as not set. The file is TOML, flat, with the flags' names as
  keys; a key that is no flag's is an error. What is not a default is logged at start,
  with where it came from:
      channels = 100_000
      front = ["127.0.0.1:8100-8199", "[::1]:8100-8199"]    # or one string with commas
      admin-allow = ["127.0.0.0/8", "10.0.0.0/8"]

Publishing beyond this machine:
  comet --admin 0.0.0.0:8000 --admin-allow 10.0.0.0/8 --admin-secret-file secret.txt
  curl -H "Authorization: Bearer $(cat secret.txt)" 'http://HOST:8000/push?cname=a&content=b'

Many connections:
  The soft descriptor limit is raised to the hard one. Where that is too low for
  --max-connections, io_uring adds rings and epoll adds threads with descriptor tables of
  their own; gonet accepts no more than fit and says so. scripts/tune shows the kernel
  settings that matter. A waiting connection takes about 4.1 KB at the server, nearly all
  of it the kernel's socket.

Signals:
  Heeded from when the program's own code runs, some 10 ms after the process began.
  SIGINT, SIGTERM   accept nobody new, tell those that are held (--drain), and stop when
                    all are gone or --drain-timeout is over; a second one stops at once.
                    /readyz answers 503 from the first on
  SIGHUP            read file and environment again. What changes: --log-level, --drain,
                    --drain-timeout; the address lists, for connections made from then
                    on; the secret, also where only its file's content changed, for the
                    next request; --polling-timeout, --header-timeout, --idle-timeout
                    and --stall-timeout, for what begins from then on;
                    --max-subscribers-per-channel, --max-channels-per-subscription,
                    --max-content-bytes, --max-message-bytes and --channel-buffer-bytes,
                    for what comes from then on. Whatever else changed, --channel-timeout too, is logged and
                    needs a restart. An error leaves everything as it was

Exit codes:
  0   stopped by a signal, --help or --version
  1   failed while running, or was forced to stop
  2   a flag, variable, key or value was wrong, or a file named by one could not be read
      (and what the Go runtime exits with after a panic)
  3   could not listen: a port in use, an address that is not this machine's
  4   the machine refuses: a kernel without the engine, a limit or the memory too low`

// help prints kong's list of flags and what a list cannot say.
func help(options kong.HelpOptions, ctx *kong.Context) error {
	if err := kong.DefaultHelpPrinter(options, ctx); err != nil {
		return err
	}
	_, err := fmt.Fprintln(ctx.Stdout, epilogue)
	return err
}
