package soak

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// publishers is how many publish at the same time; each channel is one's alone, so
// that what is done to it has an order.
const publishers = 4

// adminPatience is how long the admin door may take to answer on a machine that
// has much else to do.
const adminPatience = time.Minute

// broadcastEvery is the time from one broadcast to the next.
const broadcastEvery = 3 * time.Second

// mostAtOnce is the most channels that one push goes to.
const mostAtOnce = 5

// torrentEvery is the time from one long content to the next, of the channel whose
// subscribers cannot follow.
const torrentEvery = 200 * time.Millisecond

// publisher is one goroutine that publishes.
type publisher struct {
	s      *round
	random *rand.Rand
	own    []*channel
}

// call posts to the admin door and returns its answer; false if there was none, or
// one of another status than 200.
func (s *round) call(path string, form url.Values) (body string, ok bool) {
	status, body, err := s.post(path, form)
	if err != nil || status != http.StatusOK {
		s.faults.add("publish", "%s %s: %d %.200q, %v", path, form["cname"], status, body, err)
		return "", false
	}
	return body, true
}

// post posts to the admin door.
func (s *round) post(path string, form url.Values) (status int, body string, err error) {
	resp, err := s.admin.PostForm("http://"+s.server.Doors.AdminAddr()+path, form)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, string(b), err
}

// run publishes at a rate a second until the context ends.
func (p *publisher) run(ctx context.Context, rate float64) {
	every := time.Duration(float64(time.Second) / rate)
	next := time.Now()
	for ctx.Err() == nil {
		p.act(p.own[p.random.IntN(len(p.own))])
		// Who is late by much does not make up for it.
		next = next.Add(every)
		if late := time.Since(next); late > time.Second {
			next = time.Now()
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Until(next)):
		}
	}
}

// act does something to a channel.
func (p *publisher) act(ch *channel) {
	switch draw := p.random.IntN(100); {
	case draw < 80:
		p.push(p.some(ch), p.size())
	case draw < 90:
		p.pushQuietly(ch)
	case draw < 92:
		p.clear(ch)
	case draw < 96 && ch.closable && p.s.churns(): // while they come all are to be there at once
		p.close(ch)
	case draw < 98:
		p.sign(ch)
	default:
		p.look(ch)
	}
}

// some is mostly ch alone, and now and then further channels with it.
func (p *publisher) some(ch *channel) []*channel {
	several := []*channel{ch}
	if p.random.IntN(20) > 0 {
		return several
	}
	for range p.random.IntN(mostAtOnce) {
		if other := p.own[p.random.IntN(len(p.own))]; !slices.Contains(several, other) {
			several = append(several, other)
		}
	}
	return several
}

// size draws how many units a content has: mostly few.
func (p *publisher) size() int {
	switch draw := p.random.IntN(1000); {
	case draw < 800:
		return p.random.IntN(10)
	case draw < 980:
		return p.random.IntN(200)
	case draw < 998:
		return p.random.IntN(2000)
	}
	return p.random.IntN(mostUnits)
}

// answer is what a push answers that was sent with ack=1.
type answer struct {
	Type     string
	Channels []struct {
		Cname string
		Seq   uint64
	}
}

// push pushes to channels and checks the numbers that it is told.
func (p *publisher) push(to []*channel, units int) {
	name := to[0].name
	if len(to) > 1 {
		name = broadcastMark // the content of several is of none
	}
	form := url.Values{"ack": {"1"}, "content": {content(name, units, false)}}
	for _, ch := range to {
		form.Add("cname", ch.name)
		ch.pushes.Add(1)
	}
	p.s.n.pushes.Add(int64(len(to)))
	body, ok := p.s.call("/push", form)
	if !ok {
		return
	}
	var a answer
	err := json.Unmarshal([]byte(body), &a)
	if err != nil || a.Type != "ok" || len(a.Channels) != len(to) {
		p.s.faults.add("publish", "push to %d channels: %.200q", len(to), body)
		return
	}
	for i, ch := range to {
		p.numbered(ch, a.Channels[i].Cname, a.Channels[i].Seq)
	}
}

// numbered checks the number of a message that was pushed to ch alone since last.
func (p *publisher) numbered(ch *channel, name string, seq uint64) {
	highest := ch.published(p.s.broadcasts.Load())
	if name != ch.name || seq <= ch.last || seq > highest {
		p.s.faults.add("number", "push to %s: %s has number %d after %d, and the highest can be %d", ch.name, name, seq, ch.last, highest)
	}
	ch.last = seq
}

