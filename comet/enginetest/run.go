package enginetest

import (
	"flag"
	"slices"
	"strings"
	"sync"
	"testing"

	"c1000k/comet"
)

// Factory makes the engine under test for a service. It is called once for
// each server of the suite, some dozens of times.
type Factory func(svc *comet.Service, o comet.EngineOptions) (comet.Engine, error)

// suite is the suite, in the order in which it runs.
var suite = []struct {
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
	{"Calls", testCalls},
	{"Admin", testAdmin},
	{"Info", testInfo},
	{"HistoryBytes", testHistoryBytes},
	{"Limits", testLimits},
	{"Origin", testOrigin},
	{"Refusals", testRefusals},
	{"Oversized", testOversized},
	{"LastReply", testLastReply},
	{"Streams", testStreams},
	{"StreamLimits", testStreamLimits},
	{"StreamFanOut", testStreamFanOut},
	{"SlowStream", testSlowStream},
	{"StreamHead", testStreamHead},
	{"EarlyHead", testEarlyHead},
	{"Sign", testSign},
	{"Tokens", testTokens},
	{"Close", testClose},
	{"CloseOfMany", testCloseOfMany},
	{"Extensions", testExtensions},
	{"PartlyRefused", testPartlyRefused},
	{"Several", testSeveral},
	{"SeveralEnds", testSeveralEnds},
	{"SeveralEpochs", testSeveralEpochs},
	{"SeveralRefused", testSeveralRefused},
	{"SeveralRacing", testSeveralRacing},
	{"SeveralDrain", testSeveralDrain},
	{"SeveralFanOut", testSeveralFanOut},
	{"Presence", testPresence},
	{"PresenceOfMany", testPresenceOfMany},
	{"List", testList},
	{"ListOfMany", testListOfMany},
	{"Access", testAccess},
	{"Secret", testSecret},
	{"Drain", testDrain},
	{"SplitEverywhere", testSplitEverywhere},
	{"Pipelined", testPipelined},
	{"EarlyInput", testEarlyInput},
	{"EarlyFlood", testEarlyFlood},
	{"HalfClose", testHalfClose},
	{"HalfCloseAfterRequests", testHalfCloseAfterRequests},
	{"Reset", testReset},
	{"LeaveDuringSend", testLeaveDuringSend},
	{"FanOut", testFanOut},
	{"Broadcast", testBroadcast},
	{"SeveralLoops", testSeveralLoops},
	{"RacingPolls", testRacingPolls},
	{"FullTable", testFullTable},
	{"FullTableRests", testFullTableRests},
	{"ManyTables", testManyTables},
	{"SlowReader", testSlowReader},
	{"LargeContent", testLargeContent},
	{"Churn", testChurn},
	{"ClosedLoop", testClosedLoop},
	{"CollectorAndTimers", testCollectorAndTimers},
	// Last, and side by side, what waits for a timeout.
	{"Noop", testNoop},
	{"NoopOfMany", testNoopOfMany},
	{"StreamNoop", testStreamNoop},
	{"SeveralNoop", testSeveralNoop},
	{"PresenceAgain", testPresenceAgain},
	{"Timeouts", testTimeouts},
	{"ChannelTimeout", testChannelTimeout},
}

// Run runs the whole suite on the engine that f makes. With -short the tests
// that are long because they count high count lower; none is left out. Where
// the whole suite was asked for, each case that protocol.go names must have
// run.
func Run(t *testing.T, f Factory) {
	runSuite(t, f, func(string) bool { return true })
}

// RunWithout is Run for an engine that tests of the suite are known to fail on, and
// why: it says so in the log.
func RunWithout(t *testing.T, f Factory, why string, names ...string) {
	t.Logf("without %s: %s", strings.Join(names, ", "), why)
	runSuite(t, f, func(test string) bool { return !slices.Contains(names, test) })
}

// runSuite runs the tests of the suite that are among those wanted.
func runSuite(t *testing.T, f Factory, among func(name string) bool) {
	if wholeSuite() {
		t.Cleanup(func() { allRan(t, among) }) // after those that run side by side
	}
	for _, c := range suite {
		if among(c.name) {
			subtest(t, c.name, func(t *testing.T) { c.run(t, f) })
		}
	}
}

// ran has the full name of each case that ran.
var ran sync.Map

// subtest runs a case, or a part of one, and notes that it ran.
func subtest(t *testing.T, name string, run func(*testing.T)) {
	t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
		ran.Store(t.Name(), true)
		run(t)
	})
}

// allRan fails for each case of those tests that a row of the protocol names and
// that did not run.
func allRan(t *testing.T, among func(test string) bool) {
	for _, row := range protocol {
		for _, name := range row.cases {
			if test, _, _ := strings.Cut(name, "/"); !among(test) {
				continue
			}
			if _, ok := ran.Load(t.Name() + "/" + strings.ReplaceAll(name, " ", "_")); !ok {
				t.Errorf("row %s of the protocol: the case %q did not run", row.key, name)
			}
		}
	}
}

// virtual are the tests of the suite that need no kernel: what they ask and
// want are bytes, and they wait for no time of a clock.
var virtual = []string{
	"Replies", "Sequence", "NoHistory", "Calls", "Admin", "Info", "HistoryBytes", "Limits", "Origin", "Refusals",
	"Streams", "StreamLimits", "StreamHead", "EarlyHead", "Sign", "Tokens", "Close", "Extensions", "PartlyRefused",
	"Presence", "List", "Access", "Secret", "Drain", "SplitEverywhere", "Pipelined", "EarlyInput", "HalfClose",
}

// RunVirtual runs those tests on an engine in virtual time, which is a Dialer.
func RunVirtual(t *testing.T, f Factory) {
	runSuite(t, f, func(name string) bool { return slices.Contains(virtual, name) })
}

// wholeSuite says whether no flag picks some tests of the suite and leaves others.
func wholeSuite() bool {
	for _, name := range []string{"test.run", "test.skip"} {
		if strings.Contains(flag.Lookup(name).Value.String(), "/") {
			return false
		}
	}
	return true
}

// scaled is n, or a fifth of it with -short.
func scaled(n int) int {
	if testing.Short() {
		return max(1, n/5)
	}
	return n
}
