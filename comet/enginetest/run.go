package enginetest

import (
	"testing"

	"c1000k/comet"
)

// Factory makes the engine under test for a service. It is called once for
// each server of the suite, some dozens of times.
type Factory func(svc *comet.Service, o comet.EngineOptions) (comet.Engine, error)

// Run runs the whole suite on the engine that f makes. With -short the tests
// that are long because they count high count lower; none is left out.
func Run(t *testing.T, f Factory) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, Factory)
	}{
		// Stop comes first: it counts the threads and descriptors of the
		// process, and later tests leave some of the runtime's own.
		{"Stop", testStop},
		{"StopTwice", testStopTwice},
		{"Facts", testFacts},
		{"Replies", testReplies},
		{"Sequence", testSequence},
		{"NoHistory", testNoHistory},
		{"Admin", testAdmin},
		{"Info", testInfo},
		{"Limits", testLimits},
		{"Refusals", testRefusals},
		{"Oversized", testOversized},
		{"LastReply", testLastReply},
		{"Streams", testStreams},
		{"StreamLimits", testStreamLimits},
		{"StreamFanOut", testStreamFanOut},
		{"SlowStream", testSlowStream},
		{"EarlyHead", testEarlyHead},
		{"Sign", testSign},
		{"Tokens", testTokens},
		{"Close", testClose},
		{"CloseOfMany", testCloseOfMany},
		{"Extensions", testExtensions},
		{"Several", testSeveral},
		{"SeveralEnds", testSeveralEnds},
		{"SeveralEpochs", testSeveralEpochs},
		{"SeveralRefused", testSeveralRefused},
		{"SeveralRacing", testSeveralRacing},
		{"SeveralDrain", testSeveralDrain},
		{"SeveralFanOut", testSeveralFanOut},
		{"Presence", testPresence},
		{"PresenceOfMany", testPresenceOfMany},
		{"Access", testAccess},
		{"Secret", testSecret},
		{"Drain", testDrain},
		{"SplitEverywhere", testSplitEverywhere},
		{"Pipelined", testPipelined},
		{"EarlyInput", testEarlyInput},
		{"EarlyFlood", testEarlyFlood},
		{"HalfClose", testHalfClose},
		{"Reset", testReset},
		{"LeaveDuringSend", testLeaveDuringSend},
		{"FanOut", testFanOut},
		{"Broadcast", testBroadcast},
		{"SeveralLoops", testSeveralLoops},
		{"RacingPolls", testRacingPolls},
		{"FullTable", testFullTable},
		{"ManyTables", testManyTables},
		{"SlowReader", testSlowReader},
		{"LargeContent", testLargeContent},
		{"Churn", testChurn},
		{"CollectorAndTimers", testCollectorAndTimers},
		// Last, and side by side, what waits for the polling timeout.
		{"Noop", testNoop},
		{"NoopOfMany", testNoopOfMany},
		{"StreamNoop", testStreamNoop},
		{"SeveralNoop", testSeveralNoop},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, f) })
	}
}

// scaled is n, or a fifth of it with -short.
func scaled(n int) int {
	if testing.Short() {
		return max(1, n/5)
	}
	return n
}
