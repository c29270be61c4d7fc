package floor

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"c1000k/comet"
	"c1000k/comet/doors"
	"c1000k/comet/slack"
	"c1000k/comet/wire"
	"c1000k/experiments/fdtable"
	"c1000k/uring"
)

// The ways to take a turn: to send a message to each connection and to receive
// the next poll of each. Resting loops sleep a while after each wait, so that
// events gather.
const (
	TurnWrite         = "write+epoll"      // write, epoll, read
	TurnWriteRest     = "write+epoll+rest" // the same, resting
	TurnPoll          = "send+poll"        // io_uring: send, multishot poll, receive
	TurnPollRest      = "send+poll+rest"
	TurnMultishot     = "send+multishot" // io_uring: send, multishot receive
	TurnMultishotRest = "send+multishot+rest"
)

// Sends are those of a stream, which nobody answers: then a loop waits once a
// message, with nothing that could gather in a rest, and what waits for input
// hears nothing, whichever way it waits.
var Sends = []string{TurnWrite, TurnPoll}

// Turns are all of them.
var Turns = []string{TurnWrite, TurnWriteRest, TurnPoll, TurnPollRest, TurnMultishot, TurnMultishotRest}

// turnRest is how long a resting loop sleeps: the engine's minimum wait.
const turnRest = 200 * time.Microsecond

// TurnOptions are those of the floor's server of turns, with the tags of a
// command line.
type TurnOptions struct {
	Front       string `help:"Where the load connects, as for the comet server." required:""`
	Admin       string `help:"Where it asks for messages." required:""`
	Connections int    `help:"How many are held in all." required:""`
	Loops       int    `help:"Threads, where the descriptor limit allows it." default:"2"`
	Way         string `help:"How a turn is taken." required:""`
	Stream      bool   `help:"Send a chunk of a stream for each push, which nobody answers."`
}

// bareLoop is one thread of the server.
type bareLoop interface {
	Run() error
	Send(message []byte) error // the one before must have been received by all
	Stop()
	Held() int64
	Read() int64
	Failed() int64
}

var _ bareLoop = (*uring.Bare)(nil)

// turnServer sends the same bytes to every connection, as a server with one
// channel would, and knows nothing of them.
type turnServer struct {
	connections int64 // that a message is for
	stream      bool  // a message is a chunk of a stream
	loops       []bareLoop
	threads     []*fdtable.Thread
	mutex       sync.Mutex // one message at a time
	number      int64

	eventfds []int
	failure  chan error // the first loop's to fail
}

// Threads is how many loops the server will have; where it will be refused, any number.
func (o TurnOptions) Threads() int {
	if !o.writes() {
		return o.Loops
	}
	l, _ := plan(o.Connections, usualPorts, o.Loops)
	return l.threads
}

// writes says that the loops are those of writes and epoll.
func (o TurnOptions) writes() bool { return o.Way == TurnWrite || o.Way == TurnWriteRest }

// ServeTurns holds connections and answers the admin requests of a load: push
// and broadcast send a message to all, info tells how many wait for one. It ends
// with the context, or when a loop fails.
func ServeTurns(ctx context.Context, o TurnOptions) error {
	if !slices.Contains(Turns, o.Way) {
		return fmt.Errorf("%q is none of %s", o.Way, strings.Join(Turns, " "))
	}
	if o.Connections < 1 || o.Loops < 1 {
		return fmt.Errorf("%d connections on %d loops: at least one of each", o.Connections, o.Loops)
	}
	front, closeFront, err := doors.Listen(o.Front, comet.DoorFront, 0)
	if err != nil {
		return err
	}
	defer closeFront.Close()
	admin, err := net.Listen("tcp", o.Admin)
	if err != nil {
		return err
	}
	defer admin.Close()
	s := &turnServer{connections: int64(o.Connections), stream: o.Stream, failure: make(chan error, 1)}
	if err := s.start(o, front); err != nil {
		return err
	}
	defer s.stop()
	web := &http.Server{Handler: s}
	defer web.Close()
	go web.Serve(admin)
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.failure:
		return err
	}
}

// start starts the threads.
func (s *turnServer) start(o TurnOptions, front []comet.Listener) error {
	var listeners []int
	for _, l := range front {
		listeners = append(listeners, l.FD)
	}
	rest := time.Duration(0)
	if strings.HasSuffix(o.Way, "+rest") {
		rest = turnRest
	}
	if o.writes() {
		return s.startWriters(o, listeners, rest)
	}
	slack.Loops(o.Loops)
	// One after the other accepts, the last first made so that each knows the next.
	full := func() {}
	for i := o.Loops - 1; i >= 0; i-- {
		b, err := uring.NewBare(uring.BareOptions{
			Connections: shareOf(o, i), Listeners: listeners, Rest: rest, Full: full,
			Multishot: o.Way == TurnMultishot || o.Way == TurnMultishotRest,
		})
		if err != nil {
			return err
		}
		full = b.Accept
		err = s.run(b, func(life func()) (*fdtable.Thread, error) {
			return fdtable.GoShared(func(*fdtable.Table) { life() }), nil
		})
		if err != nil {
			return err
		}
	}
	full()
	return nil
}

func shareOf(o TurnOptions, loop int) int {
	return (o.Connections + o.Loops - 1 - loop) / o.Loops
}

