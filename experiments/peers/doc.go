// Package peers measures this server beside nchan, a long-polling module of nginx
// in C: what a fan-out's delivery and a push cost each, how long a message takes
// to come to all, and what memory a held long-poll takes.
//
// A cell is a fresh server of one event loop on processors of its own, with a fresh load on
// the others. It opens its connections, waits until the server's count and the
// kernel's agree that all are held, reads memory, gets some messages unmeasured and
// then the measured ones. Each round goes through all cells in an order drawn by lot; the round is
// the repetition, and a ratio is of one round.
//
// The load speaks both protocols (package load). What it checks is the same: a
// message that is lost, late, repeated or another's ends the run with an error, so
// every figure is of messages that all came once and in order.
//
// # Caveats
//
// Loopback on one machine. nchan's settings are in nchan.go, chosen in its favour;
// others than these may suit it better still. With one worker and one loop nothing is said of
// scaling.
package peers
