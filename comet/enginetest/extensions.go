package enginetest

import (
	"regexp"
	"strings"
	"testing"

	"c1000k/comet"
)

// ack is a push's answer that tells what became of it.
func ack(channels ...string) string {
	return adminReply(typeScript, `{"type":"ok","channels":[`+strings.Join(channels, ",")+"]}\n")
}

func acked(name string, seq, receivers int) string {
	return `{"cname":"` + name + `","seq":` + decimal(seq) + `,"receivers":` + decimal(receivers) + `}`
}

// extensions are what icomet has not.
var extensions = []exchange{
	{
		name: "push with ack", door: comet.DoorAdmin, before: three("a1"),
		send: get("/push?cname=a1&content=x&ack=1"), want: ack(acked("a1", 4, 0)),
	}, {
		name: "push with ack and callback", door: comet.DoorAdmin,
		send: get("/push?cname=a2&content=x&ack=1&cb=k"),
		want: adminReply(typeScript, wrapped("k", `{"type":"ok","channels":[`+acked("a2", 1, 0)+"]}\n")),
	}, {
		name: "push to several", door: comet.DoorAdmin, before: three("m1"),
		send: get("/push?cname=m1&content=x&cname=m2&ack=1&cname=m%22"), want: ack(acked("m1", 4, 0), acked("m2", 1, 0), acked(`m\"`, 1, 0)),
	}, {
		name: "push to several without ack", door: comet.DoorAdmin,
		send: get("/push?cname=m3&cname=m4&content=y"), want: pushed,
	}, {
		name: "what the second got",
		send: sub("m4", 1), want: polled(array(data("m4", 1, "y"))),
	}, {
		name: "several by form", door: comet.DoorAdmin,
		send: post("/push?cname=no", "cname=m5&cname=m6&content=z&ack=1"), want: ack(acked("m5", 1, 0), acked("m6", 1, 0)),
	}, {
		name: "the form's names alone count", door: comet.DoorAdmin,
		send: get("/check?cname=no"), want: adminReply(typeHTML, "{}\n"),
	}, {
		name: "several with one too long", door: comet.DoorAdmin,
		send: get("/push?cname=m7&content=z&cname=" + longName + "n"), want: adminBare("400 Bad Request", ""),
	}, {
		name: "nothing was published then", door: comet.DoorAdmin,
		send: get("/check?cname=m7"), want: adminReply(typeHTML, "{}\n"),
	},
}

// refusedOf is a push's answer where a channel refused what others may have taken.
func refusedOf(channels ...string) string {
	body := `{"type":"429","channels":[` + strings.Join(channels, ",") + "]}\n"
	return adminTyped("429 Too Many Channels", typeScript, body)
}

func refusedBy(name string) string { return `{"cname":"` + name + `","type":"429"}` }

// partlyRefused are pushes to several channels, on a server with room for one.
var partlyRefused = []exchange{
	{
		name: "several with ack", door: comet.DoorAdmin, before: pushes("one", "a"),
		send: get("/push?cname=none&cname=one&cname=n%22&content=b&ack=1"),
		want: refusedOf(refusedBy("none"), acked("one", 2, 0), refusedBy(`n\"`)),
	}, {
		name: "several without ack", door: comet.DoorAdmin,
		send: get("/push?cname=one&cname=none&content=c"), want: refusedOf(refusedBy("none")),
	}, {
		name: "several with callback", door: comet.DoorAdmin,
		send: get("/push?cname=one&cname=none&content=d&cb=k"),
		want: adminTyped("429 Too Many Channels", typeScript, wrapped("k", `{"type":"429","channels":[`+refusedBy("none")+"]}\n")),
	}, {
		name: "all of several", door: comet.DoorAdmin,
		send: post("/push", "cname=none&cname=nobody&content=e"), want: refusedOf(refusedBy("none"), refusedBy("nobody")),
	}, {
		name: "one with ack", door: comet.DoorAdmin,
		send: get("/push?cname=none&content=f&ack=1"), want: adminBare("429 Too Many Channels", ""),
	}, {
		name: "one by form and one that does not count", door: comet.DoorAdmin,
		send: post("/push?cname=one", "cname=none&content=g"), want: adminBare("429 Too Many Channels", ""),
	}, {
		name: "what was taken",
		send: sub("one", 1), want: polled(array(data("one", 1, "a"), data("one", 2, "b"), data("one", 3, "c"), data("one", 4, "d"))),
	},
}

