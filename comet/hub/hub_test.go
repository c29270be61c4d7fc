package hub

import (
	"fmt"
	"sync"
	"testing"
	"unsafe"
)

// TestRecordSizes holds the memory budget of a channel: one cache line.
func TestRecordSizes(t *testing.T) {
	if n := unsafe.Sizeof(channel{}); n != 64 {
		t.Errorf("a channel's record is %d bytes, not 64", n)
	}
	if n := unsafe.Sizeof(Entry{}); n != 24 {
		t.Errorf("an inbox entry is %d bytes, not 24", n)
	}
}

func newHub(t testing.TB, c Config) *Hub {
	t.Helper()
	if c.MessageBytes == 0 {
		c.MessageBytes = 1 << 30
	}
	if c.TimeoutTicks == 0 {
		c.TimeoutTicks = 10
	}
	h, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func publish(t testing.TB, h *Hub, name, content string, tick uint32) uint64 {
	t.Helper()
	m, err := h.NewMessage([]byte(content), false)
	if err != nil {
		t.Fatal(err)
	}
	v, err := h.FindOrCreate([]byte(name), tick)
	if err != nil {
		t.Fatal(err)
	}
	seq, _ := v.Publish(m, tick)
	v.Leave()
	h.Unref(m)
	return seq
}

// TestHistory proves that a history keeps the newest messages in order, for
// every length, and gives back what it evicts.
func TestHistory(t *testing.T) {
	for _, keep := range []int{0, 1, 2, 3, 5, 10, 33} {
		h := newHub(t, Config{Channels: 4, History: keep})
		for i := 1; i <= 100; i++ {
			publish(t, h, "a", fmt.Sprintf("m%d", i), 1)
			v, _ := h.Find([]byte("a"))
			first, msgs := v.From(1, nil)
			if v.HistoryLen() != min(i, keep) || len(msgs) != min(i, keep) {
				t.Fatalf("keep %d: %d messages after %d", keep, len(msgs), i)
			}
			v.Leave()
			for k, m := range msgs {
				if want := fmt.Sprintf("m%d", int(first)+k); string(h.Content(m)) != want {
					t.Fatalf("keep %d: number %d holds %q", keep, int(first)+k, h.Content(m))
				}
				h.Unref(m)
			}
		}
		if u := h.Usage(); keep == 0 && u.MessageBytes != 0 {
			t.Errorf("a history of none keeps %d bytes", u.MessageBytes)
		}
	}
}

// TestSweep proves that a channel is freed when its time has passed and not
// before, that one that is held stays, and that everything is given back.
func TestSweep(t *testing.T) {
	h := newHub(t, Config{Channels: 100, History: 4, TimeoutTicks: 10})
	loop, _, err := h.AddLoop()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		publish(t, h, fmt.Sprint("c", i), "x", 1)
	}
	v, _ := h.Find([]byte("c7"))
	v.SetHead(loop, 1)
	v.Add(1)
	v.Leave()
	h.Sweep(10, 1000)
	if h.Count() != 100 {
		t.Fatalf("%d channels left before their time", h.Count())
	}
	if h.SweepAt() != 11 {
		t.Errorf("next sweep at %d", h.SweepAt())
	}
	for h.Sweep(11, 7) {
	}
	if h.Count() != 1 {
		t.Fatalf("%d channels left after their time", h.Count())
	}
	v, ok := h.Find([]byte("c7"))
	if !ok {
		t.Fatal("a held channel was freed")
	}
	v.SetHead(loop, 0)
	v.Add(-1)
	v.Settle(loop, 20)
	v.Leave()
	h.Sweep(29, 1000)
	if h.Count() != 1 {
		t.Error("freed too early after its last subscriber")
	}
	h.Sweep(30, 1000)
	u := h.Usage()
	if u.Channels != 0 || u.NameBytes != 0 || u.HistoryBytes != 0 || u.MessageBytes != 0 {
		t.Errorf("not given back: %+v", u)
	}
}

// TestHeldChannelHasNoTimer proves that nothing is looked at later of a channel
// that was left and is held again: a million of them would cost an idle server.
func TestHeldChannelHasNoTimer(t *testing.T) {
	h := newHub(t, Config{Channels: 1, History: 1})
	loop, _, err := h.AddLoop()
	if err != nil {
		t.Fatal(err)
	}
	armed := func() (n int) {
		for i := range h.stripes {
			n += h.stripes[i].wheel.Armed()
		}
		return n
	}
	publish(t, h, "a", "x", 1)
	if armed() != 1 {
		t.Fatal("a channel that nobody holds does not age")
	}
	for _, held := range []bool{true, false, true} {
		v, _ := h.Find([]byte("a"))
		want := 1
		if held {
			v.SetHead(loop, 1)
			want = 0
		} else {
			v.SetHead(loop, 0)
		}
		v.Settle(loop, 2)
		v.Leave()
		if armed() != want {
			t.Errorf("held %v: %d timers", held, armed())
		}
	}
}

