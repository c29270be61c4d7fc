package soak

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const testEpoch, otherEpoch = "00112233445566aa", "00112233445566bb"

// rig is a client without a kernel, of a channel of which 20 messages were published.
func rig(m mode) (*reactor, *client) {
	s := &round{faults: newFaults()}
	ch := &channel{name: "c1"}
	ch.pushes.Store(20)
	c := &client{mode: m, ch: ch, fd: -1, state: asking, headDone: true, next: 15, epoch: testEpoch}
	return &reactor{s: s, stride: 1, random: s.random(1), clients: []*client{c}}, c
}

// object is an object of channel c1; a content of "!" is a right one.
func object(typ string, seq int, text string) string {
	if text == "!" {
		text = content(map[string]string{"data": "c1", "broadcast": broadcastMark}[typ], 2, true)
	}
	return fmt.Sprintf(`{"type":%q,"cname":"c1","seq":%d,"content":"%s"}`, typ, seq, text)
}

// TestChecks proves that each fault is seen as what it is, and what may be is none.
func TestChecks(t *testing.T) {
	data := func(seq int) string { return object("data", seq, "!") }
	for name, one := range map[string]struct {
		change  func(*client)
		objects string // of a poll's reply
		faults  []string
		next    uint64
	}{
		"the next":                      {nil, data(15), nil, 16},
		"a replay":                      {nil, "[" + data(15) + "," + data(16) + "]", nil, 17},
		"lost":                          {nil, data(16), []string{faultLost}, 17},
		"lost in a replay":              {nil, "[" + data(15) + "," + data(17) + "]", []string{faultLost}, 18},
		"repeated":                      {nil, data(14), []string{faultRepeated}, 15},
		"cleared":                       {func(c *client) { c.ch.cleared.Store(15) }, data(16), nil, 17},
		"not all cleared":               {func(c *client) { c.ch.cleared.Store(15) }, data(17), []string{faultLost}, 18},
		"too old, of icomet's kind":     {func(c *client) { c.next, c.legacy = 3, true }, data(11), nil, 12},
		"too old, and not told":         {func(c *client) { c.next = 3 }, data(11), []string{faultLost}, 12},
		"too old, and told":             {func(c *client) { c.next = 3 }, "[" + object("gap", 11, testEpoch) + "," + data(11) + "]", nil, 12},
		"a gap over what is kept":       {func(c *client) { c.next = 3 }, "[" + object("gap", 12, testEpoch) + "," + data(12) + "]", []string{faultLost}, 13},
		"a gap for nothing":             {nil, "[" + object("gap", 15, testEpoch) + "," + data(15) + "]", []string{"gap", faultLost}, 16},
		"a gap nobody asked for":        {func(c *client) { c.next, c.legacy = 3, true }, "[" + object("gap", 11, testEpoch) + "," + data(11) + "]", []string{"gap"}, 12},
		"another instance":              {func(c *client) { c.ch.begun.Store(1) }, "[" + object("gap", 1, otherEpoch) + "," + data(1) + "]", nil, 2},
		"another instance, not closed":  {nil, "[" + object("gap", 1, otherEpoch) + "," + data(1) + "]", []string{"anew"}, 2},
		"closed":                        {func(c *client) { c.ch.begun.Store(1) }, object("close", 15, ""), nil, 15},
		"closed before all came":        {func(c *client) { c.ch.begun.Store(1) }, object("close", 16, ""), []string{faultLost}, 15},
		"closed by nobody":              {nil, object("close", 15, ""), []string{"close"}, 15},
		"a broadcast":                   {nil, "[" + object("broadcast", 15, "!") + "," + object("next_seq", 16, "") + "]", nil, 16},
		"a broadcast without next_seq":  {nil, object("broadcast", 15, "!"), []string{"next_seq"}, 16},
		"a broadcast, wrong next_seq":   {nil, "[" + object("broadcast", 15, "!") + "," + object("next_seq", 17, "") + "]", []string{"next_seq"}, 16},
		"a jump":                        {nil, object("next_seq", 21, testEpoch), []string{"jump"}, 21},
		"a jump that was asked for":     {func(c *client) { c.next, c.epoch = 0, "" }, object("next_seq", 21, testEpoch), nil, 21},
		"a noop":                        {nil, object("noop", 0, ""), nil, 15},
		"a noop of a wrong number":      {nil, object("noop", 1, ""), []string{"noop"}, 15},
		"a content of another channel":  {nil, object("data", 15, content("c2", 1, true)), []string{"content"}, 16},
		"a content cut short":           {nil, object("data", 15, strings.TrimSuffix(content("c1", 2, true), " ")), []string{"content"}, 16},
		"a message for another channel": {nil, strings.Replace(data(15), `"c1"`, `"c2"`, 1), []string{"misdelivered"}, 15},
	} {
		r, c := rig(modePoll)
		if one.change != nil {
			one.change(c)
		}
		r.objects(c, []byte(one.objects), -1)
		if got := r.s.faults.order; !slices.Equal(got, one.faults) || c.next != one.next {
			t.Errorf("%s: faults %q, want %q; next is %d, want %d", name, got, one.faults, c.next, one.next)
		}
	}
}

// TestModes proves that the frames of each mode are read, cut at any byte, and that
// the numbers of events are held to those of the messages.
func TestModes(t *testing.T) {
	first, second := object("data", 15, "!"), object("data", 16, "!")
	chunk := func(s string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(s), s) }
	for m, stream := range map[mode]string{
		modeStream: chunk(first+"\n") + chunk(second+"\n"),
		modeIframe: chunk("<html>\n<body>\n") + chunk("<script>parent.icomet_cb("+first+");</script>\n") + chunk("<script>parent.icomet_cb("+second+");</script>\n"),
		modeSSE:    chunk("retry: 3000\n\n") + chunk("id: 15\ndata: "+first+"\n\n") + chunk("id: 16\ndata: "+second+"\n\n"),
	} {
		for cut := range len(stream) {
			r, c := rig(m)
			rest, ok := r.consume(c, []byte(stream[:cut]))
			if ok {
				rest, ok = r.consume(c, append(slices.Clone(rest), stream[cut:]...))
			}
			if !ok || len(rest) != 0 || c.next != 17 || r.s.faults.count("") != 0 {
				t.Fatalf("%v cut at %d: %v, %q left, next %d, faults %q", m, cut, ok, rest, c.next, r.s.faults.told)
			}
		}
	}
	r, c := rig(modeSSE)
	r.consume(c, []byte(chunk("id: 14\ndata: "+first+"\n\n")))
	if r.s.faults.count("event id") != 1 {
		t.Errorf("an event with the number of another: %q", r.s.faults.told)
	}
	r, c = rig(modeJSONP)
	if body := unwrap([]byte(callback+"("+first+");"), callback+"(", ");"); !r.objects(c, body, -1) || c.next != 16 {
		t.Errorf("JSONP: %q", r.s.faults.told)
	}
}

// TestContentsDiffer proves that a content is known by its name and its length, and
// that escaped and not it is the same.
func TestContentsDiffer(t *testing.T) {
	if !isContent([]byte(content("a", 3, true)), "a") || isContent([]byte(content("a", 3, true)), "b") {
		t.Error("a content is not known by its name")
	}
	if isContent([]byte(content("a", 3, false)), "a") {
		t.Error("what is not escaped passes for what is")
	}
}
