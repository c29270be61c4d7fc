package epoll

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"c1000k/comet"
	"c1000k/comet/arena"
	"c1000k/comet/doors"
)

// patience is how long a test waits for what has to come.
const patience = 60 * time.Second

// bigBytes is the length of the reply to 'b', which no socket buffer holds.
const bigBytes = 1 << 20

// testCore is a service that does what the first byte it is sent says:
//
//	e...  sends everything back, in three pieces
//	b     sends bigBytes of a pattern, in three pieces
//	p     reads no more until 'resume' is set, then echoes
//	q     sends "bye" and closes
//	w     wakes the other loop, which then sends "woken" to its connections
//	s     is silent
//
// On a hang-up it closes. Its counters may be read from any thread.
type testCore struct {
	t       *testing.T
	number  int
	all     *testCores
	conns   map[comet.Conn]*testConn
	queue   []comet.Action
	current comet.Action
	big     []byte

	opens, hangups, closes, sents, sentErrors, turns atomic.Int64
	sleeping, woken                                  atomic.Bool
}

type testConn struct {
	paused, leaving, silent, closing, sending bool
	token                                     uint16
	expect                                    int
}

// testCores are the cores of one engine.
type testCores struct {
	t      *testing.T
	list   []*testCore
	resume atomic.Bool
	onTurn func()                    // called in each turn, on the loop's thread
	sleep  func(now int64) int64     // the deadline, comet.NoDeadline if nil
	bytes  func(c comet.Conn, n int) // called with each Data
}

func (a *testCores) newLoop(maxConns int) (comet.Core, error) {
	big, err := arena.Map(bigBytes)
	if err != nil {
		return nil, err
	}
	for i := range big {
		big[i] = byte(i * 7 >> 3)
	}
	c := &testCore{t: a.t, number: len(a.list), all: a, conns: map[comet.Conn]*testConn{}, big: big}
	a.list = append(a.list, c)
	return c, nil
}

// sum adds a counter over all cores.
func (a *testCores) sum(counter func(*testCore) *atomic.Int64) int64 {
	n := int64(0)
	for _, c := range a.list {
		n += counter(c).Load()
	}
	return n
}

func opens(c *testCore) *atomic.Int64   { return &c.opens }
func closes(c *testCore) *atomic.Int64  { return &c.closes }
func hangups(c *testCore) *atomic.Int64 { return &c.hangups }

// conn is the record of c; an event without one is the engine's mistake.
func (k *testCore) conn(c comet.Conn, what string) *testConn {
	tc := k.conns[c]
	if tc == nil {
		k.t.Errorf("loop %d: %s for connection %d, which is not open", k.number, what, c)
		return &testConn{}
	}
	return tc
}

func (k *testCore) Open(now int64, c comet.Conn, d comet.Door, _ comet.Peer) {
	if k.conns[c] != nil {
		k.t.Errorf("loop %d: connection %d is opened twice", k.number, c)
	}
	k.conns[c] = &testConn{}
	k.opens.Add(1)
}

func (k *testCore) Data(now int64, c comet.Conn, p []byte) bool {
	tc := k.conn(c, "Data")
	if tc.paused || tc.leaving || tc.closing {
		k.t.Errorf("loop %d: Data for connection %d, paused %v, leaving %v, closing %v", k.number, c, tc.paused, tc.leaving, tc.closing)
	}
	if k.all.bytes != nil {
		k.all.bytes(c, len(p))
	}
	switch p[0] {
	case 'e':
		echo := bytes.Clone(p)
		half := len(p)/2 + 1
		k.send(c, tc, echo[:1], echo[1:half], echo[half:])
	case 'b':
		k.send(c, tc, k.big[:10], k.big[10:bigBytes-1000], k.big[bigBytes-1000:])
	case 'p':
		tc.paused = true
		return false
	case 'q':
		tc.closing = true
		k.send(c, tc, []byte("bye"))
	case 'w':
		k.wakeOther()
	case 's':
		tc.silent = true
	default:
		k.t.Errorf("loop %d: connection %d: stray bytes %q", k.number, c, p[:min(len(p), 16)])
	}
	return true
}

// wakeOther leaves word with the next loop and wakes it, if it sleeps.
func (k *testCore) wakeOther() {
	other := k.all.list[(k.number+1)%len(k.all.list)]
	other.woken.Store(true)
	if other.sleeping.Load() {
		k.queue = append(k.queue, comet.Action{Op: comet.OpWake, Conn: comet.Conn(other.number)})
	}
}

func (k *testCore) send(c comet.Conn, tc *testConn, pieces ...[]byte) {
	tc.token++
	tc.sending, tc.expect = true, 0
	a := comet.Action{Op: comet.OpSend, Conn: c, Token: tc.token}
	for _, p := range pieces {
		if len(p) > 0 {
			a.Piece[a.Pieces] = p
			a.Pieces++
			tc.expect += len(p)
		}
	}
	k.queue = append(k.queue, a)
}