// startWriters starts loops of epoll. They take their shares one after the other.
func (s *turnServer) startWriters(o TurnOptions, listeners []int, rest time.Duration) error {
	l, err := plan(o.Connections, len(listeners), o.Loops)
	if err != nil {
		return err
	}
	turns, wakes, err := eventfds(l.threads)
	if err != nil {
		return err
	}
	s.eventfds = append(turns, wakes...)
	slack.Loops(l.threads)
	keep := append(slices.Clone(listeners), s.eventfds...)
	for i := range l.threads {
		w := &writeLoop{share: l.perThread, listeners: listeners, rest: rest, wakeFD: wakes[i], turnFD: turns[i], nextFD: -1}
		if i+1 < l.threads {
			w.nextFD = turns[i+1]
		}
		if err := s.run(w, func(life func()) (*fdtable.Thread, error) { return l.start(keep, life) }); err != nil {
			return err
		}
	}
	wake(turns[0])
	return nil
}

// eventfds makes n that block and n that do not.
func eventfds(n int) (blocking, others []int, err error) {
	for range n {
		for list, flags := range map[*[]int]int{&blocking: 0, &others: unix.EFD_NONBLOCK} {
			fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|flags)
			if err != nil {
				return blocking, others, err
			}
			*list = append(*list, fd)
		}
	}
	return blocking, others, nil
}

// run has a loop run on a thread that begin starts.
func (s *turnServer) run(l bareLoop, begin func(life func()) (*fdtable.Thread, error)) error {
	thread, err := begin(func() {
		if err := l.Run(); err != nil {
			select {
			case s.failure <- err:
			default:
			}
		}
	})
	if err != nil {
		return err
	}
	s.loops, s.threads = append(s.loops, l), append(s.threads, thread)
	return nil
}

func (s *turnServer) stop() {
	for _, l := range s.loops {
		l.Stop()
	}
	for _, t := range s.threads {
		t.Wait()
	}
	closeAll(s.eventfds)
}

// ServeHTTP answers the admin requests of a load.
func (s *turnServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	content := r.URL.Query().Get("content")
	switch r.URL.Path {
	case "/info":
		fmt.Fprintf(w, "{\"version\": \"floor\", \"channels\": 1, \"subscribers\": %d, \"loops\": %d}\n", s.waiting(), len(s.loops))
	case "/push":
		if s.await(w) {
			s.send(w, s.object(wire.KindData, content), `{"type":"ok"}`+"\n")
		}
	case "/broadcast":
		if s.stream {
			http.Error(w, "the floor of streams knows pushes alone", http.StatusNotImplemented)
			return
		}
		if !s.await(w) {
			return
		}
		b := append([]byte{'['}, s.object(wire.KindBroadcast, content)...)
		b = append(append(b, ','), wire.AppendObject(nil, wire.KindNextSeq, turnName, s.number+1, nil)...)
		s.send(w, append(b, ']'), "ok\n")
	default:
		http.NotFound(w, r)
	}
}

// turnName is the channel that all subscribers of a load share.
var turnName = []byte("c0000000")

// object is the next message.
func (s *turnServer) object(k wire.Kind, content string) []byte {
	s.number++
	return wire.AppendObject(nil, k, turnName, s.number, wire.AppendEscaped(nil, []byte(content)))
}

// waiting is how many connections wait for the next message: those whose poll was
// read, each in one piece, since the message before; of streams, all that are held.
// A loop that put off reading would read two polls as one, and be no floor of those
// that answer each.
func (s *turnServer) waiting() int64 {
	var held, read int64
	for _, l := range s.loops {
		held, read = held+l.Held(), read+l.Read()
	}
	if s.stream {
		return held
	}
	return min(held, max(0, read-s.number*s.connections))
}

// reply is what goes out for a message, the same bytes as the server's: composed
// once and sent to all. A stream's head, which the server sends to each as it
// comes, goes before the first message.
func (s *turnServer) reply(body []byte) (b []byte) {
	head := wire.Head{Date: wire.AppendDate(nil, time.Now().Unix()), AllowOrigin: []byte("*"), Minor: 1, KeepAlive: true}
	if !s.stream {
		return wire.AppendPollReply(nil, head, nil, body)
	}
	if s.number == 1 {
		head.Mode = wire.ModeStream
		b = wire.AppendPollHead(b, head)
	}
	return wire.AppendFrame(b, wire.ModeStream, 1, wire.NoID, body)
}

// waitingPatience is how long a message waits for connections that are still being
// accepted, or polls that are not read yet.
const waitingPatience = 20 * time.Second

// await returns when all connections wait for a message, since nothing is kept for
// those that come later; false where they never do, and the request is refused.
func (s *turnServer) await(w http.ResponseWriter) bool {
	for deadline := time.Now().Add(waitingPatience); s.waiting() < s.connections; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			http.Error(w, fmt.Sprintf("%d of %d wait for a message", s.waiting(), s.connections), http.StatusServiceUnavailable)
			return false
		}
	}
	return true
}

// send has all loops send the reply, the same bytes as the server's.
func (s *turnServer) send(w http.ResponseWriter, body []byte, ok string) {
	reply := s.reply(body)
	for _, l := range s.loops {
		if err := l.Send(reply); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(ok)))
	io.WriteString(w, ok)
}
