// Package load holds long-polls by the million, pushes messages and checks what
// arrives. It is a process of its own beside the server, commanded through its
// standard input.
//
// # What it holds
//
// A connection is a record of 24 bytes in a flat slice, an epoll item and a
// socket; there is no goroutine, no buffer and no Go object for it. A reactor is
// a locked thread that owns connections: one a core below the descriptor limit;
// past it one for each 19,000 connections, on descriptor tables of their own
// (package fdtable), filled one after the other so that few are busy at a time.
//
// Connection i polls `GET /sub?cname=cNNNNNNN&seq=1`, where the channel is i
// divided by the subscribers of a channel. It goes to port i modulo the ports, so
// that the connections to each port stay below what the kernel's choice of source
// ports can bear. Held connections close with a reset and leave no TIME_WAIT,
// however the process ends.
//
// For a server that asks for tokens, channels are signed at the admin door before
// connections are opened, and each request shows its channel's (32 bytes a channel).
//
// # What it checks
//
// Every message must have the number that its connection asked for, bear the name
// of its channel, and come in a reply of the protocol. Numbers skipped, repeated
// or out of order, names of other channels, malformed replies and connections
// that end are counted. After each reply the connection polls again at once, in
// the same turn. A poll that is answered at once by next_seq was not held: it is
// counted and not sent again, since such a server would be polled without end.
//
// # Latency
//
// A push has an intended time, from the schedule, and a time at which it was
// sent. Both are kept; the time of arrival is when the subscriber's bytes have
// been read, which includes the waiting behind other connections of its reactor.
// Content names the push, so a message is matched with its times by what it says.
//
// # Caveats
//
// IPv4 loopback only, on purpose. Server and load share the machine: CPU figures
// of both are given, and Ceiling says what the load could do at best. Message
// numbers are taken up to 2^32-1.
package load
