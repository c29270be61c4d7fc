// Package floor measures what this machine's kernel allows at best: bare loops
// that accept, send and receive with no protocol behind them. A backend's figure
// is read beside the floor of the same run.
//
// Today there is one floor, that of opening connections. Its server is a process
// of its own which accepts on the given ports and holds what it accepted; its
// client connects and does nothing else. Once the number exceeds the limit, both
// use one thread after another, each with a descriptor table of its own: the
// server one at a time, the client as many at a time as the load opens with.
//
// The floor is of loopback: the client pays, inside connect, for the server's
// half of the handshake.
package floor
