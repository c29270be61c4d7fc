package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"sync"
)

// route is how clients come to the server.
type route struct {
	addr  string
	trust *x509.CertPool // nil: without TLS
}

// openers is how many connections are opened at the same time.
const openers = 16

// crowd are clients that wait for a message each on a channel of its own. All
// are this process's: only the kernel's part of them is ever counted.
type crowd struct {
	way  route
	mode string // the path to subscribe by

	mu      sync.Mutex
	clients []net.Conn
	opened  int
}

// grow opens connections until there are n.
func (c *crowd) grow(ctx context.Context, n int) error {
	next := make(chan int)
	failed := make(chan error, openers)
	var wg sync.WaitGroup
	for range openers {
		wg.Go(func() {
			for i := range next {
				if err := c.open(ctx, i); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	var err error
	for i := c.opened; i < n && err == nil; i++ {
		select {
		case next <- i:
		case err = <-failed:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	close(next)
	wg.Wait()
	c.opened = n
	select {
	case e := <-failed:
		return e
	default:
		return err
	}
}

// open makes one client wait.
func (c *crowd) open(ctx context.Context, i int) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", c.way.addr)
	if err != nil {
		return err
	}
	if c.way.trust != nil {
		conn = tls.Client(conn, &tls.Config{RootCAs: c.way.trust, ServerName: "localhost"})
	}
	c.mu.Lock()
	c.clients = append(c.clients, conn)
	c.mu.Unlock()
	if _, err := fmt.Fprintf(conn, "GET /%s?cname=c%07d&seq=1 HTTP/1.1\r\nHost: localhost\r\n\r\n", c.mode, i); err != nil {
		return err
	}
	// What comes is read, so that none of it waits in the kernel: a stream's
	// head, the tickets of TLS.
	go io.Copy(io.Discard, conn)
	return nil
}

// leave closes all connections.
func (c *crowd) leave() {
	for _, conn := range c.clients {
		if t, ok := conn.(*tls.Conn); ok {
			conn = t.NetConn() // without a farewell, which could wait
		}
		conn.Close()
	}
}
