package load

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeServer speaks the protocol as recorded, one goroutine a connection, and
// misbehaves on demand.
type fakeServer struct {
	t         testing.TB
	port      int // front ports from here on
	admin     string
	listeners []net.Listener

	mutex    sync.Mutex
	channels map[string]*fakeChannel
	polls    int
	conns    int // open on the front
	ended    sync.WaitGroup

	// Faults and options; set before anything connects.
	atOnce     bool                                        // answer every poll with next_seq
	earlyHead  bool                                        // send the head when the poll is held
	dribble    bool                                        // send a byte at a time
	history    int                                         // messages kept of each channel
	tokens     bool                                        // front asks for the token that sign gave
	signing    func(name string) (status int, body string) // what sign answers instead
	pushStatus int                                         // 0: 200
	live       func(name string, seq int, m string) string // what a poll gets instead of m
}

type fakeChannel struct {
	next    int
	history []string // objects, the newest last
	waiting []*fakePoll
}

type fakePoll struct {
	name  string
	reply chan string // the body
}

// startFake listens on ports next to each other and on an admin door.
func startFake(t testing.TB, ports int, configure func(*fakeServer)) *fakeServer {
	t.Helper()
	s := &fakeServer{t: t, channels: map[string]*fakeChannel{}}
	if configure != nil {
		configure(s)
	}
	s.listen(ports)
	door, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.admin = door.Addr().String()
	s.listeners = append(s.listeners, door)
	for _, l := range s.listeners {
		go s.accept(l, l == door)
	}
	t.Cleanup(s.stop)
	return s
}

// listen finds a run of free ports, below those that the kernel gives away, and above
// those that tests of other packages let go and take again.
func (s *fakeServer) listen(ports int) {
	const from, span = 26_000, 4_000
	var err error
	for try := 0; try < 1000; try++ {
		s.port = from + rand.IntN(span)
		s.listeners = nil
		for i := 0; i < ports; i++ {
			var l net.Listener
			if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", s.port+i)); err != nil {
				break
			}
			s.listeners = append(s.listeners, l)
		}
		if err == nil {
			return
		}
		for _, l := range s.listeners {
			l.Close()
		}
	}
	s.t.Fatal("no run of free ports: ", err)
}

func (s *fakeServer) stop() {
	for _, l := range s.listeners {
		l.Close()
	}
	s.mutex.Lock()
	for _, c := range s.channels {
		for _, p := range c.waiting {
			close(p.reply)
		}
		c.waiting = nil
	}
	s.mutex.Unlock()
	s.ended.Wait()
}

func (s *fakeServer) accept(l net.Listener, admin bool) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		s.ended.Add(1)
		go func() {
			defer s.ended.Done()
			defer c.Close()
			if !admin {
				s.count(1)
				defer s.count(-1)
			}
			for r := bufio.NewReader(c); ; {
				request, err := http.ReadRequest(r)
				if err != nil {
					return
				}
				q := request.URL.Query()
				if admin && !s.door(c, request.URL.Path, q) || !admin && !s.front(c, r, q) {
					return
				}
			}
		}()
	}
}

func (s *fakeServer) count(n int) {
	s.mutex.Lock()
	s.conns += n
	s.mutex.Unlock()
}

const fakeHead = "HTTP/1.1 200 OK\r\nExpires: 0\r\nCache-Control: no-cache\r\n" +
	"Content-Type: application/json; charset=utf-8\r\nConnection: keep-alive\r\n" +
	"Transfer-Encoding: chunked\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n"

// fakeChunk is a body as the only chunk.
func fakeChunk(body string) string {
	return fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)
}

func fakeObject(typ, name string, seq int, content string) string {
	return fmt.Sprintf(`{"type":"%s","cname":"%s","seq":%d,"content":"%s"}`, typ, name, seq, content)
}

