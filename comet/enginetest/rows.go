package enginetest

// row is one recorded reply and where it stands.
type row struct {
	title string
	// later says what has to be built first; a row without it must be
	// repeated by a case.
	later string
}

// recordings names every recorded reply, in the order of the recording. The
// package's test holds it against the cases: each row has one, or says what it
// waits for, and no case names a row that is not here.
var recordings = []row{
	{title: "no seq on a fresh channel"},
	{title: "held, then a push"},
	{title: "held with cb, then a push"},
	{title: "held, then a broadcast"},
	{title: "held, then close"},
	{title: "held until noop (polling_timeout 3)"},
	{title: "replay from 2 of 3"},
	{title: "replay of one"},
	{title: "replay, cb"},
	{title: "negative seq"},
	{title: "seq beyond"},
	{title: "junk seq"},
	{title: "junk after digits"},
	{title: "parameter names in capitals"},
	{title: "one parameter without ="},
	{title: "empty query"},
	{title: "stream: held, push, broadcast"},
	{title: "stream: replay of 3"},
	{title: "stream: noop twice (polling_timeout 3)"},
	{title: "stream: close"},
	{title: "iframe: push"},
	{title: "sse: push, broadcast"},
	{title: "sse: no seq"},
	{title: "ping"},
	{title: "ping with cb"},
	{title: "HTTP/1.0 replay"},
	{title: "HTTP/1.0 keep-alive replay"},
	{title: "Connection: close"},
	{title: "POST on sub"},
	{title: "HEAD on sub"},
	{title: "OPTIONS on sub"},
	{title: "unknown path"},
	{title: "content escaping"},
	{title: "its delivery"},
	{title: "name escaping"},
	{title: "too many subscribers (limit 2)"},
	{title: "same, stream"},
	{title: "info with held"},
	{title: "push"},
	{title: "push cb"},
	{title: "pub"},
	{title: "push by form"},
	{title: "push by PUT"},
	{title: "broadcast"},
	{title: "broadcast by POST"},
	{title: "sign"},
	{title: "sign with expires and cb"},
	{title: "clear"},
	{title: "clear unknown"},
	{title: "close"},
	{title: "close unknown"},
	{title: "info"},
	{title: "info of one"},
	{title: "info of unknown"},
	{title: "check"},
	{title: "check unknown"},
	{title: "psub"},
	{title: "HTTP/1.0 push"},
	{title: "unknown admin path"},
	{title: "auth=token: no token, unknown channel"},
	{title: "auth=token: stream without token"},
	{title: "auth=token: sse without token"},
	{title: "auth=token: iframe without token"},
	{title: "max_channels reached: sign"},
	{title: "max_channels reached: push"},
	{title: "auth=token: wrong token"},
}

// allExchanges are the tables in which a row may have its case. Cases that no
// table can hold name their row in elsewhere.
func allExchanges() [][]exchange {
	return [][]exchange{replies, sequence, noHistory, calls, adminReplies, infoReplies, limitReplies, noChannelReplies, refusals,
		streams, streamLimits, signed, closings, noChannelSigns, unsigned, extensions, partlyRefused, severalPolls, severalStreams,
		oneOrigin, historyBytes, listings}
}

// elsewhere are the rows that a test of its own repeats, and that test's name.
var elsewhere = map[string]string{
	"held until noop (polling_timeout 3)":    "Noop",
	"psub":                                   "Presence",
	"stream: noop twice (polling_timeout 3)": "StreamNoop",
}