// pushQuietly pushes by /pub or /push without asking for a number.
func (p *publisher) pushQuietly(ch *channel) {
	path := [...]string{"/pub", "/push"}[p.random.IntN(2)]
	ch.pushes.Add(1)
	p.s.n.pushes.Add(1)
	form := url.Values{"cname": {ch.name}, "content": {content(ch.name, p.size(), path == "/pub")}}
	if body, ok := p.s.call(path, form); ok && strings.TrimSpace(body) != `{"type":"ok"}` {
		p.s.faults.add("publish", "%s to %s: %.200q", path, ch.name, body)
	}
}

// clear empties the history.
func (p *publisher) clear(ch *channel) {
	before := ch.cleared.Swap(clearing)
	defer func() {
		if ch.cleared.Load() == clearing {
			ch.cleared.Store(before)
		}
	}()
	p.s.n.clears.Add(1)
	if next, ok := p.end("/clear", ch); ok && next > 0 {
		ch.cleared.Store(max(next-1, before))
	}
}

// close closes a channel. Its name gets another instance, and another token.
func (p *publisher) close(ch *channel) {
	ch.begun.Add(1)
	p.s.n.ended.Add(1)
	_, ok := p.end("/close", ch)
	ch.last = 0
	ch.ended.Add(1)
	if ok && p.s.tokens {
		p.sign(ch)
	}
}

// end asks for the end of a channel or of its history, and returns the next number.
// A channel that is closed now and then may not be there.
func (p *publisher) end(path string, ch *channel) (next uint64, ok bool) {
	status, body, err := p.s.post(path, url.Values{"cname": {ch.name}})
	if status == http.StatusNotFound && ch.closable && body == "channel["+ch.name+"] not connected\n" {
		return 0, true
	}
	digits, found := strings.CutPrefix(strings.TrimSuffix(body, "\n"), "ok ")
	next, nerr := strconv.ParseUint(digits, 10, 63)
	if highest := ch.published(p.s.broadcasts.Load()) + 1; err != nil || nerr != nil || !found || next > highest || next <= ch.last {
		p.s.faults.add("publish", "%s of %s: %d %.200q, %v; the last number was %d, the next can be %d", path, ch.name, status, body, err, ch.last, highest)
		return 0, false
	}
	return next, true
}

// sign asks for the channel's token, which stays the same as long as it lives.
func (p *publisher) sign(ch *channel) {
	ended := ch.ended.Load()
	p.s.n.signs.Add(1)
	body, ok := p.s.call("/sign", url.Values{"cname": {ch.name}})
	if !ok {
		return
	}
	var signed struct{ Type, Cname, Token string }
	err := json.Unmarshal([]byte(body), &signed)
	if err != nil || signed.Type != "sign" || signed.Cname != ch.name || len(signed.Token) != 32 {
		p.s.faults.add("publish", "sign of %s: %.200q", ch.name, body)
		return
	}
	if was := ch.token.Load(); was != nil && was.text != signed.Token && !ch.closable {
		p.s.faults.add("token", "%s has another token than before", ch.name)
	}
	ch.token.Store(&token{text: signed.Token, ended: ended})
}

// look asks whether a channel is there, and how many subscribers it has.
func (p *publisher) look(ch *channel) {
	form := url.Values{"cname": {ch.name}}
	if body, ok := p.s.call("/check", form); ok && body != fmt.Sprintf("{%q: 1}\n", ch.name) && !(ch.closable && body == "{}\n") {
		p.s.faults.add("publish", "check of %s: %.200q", ch.name, body)
	}
	if body, ok := p.s.call("/info", form); ok && !strings.HasPrefix(body, fmt.Sprintf(`{"cname": %q, "subscribers": `, ch.name)) {
		p.s.faults.add("publish", "info of %s: %.200q", ch.name, body)
	}
}

// torrent pushes long contents to a channel of its own until the context ends.
func (p *publisher) torrent(ctx context.Context) {
	for ctx.Err() == nil {
		p.push(p.own, mostUnits)
		select {
		case <-ctx.Done():
		case <-time.After(torrentEvery):
		}
	}
}

// broadcast sends broadcasts until the context ends.
func (s *round) broadcast(ctx context.Context, random *rand.Rand) {
	for ctx.Err() == nil {
		s.broadcasts.Add(1)
		s.n.broadcasts.Add(1)
		if body, ok := s.call("/broadcast", url.Values{"content": {content(broadcastMark, random.IntN(50), false)}}); ok && body != "ok\n" {
			s.faults.add("publish", "broadcast: %.200q", body)
		}
		select {
		case <-ctx.Done():
		case <-time.After(broadcastEvery):
		}
	}
}
