package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"testing"
)

// lowPorts are the addresses that lowPort gave: none is given twice.
var lowPorts sync.Map

// lowPort finds a free address whose port lies below those that the kernel gives
// to clients: so that nobody takes it while a server is restarted.
func lowPort(t *testing.T) string {
	t.Helper()
	// Tests of other packages, which run beside these, take theirs elsewhere: a server
	// that is restarted has its ports free meanwhile.
	const first, last, tries = 21000, 26000, 100
	for range tries {
		addr := fmt.Sprintf("127.0.0.1:%d", first+rand.IntN(last-first))
		if l, err := net.Listen("tcp", addr); err == nil {
			l.Close()
			if _, given := lowPorts.LoadOrStore(addr, true); !given {
				return addr
			}
		}
	}
	t.Fatal("no free port")
	return ""
}

// restart ends the server and starts another on its ports.
func (s *server) restart(args ...string) *server {
	s.t.Helper()
	s.signal(syscall.SIGTERM)
	if code := s.exit(); code != exitClean {
		s.t.Fatalf("exit code %d at the restart", code)
	}
	return start(s.t, append([]string{"--front", s.front, "--admin", s.admin, "--debug", s.debug}, args...)...)
}

// TestRestartsAtOnce proves that a server that was stopped leaves its ports to
// the next one, also while clients that it held have not left: what the kernel
// still takes down for it must not stand in the way.
func TestRestartsAtOnce(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		s := start(t, "--front", lowPort(t), "--admin", lowPort(t), "--debug", lowPort(t), "--engine", engine)
		for n := 1; n <= 10; n++ {
			for range 20 {
				c, err := net.Dial("tcp", s.front)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				fmt.Fprintf(c, "GET /sub?cname=held&seq=1 HTTP/1.1\r\nHost: h\r\n\r\n")
			}
			s.waitForInfo(`"subscribers": 20}`)
			s = s.restart("--engine", engine)
		}
	})
}
