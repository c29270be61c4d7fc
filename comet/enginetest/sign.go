package enginetest

import (
	"regexp"
	"testing"
	"time"

	"c1000k/comet"
)

// signBody is the body of /sign. The suite's polling timeout is an hour.
func signBody(name string, seq, expires int) string {
	return `{"type":"sign","cname":"` + name + `","seq":` + decimal(seq) +
		`,"token":"` + maskedToken + `","expires":` + decimal(expires) + `,"sub_timeout":3600}` + "\n"
}

// signed are the replies to /sign; an hour is the suite's channel timeout too.
var signed = []exchange{
	{
		name: "sign", row: "sign", door: comet.DoorAdmin,
		send: get("/sign?cname=sg"), want: adminReply(typeHTML, signBody("sg", 1, 3600)),
	}, {
		name: "sign with expires and callback", row: "sign with expires and cb", door: comet.DoorAdmin,
		send: get("/sign?cname=sg&expires=60&cb=k"), want: adminReply(typeHTML, wrapped("k", signBody("sg", 1, 60))),
	}, {
		name: "sign of three", door: comet.DoorAdmin, before: three("sg3"),
		send: get("/sign?cname=sg3"), want: adminReply(typeHTML, signBody("sg3", 1, 3600)),
	}, {
		name: "sign of twelve", door: comet.DoorAdmin, before: append(three("sg12"), pushes("sg12", "4", "5", "6", "7", "8", "9", "10", "11", "12")...),
		send: get("/sign?cname=sg12"), want: adminReply(typeHTML, signBody("sg12", 3, 3600)),
	}, {
		name: "sign by POST", door: comet.DoorAdmin,
		send: post("/sign", "cname=sgp&expires=-1"), want: adminReply(typeHTML, signBody("sgp", 1, 3600)),
	}, {
		name: "sign makes a channel", door: comet.DoorAdmin,
		send: get("/check?cname=sgp"), want: adminReply(typeHTML, "{\"sgp\": 1}\n"),
	},
}

// noChannelSigns is asked for on a server without room for a channel.
var noChannelSigns = []exchange{{
	name: "sign without room", row: "max_channels reached: sign", door: comet.DoorAdmin,
	send: get("/sign?cname=c"), want: adminBare("429 Too Many Channels", ""),
}}

// testSign proves what publishers are told of a channel that they sign, and
// that it lives for as long as they say.
func testSign(t *testing.T, f Factory) {
	s := newServer(t, f, setup{})
	runExchanges(t, s, signed)
	runExchanges(t, newServer(t, f, setup{config: func(c *comet.Config) { c.Channels = 0 }}), noChannelSigns)
	s.mustCall("/sign?cname=short&expires=1")
	wait(t, func() bool { return s.mustCall("/check?cname=short") == "{}\n" }, func() string { return "a channel signed for a second is still there" })
	if got := s.mustCall("/check?cname=sg3"); got != "{\"sg3\": 1}\n" {
		t.Errorf("a channel signed for an hour: %q", got)
	}
}

// unsigned are asked for where subscribers need a token, by those who have
// none, or a wrong one. t1 is signed.
var unsigned = []exchange{
	{
		name: "no token, unknown channel", row: "auth=token: no token, unknown channel",
		send: get("/sub?cname=t0&seq=1"), want: polledInBand(object("401", "t0", 0, "Token error") + "\n"),
	}, {
		name: "no token",
		send: get("/sub?cname=t1&seq=1"), want: polledInBand(object("401", "t1", 0, "Token error") + "\n"),
	}, {
		name: "wrong token", row: "auth=token: wrong token",
		send: get("/sub?cname=t1&seq=1&token=00"), want: polledInBand(object("401", "t1", 0, "Token error") + "\n"),
	}, {
		name: "stream without token", row: "auth=token: stream without token",
		send: get("/stream?cname=t1&seq=1"), want: subscribeHead + inBandTail + lines(object("401", "t1", 0, "Token error")) + end,
	}, {
		name: "events without token", row: "auth=token: sse without token",
		send: get("/sse?cname=t1&seq=1"),
		want: headOf("text/event-stream") + inBandTail + retry + event(noID, object("401", "t1", 0, "Token error")) + end,
	}, {
		name: "iframe without token", row: "auth=token: iframe without token",
		send: get("/iframe?cname=t1"), want: headOf("text/html") + inBandTail + "<page>" + script(object("401", "t1", 0, "Token error")) + end,
	}, {
		name: "an unknown channel was not made", door: comet.DoorAdmin,
		send: get("/check?cname=t0"), want: adminReply(typeHTML, "{}\n"),
	},
}

var tokenForm = regexp.MustCompile(`"token":"([0-9a-f]{32})"`)

// tokenOf signs a channel and returns its token. The kept admin connection
// masks it, so this one is its own.
func (s *server) tokenOf(channel string) string {
	s.t.Helper()
	c := s.mustDial(comet.DoorAdmin)
	c.mustSend(s.t, get("/sign?cname="+channel))
	c.raw = true
	reply, err := c.reply()
	m := tokenForm.FindStringSubmatch(reply)
	if err != nil || m == nil {
		s.t.Fatalf("sign: %q, %v", reply, err)
	}
	return m[1]
}

// testTokens proves that where subscribers need a token the right one lets in,
// in every mode, that it is one and the same for the channel's life, that no
// two channels share one, and that a channel's successor has another.
func testTokens(t *testing.T, f Factory) {
	s := newServer(t, f, setup{config: func(c *comet.Config) { c.TokenAuth, c.TokenKey = true, [16]byte{1}; c.ChannelTimeout = time.Hour }})
	token := s.tokenOf("t1")
	c := s.mustDial(comet.DoorFront)
	runExchanges(t, s, unsigned)
	if again := s.tokenOf("t1"); again != token {
		t.Errorf("signed again the token is %s, was %s", again, token)
	}
	if other := s.tokenOf("t2"); other == token {
		t.Error("two channels have the same token")
	}
	c.mustAsk(t, get("/sub?cname=t2&seq=1&token="+token), polledInBand(object("401", "t2", 0, "Token error")+"\n"))
	c.mustSend(t, get("/sub?cname=t1&seq=1&token="+token))
	s.waitSubscribers("t1", 1)
	s.mustCall("/push?cname=t1&content=x")
	c.mustExpect(t, polled(data("t1", 1, "x")+"\n"))
	stream := s.mustDial(comet.DoorFront)
	stream.mustSend(t, get("/stream?cname=t1&seq=1&token="+token))
	if got, err := stream.beginning(1); err != nil || got != streamHead+lines(data("t1", 1, "x")) {
		t.Errorf("stream with a token: %q, %v", got, err)
	}
	s.mustCall("/close?cname=t1")
	if next := s.tokenOf("t1"); next == token {
		t.Error("a channel of a closed one's name has its token")
	}
}
