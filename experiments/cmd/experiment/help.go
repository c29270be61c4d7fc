package main

import (
	"fmt"

	"github.com/alecthomas/kong"
)

// epilogues are what a list of flags cannot say, by command; "" is the program's
// own.
var epilogues = map[string]string{
	"": `
Try it:
  scripts/experiment                    the ladder: a million on io_uring, a million on epoll
  scripts/experiment --quick            the same to 50,000, in two minutes
  scripts/profile                       a short ladder that keeps profiles

Exit codes:
  0    done
  1    something failed; what was measured is kept
  2    a flag or a value was wrong
  130  interrupted; what was measured is kept, and the report made of it`,
	"ladder": `
Each backend gets a fresh server and a fresh load, both on loopback. At 0 connections and
after every step: the count by the server and by the kernel, memory once it stands still,
CPU of an idle window, one push to each of --push channels; at some steps a broadcast to all.
Every figure is kept in the results folder as it is measured.

  experiment ladder --server ./comet                        the ladder of the article
  experiment ladder --server ./comet --quick                in two minutes
  experiment ladder --server ./comet --to 200000 --step 50000 --backends uring
  experiment ladder --server ./comet --quick --pause        look around at each step

It stops before a step for which memory is too small: 8.5 KB for each connection to come
and 2 GiB for the rest. Ctrl-C keeps what was measured and makes the report of it; a second
one ends the processes by force. No root is needed; as root the kernel's memory is known by
object and else estimated.`,
	"benchmark": `
  experiment benchmark 127.0.0.1 8100                  up to a million over ports 8100 to 8199
  experiment benchmark --to 10000 --step 1000 127.0.0.1 8100

It holds what it opened until Enter, so that the server's memory can be read with top or ps;
the end of the input ends it. It connects to this machine only. A server that answers the
polls at once, as icomet does to polls without seq, is told: it holds no subscription.`,
	"ablation": `
A fresh server and a fresh load for each cell, in rounds, each in an order drawn by lot. Of
each subject: CPU of an accept with the first poll, memory (user, kernel, both), CPU of a
delivery with the next poll and of each alone, system calls and completions a message; and how
each differs from the first subject. Without --subjects they are: uring, uring again (the noise), each of the engine's
switches the other way (see comet --help, --uring), all of them at once, epoll, and, where
comet-plant is there, uring+1us: a microsecond planted in each delivery, which must be seen.

  scripts/ablation --plan                                builds all three programs, and says how long it takes
  scripts/ablation --sizes 18000,200000                  the ablation
  scripts/ablation --subjects uring:loops=2,uring:loops=2,uring:loops=53,epoll:loops=2,epoll:loops=53
  scripts/ablation --sizes 200k,1m --rounds 6,3 --messages-to 200k
                                                         and memory at a million beside it
  experiment ablation --resume results/DIR               what Ctrl-C, or worse, left
  experiment ablation --again experiments/results/E02/18000
                                                         table and figures anew

A subject that the server refuses at a size is a row with the reason.`,
	"soak": `
  experiment soak                                      ten minutes of it, 20,000 connections, on both engines
  experiment soak --time 20s --connections 300         a first look
  experiment soak --engines epoll --seed 7             one engine, with the draws of an earlier run

Clients of every mode come and go, read slowly, break off; publishers push, pub, broadcast,
clear, close and sign; watchers read /psub. The number of each message is checked, and what
may be missing is known: what was cleared or closed, and what is older than the history, of
which the client must be told. At the end all leave, the channels expire, and the server
must hold nothing more than when it started. The first faults are told in full, the exit code
is 1 then, and the servers' logs are kept. Ctrl-C tells what was counted until then.`,
	"responsive": `
A fresh server and a fresh load for each cell. Pings go to every event loop, found by the
server's own counters; latency counts from the intended time, and a bare echo beside it says
what of it is the machine's. Whether the bars of experiments/specs/E03-responsive.md were held
stands under the table.

  experiment responsive                                          both engines; three minutes
  experiment responsive --rounds 6                               medians and intervals
  experiment responsive --connections 1m --backends uring        all channels held
  experiment responsive --from experiments/results/E03-responsive   the table anew`,
	"peers": `
A fresh server of one loop and a fresh load for each cell, pinned apart; the load speaks both
protocols and checks that each message came once and in order. nchan is Debian's
libnginx-mod-nchan; where it is missing, this says so and installs nothing.

  experiment peers                                     six rounds; about twenty minutes
  experiment peers --rounds 1 --messages 5 --passes 1  a first look
  experiment peers --again results/20260101-120000-peers   the table anew`,
	"report": `
  experiment report results/20260101-120000-ladder

The same data gives the same files, byte for byte: report.md, report.txt, figures/*.svg,
summary.csv, bench.txt.`,
	"profdiff": `
A profile's messages are read from the .json beside it, which the ladder writes, or given by
--messages-a and --messages-b.

  experiment profdiff profiles/epoll-0010000-cpu.pb.gz profiles/uring-0010000-cpu.pb.gz
  experiment profdiff --by cumulative --top 40 A.pb.gz B.pb.gz
  experiment profdiff --ignore 'runtime\.gopark|epollwait' A-fgprof.pb.gz B-fgprof.pb.gz`,
}

// help prints kong's list and what a list cannot say.
func help(options kong.HelpOptions, ctx *kong.Context) error {
	if err := kong.DefaultHelpPrinter(options, ctx); err != nil {
		return err
	}
	name := ""
	if selected := ctx.Selected(); selected != nil {
		name = selected.Name
	}
	if text := epilogues[name]; text != "" {
		_, err := fmt.Fprintln(ctx.Stdout, text)
		return err
	}
	return nil
}
