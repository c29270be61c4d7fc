package load

import (
	"bytes"
	"fmt"
	"net/netip"
	"strconv"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"c1000k/experiments/fdtable"
	"c1000k/experiments/load/rawnet"
)

// responder answers each poll at once with a canned message that bears the name
// and the number asked for. It is what the load's ceiling is measured against:
// the least that a server can do and the load still find every message right.
type responder struct {
	listener int
	port     int
	tid      atomic.Int32
	ending   atomic.Bool
	failure  error // when the thread has ended
	thread   *fdtable.Thread
}

// The canned reply: as long as a server's, with content of 100 bytes.
const (
	cannedHead = "HTTP/1.1 200 OK\r\nExpires: 0\r\nCache-Control: no-cache\r\n" +
		"Content-Type: application/json; charset=utf-8\r\nConnection: keep-alive\r\n" +
		"Transfer-Encoding: chunked\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n"
	cannedName    = `{"type":"data","cname":"`
	cannedSeq     = `","seq":`
	cannedContent = `,"content":"`
	cannedEnd     = "\"}\n"
	cannedTail    = "\r\n0\r\n\r\n"
	responderWait = 50 // milliseconds, until it looks whether it shall end
	requestBytes  = 512
)

var cannedText = bytes.Repeat([]byte("x"), contentBytes)

// startResponder listens on a port of the kernel's choice and answers on a thread
// of its own.
func startResponder(ip netip.Addr) (*responder, error) {
	fd, port, err := rawnet.Listen(ip, 0)
	if err != nil {
		return nil, err
	}
	r := &responder{listener: fd, port: port}
	r.thread = fdtable.GoShared(func(t *fdtable.Table) {
		r.tid.Store(int32(t.Tid))
		r.failure = r.run()
	})
	return r, nil
}

// end closes everything and returns why the responder failed, if it did.
func (r *responder) end() error {
	r.ending.Store(true)
	r.thread.Wait()
	rawnet.Close(r.listener)
	return r.failure
}

func (r *responder) run() error {
	poller, err := rawnet.NewPoller(eventBatch)
	if err != nil {
		return err
	}
	defer poller.Close()
	// A connection's number among the events is its descriptor.
	if err := poller.Add(r.listener, unix.EPOLLIN, uint32(r.listener)); err != nil {
		return err
	}
	open := map[int]bool{}
	defer func() {
		for fd := range open {
			rawnet.Close(fd)
		}
	}()
	request := make([]byte, requestBytes)
	reply := make([]byte, 0, 2*requestBytes)
	for !r.ending.Load() {
		n, err := poller.Wait(responderWait)
		if err != nil {
			return err
		}
		for i := range n {
			_, number := poller.Event(i)
			fd := int(number)
			if fd == r.listener {
				if err := acceptAll(poller, fd, open); err != nil {
					return err
				}
				continue
			}
			n, err := rawnet.Read(fd, request)
			if err == unix.EAGAIN {
				continue
			}
			if err == nil && n > 0 {
				reply = appendCanned(reply[:0], request[:n])
				_, err = rawnet.Write(fd, reply)
			}
			if err != nil || n == 0 {
				rawnet.Close(fd)
				delete(open, fd)
			}
		}
	}
	return nil
}

func acceptAll(poller *rawnet.Poller, listener int, open map[int]bool) error {
	for {
		fd, err := rawnet.Accept(listener)
		if err == unix.EAGAIN {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the canned responder's accept: %w%s", err, hint(err))
		}
		open[fd] = true
		if err := poller.Add(fd, readEvents, uint32(fd)); err != nil {
			return err
		}
	}
}

// appendCanned appends the answer to a poll of this load, whose name and number
// stand at fixed places.
func appendCanned(b, request []byte) []byte {
	name := request[digitsEnd-nameDigits-1 : digitsEnd]
	seq := request[len(pollHead):]
	seq = seq[:bytes.IndexByte(seq, ' ')]
	size := len(cannedName) + len(name) + len(cannedSeq) + len(seq) + len(cannedContent) + contentBytes + len(cannedEnd)
	b = append(b, cannedHead...)
	b = strconv.AppendInt(b, int64(size), 16)
	b = append(b, "\r\n"+cannedName...)
	b = append(b, name...)
	b = append(b, cannedSeq...)
	b = append(b, seq...)
	b = append(b, cannedContent...)
	b = append(b, cannedText...)
	return append(b, cannedEnd+cannedTail...)
}
