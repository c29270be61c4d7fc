package enginetest

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"c1000k/comet"
)

// One subscription that names several channels. icomet takes the first alone.

// both is a query for two channels, as their numbers are asked.
func both(a string, seqA int, b string, seqB int) string {
	return fmt.Sprintf("?cname=%s&seq=%d&cname=%s&seq=%d", a, seqA, b, seqB)
}

// eventOf is an object as an EventSource of several channels gets it.
func eventOf(id, object string) string { return lines("id: " + id + "\ndata: " + object + "\n") }

// join is lists of paths one after the other.
func join(lists ...[]string) (all []string) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// severalPolls are polls of several channels. They are held when the last is
// joined.
var severalPolls = []exchange{
	{
		name: "the first has a message", send: get("/sub" + both("va", 1, "vb", 1)), held: "vb", then: pushes("va", "x"),
		want: polled(data("va", 1, "x") + "\n"),
	}, {
		name: "the second has a message", send: get("/poll" + both("vc", 1, "vd", 1)), held: "vd", then: pushes("vd", "x"),
		want: polled(data("vd", 1, "x") + "\n"),
	}, {
		name: "a broadcast to both", send: get("/sub" + both("ve", 1, "vf", 1)), held: "vf", then: []string{"/broadcast?content=all"},
		want: polled(broadcasted("ve", 1, "all")),
	}, {
		name: "both replay", before: join(three("vg"), pushes("vh", "n1")), send: get("/sub" + both("vh", 1, "vg", 2)),
		want: polled(array(data("vh", 1, "n1"), data("vg", 2, "m2"), data("vg", 3, "m3"))),
	}, {
		name: "one replays and one has nothing", before: three("vi"), send: get("/sub" + both("vj", 1, "vi", 3)),
		want: polled(array(data("vi", 3, "m3"))),
	}, {
		name: "both jump", before: three("vk"), send: get("/sub?cname=vk&cname=vl"), want: polled(array(nextSeq("vk", 4), nextSeq("vl", 1))),
	}, {
		name: "one jumps and one has nothing", before: three("vm"), send: get("/sub" + both("vn", 1, "vm", 9)), want: polled(nextSeq("vm", 4) + "\n"),
	}, {
		name: "a seq that is missing", send: get("/sub?cname=vo&seq=1&cname=vp"), want: polled(nextSeq("vp", 1) + "\n"),
	}, {
		name: "numbers before names", before: three("vq"), send: get("/sub?seq=1&x&seq=3&cname=vr&CNAME=vq"), want: polled(array(data("vq", 3, "m3"))),
	}, {
		name: "replay and jump with callback", before: three("vs"), send: get("/sub" + both("vs", 3, "vt", 0) + "&cb=f"),
		want: polled(wrapped("f", array(data("vs", 3, "m3"), nextSeq("vt", 1)))),
	}, {
		name: "live with callback", send: get("/sub" + both("vu", 1, "vv", 1) + "&cb=f"), held: "vv", then: pushes("vv", "x"),
		want: polled(wrapped("f", data("vv", 1, "x"))),
	}, {
		name: "HTTP/1.0", send: "GET /sub" + both("vw", 1, "vx", 1) + " HTTP/1.0\r\n\r\n", held: "vx", then: pushes("vw", "x"),
		want: polled10(data("vw", 1, "x") + "\n"), closes: true,
	}, {
		name: "one is closed", before: three("vy"), send: get("/sub" + both("vz", 1, "vy", 4)), held: "vy", then: []string{"/close?cname=vy"},
		want: polled(object("close", "vy", 4, "") + "\n"),
	}, {
		// The first that is named counts, also where its number is another.
		name: "one named twice", send: get("/sub?cname=wa&seq=1&cname=wb&seq=1&cname=wa&seq=0"), held: "wb", then: pushes("wa", "x"),
		want: polled(data("wa", 1, "x") + "\n"),
	}, {
		name: "one alone named twice", before: three("wc"), send: get("/sub?cname=wc&seq=2&cname=wc&seq=0"),
		want: polled(array(data("wc", 2, "m2"), data("wc", 3, "m3"))),
	}, {
		name: "an empty name and another", send: get("/sub?cname=&seq=1&cname=wd&seq=1"), held: "wd", then: pushes("", "x"),
		want: polled(data("", 1, "x") + "\n"),
	},
	{name: "as many as may be", send: get("/sub?" + named("we", 16)), held: "we15", then: pushes("we15", "x"), want: polled(data("we15", 1, "x") + "\n")},
	{name: "too many", send: get("/sub?" + named("wf", 17)), status: refused400, closes: true},
	{name: "as many, one of them twice", send: get("/sub?" + named("we", 16) + "&cname=we3"), want: polled(array(data("we15", 1, "x")))},
	{name: "a name that is too long", send: get("/sub?cname=wg&seq=1&seq=1&cname=" + longName + "n"), status: refused400, closes: true},
	{
		name: "a refused one makes no channel", door: comet.DoorAdmin,
		send: get("/check?cname=wf0"), want: adminReply(typeHTML, "{}\n"),
	},
}

