package load

// state is where a connection is.
type state uint8

const (
	stateFree       state = iota // not opened yet
	stateConnecting              // the handshake is not over
	stateHeld                    // a poll is not answered
	stateIdle                    // open, but the server refused to hold its poll
	stateWithheld                // open, and its next poll is kept back until Repoll
	stateDead                    // ended; not opened again
)

// flags of a connection.
const (
	flagHead     uint8 = 1 << iota // the head of the present reply has come and is dropped
	flagAnswered                   // some poll was answered otherwise than by next_seq
	flagJumped                     // the last reply was next_seq, and was followed
	flagUnsent                     // the next poll waits for room in the send buffer
)

// record is one connection: 24 bytes, no pointer, so that a million of them cost
// the collector nothing.
type record struct {
	fd      int32
	channel uint32
	next    uint32 // the number that the next message must have
	seen    uint32 // bit i: the message next-1-i has come, or is older than this connection
	borrow  uint32 // 1 + the index of the buffer that holds a part of a reply; 0: none
	state   state
	flags   uint8
}

// verdict is what the number of a message says.
type verdict uint8

const (
	inOrder    verdict = iota
	afterGap           // numbers before it have not come
	outOfOrder         // a number that was missing
	repeated           // a number that has come
)

// begin sets the connection to ask for number next first.
func (c *record) begin(next uint32) {
	c.next, c.seen = next, ^uint32(0)
}

// take notes that the message with number seq has come, and says what that means
// and how many numbers were skipped.
func (c *record) take(seq uint32) (v verdict, skipped uint32) {
	switch {
	case seq == c.next:
		c.seen = c.seen<<1 | 1
		c.next++
		return inOrder, 0
	case seq > c.next:
		skipped = seq - c.next
		c.skip(skipped)
		c.seen = c.seen<<1 | 1
		c.next++
		return afterGap, skipped
	}
	// What is further back than seen reaches is called repeated: a connection
	// asks only for what follows, so either is wrong.
	bit := c.next - 1 - seq
	if bit >= 32 || c.seen>>bit&1 == 1 {
		return repeated, 0
	}
	c.seen |= 1 << bit
	return outOfOrder, 0
}

// skip notes that the next n numbers have not come.
func (c *record) skip(n uint32) {
	if n < 32 {
		c.seen <<= n
	} else {
		c.seen = 0
	}
	c.next += n
}
