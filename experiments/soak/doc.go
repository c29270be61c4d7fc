// Package soak drives a server by everything at once, for as long as is asked
// for, and proves that nothing is lost and that nothing is left.
//
// Clients of every mode (long-poll, JSONP, stream, iframe, server-sent events)
// hold tens of thousands of connections. They leave in the middle, by a reset, an
// orderly end, half a close, in half of a request or in a flood of what nobody
// asked for, and come back with the number and the epoch that they got to, or with
// Last-Event-ID. Some read slowly or not at all for a while; some are of icomet's
// kind and know neither gaps nor epochs; some have a channel of their own that
// expires behind them. Meanwhile publishers push, pub, broadcast, clear, close and
// sign, and watchers read /psub.
//
// # What is checked
//
// Each message says in its content which channel it is for and how long it is, and
// has a number. A subscriber expects the numbers one after the other. What it need
// not get is known exactly: what a clear took away, what is older than the history
// (and then it must be told by a gap, if it asked to be), and the rest of a channel
// that was closed, of which it must be told too. Publishers say what they are about
// to do before they do it (channel.go), so any other jump is a fault, and so is any
// number that comes twice, any message in a wrong channel, any connection that ends
// without a reason, any answer to a publisher that is not the protocol.
//
// When the time is over each channel gets a last message, every client must come to
// it, and the number of it must be that of all that was published. Then all leave,
// the channels expire, and the server must be as empty as it was when it started:
// no channel, subscriber, connection, and not a byte in any arena.
//
// # How
//
// A run is of rounds, each with a fresh server: each engine without tokens and with
// them. Clients are records on a few threads (reactor.go) with descriptor tables of
// their own where the limit asks for it, as in package load; publishers and watchers
// are goroutines with net/http. The seed gives the same draws, but not the same run:
// the kernel's timing is not in it.
//
// # Caveats
//
// What an arena has touched stays with the process for what comes next, so the
// resident memory (RES) at the end is about the most that it was: it is told, and not
// judged. What is judged is what is in use.
//
// A number that is skipped while a clear of its channel is under way cannot be
// told from a lost one, nor can one of an instance of a channel that is closed now
// and then, as far as it lies before the history: those channels, one in four, are
// checked more loosely by this much.
package soak
