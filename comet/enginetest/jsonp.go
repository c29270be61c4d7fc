package enginetest

import (
	"testing"

	"c1000k/comet"
)

// The separators of lines and paragraphs, as a URL and as a script have them.
const (
	sentLine, sentParagraph = "%E2%80%A8", "%E2%80%A9"
	lineCall, paragraphCall = `\u2028`, `\u2029`
)

// calls have a separator in a name or in a content. As an argument of a callback it
// must not end a line of the script; as JSON it stays as it is.
var calls = []exchange{
	{
		name: "held", send: get("/sub?cname=ua" + sentLine + "&seq=1&cb=f"), held: "ua" + sentLine,
		then: []string{"/push?cname=ua" + sentLine + "&content=" + sentParagraph},
		want: polled(wrapped("f", data("ua"+lineCall, 1, paragraphCall))),
	}, {
		name: "held without callback", send: sub("ub", 1), held: "ub",
		then: []string{"/push?cname=ub&content=" + sentLine + sentParagraph}, want: polled(data("ub", 1, "\u2028\u2029") + "\n"),
	}, {
		name: "held and broadcast", send: get("/sub?cname=uc&seq=1&cb=f"), held: "uc",
		then: []string{"/broadcast?content=x" + sentLine}, want: polled(wrapped("f", broadcasted("uc", 1, "x"+lineCall))),
	}, {
		name: "held and closed", send: get("/sub?cname=ud" + sentLine + "&seq=1&cb=f"), held: "ud" + sentLine,
		then: []string{"/close?cname=ud" + sentLine}, want: polled(wrapped("f", object("close", "ud"+lineCall, 1, ""))),
	}, {
		name: "replay", before: []string{"/push?cname=ue&content=" + sentLine, `/pub?cname=ue&content=` + sentParagraph},
		send: get("/sub?cname=ue&seq=1&cb=f"), want: polled(wrapped("f", array(data("ue", 1, lineCall), data("ue", 2, paragraphCall)))),
	}, {
		name: "replay without callback", before: []string{"/push?cname=uf&content=" + sentLine},
		send: sub("uf", 1), want: polled(array(data("uf", 1, "\u2028"))),
	}, {
		name: "jump", send: get("/sub?cname=ug" + sentParagraph + "&cb=f"), want: polled(wrapped("f", nextSeq("ug"+paragraphCall, 1))),
	}, {
		name: "several", before: []string{"/push?cname=uh&cname=ui&content=" + sentLine},
		send: get("/sub?cname=uh&seq=1&cname=ui&seq=1&cb=f"), want: polled(wrapped("f", array(data("uh", 1, lineCall), data("ui", 1, lineCall)))),
	}, {
		name: "push with ack", door: comet.DoorAdmin, send: get("/push?cname=uj" + sentLine + "&content=x&ack=1&cb=k"),
		want: adminReply(typeScript, wrapped("k", `{"type":"ok","channels":[`+acked("uj"+lineCall, 1, 0)+"]}\n")),
	},
}

// testCalls proves that no reply is a call which older browsers cannot read.
func testCalls(t *testing.T, f Factory) {
	runExchanges(t, newServer(t, f, setup{}), calls)
	subtest(t, "EarlyHead", func(t *testing.T) {
		s := newServer(t, f, setup{config: func(c *comet.Config) { c.EarlyHead = true }})
		runExchanges(t, s, early(calls))
	})
	subtest(t, "Noop", func(t *testing.T) {
		s := newServer(t, f, setup{})
		c := s.mustDial(comet.DoorFront)
		c.mustSend(t, get("/sub?cname=uk"+sentLine+"&seq=1&cb=f"))
		s.waitSubscribers("uk"+sentLine, 1)
		s.svc.Drain(comet.FarewellNoop)
		s.engine.StopAccepting()
		c.mustExpect(t, polledAndClosed(wrapped("f", object("noop", "uk"+lineCall, 0, ""))))
	})
}
