// Package gonet carries the comet service by package net: what a Go programmer
// would write. It is the yardstick for what the other engines gain over the
// runtime's own poller.
//
// A goroutine accepts from each listener. Each connection has a goroutine that
// reads, with a buffer of its own. A core loop, one a core, is made
// single-threaded by a lock: who has read something takes it, tells the loop,
// takes a turn, carries out what the loop asks, and gives it back. A send is a
// goroutine while it is outstanding, so that a slow peer holds up nobody. A
// goroutine a loop waits for the loop's deadline and for wakes from other loops.
//
// A connection is a place in a list, and freed places are used again.
//
// # Caveats
//
// Package net has one descriptor table, the process's: the engine stops
// accepting at the descriptor limit and says so in its Facts. Who comes later
// waits in the backlog.
//
// A held connection costs a goroutine's stack, a read buffer of 4 KB, and the
// objects of net.TCPConn: some 10 KB in all.
//
// Package net offers no way to notice a hang-up without reading. During a pause
// the goroutine therefore waits on the raw descriptor and asks poll.
//
// The core is told of a peer that left when nothing is being written to it: a send
// is a goroutine, and the close that follows would end it. The other engines have
// written by then.
//
// A read or write that is ended by a close ends by a deadline, and the last
// goroutine out closes the socket: Closed comes a little later than with the
// other engines.
package gonet