func (k *testCore) Hangup(now int64, c comet.Conn) {
	tc := k.conn(c, "Hangup")
	if tc.leaving {
		k.t.Errorf("loop %d: connection %d hangs up twice", k.number, c)
	}
	tc.leaving = true
	k.hangups.Add(1)
	k.queue = append(k.queue, comet.Action{Op: comet.OpClose, Conn: c})
}

func (k *testCore) Sent(now int64, c comet.Conn, token uint16, n, errno int) {
	tc := k.conn(c, "Sent")
	if !tc.sending || token != tc.token {
		k.t.Errorf("loop %d: connection %d: Sent with token %d, last send was %d, outstanding %v", k.number, c, token, tc.token, tc.sending)
	}
	tc.sending = false
	if errno != 0 {
		k.sentErrors.Add(1)
	} else if n != tc.expect {
		k.t.Errorf("loop %d: connection %d: sent %d bytes of %d without an error", k.number, c, n, tc.expect)
	}
	k.sents.Add(1)
	if tc.closing && !tc.leaving {
		tc.leaving = true
		k.queue = append(k.queue, comet.Action{Op: comet.OpClose, Conn: c})
	}
}

func (k *testCore) Closed(now int64, c comet.Conn) {
	k.conn(c, "Closed")
	delete(k.conns, c)
	k.closes.Add(1)
}

// Answered: what it is sent is answered, but not by count.
func (k *testCore) Answered() uint64 { return 0 }

func (k *testCore) Turn(now int64, waiting int) {
	k.turns.Add(1)
	if k.all.onTurn != nil {
		k.all.onTurn()
	}
	if k.all.resume.Load() {
		for c, tc := range k.conns {
			if tc.paused && !tc.leaving {
				tc.paused = false
				k.queue = append(k.queue, comet.Action{Op: comet.OpResume, Conn: c})
			}
		}
	}
	if k.woken.Swap(false) {
		for c, tc := range k.conns {
			if !tc.leaving && !tc.sending {
				k.send(c, tc, []byte("woken"))
			}
		}
	}
}

func (k *testCore) Next() *comet.Action {
	if len(k.queue) == 0 {
		return nil
	}
	k.current, k.queue = k.queue[0], k.queue[1:]
	return &k.current
}

func (k *testCore) Sleep() (int64, bool) {
	k.sleeping.Store(true)
	if k.woken.Load() {
		k.sleeping.Store(false)
		return 0, false
	}
	if k.all.sleep == nil {
		return comet.NoDeadline, true
	}
	return k.all.sleep(time.Now().UnixNano()), true
}

func (k *testCore) Awake() { k.sleeping.Store(false) }

// rig is an engine on test cores with one front door.
type rig struct {
	t      *testing.T
	engine *Engine
	cores  *testCores
	addr   string
}

// start starts an engine with these options; it is stopped when the test ends.
func start(t *testing.T, cores *testCores, o Options) *rig {
	t.Helper()
	listeners, closer, err := doors.Listen("127.0.0.1:0", comet.DoorFront, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closer.Close() })
	return startOn(t, cores, o, listeners)
}

// startOn is start with given listeners.
func startOn(t *testing.T, cores *testCores, o Options, listeners []comet.Listener) *rig {
	t.Helper()
	cores.t = t
	e, err := newEngine(o, cores.newLoop)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(listeners); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Stop)
	return &rig{t: t, engine: e, cores: cores, addr: listeners[0].Addr}
}

// dial connects a client, which is closed when the test ends.
func (r *rig) dial() *net.TCPConn {
	r.t.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c.(*net.TCPConn)
}

// exchange sends request and expects reply.
func exchange(t *testing.T, c net.Conn, request, reply string) {
	t.Helper()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	expect(t, c, reply)
}

// expect reads reply.
func expect(t *testing.T, c net.Conn, reply string) {
	t.Helper()
	got := make([]byte, len(reply))
	if n, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, []byte(reply)) {
		t.Fatalf("read %q, %v, want %q", got[:min(n, 80)], err, reply[:min(len(reply), 80)])
	}
}

// eventually waits until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %v for: %s", patience, what)
		}
	}
}

// stat reads one counter.
func (r *rig) stat(name string) uint64 {
	r.t.Helper()
	for _, s := range r.engine.Stats() {
		if s.Name == name {
			return s.Value
		}
	}
	r.t.Fatalf("no counter is called %q", name)
	return 0
}

// descriptors counts what the threads of this process hold open, over all tables
// that differ.
func descriptors(t *testing.T) (n int) {
	t.Helper()
	tables := map[string]int{}
	for _, tid := range threadsOf(t) {
		folder := fmt.Sprintf("/proc/self/task/%d/fd", tid)
		entries, err := os.ReadDir(folder)
		if err != nil {
			continue // the thread has ended
		}
		var content []string
		for _, e := range entries {
			link, _ := os.Readlink(folder + "/" + e.Name())
			if strings.HasPrefix(link, "/proc/") {
				continue // this listing itself
			}
			content = append(content, e.Name()+" "+link)
		}
		tables[strings.Join(content, "\n")] = len(content)
	}
	for _, held := range tables {
		n += held
	}
	return n
}
