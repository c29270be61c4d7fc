package main

import (
	"io"
	"net"
	"sync"
	"testing"
)

// cutter carries connections to a server, and cuts them when it is told to.
type cutter struct {
	listener net.Listener
	to       string

	mu    sync.Mutex
	off   bool
	conns map[net.Conn]struct{}
}

func newCutter(t *testing.T, to string) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{listener: l, to: to, conns: map[net.Conn]struct{}{}}
	t.Cleanup(func() {
		l.Close()
		c.cut()
	})
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go c.carry(conn)
		}
	}()
	return c
}

func (c *cutter) addr() string { return c.listener.Addr().String() }

// keep takes note of a connection; false if it is to be cut at once.
func (c *cutter) keep(conn net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.off {
		c.conns[conn] = struct{}{}
	}
	return !c.off
}

// carried is how many connections it has carried since it was last cut.
func (c *cutter) carried() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.conns) / 2 // each has two ends
}

// carry carries one connection until either side ends it.
func (c *cutter) carry(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", c.to)
	if err != nil {
		return
	}
	defer server.Close()
	if !c.keep(client) || !c.keep(server) {
		return
	}
	done := make(chan struct{}, 2)
	for _, pair := range [][2]net.Conn{{client, server}, {server, client}} {
		go func() {
			io.Copy(pair[0], pair[1])
			done <- struct{}{}
		}()
	}
	<-done
}

// cut ends every connection, and each new one until it is mended.
func (c *cutter) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.off = true
	for conn := range c.conns {
		conn.Close()
	}
	clear(c.conns)
}

func (c *cutter) mend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.off = false
}