// named is a query for n channels.
func named(name string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "&cname=%s%d&seq=1", name, i)
	}
	return b.String()[1:]
}

// severalStreams are streams of several channels.
var severalStreams = []exchange{
	{
		name: "stream: replay, jump, live", before: three("sa"), send: get("/stream?cname=sa&seq=2&cname=sb&cname=sc&seq=0&seq=1"), held: "sc",
		then: join(pushes("sc", "x"), pushes("sa", "m4"), pushes("sb", "y")),
		want: streamHead + lines(data("sa", 2, "m2"), data("sa", 3, "m3"), nextSeq("sb", 1), data("sc", 1, "x"), data("sa", 4, "m4"), data("sb", 1, "y")), chunks: 6,
	}, {
		name: "iframe", before: three("sh"), send: get("/iframe" + both("sh", 3, "si", 1)), held: "si", then: pushes("si", "x"),
		want: frameHead + "<page>" + script(data("sh", 3, "m3")) + script(data("si", 1, "x")), chunks: 3,
	}, {
		name: "stream of HTTP/1.0", send: "GET /stream" + both("sj", 1, "sk", 1) + " HTTP/1.0\r\n\r\n", held: "sk",
		then: join(pushes("sj", "a"), pushes("sk", "b"), []string{"/close?cname=sj", "/close?cname=sk"}), closes: true,
		want: polled10(data("sj", 1, "a") + "\n" + data("sk", 1, "b") + "\n" + object("close", "sj", 2, "") + "\n" + object("close", "sk", 2, "") + "\n"),
	}, {
		// An id has a number for each channel, in order: what the client has had.
		name: "events", before: three("ea"), send: get("/sse" + both("ea", 2, "eb", 1)), held: "eb", then: join(pushes("eb", "x"), pushes("ea", "m4")),
		want: eventsHead + retry + eventOf("2,0", data("ea", 2, "m2")) + eventOf("3,0", data("ea", 3, "m3")) +
			eventOf("3,1", data("eb", 1, "x")) + eventOf("4,1", data("ea", 4, "m4")), chunks: 5,
	}, {
		// What was not looked at yet has no number: its seq would count again.
		name: "events that begin with jumps", before: three("ec"), send: get("/sse?cname=ec&cname=ed"),
		want: eventsHead + retry + eventOf("3,", nextSeq("ec", 4)) + eventOf("3,0", nextSeq("ed", 1)), chunks: 3,
	}, {
		name: "events from the last that was had", before: join(three("ee"), pushes("ef", "n1", "n2")),
		send: "GET /sse" + both("ee", 1, "ef", 1) + " HTTP/1.1\r\nHost: h\r\nLast-Event-ID: 2,1\r\n\r\n",
		want: eventsHead + retry + eventOf("3,1", data("ee", 3, "m3")) + eventOf("3,2", data("ef", 2, "n2")), chunks: 3,
	}, {
		name: "events with one that is not known", before: three("eg"),
		send: "GET /sse" + both("eg", 3, "eh", 1) + " HTTP/1.1\r\nHost: h\r\nLast-Event-ID: ,0\r\n\r\n",
		want: eventsHead + retry + eventOf("3,0", data("eg", 3, "m3")), chunks: 2,
	}, {
		name: "events from an id of one channel", before: three("ei"),
		send: "GET /sse" + both("ei", 3, "ej", 1) + " HTTP/1.1\r\nHost: h\r\nLast-Event-ID: 1\r\n\r\n",
		want: eventsHead + retry + eventOf("3,0", data("ei", 3, "m3")), chunks: 2,
	}, {
		name: "events of one channel from an id of two", before: three("ek"),
		send: "GET /sse?cname=ek&seq=3 HTTP/1.1\r\nHost: h\r\nLast-Event-ID: 1,1\r\n\r\n",
		want: eventsHead + retry + event(3, data("ek", 3, "m3")), chunks: 2,
	},
}

