package hub

import "testing"

// TestSetLimits proves that other limits count for what comes next, and that
// messages which are there by a larger one go as new ones come.
func TestSetLimits(t *testing.T) {
	h := newHub(t, Config{Channels: 4, History: 10, MessageBytes: 1 << 20, MaxSubscribers: 1})
	publish := func(content string) {
		t.Helper()
		m, err := h.NewMessage([]byte(content), false)
		if err != nil {
			t.Fatal(err)
		}
		v, err := h.FindOrCreate([]byte("a"), 1)
		if err != nil {
			t.Fatal(err)
		}
		v.Publish(m, 1)
		v.Leave()
		h.Unref(m)
	}
	kept := func() int {
		v, _ := h.Find([]byte("a"))
		defer v.Leave()
		return v.HistoryLen()
	}
	for range 10 {
		publish("0123456789")
	}
	h.SetLimits(2, 35, 1<<20)
	if n := kept(); n != 10 {
		t.Errorf("%d messages are kept before another comes", n)
	}
	publish("0123456789")
	if n := kept(); n != 3 {
		t.Errorf("%d messages of 10 bytes are kept in 35", n)
	}
	used := h.Usage().MessageBytes
	h.SetLimits(2, 0, used)
	publish("0123456789")
	if now := h.Usage().MessageBytes; now > used || kept() != 3 {
		t.Errorf("%d bytes of %d are used by %d messages", now, used, kept())
	}
	if _, err := h.NewMessage(make([]byte, used+1), false); err != ErrNoMemory {
		t.Errorf("a message larger than the limit: %v", err)
	}
}
