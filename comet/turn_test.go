package comet

import (
	"fmt"
	"testing"
)

// TestInputFirst proves that a turn delivers to fewer the more connections wait to
// be read from, to some however many they are, and in the end to all.
func TestInputFirst(t *testing.T) {
	const held = 4 * turnDeliveries
	e := newRigs(t, 1, held+1, nil)[0]
	for c := range Conn(held) {
		e.poll(c, fmt.Sprintf("/sub?cname=c%d&seq=1", c))
	}
	e.settle()
	e.l.Open(e.now, held, DoorAdmin, Peer{})
	told := func() (n int) {
		for c := range Conn(held) {
			n += min(len(e.out[c]), 1)
		}
		return n
	}
	for _, round := range []struct{ waiting, most, least int }{
		{0, turnDeliveries, turnDeliveries},
		{turnDeliveries / 2, turnDeliveries / 2, turnDeliveries / 2},
		{turnDeliveries, leastDeliveries, leastDeliveries},
		{1 << 30, leastDeliveries, leastDeliveries},
	} {
		clear(e.out)
		e.get(held, "/broadcast?content=x")
		for told() == 0 { // the broadcast takes a turn of its own first
			e.l.Turn(e.now, round.waiting)
			e.drain()
		}
		if n := told(); n > round.most || n < round.least {
			t.Errorf("with %d connections waiting a turn delivers to %d, want %d to %d", round.waiting, n, round.least, round.most)
		}
		for range held {
			e.l.Turn(e.now, 1<<30)
			e.drain()
		}
		if n := told(); n != held {
			t.Errorf("with input always waiting %d of %d are delivered to", n, held)
		}
		for c := range Conn(held) {
			e.get(c, fmt.Sprintf("/sub?cname=c%d&seq=%d", c, seqAfter(e.out[c])))
		}
		e.settle()
	}
}

// seqAfter is the number behind that of the one message in a reply.
func seqAfter(reply string) (seq int) {
	const field = `"seq":`
	for i := range len(reply) - len(field) {
		if reply[i:i+len(field)] == field {
			fmt.Sscan(reply[i+len(field):], &seq)
			break
		}
	}
	return seq + 1
}
