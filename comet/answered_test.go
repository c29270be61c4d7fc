package comet

import "testing"

// TestAnswered proves that a request counts as answered where its reply comes at once,
// whoever sent it, and not where it is held, and that a message does not change that.
func TestAnswered(t *testing.T) {
	const publisher = 3
	e := newRigs(t, 1, publisher+1, nil)[0]
	e.l.Open(e.now, publisher, DoorAdmin, Peer{})
	for c := range Conn(publisher) {
		e.l.Open(e.now, c, DoorFront, Peer{})
	}
	for _, step := range []struct {
		by       Conn
		target   string
		answered uint64 // of all until then
	}{
		{0, "/ping", 1},
		{0, "/sub?cname=a&seq=1", 1},               // held
		{1, "/stream?cname=a&seq=1", 1},            // held
		{2, "/sub?cname=a&seq=1&cname=b&seq=1", 1}, // held, of several channels
		{publisher, "/push?cname=a&content=x", 2},
		{0, "/sub?cname=a&seq=1", 3}, // from the history
		{0, "/sub?cname=a&seq=2", 3},
		{publisher, "/info", 4},
		{publisher, "/push?cname=", 5}, // refused
		{publisher, "/psub", 5},
	} {
		e.get(step.by, step.target)
		e.settle()
		if n := e.l.Answered(); n != step.answered {
			t.Errorf("after %s: %d answered, want %d", step.target, n, step.answered)
		}
	}
}
