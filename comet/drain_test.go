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

// TestDrainDeliversFirst proves that a stream whose send ends in a drain has what
// is on its way to it before it is told that the server goes, also where the
// history does not hold it any more.
func TestDrainDeliversFirst(t *testing.T) {
	e := newRigs(t, 1, 4, func(c *Config) { c.ChannelBufferSize = 1 })[0]
	e.slow = true
	e.poll(0, "/stream?cname=c&seq=1")
	e.settle()
	e.finish(0) // its head
	e.settle()
	e.push("c", "one")
	e.settle()
	e.l.svc.Drain(FarewellNoop)
	e.push("c", "two")
	e.push("c", "three")
	e.finish(0)
	e.slow = false
	if _, ok := e.open[0]; ok {
		e.finish(0)
	}
	for range 4 {
		e.settle()
		e.now += ticked(1)
	}
	e.has(0, `"content":"one"`, `"content":"two"`, `"content":"three"`, `"type":"noop"`)
	if !e.closed[0] || e.stat("stream_overruns") != 0 {
		t.Errorf("closed %v, %d overruns", e.closed[0], e.stat("stream_overruns"))
	}
}

// TestDrainEndsWatchers proves that /psub ends in a drain, also for one who asks
// for it then.
func TestDrainEndsWatchers(t *testing.T) {
	e := newRigs(t, 1, 4, nil)[0]
	for c := range Conn(2) {
		e.l.Open(e.now, c, DoorAdmin, Peer{})
	}
	e.get(0, "/psub")
	e.l.Data(e.now, 1, []byte("GET /psub HTTP/1.1\r\n"))
	e.settle()
	e.l.svc.Drain(FarewellNoop)
	e.settle()
	e.l.Data(e.now, 1, []byte("Host: h\r\n\r\n"))
	e.settle()
	e.has(1, "HTTP/1.1 200 OK\r\n")
	if !e.closed[0] || !e.closed[1] {
		t.Errorf("closed: %v", e.closed)
	}
}
