package enginetest

// protocolRow is something that the protocol promises, under a short key, and
// what shows it.
type protocolRow struct {
	key string
	// cases are those of the suite, by the names they run under, with the blanks
	// of their tables.
	cases []string
	// elsewhere are Go tests for what is not the core's doing, or cannot be seen
	// from a socket: a folder below the module's root, a blank, the test's name.
	elsewhere []string
}

// by is a row that cases of the suite show.
func by(key string, cases ...string) protocolRow { return protocolRow{key: key, cases: cases} }

// shownBy adds Go tests to a row.
func (r protocolRow) shownBy(tests ...string) protocolRow {
	r.elsewhere = tests
	return r
}

// protocol is what the server speaks, row by row: what its tables say, where it
// departs from icomet on purpose (better/...), and what icomet gets wrong
// (defect/...). The package's test holds it against the suite and the sources:
// each case and test named must be there, and must run on every engine.
var protocol = append(append(append(frontRows, sequenceRows...), adminRows...), defectRows...)

var frontRows = []protocolRow{
	by("doors/front-range").shownBy("comet/doors TestListenRange", "comet/cmd/comet TestReadme"),
	by("doors/front-ip6-unix").shownBy("comet/doors TestListenTCP", "comet/doors TestListenUnix"),
	by("doors/admin-apart", "Admin/subscribe on the admin door", "Admin/push on the front door"),
	by("doors/admin-networks", "Access").shownBy("comet/cmd/comet TestAccess"),
	by("better/debug-door").shownBy("comet/cmd/comet TestProfiles", "comet/cmd/comet TestMetrics", "comet/cmd/comet TestReady", "comet/cmd/comet TestFacts"),

	by("front/sub", "Replies/held and pushed", "Replies/no seq"),
	by("front/poll", "Replies/held and pushed by poll"),
	by("front/poll-keeps-the-connection", "Replies/held and pushed", "Noop"),
	by("front/stream", "Streams/stream", "Streams/stream closed", "StreamFanOut"),
	by("front/iframe", "Streams/iframe", "Streams/iframe closed"),
	by("front/sse", "Streams/events"),
	by("front/ping", "Replies/ping", "Replies/ping with callback"),
	by("front/unknown-path", "Refusals/unknown path", "Refusals/path below sub", "Refusals/path in capitals"),
	by("front/get-alone", "Refusals/POST on sub", "Refusals/PUT on poll", "Refusals/HEAD on sub", "Streams/POST on stream",
		"Refusals/POST with a body on sub", "Refusals/PUT with a body on poll", "Refusals/POST with chunks on events"),
	by("better/preflight", "Streams/preflight", "Streams/preflight on events"),

	by("param/cname-empty", "Replies/empty query", "Replies/empty name is held"),
	by("better/cname-longest", "Replies/longest name", "Refusals/name too long", "Extensions/several with one too long"),
	by("param/seq", "Sequence/S absent", "Sequence/S junk"),
	by("param/noop", "Noop"),
	by("param/noop-counts-up", "StreamNoop"),
	by("param/cb", "Replies/held with callback", "Replies/next_seq with callback", "Limits/too many subscribers with callback"),
	by("param/cb-elsewhere", "Replies/ping with callback", "Sign/sign with expires and callback", "Admin/push with callback"),
	by("param/cb-not-in-streams", "Streams/stream takes no callback", "Streams/stream with a callback that is none"),
	by("param/token", "Tokens", "Replies/token that nobody asks for"),
	by("param/unknown", "Replies/unknown parameters"),
	by("param/capitals", "Replies/capitals"),
	by("param/number-prefix", "Replies/junk after digits"),
	by("param/seq-negative", "Sequence/S < 0"),
	by("front/subscribe-creates", "Replies/subscribing made the channel"),

	by("head/in-order", "Replies/held and pushed", "Streams/stream", "Streams/events"),
	by("head/200-in-band", "Limits/too many subscribers", "Tokens/no token", "Limits/NoChannels/too many channels"),
	by("head/in-band-not-kept", "Limits/too many subscribers", "Tokens/stream without token"),
	by("better/head-with-body", "Replies/held and pushed", "FanOut"),
	by("better/early-head", "EarlyHead"),
	by("head/streams-at-once", "StreamHead"),
	by("head/http10", "Replies/HTTP/1.0", "Replies/HTTP/1.0 held", "Streams/stream of HTTP/1.0"),
	by("better/http10-closes", "Replies/HTTP/1.0 keep-alive"),
	by("head/connection-close", "Replies/Connection close", "Replies/Connection close while held"),
	by("better/iframe-is-html", "Streams/iframe"),
	by("better/origin", "Origin/One", "Origin/None"),

	by("object/form", "Replies/held and pushed", "Replies/name escaping"),
	by("object/data", "Replies/held and pushed", "Replies/held and published"),
	by("object/broadcast", "Replies/held and broadcast", "Broadcast"),
	by("object/next-seq", "Replies/no seq"),
	by("object/next-seq-after-broadcast", "Replies/held and broadcast", "Streams/stream"),
	by("object/noop", "Noop", "StreamNoop", "NoopOfMany"),
	by("object/close", "Close/held and closed", "CloseOfMany"),
	by("object/401", "Tokens/no token", "Tokens/wrong token", "Tokens/no token, unknown channel"),
	by("object/429-channels", "Limits/NoChannels/too many channels"),
	by("object/429-subscribers", "Limits/too many subscribers", "StreamLimits/stream"),

	by("framing/poll", "Replies/held and pushed", "Noop", "Close/held and closed"),
	by("framing/poll-callback", "Replies/held with callback", "Close/held with callback and closed"),
	by("better/separators-in-calls", "Calls/held", "Calls/replay", "Calls/several", "Calls/EarlyHead/held", "Calls/Noop").shownBy("comet/wire TestSeparatorsInCalls"),
	by("framing/poll-broadcast", "Replies/held and broadcast", "Replies/held and broadcast with callback"),
	by("framing/poll-replay", "Replies/replay of one", "Replies/replay from 2 of 3", "Replies/replay with callback"),
	by("framing/poll-replay-of-broadcasts", "Sequence/replay with a broadcast", "Sequence/replay that ends with a broadcast"),
	by("framing/stream", "Streams/stream with replay and more"),
	by("framing/stream-broadcast", "Streams/stream"),
	by("framing/stream-replay", "Streams/stream with replay"),
	by("framing/iframe", "Streams/iframe", "Streams/iframe with markup"),
	by("framing/sse", "Streams/events"),
	by("better/sse-id", "Streams/events"),
	by("better/last-event-id", "Streams/events from the last that was had", "Streams/events from an id that is none of ours", "Streams/events after a jump"),
	by("better/sse-retry", "Streams/events without seq"),
	by("framing/errors-in-streams", "StreamLimits/stream", "StreamLimits/events", "Tokens/iframe without token", "Tokens/events without token"),
	by("framing/ping", "Replies/ping", "Replies/ping with callback"),
}

