// Package doors opens the listening sockets of a server.
//
// An address is written as the user writes it on the command line:
//
//	127.0.0.1:8000            one port
//	127.0.0.1:8100-8199       a range of ports, both ends included
//	[::1]:8000                IPv6, in brackets
//	:8000                     every IPv4 address of the machine
//	[::]:8000                 every IPv6 and IPv4 address
//	127.0.0.1:0               a free port, which the result names
//	unix:/run/comet.sock      a unix socket; unix:@name is an abstract one
//	127.0.0.1:8000,[::1]:8000 several of them
//
// There is one socket a port for the life of the process and SO_REUSEPORT is
// never set: with it the kernel gives each of several sockets a queue of its
// own, and closing one resets what still waits in its queue. Loops take turns
// at accepting from the one socket instead.
//
// Caveat: names are not resolved. What a name stands for may change between two
// starts; an address does not.
package doors
