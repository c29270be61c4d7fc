package hub

import (
	"bytes"
	"fmt"
	"testing"
)

// TestEviction proves that where memory is short a new message takes the place
// of the oldest ones, of all channels in turn, that numbers stay right, and that
// one for which there cannot be room is refused and costs nobody anything.
func TestEviction(t *testing.T) {
	const channels, keep, limit = 8, 10, 16 << 10
	h := newHub(t, Config{Channels: channels, History: keep, MessageBytes: limit})
	content := string(bytes.Repeat([]byte("x"), 500)) // 512 with its header: not all find room
	for i := range channels * keep {
		publish(t, h, fmt.Sprintf("c%d", i%channels), content, 1)
	}
	u := h.Usage()
	if u.MessagesEvicted == 0 || u.MessageBytes > limit {
		t.Fatalf("%d evicted, %d bytes of %d", u.MessagesEvicted, u.MessageBytes, limit)
	}
	least, most := keep, 0
	for i := range channels {
		v, _ := h.Find(fmt.Appendf(nil, "c%d", i))
		first, msgs := v.From(1, nil)
		if v.Next() != keep+1 || first+uint64(len(msgs)) != v.Next() {
			t.Errorf("channel %d: next %d, history from %d, %d messages", i, v.Next(), first, len(msgs))
		}
		least, most = min(least, len(msgs)), max(most, len(msgs))
		v.Leave()
		for _, m := range msgs {
			h.Unref(m)
		}
	}
	if least == 0 || most > least+1 {
		t.Errorf("histories of %d to %d messages: they do not lose alike", least, most)
	}
	evicted := h.Usage().MessagesEvicted
	if _, err := h.NewMessage(make([]byte, 2*limit), false); err != ErrNoMemory {
		t.Errorf("a message larger than all memory: %v", err)
	}
	if n := h.Usage().MessagesEvicted; n != evicted {
		t.Errorf("a message that cannot find room cost %d others", n-evicted)
	}
}

// TestChannelBytes proves that a history is bounded in bytes too, and that the
// newest message stays.
func TestChannelBytes(t *testing.T) {
	h := newHub(t, Config{Channels: 2, History: 10, ChannelBytes: 1000})
	for _, c := range []struct{ size, want int }{{400, 1}, {400, 2}, {400, 2}, {100, 3}, {600, 2}, {5000, 1}, {1, 1}, {1, 2}} {
		publish(t, h, "a", string(make([]byte, c.size)), 1)
		v, _ := h.Find([]byte("a"))
		if n := v.HistoryLen(); n != c.want {
			t.Errorf("after one of %d bytes the history has %d messages, want %d", c.size, n, c.want)
		}
		v.Leave()
	}
}