var sequenceRows = []protocolRow{
	by("numbers/from-1", "Replies/held and pushed"),
	by("numbers/shared", "Sequence/replay with a broadcast"),
	by("numbers/not-for-noop", "NoopOfMany", "StreamNoop"),
	by("numbers/not-for-close", "Close/held and closed", "Streams/stream closed after a replay"),
	by("sequence/zero", "Sequence/S = 0", "Sequence/S absent", "Sequence/S junk", "NoHistory/S = 0", "Streams/stream without seq"),
	by("sequence/beyond", "Sequence/S > X", "Sequence/S = X + 1", "Sequence/S > X of a fresh channel", "NoHistory/S > X", "Streams/stream from beyond"),
	by("sequence/equal", "Sequence/S = X", "NoHistory/S = X"),
	by("sequence/behind-without-history", "NoHistory/S < X", "NoHistory/S < X and a broadcast"),
	by("sequence/behind", "Sequence/S < X", "Sequence/S < 0"),
	by("sequence/behind-the-history", "Sequence/S older than B", "Sequence/B full and S its oldest"),
	by("sequence/no-miss-no-repeat", "RacingPolls", "StreamFanOut"),
	by("better/64-bit-numbers", "Sequence/S beyond 64 bits"),
	by("better/gap", "Extensions"),
	by("better/epoch", "Extensions"),

	by("history/newest", "Sequence/S older than B"),
	by("history/none", "NoHistory"),
	by("history/gone-with-the-channel", "ChannelTimeout", "Close/a closed channel's name begins anew"),
	by("better/history-bytes", "HistoryBytes/the newest that fit", "HistoryBytes/one that does not fit is kept").shownBy("comet/hub TestChannelBytes"),
	by("better/history-bytes-in-all").shownBy("comet/hub TestEviction"),
	by("history/sign-of-ten", "Sign/sign of twelve", "Sign/sign of three", "Sign/sign"),

	by("idle/noop", "Noop", "NoopOfMany").shownBy("comet TestNoopWithinASecond"),
	by("better/noops-spread").shownBy("comet TestNoopsAreSpread"),
	by("better/timing-wheel").shownBy("comet TestHeldAreNotScanned", "comet/arena TestWheelAgainstModel"),
	by("idle/channel-timeout", "ChannelTimeout").shownBy("comet/hub TestSweep"),
	by("idle/sign-expires", "Sign").shownBy("comet TestSignOutlivesPolls"),
	by("better/header-timeout", "Timeouts/Header"),
	by("better/idle-timeout", "Timeouts/Idle"),
	by("better/stall-timeout", "Timeouts/Stall"),
	by("idle/half-close", "HalfClose/Idle", "HalfClose/WithAFurtherRequest", "HalfClose/BeforeARequest"),
	by("idle/half-close-after-requests", "HalfCloseAfterRequests"),
}