// testPartlyRefused proves that a push to several channels, of which some refuse it,
// says so in its status and its body, and which.
func testPartlyRefused(t *testing.T, f Factory) {
	runExchanges(t, newServer(t, f, setup{config: func(c *comet.Config) { c.Channels = 1 }}), partlyRefused)
}

var epochForm = regexp.MustCompile(`"content":"([0-9a-f]{16})"`)

// mustEpoch asks for a channel's epoch.
func (c *client) mustEpoch(t *testing.T, channel string) string {
	t.Helper()
	reply, err := c.do(get("/sub?gap=1&cname=" + channel))
	m := epochForm.FindStringSubmatch(reply)
	if err != nil || m == nil {
		t.Fatalf("no epoch: %q, %v", reply, err)
	}
	return m[1]
}

// testExtensions proves acknowledgements, pushes to several channels, and that
// a client that asks for gaps learns of each: of messages that are gone, and of
// another channel in place of the old one.
func testExtensions(t *testing.T, f Factory) {
	s := newServer(t, f, setup{})
	runExchanges(t, s, extensions)
	held := s.hold(3, func(int) string { return "ar" })
	c := s.mustDial(comet.DoorAdmin)
	c.mustAsk(t, get("/push?cname=ar&content=x&ack=1"), ack(acked("ar", 1, 3)))
	expectAll(t, held, func(int) string { return polled(data("ar", 1, "x") + "\n") })

	g := s.mustDial(comet.DoorFront)
	for n := 1; n <= 12; n++ {
		s.mustCall("/push?cname=g&content=" + decimal(n))
	}
	epoch := g.mustEpoch(t, "g")
	gap := func(name string, seq int, epoch string) string { return object("gap", name, seq, epoch) }
	whole := strings.TrimSuffix(strings.TrimPrefix(replayOf("g", 3, 12), "["), "]\n")
	// Without gap=1 nobody is told.
	g.mustAsk(t, sub("g", 1), polled(replayOf("g", 3, 12)))
	g.mustAsk(t, get("/sub?gap=1&cname=g&seq=1"), polled(array(gap("g", 3, epoch), whole)))
	g.mustAsk(t, get("/sub?gap=1&cname=g&seq=-1"), polled(array(gap("g", 3, epoch), whole)))
	g.mustAsk(t, get("/sub?gap=1&cname=g&seq=3"), polled(array(whole)))
	g.mustAsk(t, get("/sub?gap=1&cname=g&seq=3&epoch="+epoch), polled(array(whole)))
	stream := s.mustDial(comet.DoorFront)
	stream.mustSend(t, get("/stream?gap=1&cname=g&seq=2"))
	if got, err := stream.beginning(2); err != nil || got != streamHead+lines(gap("g", 3, epoch), data("g", 3, "3")) {
		t.Errorf("stream with a gap: %q, %v", got, err)
	}
	// Another channel of the same name, which has come as far.
	s.mustCall("/close?cname=g")
	for n := 1; n <= 4; n++ {
		s.mustCall("/push?cname=g&content=" + decimal(n))
	}
	next := g.mustEpoch(t, "g")
	if next == epoch {
		t.Error("a channel and its successor have the same epoch")
	}
	all := strings.TrimSuffix(strings.TrimPrefix(replayOf("g", 1, 4), "["), "]\n")
	g.mustAsk(t, get("/sub?gap=1&cname=g&seq=3&epoch="+epoch), polled(array(gap("g", 1, next), all)))
	g.mustAsk(t, get("/sub?gap=1&cname=g&seq=3&epoch="+next), polled(replayOf("g", 3, 4)))
	// Without gap=1 an epoch is nothing, and without a number it is nothing new.
	g.mustAsk(t, get("/sub?cname=g&seq=3&epoch="+epoch), polled(replayOf("g", 3, 4)))
	g.mustAsk(t, get("/sub?gap=1&cname=g&epoch="+epoch), polled(object("next_seq", "g", 5, next)+"\n"))
	// And one that has come as far and keeps nothing: silence would say that all
	// is as it was.
	s.mustCall("/clear?cname=g")
	g.mustAsk(t, get("/sub?gap=1&cname=g&seq=5&epoch="+epoch), polled(object("next_seq", "g", 5, next)+"\n"))
}