// front answers one poll, when there is something.
func (s *fakeServer) front(c net.Conn, r *bufio.Reader, q url.Values) bool {
	name := q.Get("cname")
	seq, _ := strconv.Atoi(q.Get("seq"))
	if s.tokens && q.Get("token") != fakeToken(name) {
		return false
	}
	p := &fakePoll{name: name, reply: make(chan string, 1)}
	s.mutex.Lock()
	s.polls++
	ch := s.channel(name)
	oldest := ch.next - len(ch.history)
	switch {
	case s.atOnce || seq == 0 || seq > ch.next:
		p.reply <- fakeObject("next_seq", name, ch.next, "") + "\n"
	case seq < ch.next && len(ch.history) > 0:
		p.reply <- "[" + strings.Join(ch.history[max(seq-oldest, 0):], ",") + "]\n"
	default:
		ch.waiting = append(ch.waiting, p)
	}
	s.mutex.Unlock()
	if s.earlyHead && !s.write(c, fakeHead) {
		return false
	}
	left := make(chan error, 1) // nil is the next request
	go func() {
		_, err := r.Peek(1)
		left <- err
	}()
	select {
	case body, ok := <-p.reply:
		reply := fakeChunk(body)
		if !s.earlyHead {
			reply = fakeHead + reply
		}
		return ok && s.write(c, reply) && <-left == nil
	case <-left: // a poll at a time: it can only be the end
		s.mutex.Lock()
		ch.waiting = slices.DeleteFunc(ch.waiting, func(w *fakePoll) bool { return w == p })
		s.mutex.Unlock()
		return false
	}
}

// write sends bytes, together or one by one.
func (s *fakeServer) write(c net.Conn, text string) bool {
	piece := len(text)
	if s.dribble {
		piece = 1
	}
	for ; text != ""; text = text[min(piece, len(text)):] {
		if _, err := c.Write([]byte(text[:min(piece, len(text))])); err != nil {
			return false
		}
		if s.dribble {
			time.Sleep(20 * time.Microsecond)
		}
	}
	return true
}

// channel is the one of that name. The mutex is held.
func (s *fakeServer) channel(name string) *fakeChannel {
	if s.channels[name] == nil {
		s.channels[name] = &fakeChannel{next: 1}
	}
	return s.channels[name]
}

// door serves the admin's requests.
func (s *fakeServer) door(c net.Conn, path string, q url.Values) bool {
	status, body := 200, "ok\n"
	s.mutex.Lock()
	switch path {
	case "/sign":
		status, body = s.sign(q)
	case "/push":
		if s.pushStatus != 0 {
			status = s.pushStatus
			break
		}
		s.send(q.Get("cname"), "data", q.Get("content"))
	case "/broadcast":
		for name := range s.channels {
			s.send(name, "broadcast", q.Get("content"))
		}
	case "/object": // an object of any type to those who wait, without a number
		ch := s.channel(q.Get("cname"))
		s.release(ch, fakeObject(q.Get("type"), q.Get("cname"), ch.next, "")+"\n")
	case "/drop": // every front connection of the channel ends
		ch := s.channel(q.Get("cname"))
		for _, p := range ch.waiting {
			close(p.reply)
		}
		ch.waiting = nil
	}
	s.mutex.Unlock()
	_, err := fmt.Fprintf(c, "HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s", status, len(body), body)
	return err == nil
}

// send numbers a message and gives it to those who wait. The mutex is held.
func (s *fakeServer) send(name, typ, content string) {
	ch := s.channel(name)
	seq := ch.next
	ch.next++
	object := fakeObject(typ, name, seq, content)
	if typ == "broadcast" {
		object += "," + fakeObject("next_seq", name, seq+1, "")
	}
	ch.history = append(ch.history, object)
	ch.history = ch.history[max(0, len(ch.history)-s.history):]
	body := object + "\n"
	if typ == "broadcast" {
		body = "[" + object + "]\n"
	}
	if s.live != nil {
		body = s.live(name, seq, body)
	}
	s.release(ch, body)
}

// release gives a body to all who wait. The mutex is held.
func (s *fakeServer) release(ch *fakeChannel, body string) {
	if body == "" {
		return
	}
	for _, p := range ch.waiting {
		p.reply <- body
	}
	ch.waiting = nil
}

// ask sends a request to the admin door and waits for the answer.
func (s *fakeServer) ask(pathAndQuery string) {
	s.t.Helper()
	reply, err := http.Get("http://" + s.admin + pathAndQuery)
	if err != nil {
		s.t.Fatal(err)
	}
	reply.Body.Close()
}

// await fails the test if a condition, looked at under the server's mutex, does
// not come true.
func (s *fakeServer) await(what string, condition func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		s.mutex.Lock()
		ok := condition()
		s.mutex.Unlock()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatal("this did not come about: ", what)
		}
	}
}

// options are those of a load on this server.
func (s *fakeServer) options(connections int) Options {
	return Options{
		Host: "127.0.0.1", Port: s.port, Ports: len(s.listeners) - 1,
		Connections: connections, Subscribers: 1, Openers: DefaultOpeners,
	}
}
