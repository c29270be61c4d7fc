package uring

import (
	"os"
	"sync"
	"testing"

	"c1000k/comet"
	"c1000k/comet/enginetest"
)

// variants are the settings under which the suite runs whole, each with the
// counters that must have moved by its end: a recovery that was not provoked
// is not tested.
var variants = []struct {
	name    string
	opts    Options
	provoke []counter
	when    when
	// lost is what those tests that wait for the end of a client which left right
	// behind its last bytes are known to wait for in vain, "" if for nothing.
	lost string
}{
	{"Default", Options{}, []counter{cAccepts, cPolls, cRecvs, cSends, cCloses, cWakes, cPartialSends, cSlotReused, cDiscards}, always, ""},
	// Queues that are always full: submissions are forced, completions wait
	// in the kernel, multishot polls end early. Streaming accepts go on until
	// short of a small table's end and change to single ones there. Receives have
	// buffers of the engine's own, which no full queue may lose.
	{"TinyQueuesOwnBuffers", Options{SQEntries: 2, CQEntries: 4, OwnBuffers: true, Buffers: 4, BufferBytes: 64},
		[]counter{cSQFull, cCQOverflow, cRearms, cAcceptMoved, cAcceptPaused}, always, ""},
	// What a kernel of 6.1 has, all else by default: a short time limit stands in for a
	// minimum wait, and a cancel for an accept that does not wait.
	{"Level61", Options{Level: Level61}, []counter{cAccepts, cPolls, cRecvs, cSends, cCloses, cWakes, cCancelLate}, always, ""},
	// More receives than buffers, and what a kernel of 6.1 has: single accepts
	// only, each with its cancel.
	{"FewBuffersOldKernel", Options{Buffers: 2, BufferBytes: 64, recvWindow: 64, Level: Level61, SingleAccept: true},
		[]counter{cENOBUFS, cCancelLate, cAcceptPaused}, always, ""},
	// Polls are of those alone who go on sending while they are held.
	{"MultishotReceive", Options{MultishotRecv: true}, []counter{cRecvs, cPolls, cCancels, cDiscards}, lastResort, lostEnd},
	// Buffers run out within an enter, and full queues end receives with their data.
	{"MultishotReceiveTinyQueues", Options{MultishotRecv: true, SQEntries: 2, CQEntries: 4, Buffers: 2, BufferBytes: 64},
		[]counter{cENOBUFS, cCQOverflow, cSQFull, cRearms, cPolls}, lastResort, lostEnd},
	// The kernel's work runs while the loop looks, too: completions come without
	// an enter, and a streaming accept goes on meanwhile.
	{"DefaultTaskRun", Options{TaskRun: taskDefault, SQEntries: 4, CQEntries: 8},
		[]counter{cSQFull, cCQOverflow, cAcceptMoved, cAcceptPaused}, lastResort, ""},
	// Each receive takes a turn of two threads, so that large contents need large
	// buffers where others have the processors.
	{"KernelThread", Options{SQPoll: true, SQEntries: 8, CQEntries: 16, BufferBytes: 1 << 17}, []counter{cSQFull, cCQOverflow, cAcceptPaused}, lastResort, ""},
	{"CooperativePlain", Options{TaskRun: taskCooperative, PlainFDs: true}, []counter{cAccepts, cPolls, cAcceptPaused}, lastResort, ""},
	{"EpollWait", Options{PlainFDs: true, EpollWait: true}, []counter{cAccepts, cPolls, cAcceptPaused}, notShort, ""},
}

// when says when a variant is run: each takes a third of a minute.
type when int

const (
	always     when = iota
	notShort        // without -short
	lastResort      // by scripts/test --all
)

// due says that a variant is run now.
func (w when) due() bool {
	return w == always || w == notShort && !testing.Short() || os.Getenv("C1000K_ALL") != ""
}

// lostEnd is what the kernel loses with a multishot receive.
const lostEnd = "a peer that leaves right behind its last bytes may not be told of, by kernels up to 6.18 at least (liburing issue 1549): " +
	"such a connection ends when something is sent to it, at the latest by the polling timeout"

// TestEngine runs the suite that every engine must pass under each variant.
func TestEngine(t *testing.T) {
	for _, v := range variants {
		if !v.when.due() {
			t.Logf("%s is run by scripts/test --all", v.name)
			continue
		}
		t.Run(v.name, func(t *testing.T) {
			var mu sync.Mutex
			var made []*Engine
			run := enginetest.Run
			if v.lost != "" {
				run = func(t *testing.T, f enginetest.Factory) {
					enginetest.RunWithout(t, f, v.lost, "Churn", "HalfCloseAfterRequests")
				}
			}
			run(t, func(svc *comet.Service, o comet.EngineOptions) (comet.Engine, error) {
				opts := v.opts
				opts.EngineOptions = o
				e, err := New(svc, opts)
				if err != nil {
					return nil, err
				}
				mu.Lock()
				made = append(made, e)
				mu.Unlock()
				return e, nil
			})
			var sum [counters]uint64
			for _, e := range made {
				for i, s := range e.Stats() {
					sum[i] += s.Value
				}
			}
			for _, c := range v.provoke {
				if sum[c] == 0 && !t.Failed() {
					t.Errorf("%s is 0: the suite did not provoke it", counterNames[c])
				}
			}
			for i, n := range sum {
				if n != 0 {
					t.Logf("%s = %d", counterNames[i], n)
				}
			}
		})
	}
}

// TestNoStartAfterStop proves that an engine which was stopped does not start: its
// loops would end at once and nobody would close what they hold.
func TestNoStartAfterStop(t *testing.T) {
	svc, err := comet.NewService(comet.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	e, err := New(svc, Options{EngineOptions: comet.EngineOptions{MaxConns: 10}})
	if err != nil {
		t.Fatal(err)
	}
	e.Stop()
	if err := e.Start(nil); err == nil {
		t.Error("a stopped engine starts")
	}
}
