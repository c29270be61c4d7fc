// Package ablation measures what each choice of an engine buys: the engine as it
// is, with one choice made otherwise, with all of them made otherwise, and beside
// it the other engine, at given numbers of connections.
//
// # A cell
//
//	empty       a server without channels: its resident memory
//	zero        the kernel's memory, once sockets of the cell before are freed
//	open        fresh server and load; from the first connect to the last poll held
//	settle      until memory stands still; then user and kernel memory
//	turns       messages, each when all have polled again after the one before
//	apart       a message after which no client polls, and then all polls at once
//
// Cells of one size follow each other in rounds, each in an order drawn by lot, so that
// neither what drifts nor what a cell leaves to the next falls on the same ones; the
// round is the repetition. The first subject is what the others are compared with.
// Named twice, it shows the noise; a subject with a planted cost shows that a known
// difference is seen.
//
// # What is kept
//
// Each record is a line of data.jsonl, written when it is measured. A run that was
// ended early goes on where it stopped, if nothing has changed that matters.
//
// # Caveats
//
// A delivery and a poll measured apart do not add up to both together: together,
// what a loop does for the one waits beside what it does for the other. An accept
// holds the first poll. The kernel's memory is the whole machine's, the load's part
// taken out by the sizes of its objects. On loopback the sender pays for the
// receiver's TCP work, and server and load share the processors.
package ablation
