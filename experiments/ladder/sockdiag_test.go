package ladder

import (
	"net"
	"testing"

	"c1000k/experiments/process"
)

// TestCountEndpoints proves that the kernel's list gives exactly the
// connections of the front ports, each end once: those of a port beside them,
// the listeners and closed ones are not counted.
func TestCountEndpoints(t *testing.T) {
	listen := func(port int) net.Listener {
		l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l
	}
	connect := func(l net.Listener) (near, far net.Conn) {
		near, err := net.Dial("tcp4", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { near.Close() })
		far, err = l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { far.Close() })
		return near, far
	}
	front, beside := listen(0), listen(0)
	port := front.Addr().(*net.TCPAddr).Port
	d := process.Doors{Host: "127.0.0.1", FirstPort: port, LastPort: port}
	count := func() endpoints {
		e, err := countEndpoints(d)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	if e := count(); e != (endpoints{}) {
		t.Fatalf("before the first connection: %+v", e)
	}
	const conns = 300 // more than one read of the kernel's list
	for range conns {
		connect(front)
	}
	connect(beside)
	if e := count(); e != (endpoints{Server: conns, Client: conns}) {
		t.Fatalf("%d connections counted as %+v", conns, e)
	}
	near, far := connect(front)
	near.Close()
	far.Close()
	if e := count(); e != (endpoints{Server: conns, Client: conns}) {
		t.Fatalf("after one more came and went: %+v", e)
	}
}
