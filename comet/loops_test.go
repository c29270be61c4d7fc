package comet

import (
	"bytes"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
)

// crew is several loops on threads of their own, woken as engines wake them.
type crew struct {
	t      *testing.T
	loops  []*Loop
	wakes  []chan struct{}
	now    atomic.Int64
	behind atomic.Int64 // subscribers that have not had all
}

// member is one loop of a crew: its last connection publishes, the others
// poll the channels in turn, so that every channel is held on every loop.
type member struct {
	*crew
	id, polls, channels, each int
	next                      []int // by connection: the number it waits for
	want                      int   // the last number of every channel
	pushed                    int
	request                   []byte
}

func (m *member) poll(c Conn) {
	m.request = fmt.Appendf(m.request[:0], "GET /sub?cname=c%d&seq=%d", int(c)%m.channels, m.next[c])
	if c%2 == 1 {
		// Of others nothing comes: two channels of its own are joined before its
		// first is looked at, and left with each reply.
		m.request = fmt.Appendf(m.request[:0], "GET /sub?cname=x%d&seq=1&cname=y%d.%d&seq=1&cname=c%d&seq=%d", c, c, m.id, int(c)%m.channels, m.next[c])
	}
	m.request = append(m.request, " HTTP/1.1\r\nHost: h\r\n\r\n"...)
	m.loops[m.id].Data(m.now.Load(), c, m.request)
}

// got checks the numbers of a reply and polls for what comes after them.
func (m *member) got(c Conn, reply []byte) {
	mark := []byte(`"type":"data"`)
	for bytes.Contains(reply, mark) {
		reply = reply[bytes.Index(reply, mark)+len(mark):]
		number := reply[bytes.Index(reply, []byte(`"seq":`))+len(`"seq":`):]
		n, _ := strconv.Atoi(string(number[:bytes.IndexByte(number, ',')]))
		if n != m.next[c] {
			m.t.Errorf("loop %d, connection %d: number %d, not %d", m.id, c, n, m.next[c])
		}
		m.next[c] = n + 1
		if n == m.want {
			m.behind.Add(-1)
		}
	}
}

func (m *member) run() {
	l := m.loops[m.id]
	admin := Conn(m.polls)
	l.Open(m.now.Load(), admin, DoorAdmin, Peer{})
	for c := range Conn(m.polls) {
		l.Open(m.now.Load(), c, DoorFront, Peer{})
		m.next[c] = 1
		m.poll(c)
	}
	var sent []Action
	for m.behind.Load() > 0 && !m.t.Failed() {
		l.Turn(m.now.Add(1000), 0)
		sent = sent[:0]
		for a := l.Next(); a != nil; a = l.Next() {
			switch a.Op {
			case OpSend:
				sent = append(sent, *a)
			case OpWake:
				select {
				case m.wakes[a.Conn] <- struct{}{}:
				default:
				}
			}
		}
		for _, a := range sent {
			if a.Conn != admin {
				m.got(a.Conn, a.Piece[0])
			}
			l.Sent(m.now.Load(), a.Conn, a.Token, len(a.Piece[0]), 0)
			if a.Conn != admin {
				m.poll(a.Conn)
			}
		}
		if m.pushed < m.each*m.channels && l.at(uint32(admin)+1).takes() {
			var batch []byte
			for range min(64, m.each*m.channels-m.pushed) {
				batch = fmt.Appendf(batch, "GET /push?cname=c%d&content=x HTTP/1.1\r\nHost: h\r\n\r\n", m.pushed%m.channels)
				m.pushed++
			}
			l.Data(m.now.Load(), admin, batch)
		}
		if deadline, ok := l.Sleep(); ok {
			if len(sent) == 0 && m.pushed == m.each*m.channels && deadline > m.now.Load() {
				<-m.wakes[m.id]
			}
			l.Awake()
		}
	}
	for _, w := range m.wakes { // the last to have all lets the others go
		select {
		case w <- struct{}{}:
		default:
		}
	}
}

// TestLoopsShareChannels proves, for the race detector too, that subscribers of
// the same channels on several loops, half of them of others too, get every
// message of publishers on all of them once and in order, that no loop sleeps
// over one, and that nothing of the messages is left but the histories.
func TestLoopsShareChannels(t *testing.T) {
	const loops, polls, channels, each = 3, 40, 5, 400
	cfg := DefaultConfig()
	cfg.Channels, cfg.ChannelBufferSize = channels+2*loops*polls, loops*each
	s, err := NewService(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w := &crew{t: t}
	w.now.Store(1_700_000_000e9)
	w.behind.Store(loops * polls)
	for range loops {
		l, err := s.NewLoop(polls + 1)
		if err != nil {
			t.Fatal(err)
		}
		w.loops = append(w.loops, l)
		w.wakes = append(w.wakes, make(chan struct{}, 1))
	}
	var wg sync.WaitGroup
	for id := range loops {
		m := &member{crew: w, id: id, polls: polls, channels: channels, each: each, next: make([]int, polls), want: loops * each}
		wg.Go(m.run)
	}
	wg.Wait()
	for _, l := range w.loops {
		for c := range Conn(polls + 1) {
			l.Hangup(w.now.Load(), c)
			l.Closed(w.now.Load(), c)
		}
		for l.Turn(w.now.Load(), 0); !l.inbox.Empty() || l.more; {
			l.Turn(w.now.Load(), 0) // what is left in an inbox keeps its channel
		}
	}
	for range 4 {
		w.now.Add(int64(cfg.ChannelTimeout))
		w.loops[0].Turn(w.now.Load(), 0)
	}
	for _, st := range s.Stats() {
		switch st.Name {
		case "subscribers", "channels", "message_bytes", "loop_block_bytes", "history_bytes", "name_bytes":
			if st.Value != 0 {
				t.Errorf("%s is %d in the end", st.Name, st.Value)
			}
		}
	}
}