// step is an admin request, and what a stream then says, as one or more chunks.
type step struct{ call, want string }

// severalEnds are streams some of whose channels are closed. The order in which
// things come from different channels is not promised where they come together:
// so each is waited for.
var severalEnds = []struct {
	name, send, head string
	steps            []step
	ends             bool
}{
	{
		"one closed, then the other", get("/stream" + both("sd", 1, "se", 1)), streamHead, []step{
			{"/push?cname=sd&content=x", lines(data("sd", 1, "x"))},
			{"/close?cname=sd", lines(object("close", "sd", 2, ""))},
			{"/push?cname=sd&content=other", ""},
			{"/push?cname=se&content=y", lines(data("se", 1, "y"))},
			{"/close?cname=se", lines(object("close", "se", 2, "")) + end},
		}, true,
	}, {
		"the second closed, then the first", get("/stream" + both("sf", 1, "sg", 1)), streamHead, []step{
			{"/close?cname=sg", lines(object("close", "sg", 1, ""))},
			{"/push?cname=sf&content=x", lines(data("sf", 1, "x"))},
			{"/close?cname=sf", lines(object("close", "sf", 2, "")) + end},
		}, true,
	}, {
		// Of a channel that was closed nothing is known any more: what comes by its
		// name later begins at 1.
		"events", get("/sse" + both("el", 1, "em", 1)), eventsHead + retry, []step{
			{"/push?cname=el&content=x", eventOf("1,0", data("el", 1, "x"))},
			{"/close?cname=el", eventOf("0,0", object("close", "el", 2, ""))},
			{"/push?cname=em&content=y", eventOf("0,1", data("em", 1, "y"))},
		}, false,
	}, {
		"broadcast", get("/sse" + both("en", 1, "eo", 1)), eventsHead + retry, []step{
			{"/push?cname=eo&content=x", eventOf("0,1", data("eo", 1, "x"))},
			{"/close?cname=eo", eventOf("0,0", object("close", "eo", 2, ""))},
			{"/broadcast?content=all", eventOf("1,0", object("broadcast", "en", 1, "all")) + event(noID, nextSeq("en", 2))},
		}, false,
	},
}

// testSeveralEnds proves that a stream goes on with its other channels where one
// is closed, and ends with the last.
func testSeveralEnds(t *testing.T, f Factory) {
	s := newServer(t, f, setup{})
	for _, x := range severalEnds {
		t.Run(strings.ReplaceAll(x.name, " ", "_"), func(t *testing.T) {
			c := s.mustDial(comet.DoorFront)
			c.mustSend(t, x.send)
			got, err := c.beginning(strings.Count(x.head, "retry"))
			if err != nil || got != x.head {
				t.Fatalf("it begins with %q, %v, want %q", got, err, x.head)
			}
			for _, step := range x.steps {
				s.mustCall(step.call)
				if err := c.bytes(step.want); err != nil {
					t.Fatalf("after %s: %v", step.call, err)
				}
			}
			if x.ends {
				c.mustKeep(t)
			}
		})
	}
}

// bytes wants these bytes and no others before them.
func (c *client) bytes(want string) error {
	if err := c.patient(); err != nil {
		return err
	}
	got := make([]byte, len(want))
	if n, err := io.ReadFull(c.in, got); err != nil || string(got) != want {
		return fmt.Errorf("got %q, %v, want %q", got[:n], err, want)
	}
	return nil
}

