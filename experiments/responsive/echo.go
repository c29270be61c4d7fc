package responsive

import (
	"net"
	"runtime"
)

// echoRequest is as long as a ping, about, and so is what comes back.
const echoRequest = "echo ping HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

// echo answers one connection with what it sends, on a thread of its own, by package
// net: the least that a Go program does about a request.
type echo struct {
	listener net.Listener
}

// startEcho listens on loopback.
func startEcho() (*echo, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	e := &echo{listener: l}
	go e.serve()
	return e, nil
}

func (e *echo) addr() string { return e.listener.Addr().String() }

// serve ends with the listener and the connection.
func (e *echo) serve() {
	runtime.LockOSThread()
	c, err := e.listener.Accept()
	if err != nil {
		return
	}
	defer c.Close()
	var buf [4096]byte
	for {
		n, err := c.Read(buf[:])
		if err != nil {
			return
		}
		if _, err := c.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (e *echo) close() { e.listener.Close() }
