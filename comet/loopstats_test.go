package comet

import "testing"

// TestLoopStats proves that each loop's turns and the actions they leave are
// counted for it alone, and sorted by size.
func TestLoopStats(t *testing.T) {
	rigs := newRigs(t, 2, 10, nil)
	e := rigs[1]
	for c := range Conn(3) {
		e.poll(c, "/sub?cname=x&seq=1")
	}
	e.push("x", "all at once")
	e.settle()
	all := e.l.svc.LoopStats()
	if len(all) != 2 || all[0].Loop != 0 || all[1].Loop != 1 {
		t.Fatalf("loops: %+v", all)
	}
	if all[0] != (LoopStats{}) {
		t.Errorf("a loop without a turn has counts: %+v", all[0])
	}
	turns, atMost := uint64(0), uint64(0)
	for b, n := range all[1].Batches {
		turns += n
		atMost += n * uint64(BatchBound(b))
	}
	if turns != all[1].Turns || all[1].Actions > atMost {
		t.Errorf("%+v: %d turns and at most %d actions by size", all[1], turns, atMost)
	}
	// Three deliveries went out in one turn: more than two, at most four.
	if all[1].Batches[3] == 0 || BatchBound(3) != 4 || BatchBound(2) != 2 {
		t.Errorf("no turn with three or four actions: %+v", all[1])
	}
}

// TestBatchSizes proves where a batch is counted, the largest in the last place.
func TestBatchSizes(t *testing.T) {
	for n, want := range map[int]int{0: 0, 1: 1, 2: 2, 3: 3, 4: 3, 5: 4, 512: 10, 513: 11, 1 << 20: 11} {
		var c turnCounts
		c.note(n)
		for b := range c.batches {
			if got := c.batches[b].Load(); (got == 1) != (b == want) {
				t.Errorf("a batch of %d is counted %d times in place %d", n, got, b)
			}
		}
	}
}

// TestRecordBytes proves that the memory of records follows channels and connections.
func TestRecordBytes(t *testing.T) {
	e := newRigs(t, 1, 10, nil)[0]
	e.poll(0, "/sub?cname=x&seq=1")
	e.poll(1, "/sub?cname=y&seq=1")
	e.settle()
	channels, connections := e.l.svc.RecordBytes()
	if connections != 2*48 || channels == 0 || channels%2 != 0 {
		t.Errorf("two of each take %d and %d bytes", channels, connections)
	}
	e.l.Hangup(e.now, 0)
	e.settle()
	if _, connections = e.l.svc.RecordBytes(); connections != 48 {
		t.Errorf("one connection takes %d bytes", connections)
	}
}
