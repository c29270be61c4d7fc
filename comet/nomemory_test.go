package comet

import (
	"testing"

	"c1000k/comet/arena"
)

// TestStreamWithoutMemory proves that a stream for which there is no memory
// gives back no reference that it has not taken: what an earlier reply replayed
// stays in its channel's history.
func TestStreamWithoutMemory(t *testing.T) {
	e := newRigs(t, 1, 10, nil)[0]
	e.push("c", "kept")
	e.poll(0, "/sub?cname=c&seq=1")
	e.drain()
	e.l.Hangup(e.now, 0)
	e.settle()
	before := e.stat("message_bytes")
	e.l.blocks = arena.NewBlocks(0)
	e.poll(1, "/stream?cname=other&seq=1&noop=5") // a number of noops needs a block
	e.settle()
	if !e.closed[1] {
		t.Fatal("the stream was held without memory")
	}
	if after := e.stat("message_bytes"); before == 0 || after != before {
		t.Errorf("%d bytes of messages were kept, %d are", before, after)
	}
}