var adminRows = []protocolRow{
	by("admin/form-overrides-query", "Admin/push by form", "Admin/the form overrides the query", "Admin/what the form does not say stands in the query"),
	by("admin/content-length", "Admin/push", "Admin/broadcast", "Info/info"),
	by("better/version", "Info/info"),
	by("admin/push", "Admin/push", "Admin/push with callback", "Admin/push by form", "Admin/HTTP/1.0 push"),
	by("admin/pub", "Admin/pub", "Admin/pub by form"),
	by("admin/push-methods", "Admin/push by PUT"),
	by("admin/push-429", "Limits/NoChannels/push"),
	by("admin/broadcast", "Admin/broadcast", "Limits/NoChannels/broadcast to none"),
	by("better/broadcast-by-post", "Admin/broadcast by POST", "Admin/broadcast by PUT"),
	by("admin/sign", "Sign/sign", "Sign/sign with expires and callback", "Sign/sign by POST", "Sign/sign makes a channel"),
	by("admin/sign-429", "Sign/sign without room"),
	by("admin/close", "Close/close", "Close/close by PUT"),
	by("admin/clear", "Close/clear", "Close/clear by form"),
	by("admin/close-404", "Close/close of an unknown one", "Close/clear of an unknown one"),
	by("admin/info", "Info/info", "Info/info of held", "Info/info of one", "Info/info of unknown", "Info/info by form", "Admin/info by DELETE"),
	by("admin/check", "Info/check", "Info/check unknown", "Admin/check by PUT"),
	by("admin/psub", "Presence", "PresenceOfMany", "PresenceAgain"),

	by("admin/push-escapes", "Replies/content escaping", "Admin/content escaping"),
	by("admin/pub-is-escaped", "Replies/held and published", "Admin/what was published by form"),
	by("better/pub-verified", "Admin/pub of what is no JSON", "Admin/pub of what is no JSON left no channel"),
	by("better/escapes-all", "Replies/content escaping", "Replies/name escaping").shownBy("comet/wire TestAppendEscaped"),
	by("admin/publish-creates", "Admin/its delivery", "Extensions/what the second got"),
	by("admin/publish-extends").shownBy("comet/hub TestSweep"),
	by("admin/ok-does-not-wait", "SlowReader"),
	by("better/ack", "Extensions/push with ack", "Extensions/push with ack and callback"),
	by("better/several-channels", "Extensions/push to several", "Extensions/several by form", "Extensions/push to several without ack"),
	by("better/several-partly-refused", "PartlyRefused/several with ack", "PartlyRefused/several without ack", "PartlyRefused/one with ack"),
	by("admin/broadcast-to-all", "Broadcast", "SeveralLoops"),
	by("better/broadcast-in-slices").shownBy("comet TestBroadcastInSlices"),
	by("better/broadcast-stored-once").shownBy("comet TestBroadcastInSlices"),
	by("admin/close-ends-all", "CloseOfMany", "Streams/stream closed"),
	by("admin/clear-keeps-numbers", "Close/what is cleared is not replayed, and numbers go on"),
	by("admin/sign-same-token", "Tokens"),
	by("better/token-secret", "Tokens").shownBy("comet TestZeroTokenKey", "comet/cmd/comet TestAuth"),
	by("admin/psub-is-no-subscriber", "Presence"),
	by("better/psub-snapshot", "Presence", "PresenceOfMany"),
	by("better/psub-names-escaped", "Presence"),
	by("better/psub-slow-reader").shownBy("comet TestWatcherLost"),
	by("admin/403", "Access/not listed", "Access/proxy for one not listed"),
	by("better/secret", "Secret"),
}

var defectRows = []protocolRow{
	by("defect/endless-sender", "EarlyFlood", "Oversized", "Reset/Flooding"),
	by("defect/accept-spins", "FullTable", "FullTableRests", "ManyTables"),
	by("defect/silent-half-header-idle", "Timeouts/Header", "Timeouts/Idle"),
	by("defect/parameter-without-value", "Replies/parameter without ="),
	by("defect/shadowed-address-rule", "Access").shownBy("comet/access TestAllows", "comet/access TestAdmits", "comet/cmd/comet TestAccess"),
	by("defect/hang-up-kills").shownBy("comet/cmd/comet TestReload", "comet/cmd/comet TestServesAndStops"),
	by("defect/exit-0").shownBy("comet/cmd/comet TestBadInput", "comet/cmd/comet TestPortInUse", "comet/cmd/comet TestBadConfigEnds"),
	by("defect/callback-unchecked", "Refusals/callback that is a script", "Refusals/callback that starts with a digit",
		"Refusals/callback that ends with a dot", "Refusals/callback on push", "Replies/callback with dots"),
	by("defect/debug-log").shownBy("comet/cmd/comet TestDebugLogIsQuiet"),
	by("defect/expiry-scan").shownBy("comet TestHeldAreNotScanned"),
	by("defect/http10-keep-alive", "Replies/HTTP/1.0 keep-alive", "Admin/HTTP/1.0 push", "EarlyHead/HTTP/1.0"),
}