// testSeveral proves what a subscription gets that names several channels: in
// each mode, at once, live and in the end; and that it stands in each of its
// channels and leaves all of them together.
func testSeveral(t *testing.T, f Factory) {
	for _, x := range []struct {
		name string
		head bool
	}{{"LateHead", false}, {"EarlyHead", true}} {
		t.Run(x.name, func(t *testing.T) {
			s := newServer(t, f, setup{config: func(c *comet.Config) { c.EarlyHead = x.head }})
			if x.head {
				runExchanges(t, s, early(severalPolls))
			} else {
				runExchanges(t, s, severalPolls)
			}
			runExchanges(t, s, early(severalStreams))
			s.waitSubscribers("", 0) // nobody is left in any of them
		})
	}
	s := newServer(t, f, setup{options: comet.EngineOptions{Loops: 2}})
	c := s.mustDial(comet.DoorFront)
	c.mustSend(t, get("/stream?cname=na&seq=1&cname=nb&seq=1&cname=nc&seq=1"))
	for _, name := range []string{"na", "nb", "nc"} {
		s.waitSubscribers(name, 1)
	}
	s.waitSubscribers("", 3) // one in each of its channels
	s.mustCall("/close?cname=nb")
	s.waitSubscribers("", 2)
	if err := c.reset(); err != nil {
		t.Fatal(err)
	}
	s.waitSubscribers("", 0)
}

// testSeveralEpochs proves that epochs and gaps are each channel's own.
func testSeveralEpochs(t *testing.T, f Factory) {
	s := newServer(t, f, setup{})
	g := s.mustDial(comet.DoorFront)
	for n := 1; n <= 12; n++ {
		s.mustCall("/push?cname=ga&cname=gb&content=" + decimal(n))
	}
	a, b := g.mustEpoch(t, "ga"), g.mustEpoch(t, "gb")
	gapped := func(name, epoch string, from int) string {
		objects := []string{object("gap", name, from, epoch)}
		for n := from; n <= 12; n++ {
			objects = append(objects, data(name, n, decimal(n)))
		}
		return strings.Join(objects, ",")
	}
	g.mustAsk(t, get("/sub"+both("ga", 2, "gb", 1)+"&gap=1"), polled(array(gapped("ga", a, 3), gapped("gb", b, 3))))
	// The second channel's epoch is another's: all that it has is new.
	g.mustAsk(t, get("/sub"+both("ga", 13, "gb", 13)+"&gap=1&epoch="+a+"&epoch="+a), polled(array(gapped("gb", b, 3))))
	g.mustAsk(t, get("/sub"+both("ga", 13, "gb", 99)+"&gap=1&epoch="+a+"&epoch="+b), polled(object("next_seq", "gb", 13, b)+"\n"))
}

