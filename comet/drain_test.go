package comet

import "testing"

// TestDrainAnswers proves that during a drain a request that had begun is
// answered when it is whole, as the last of its connection; that a poll which
// comes then is held for no time; and that a reply under way goes out.
func TestDrainAnswers(t *testing.T) {
	e := newRigs(t, 1, 10, nil)[0]
	e.push("c", "x")
	for c := range Conn(4) {
		e.l.Open(e.now, c, DoorFront, Peer{})
	}
	e.l.Data(e.now, 0, []byte("GET /sub?cname=c&seq=1 HTTP/1.1\r\n"))
	e.l.Data(e.now, 1, []byte("GET /sub?cname=c&seq=2 HTTP/1.1\r\n"))
	e.slow = true
	e.get(2, "/sub?cname=c&seq=1")
	e.drain()
	e.l.svc.Drain(FarewellNoop)
	e.settle()
	if !e.closed[3] || e.closed[0] || e.closed[1] || e.closed[2] {
		t.Fatalf("closed at once: %v, want the idle one alone", e.closed)
	}
	e.finish(2)
	e.slow = false
	e.l.Data(e.now, 0, []byte("Host: h\r\n\r\n"))
	e.l.Data(e.now, 1, []byte("Host: h\r\n\r\n"))
	e.settle()
	e.has(0, `"content":"x"`, "Connection: close")
	e.has(1, `"type":"noop"`, "Connection: close")
	e.has(2, `"content":"x"`)
	if n := len(e.closed); n != 4 {
		t.Errorf("%d of 4 connections are closed in the end: %v", n, e.closed)
	}
	if n := e.l.svc.Connections(); n != 0 {
		t.Errorf("%d connections are counted in the end", n)
	}
}