// TestLimits proves that a table that is full, memory that is used up and a
// 65th loop are refused and nothing is lost by it.
func TestLimits(t *testing.T) {
	h := newHub(t, Config{Channels: 2, History: 10, MessageBytes: 100})
	publish(t, h, "a", "x", 1)
	publish(t, h, "b", "x", 1)
	if _, err := h.FindOrCreate([]byte("c"), 1); err != ErrTooManyChannels {
		t.Errorf("a third channel: %v", err)
	}
	if _, err := h.NewMessage(make([]byte, 200), false); err != ErrNoMemory {
		t.Errorf("a message beyond the limit: %v", err)
	}
	if publish(t, h, "a", "y", 1) != 2 {
		t.Error("a refusal used up a number")
	}
	for range MaxLoops {
		if _, _, err := h.AddLoop(); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := h.AddLoop(); err == nil {
		t.Error("65 loops")
	}
}

// TestLists proves that every loop finds its own list of a channel, in
// whatever order loops come and go.
func TestLists(t *testing.T) {
	h := newHub(t, Config{Channels: 1, History: 1})
	const loops = 5
	for range loops {
		if _, _, err := h.AddLoop(); err != nil {
			t.Fatal(err)
		}
	}
	var want [loops]uint32
	rnd := uint32(1)
	for step := range 10_000 {
		rnd = rnd*1664525 + 1013904223
		loop := int(rnd>>16) % loops
		sub := rnd >> 8 % 4
		v, err := h.FindOrCreate([]byte("x"), 1)
		if err != nil {
			t.Fatal(err)
		}
		v.SetHead(loop, sub)
		v.Settle(loop, 1)
		want[loop] = sub
		for l := range loops {
			if v.Head(l) != want[l] {
				t.Fatalf("step %d: loop %d finds %d, not %d", step, l, v.Head(l), want[l])
			}
			if held := v.c.mask&(1<<l) != 0; held != (want[l] != 0) {
				t.Fatalf("step %d: loop %d in the mask: %v", step, l, held)
			}
		}
		v.Leave()
	}
}

// TestPublishersAndLoops proves, for the race detector too, that publishers
// and a broadcast on several threads reach every loop's inbox in the order of
// the numbers, or mark it as behind, and that all references come back.
func TestPublishersAndLoops(t *testing.T) {
	h := newHub(t, Config{Channels: 64, History: 3})
	const loops, channels, each = 3, 16, 3000
	var inboxes [loops]*Inbox
	for l := range loops {
		_, in, err := h.AddLoop()
		if err != nil {
			t.Fatal(err)
		}
		inboxes[l] = in
		for c := range channels {
			v, err := h.FindOrCreate([]byte(fmt.Sprint("c", c)), 1)
			if err != nil {
				t.Fatal(err)
			}
			v.SetHead(l, 1)
			v.Add(1)
			v.Leave()
		}
	}
	var publishers, readers sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		publishers.Go(func() {
			for i := range each {
				publish(t, h, fmt.Sprint("c", i%channels), "x", 1)
			}
		})
	}
	publishers.Go(func() {
		m, err := h.NewMessage([]byte("all"), true)
		if err != nil {
			t.Error(err)
			return
		}
		w := h.NewWalk(m)
		for done := false; !done; {
			_, _, done = h.Step(&w, 8, 1)
		}
	})
	for l := range loops {
		readers.Go(func() {
			last := map[uint32]uint64{}
			var got [50]Entry
			for {
				select {
				case <-stop:
					if inboxes[l].Empty() {
						return
					}
				default:
				}
				n, behind := inboxes[l].Take(got[:])
				for _, e := range got[:n] {
					if e.Seq <= last[e.Channel] {
						t.Errorf("loop %d: number %d after %d", l, e.Seq, last[e.Channel])
					}
					last[e.Channel] = e.Seq
					v := h.Enter(e.Channel)
					if !v.Is(&e) {
						t.Error("a channel changed under an entry")
					}
					v.Unref()
					v.Leave()
					h.Unref(e.Msg)
				}
				if behind && inboxes[l].Fulls() == 0 {
					t.Error("behind, but no entry found the inbox full")
				}
			}
		})
	}
	publishers.Wait()
	close(stop)
	readers.Wait()
	for l := range loops {
		for c := range channels {
			v, _ := h.Find([]byte(fmt.Sprint("c", c)))
			if want := uint64(2*each/channels + 2); v.Next() < want-1 || v.Next() > want+1 {
				t.Errorf("channel %d: next is %d, not about %d", c, v.Next(), want)
			}
			v.SetHead(l, 0)
			v.Add(-1)
			v.Settle(l, 1)
			v.Leave()
		}
	}
	for h.Sweep(1000, 100) {
	}
	if u := h.Usage(); u.Channels != 0 || u.MessageBytes != 0 {
		t.Errorf("not given back: %+v", u)
	}
}

// BenchmarkPublish is a push to a channel that one loop holds.
func BenchmarkPublish(b *testing.B) {
	h := newHub(b, Config{Channels: 1024, History: 10, MessageBytes: 1 << 30})
	loop, in, _ := h.AddLoop()
	names := make([][]byte, 1024)
	for i := range names {
		names[i] = fmt.Appendf(nil, "c%07d", i)
		v, _ := h.FindOrCreate(names[i], 1)
		v.SetHead(loop, 1)
		v.Leave()
	}
	content := make([]byte, 100)
	var got [64]Entry
	b.ReportAllocs()
	for i := range b.N {
		m, _ := h.NewMessage(content, false)
		v, _ := h.FindOrCreate(names[i%1024], 1)
		v.Publish(m, 1)
		v.Leave()
		h.Unref(m)
		if i%64 == 63 {
			n, _ := in.Take(got[:])
			for _, e := range got[:n] {
				v := h.Enter(e.Channel)
				v.Unref()
				v.Leave()
				h.Unref(e.Msg)
			}
		}
	}
}