// testSeveralRefused proves that a subscription is refused whole where one of its
// channels refuses it, in that channel's name, and that it is left in none.
func testSeveralRefused(t *testing.T, f Factory) {
	t.Run("Subscribers", func(t *testing.T) {
		s := newServer(t, f, setup{config: func(c *comet.Config) { c.MaxSubscribersPerChannel = 2 }})
		s.hold(2, func(int) string { return "many" })
		full := object("429", "many", 0, "Too many subscribers")
		runExchanges(t, s, []exchange{
			{name: "poll", send: get("/sub" + both("fa", 1, "many", 1)), want: polledInBand(full + "\n")},
			{name: "poll with an answer", before: pushes("fa", "x"), send: get("/sub" + both("fa", 1, "many", 1)), want: polledInBand(full + "\n")},
			{name: "stream", send: get("/stream" + both("fa", 1, "many", 1)), want: subscribeHead + inBandTail + lines(full) + end},
			{name: "events", send: get("/sse" + both("many", 1, "fa", 1)), want: headOf("text/event-stream") + inBandTail + retry + event(noID, full) + end},
		})
		s.waitSubscribers("fa", 0)
		s.waitSubscribers("", 2)
	})
	t.Run("Channels", func(t *testing.T) {
		s := newServer(t, f, setup{config: func(c *comet.Config) { c.Channels = 2 }})
		none := object("429", "fd", 0, "Too many channels")
		runExchanges(t, s, []exchange{
			{name: "poll", send: get("/sub?cname=fb&seq=1&cname=fc&seq=1&cname=fd&seq=1"), want: polledInBand(none + "\n")},
			{name: "stream", send: get("/stream?cname=fb&cname=fc&cname=fd"), want: subscribeHead + inBandTail + lines(none) + end},
		})
		s.waitSubscribers("", 0)
	})
	t.Run("Tokens", func(t *testing.T) {
		s := newServer(t, f, setup{config: func(c *comet.Config) { c.TokenAuth, c.TokenKey = true, [16]byte{1} }})
		a, b := s.tokenOf("ta"), s.tokenOf("tb")
		wrong := object("401", "tb", 0, "Token error")
		s.mustCall("/push?cname=tb&content=x")
		runExchanges(t, s, []exchange{
			{name: "each its own", send: get("/sub" + both("ta", 1, "tb", 1) + "&token=" + a + "&token=" + b), want: polled(array(data("tb", 1, "x")))},
			{name: "one alone", send: get("/sub" + both("ta", 1, "tb", 1) + "&token=" + a), want: polledInBand(wrong + "\n")},
			{name: "the first's twice", send: get("/stream" + both("ta", 1, "tb", 1) + "&token=" + a + "&token=" + a), want: subscribeHead + inBandTail + lines(wrong) + end},
		})
		s.waitSubscribers("", 0)
	})
}

// testSeveralNoop proves that a connection of several channels gets one noop at a
// time, in the name of the first that is not closed.
func testSeveralNoop(t *testing.T, f Factory) {
	t.Parallel()
	s := newServer(t, f, setup{config: func(c *comet.Config) { c.PollingTimeout = time.Second }})
	poll, stream := s.mustDial(comet.DoorFront), s.mustDial(comet.DoorFront)
	began := time.Now()
	poll.mustSend(t, get("/sub"+both("oa", 1, "ob", 1)+"&noop=4&noop=5"))
	stream.mustSend(t, get("/stream"+both("oc", 1, "od", 1)+"&noop=7"))
	s.waitSubscribers("oc", 1)
	s.mustCall("/close?cname=oc")
	slow := time.Since(began) >= time.Second
	want := streamHead + lines(object("close", "oc", 1, ""), object("noop", "od", 7, ""), object("noop", "od", 8, ""))
	// On a slow machine a noop may have been due before the channel was closed.
	late := streamHead + lines(object("noop", "oc", 7, ""), object("close", "oc", 1, ""), object("noop", "od", 8, ""))
	if got, err := stream.beginning(3); err != nil || got != want && !(slow && got == late) {
		t.Errorf("the stream: %q, %v, want %q", got, err, want)
	}
	poll.mustExpect(t, polled(object("noop", "oa", 4, "")+"\n"))
	s.waitSubscribers("ob", 0)
}

// testSeveralDrain proves that a server about to stop tells a poll of several
// channels in the name of the first, and closes every channel of a stream.
func testSeveralDrain(t *testing.T, f Factory) {
	for _, how := range []comet.Farewell{comet.FarewellNoop, comet.FarewellClose} {
		s := newServer(t, f, setup{})
		poll, stream := s.mustDial(comet.DoorFront), s.mustDial(comet.DoorFront)
		poll.mustSend(t, get("/sub"+both("da", 1, "db", 1)))
		stream.mustSend(t, get("/stream"+both("da", 1, "db", 1)))
		s.waitSubscribers("db", 2)
		s.svc.Drain(how)
		s.engine.StopAccepting()
		said, all := object("close", "da", 1, ""), lines(object("close", "da", 1, ""), object("close", "db", 1, ""))
		if how == comet.FarewellNoop {
			said = object("noop", "da", 0, "")
			all = lines(said)
		}
		poll.mustExpect(t, polledAndClosed(said+"\n"))
		stream.mustExpect(t, streamHead+all+end)
		poll.mustEnd(t)
		stream.mustEnd(t)
	}
}
