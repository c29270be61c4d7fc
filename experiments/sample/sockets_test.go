package sample

import (
	"context"
	"encoding/binary"
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// connect opens n loopback connections to one listener and returns its port
// and a function that closes all.
func connect(t *testing.T, network, address string, n int) (port uint16, closeAll func()) {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Skipf("skipped: no listener on %s %s: %v", network, address, err)
	}
	all := []net.Conn{}
	for range n {
		near, err := net.Dial(network, l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		far, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, near, far)
	}
	return uint16(l.Addr().(*net.TCPAddr).Port), func() {
		for _, c := range all {
			c.(*net.TCPConn).SetLinger(0)
			c.Close()
		}
		l.Close()
	}
}

// Proves that both witnesses of the kernel count real connections: sock_diag
// both ends exactly, for IPv4 and IPv6, other ports apart, sockstat their sum.
// sockstat counts those of the whole machine: where other programs come and go,
// it has some chances to find them quiet.
func TestCountEstablished(t *testing.T) {
	for _, c := range []struct{ network, address string }{{"tcp4", "127.0.0.1:0"}, {"tcp6", "[::1]:0"}} {
		t.Run(c.network, func(t *testing.T) {
			const n, chances = 300, 20
			grown := 0
			for range chances {
				if grown = countConnections(t, c.network, c.address, n); grown >= 2*n && grown <= 2*n+200 {
					return
				}
			}
			t.Errorf("sockstat grew by %d, want about %d, the last of %d times", grown, 2*n+42, chances)
		})
	}
}

// countConnections opens n connections, holds what sock_diag counts against them
// while they are open and when they are closed, and returns by how many sockstat
// grew.
func countConnections(t *testing.T, network, address string, n int) (grown int) {
	t.Helper()
	before, err := ReadSockets()
	if err != nil {
		t.Fatal(err)
	}
	port, closeAll := connect(t, network, address, n)
	_, closeOthers := connect(t, network, address, 20)
	defer closeOthers()
	after, err := ReadSockets()
	if err != nil {
		t.Fatal(err)
	}
	got, err := CountEstablished(context.Background(), port, port)
	if err != nil || got.Server != int64(n) || got.Load != int64(n) {
		t.Fatalf("sock_diag counts %+v, %v, want %d at each end", got, err, n)
	}
	closeAll()
	got, err = CountEstablished(context.Background(), port, port)
	if err != nil || got.Server != 0 || got.Load != 0 {
		t.Fatalf("after closing sock_diag counts %+v, %v", got, err)
	}
	return after.InUse - before.InUse
}

// Proves that a count stops when it is told to.
func TestCountEstablishedStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := CountEstablished(ctx, 1, 2); err == nil {
		t.Error("a cancelled count gave an answer")
	}
}

// message makes one answer of the kernel.
func message(kind uint16, body []byte) []byte {
	b := make([]byte, align4(nlmsgHeaderLen+len(body)))
	binary.NativeEndian.PutUint32(b, uint32(nlmsgHeaderLen+len(body)))
	binary.NativeEndian.PutUint16(b[4:], kind)
	copy(b[nlmsgHeaderLen:], body)
	return b
}

// Proves the reading of the kernel's answers: ports at both ends of the range
// count, an error ends with its number, and what is cut off is refused, never
// read beyond its end.
func TestDiagMessages(t *testing.T) {
	socket := func(own, peer uint16) []byte {
		body := make([]byte, inetDiagMessageLen)
		binary.BigEndian.PutUint16(body[4:], own)
		binary.BigEndian.PutUint16(body[6:], peer)
		return message(sockDiagByFamily, body)
	}
	var all []byte
	for _, s := range [][]byte{socket(8100, 40000), socket(8199, 40001), socket(8200, 8099), socket(40000, 8100), message(unix.NLMSG_DONE, make([]byte, 4))} {
		all = append(all, s...)
	}
	var e Established
	done, err := e.add(all, 8100, 8199)
	if !done || err != nil || e.Server != 2 || e.Load != 1 {
		t.Errorf("counted %+v, done %v, %v", e, done, err)
	}
	refused := make([]byte, 4)
	code := int32(-int(unix.EPERM))
	binary.NativeEndian.PutUint32(refused, uint32(code))
	if _, err := e.add(message(unix.NLMSG_ERROR, refused), 1, 2); err != unix.EPERM {
		t.Errorf("an error of the kernel: %v", err)
	}
	whole := socket(1, 2)
	for length := 1; length < len(whole); length++ {
		if done, err := new(Established).add(whole[:length], 1, 2); done || err == nil && length >= nlmsgHeaderLen {
			t.Fatalf("a message cut to %d bytes was taken", length)
		}
	}
	short := message(sockDiagByFamily, make([]byte, 8))
	if _, err := new(Established).add(short, 1, 2); err == nil {
		t.Error("a socket without ports was taken")
	}
}
