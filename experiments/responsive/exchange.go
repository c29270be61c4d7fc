package responsive

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"c1000k/experiments/load/rawnet"
)

// exchangePatience is how long a request outside of the measurement may take.
const exchangePatience = 10 * time.Second

// exchanger is a kept connection on which one request is sent again and again; its
// replies have one length. It belongs to one goroutine at a time.
type exchanger struct {
	what    string
	fd      int
	request []byte
	size    int    // of a reply; 0: not known yet
	first   []byte // what has come until it is
	got     int    // bytes of the reply under way
	unsent  []byte // of requests for which the socket had no room
	buf     [16 << 10]byte
}

// replyStart begins a reply that is as wanted.
const replyStart = "HTTP/1.1 200 "

// newExchanger connects to an address and makes one exchange.
func newExchanger(what, addr, request string) (*exchanger, error) {
	x, err := dial(what, addr, request)
	if err != nil {
		return nil, err
	}
	if err := x.once(); err != nil {
		x.close()
		return nil, err
	}
	return x, nil
}

// dial connects to an address.
func dial(what, addr, request string) (*exchanger, error) {
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, err
	}
	fd, err := rawnet.Socket()
	if err != nil {
		return nil, err
	}
	x := &exchanger{what: what, fd: fd, request: []byte(request)}
	to := rawnet.NewAddr(at.Addr(), int(at.Port()))
	if err := rawnet.Connect(fd, &to); err != nil && err != unix.EINPROGRESS {
		x.close()
		return nil, fmt.Errorf("%s: connect to %s: %w", what, addr, err)
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		x.close()
		return nil, err
	}
	err = x.ready(unix.POLLOUT)
	if err == nil {
		err = rawnet.SocketError(fd)
	}
	if err != nil {
		x.close()
		return nil, fmt.Errorf("%s: connect to %s: %w", what, addr, err)
	}
	return x, nil
}

// get is a request by GET that keeps the connection.
func get(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" }

// frame finds the length of a reply in the beginning of the first; false if there
// is not enough of it.
func (x *exchanger) frame() (bool, error) {
	if !x.speaksHTTP() { // the echo
		x.size = len(x.request)
		return true, nil
	}
	head, _, whole := strings.Cut(string(x.first), "\r\n\r\n")
	if !whole {
		return false, nil
	}
	_, text, ok := strings.Cut(head, "Content-Length: ")
	length := 0
	if _, err := fmt.Sscan(text, &length); !ok || err != nil {
		return false, fmt.Errorf("%s: a reply without a length: %q", x.what, head)
	}
	x.size = len(head) + len("\r\n\r\n") + length
	return true, nil
}

func (x *exchanger) speaksHTTP() bool { return bytes.HasPrefix(x.request, []byte("GET ")) }

// ready waits until the socket is.
func (x *exchanger) ready(events int16) error {
	fds := []unix.PollFd{{Fd: int32(x.fd), Events: events}}
	for end := time.Now().Add(exchangePatience); ; {
		n, err := unix.Poll(fds, int(time.Until(end)/time.Millisecond))
		switch {
		case n > 0:
			return nil
		case err == unix.EINTR && time.Now().Before(end):
		default:
			return errors.Join(err, fmt.Errorf("no answer within %v", exchangePatience))
		}
	}
}

// once sends one request and waits for the reply.
func (x *exchanger) once() error {
	if err := x.write(); err != nil {
		return err
	}
	for {
		if err := x.ready(unix.POLLIN); err != nil {
			return err
		}
		n, refused, err := x.read()
		if err != nil {
			return err
		}
		if refused > 0 {
			return fmt.Errorf("%s: the server refuses: %q", x.what, x.first)
		}
		if n > 0 {
			return nil
		}
	}
}

// mostUnsent bounds what waits for room in the socket.
const mostUnsent = 1 << 20

// write sends the request. Where the socket has no room, since the other end has not
// read for long, it goes with a later flush: it is late, and not lost.
func (x *exchanger) write() error {
	if len(x.unsent) > mostUnsent {
		return fmt.Errorf("%s: %d requests are not read by the other end", x.what, len(x.unsent)/len(x.request))
	}
	x.unsent = append(x.unsent, x.request...)
	return x.flush()
}

// flush sends of what is unsent as much as there is room for.
func (x *exchanger) flush() error {
	for len(x.unsent) > 0 {
		n, err := rawnet.Write(x.fd, x.unsent)
		if err == unix.EAGAIN {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: send: %w", x.what, err)
		}
		x.unsent = x.unsent[:copy(x.unsent, x.unsent[n:])]
	}
	return nil
}

// read takes what has come and returns how many replies ended, and how many of
// those that began are not as wanted.
func (x *exchanger) read() (n, refused int, err error) {
	got, err := rawnet.Read(x.fd, x.buf[:])
	if err == unix.EAGAIN {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, fmt.Errorf("%s: receive: %w", x.what, err)
	}
	if got == 0 {
		return 0, 0, fmt.Errorf("%s: the connection was ended", x.what)
	}
	p := x.buf[:got]
	if x.size == 0 {
		x.first = append(x.first, p...)
		if whole, err := x.frame(); err != nil || !whole {
			return 0, 0, err
		}
		p = x.first
	}
	for len(p) > 0 {
		if x.got < len(replyStart) && x.speaksHTTP() {
			part := min(len(replyStart)-x.got, len(p))
			if string(p[:part]) != replyStart[x.got:x.got+part] {
				refused++
			}
		}
		part := min(x.size-x.got, len(p))
		x.got += part
		p = p[part:]
		if x.got == x.size {
			x.got = 0
			n++
		}
	}
	return n, refused, nil
}

func (x *exchanger) close() { rawnet.Close(x.fd) }
