// Package result keeps what an experiment measures: one folder a run, with
//
//	data.jsonl     one record a line, written and synced as it is measured
//	run.json       what the run was: arguments, seed, environment
//	summary.csv    one row a step, for spreadsheets
//	bench.txt      the same in the Go benchmark format, for benchstat
//	hdr/*.hlog     whole latency histograms, in the HdrHistogram log format
//
// Each line carries the version of its format, so that a reader of another age
// refuses instead of guessing. A measurement is optional wherever a run may be
// cut short: a nil pointer is "not measured", never zero.
//
// Units stand at the end of each JSON name. Bytes are bytes, times are seconds,
// or microseconds where the name says us, and a CPU figure "per message" is
// divided by the messages delivered.
//
// A Folder is used from one goroutine at a time.
//
// Caveat: a record is on disk when Append returns nil. Where the disk is full,
// Append takes its torn line away again and returns an error: everything
// before it stays readable.
package result
