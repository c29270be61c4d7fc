// Package floor measures what this machine's kernel allows at best: bare loops
// that accept, send and receive with no protocol behind them. A backend's figure
// is read beside the floor of the same run.
//
// There are two. That of opening has a server which is a process of its own and
// accepts on the given ports and holds what it accepted; its client connects and
// does nothing else. Once the number exceeds the limit, both use one thread after
// another, each with a descriptor table of its own: the server one at a time, the
// client as many at a time as the load opens with.
//
// That of turns has a server which the load takes for one of the protocol: it holds
// connections, sends all of them the same bytes when it is asked to push or to
// broadcast, and reads what comes without looking at it. It does so by bare loops
// of several kinds, on epoll and on io_uring (uring.Bare); the cheapest is the
// floor. It is written by those whom it judges: its absolute figure stands beside
// every multiple of it.
//
// Both are of loopback: the client pays, inside connect, for the server's half of
// the handshake, and a sender for the receiver's TCP work.
package floor
