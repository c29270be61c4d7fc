// Package sim drives the comet service through a kernel that is hostile on
// purpose, in virtual time and in one goroutine, and holds every reply against
// a naive model. A run is a function of its seed: the same seed gives the same
// calls, the same actions and the same bytes.
//
// # What it does to the service
//
// Several loops of one service are advanced step by step, one engine call at a
// time, in an order that the seed draws: events of one loop fall between the
// turn and the actions of another; a loop may be left alone until its inbox is
// full. Input is cut anywhere, held back, or ends in the middle of a request;
// clients half-close and reset in every state, also with bytes on the way.
// Sends go in parts, late, at once, or fail. A connection closes at once or
// much later, its unfinished send reported, or not, or reported when its slot
// already belongs to another. Time creeps, and now and then leaps over the
// polling timeout.
//
// Engines have their own troubles (faults.go): a receive finds no buffer, or nothing;
// a watch ends and begins anew; of all that has happened a turn tells a little; ends of
// sends are told while other actions are carried out; a cancel comes too late. Each is
// counted, and the seeds together must come to all of them.
//
// Publishers come from addresses that lists permit or not, by proxies that are
// believed or not, and the lists change; some read /psub. In the end everybody
// leaves, or the service is drained while clients go on.
//
// # What it checks
//
//   - The contract: no second send while one is outstanding, no action on a
//     slot that is closing or free, OpResume only after Data said false, the
//     memory of a send untouched until it was reported, no close without a cause.
//   - Every reply, whole and byte by byte, against what the model says it may be;
//     a stream send by send: its beginning, each message once and in order,
//     noops that count up, its end, which must have a reason.
//   - Who may publish, by rules that are tried one by one, and that whoever is
//     refused is refused whole.
//   - What readers of /psub are told: for each channel that it came and went in
//     turn, and at rest the truth about every one.
//   - A drain: whoever is held is told once it had what there was for it, each
//     reply is its connection's last, and nobody is left.
//   - Lists of channels, page by page against what there was when the page was made,
//     and whole: a channel that was there throughout is in it once.
//   - Subscriptions of several channels, part by part: each channel's share
//     against that channel's model, how the parts make one reply, that nobody is
//     left subscribed where one refuses, and the number that an event's id has
//     for each channel.
//   - Progress: when the kernel has delivered everything and no loop has
//     anything to do, no poll waits for a message that was published and no
//     request waits to be read.
//   - The end: after all clients left and all channels expired the counters
//     and arenas of the service are back at zero.
//
// # The model
//
// The model (model.go) knows nothing of stripes, inboxes or handles: a channel
// is a list of messages. Where the protocol leaves it to the server when
// something happens (that an idle channel is freed, that a broadcast comes to
// a channel), it keeps every state that is still possible, and each reply rules
// out those that contradict it. When none is left, the reply was wrong. Tokens
// and epochs, which nobody can foretell, are masked, and must be one channel's.
//
// # Running it
//
// go test ./comet/sim runs two hundred seeds; C1000K_SIM_SEEDS=1000 as many as
// it says, from C1000K_SIM_FIRST on. A failure names its seed, and C1000K_SIM_SEED=N runs that one alone
// and tells the calls before the failure. With the build tag plant sixteen bugs
// can be switched on in the core, and the tests called Planted prove that each
// is found.
//
// # Caveats
//
// Of a subscription of several channels what is possible of each is followed
// apart, not in combination, and replays so large that they are cut off are of one
// channel.
//
// Loops interleave between calls into the core, not inside them: what two
// threads do to one stripe at the same instant is for the race detector and
// the conformance suite. The model holds the core to doing a request's work in
// the very call that completes it, which the contract does not promise; it is
// so, and it makes the checks exact.
package sim
