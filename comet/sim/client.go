package sim

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// client is somebody at the other end of a socket.
type client struct {
	w        *world
	act      func(*client) // what it does when its turn comes
	admin    bool
	stranger bool           // sends what is no request
	raw      func(p []byte) // takes what it gets, which nobody judges; or nil
	sock     *socket
	outbox   []byte            // written, but the window is closed
	asks     []*ask            // written and not answered
	next     map[string]int    // a subscriber's next number by channel
	epochs   map[string]string // a subscriber's epochs by channel
	channel  string            // the one it likes
	more     []string          // the others that it names with it; nil is any, now and then
	mode     string            // a subscriber's: how it likes to be served; empty is anyhow
	leaving  bool              // leaves when its outbox is empty
	steady   bool              // never leaves nor asks to close
	tour     *tour             // a publisher's
}

// connect opens a connection; it waits in the backlog.
func (c *client) connect() {
	c.sock = &socket{id: c.w.id(), client: c, admin: c.admin, peer: c.comesFrom()}
	c.outbox, c.asks, c.leaving = nil, nil, false
	c.w.backlog = append(c.w.backlog, c.sock)
}

// usable says whether the client has a connection to write to; where it has
// none it may make one.
func (c *client) usable() bool {
	if c.sock != nil && (c.sock.state == sockClosing || c.sock.state == sockDead) {
		c.sock = nil
	}
	if c.sock == nil {
		if !c.w.ending && c.w.chance(700) {
			c.connect()
		}
		return false
	}
	return !c.sock.eof && !c.sock.reset && !c.sock.quiet && !c.leaving
}

// push moves what the client has written into the server's receive buffer, as
// far as the window allows; false if nothing moved.
func (c *client) push() bool {
	s := c.sock
	if s == nil || s.state == sockClosing || s.state == sockDead || s.eof || s.reset {
		return false
	}
	window := windowBytes
	if c.w.set.big > 0 && s.admin {
		window = 20 * windowBytes
	}
	n := min(len(c.outbox), window-len(s.unread))
	if n > 0 && !c.w.ending {
		n = 1 + c.w.rng.IntN(n)
	}
	if n <= 0 {
		if c.leaving && len(c.outbox) == 0 {
			s.eof = true
			return true
		}
		return false
	}
	s.unread = append(s.unread, c.outbox[:n]...)
	c.outbox = c.outbox[n:]
	return true
}

// write is a request of the client.
func (c *client) write(a *ask, request string) {
	a.id, a.sock = c.w.id(), c.sock
	for _, part := range a.parts {
		part.id, part.sock, part.style = a.id, a.sock, a.style
	}
	c.outbox = append(c.outbox, request...)
	c.sock.written += len(request)
	a.end = c.sock.written
	c.sock.queue = append(c.sock.queue, a)
	c.asks = append(c.asks, a)
}

// leave ends the connection in one of the ways there are.
func (c *client) leave() {
	switch c.w.rng.IntN(3) {
	case 0:
		c.sock.reset = true
	case 1:
		c.leaving = true // a half-close after all was written
	case 2:
		c.sock.eof = true // in the middle of what it writes
	}
}

// answered is called with each reply.
func (c *client) answered(a *ask, reply string) {
	c.asks = c.asks[1:]
	switch a.kind {
	case "sub":
		c.learn(a, reply)
	case "sign":
		if _, token := maskAs(tokenForm, tokenMask, reply); token != "" {
			c.w.tokens[a.channel] = token
		}
	}
}

// learn takes from a reply, or a piece of a stream, what to ask for next.
func (c *client) learn(a *ask, reply string) {
	if len(a.parts) > 0 {
		for _, found := range objectForm.FindAllString(reply, -1) {
			if part := a.partOf(seqForm.FindStringSubmatch(found)[2]); part != nil {
				c.learn(part, found)
			}
		}
		return
	}
	// The last object tells; a quote within a content is escaped.
	last := reply[max(strings.LastIndex(reply, `{"type":"`), 0):]
	if m := seqForm.FindStringSubmatch(last); m != nil {
		seq, _ := strconv.Atoi(m[3])
		switch m[1] {
		case "data", "broadcast":
			c.next[a.channel] = seq + 1
		case "next_seq":
			c.next[a.channel] = seq
		case "close":
			c.next[a.channel] = 1
		}
	}
	if !a.gap {
		return
	}
	if _, epoch := maskAs(epochForm, epochMask, reply); epoch != "" {
		c.epochs[a.channel] = epoch
	}
}

var seqForm = regexp.MustCompile(`^\{"type":"(\w+)","cname":"((?:[^"\\]|\\.)*)","seq":(-?\d+),`)

// subscriber polls, mostly for what it has not had.
func (c *client) subscriber() {
	w := c.w
	if !c.usable() {
		return
	}
	switch r := w.rng.IntN(1000); {
	case r < 15 && !c.steady:
		c.leave()
		return
	case r < 30 && len(c.asks) == 1:
		for range 5 + w.rng.IntN(40) { // a flood while the poll is held
			c.poll(pick(w.rng, w.set.names...), 0)
		}
		return
	case len(c.asks) > 0 && r >= 80:
		return
	}
	if c.channel == "" || w.chance(50) {
		c.channel = pick(w.rng, w.set.names...)
	}
	seq := max(c.next[c.channel], 1)
	if w.chance(150) {
		seq = pick(w.rng, 0, -3, 1, seq-1, seq-2, seq+1, seq+100)
	}
	c.poll(c.channel, seq)
}

// poll writes one poll, or begins a stream: of one channel, or of the client's
// others too.
func (c *client) poll(channel string, seq int) {
	w := c.w
	a := &ask{kind: "sub", channel: channel, seq: seq, style: style{minor: 1, mode: c.mode}}
	if c.mode == "" && w.chance(w.set.streams) {
		a.style.mode = pick(w.rng, "stream", "iframe", "sse")
	}
	path := "/" + a.style.mode
	if path == "/" || path == "/poll" {
		a.style.mode, path = "", pick(w.rng, "/sub", "/poll")
	}
	if w.chance(150) {
		a.gap = true
	}
	if w.chance(100) {
		a.noop = w.rng.IntN(1000) - 100
	}
	query := c.name(a, channel, seq)
	if more := c.others(channel); len(more) > 0 {
		query += c.nameOthers(a, more)
	}
	path += "?" + query[1:]
	if w.chance(100) {
		cb := pick(w.rng, "f", "a.b", "$cb_1")
		path += "&cb=" + cb
		if !a.style.streams() {
			a.style.cb = cb
		}
	}
	if a.noop != 0 {
		path += "&noop=" + strconv.Itoa(a.noop)
	}
	if a.gap {
		path += "&gap=1"
	}
	c.finish(a, "GET", path, "")
}

// name is the part of a query that names the channel of an ask.
func (c *client) name(a *ask, channel string, seq int) string {
	w := c.w
	query := "&cname=" + quote(channel)
	if a.style.mode == "sse" && a.whole == nil && seq > 0 && w.chance(300) {
		a.lastID = strconv.Itoa(seq - 1) // which wins
		seq = w.rng.IntN(5)
	}
	query += "&seq=" + strconv.Itoa(seq)
	if w.chance(150) {
		if a.epoch = c.epochs[channel]; a.epoch == "" {
			a.epoch = "0123456789abcdef"
		}
	}
	query += "&epoch=" + a.epoch
	if w.set.config.TokenAuth || w.chance(20) {
		if a.token = w.tokens[channel]; w.chance(50) {
			a.token = pick(w.rng, "", "x", strings.Repeat("0", 32))
		}
	}
	return query + "&token=" + a.token
}

// others are the channels that the client names beside the one.
func (c *client) others(channel string) (more []string) {
	w := c.w
	if c.more == nil && !w.chance(w.set.several) {
		return nil
	}
	more = c.more
	if more == nil {
		for range 1 + w.rng.IntN(4) {
			more = append(more, pick(w.rng, w.set.names...))
		}
	}
	return more
}

// nameOthers makes the ask one of several channels and returns what a query
// names them by. One that is named again does not count.
func (c *client) nameOthers(a *ask, more []string) (query string) {
	w := c.w
	part := func(channel string, seq int) *ask {
		p := &ask{kind: "sub", channel: channel, seq: seq, gap: a.gap, noop: a.noop, style: a.style, whole: a}
		a.parts = append(a.parts, p)
		return p
	}
	first := part(a.channel, a.seq)
	first.epoch, first.token = a.epoch, a.token
	for _, channel := range more {
		seq := max(c.next[channel], 1)
		if w.chance(100) {
			seq = pick(w.rng, 0, -3, 1, seq-1, seq+1)
		}
		if a.partOf(escape(channel)) != nil {
			query += c.name(&ask{whole: a}, channel, seq)
			continue
		}
		query += c.name(part(channel, seq), channel, seq)
	}
	if len(a.parts) == 1 {
		a.parts = nil
		return query
	}
	if a.lastID != "" {
		a.lastID = strings.Repeat(",", len(a.parts)-1) // it knows the first alone
		a.lastID = strconv.Itoa(a.seq-1) + a.lastID
	}
	for _, p := range a.parts {
		had := noID
		if p.seq > 0 {
			had = p.seq - 1
		}
		a.had, a.heard = append(a.had, had), append(a.heard, false)
	}
	return query
}

// finish writes a request's head and body in one of the ways there are.
func (c *client) finish(a *ask, method, path, body string) {
	w := c.w
	if a.kind == "sub" {
		a.style.origin = w.set.config.CORSOrigin
	}
	if !w.ending && !c.steady {
		a.style.closes = w.chance(20)
		if w.chance(20) {
			a.style.minor, a.style.closes = 0, true
		}
	}
	request := fmt.Sprintf("%s %s HTTP/1.%d\r\n", method, path, a.style.minor)
	if a.style.minor == 1 {
		request += "Host: h\r\n"
	}
	if w.chance(200) {
		request += "User-Agent: " + strings.Repeat("u", w.rng.IntN(600)) + "\r\n"
	}
	if a.forwarded = c.forwardedFor(); a.forwarded != "" {
		request += "X-Forwarded-For: " + a.forwarded + "\r\n"
	}
	if a.lastID != "" {
		request += "Last-Event-ID: " + a.lastID + "\r\n"
	}
	if a.style.closes {
		request += "Connection: close\r\n"
	}
	if method == "POST" {
		request += fmt.Sprintf("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n", len(body))
	}
	c.write(a, request+"\r\n"+body)
}

// publisher pushes, and asks how things are.
func (c *client) publisher() {
	w := c.w
	const mostPipelined = 20
	if !c.usable() || len(c.asks) > mostPipelined || len(c.asks) > 0 && !w.chance(100) {
		return
	}
	channel := pick(w.rng, w.set.names...)
	switch r := w.rng.IntN(1000); {
	case r < 10 && !c.steady:
		c.leave()
	case r < 80:
		c.finish(&ask{kind: "info", channel: channel, style: style{minor: 1}}, "GET", "/info?cname="+quote(channel), "")
	case r < 160:
		c.finish(&ask{kind: "check", channel: channel, style: style{minor: 1}}, "GET", "/check?cname="+quote(channel), "")
	case r < 160+w.set.signs:
		a := &ask{kind: "sign", channel: channel, style: style{minor: 1}, expires: pick(w.rng, 0, 0, -1, 1, 3)}
		path := "/sign?cname=" + quote(channel)
		if a.expires != 0 {
			path += "&expires=" + strconv.Itoa(a.expires)
		}
		if w.chance(100) {
			a.style.cb = "k"
			path += "&cb=k"
		}
		c.finish(a, "GET", path, "")
	case r < 300 && w.chance(w.set.ends):
		c.end(pick(w.rng, "close", "clear"), channel)
	case r < 340 && !w.castBusy && !w.set.storm:
		w.castBusy = true
		c.publish("", true)
	case r < 400:
		c.list()
	default:
		c.publish(channel, false)
	}
}

// end writes a close or a clear. Each closed channel keeps its room for a
// while, which the model does not follow: so there are not too many.
func (c *client) end(kind, channel string) {
	const mostCloses = 150
	w := c.w
	if w.set.storm && kind == "clear" || w.closes >= mostCloses {
		return
	}
	if kind == "close" {
		w.closes++
	}
	c.finish(&ask{kind: kind, channel: channel, style: style{minor: 1}}, "GET", "/"+kind+"?cname="+quote(channel), "")
}

// publish writes a push, a pub or a broadcast of content that no other has.
func (c *client) publish(channel string, broadcast bool) {
	w := c.w
	id := len(w.model.messages)
	content := fmt.Sprintf("m%d", id)
	if w.chance(300) {
		content += pick(w.rng, "\"", "\\", "\n\t", "\x01", "é", "\xff", "<>&%+", strings.Repeat("x", w.rng.IntN(700)))
	}
	big := !broadcast && w.chance(w.set.big)
	if big {
		content += strings.Repeat("y", 250_000+w.rng.IntN(500_000))
	}
	m := &message{content: content, escaped: escape(content), broadcast: broadcast}
	w.model.messages = append(w.model.messages, m)
	a := &ask{kind: "push", channel: channel, message: id, style: style{minor: 1}}
	path, body := "/push", ""
	switch {
	case broadcast:
		a.kind, path = "broadcast", "/broadcast"
	case w.chance(200):
		path, content = "/pub", m.escaped
	}
	fields := "content=" + quote(content)
	if !broadcast {
		a.targets = []string{channel}
		for !w.set.tight && !c.steady && len(a.targets) < 5 && w.chance(150) {
			a.targets = append(a.targets, pick(w.rng, w.set.names...))
		}
		for _, name := range a.targets {
			fields += "&cname=" + quote(name)
		}
		if w.chance(150) {
			a.ack = true
			fields += "&ack=1"
		}
		if w.chance(100) {
			a.style.cb = "k"
			fields += "&cb=k"
		}
	}
	if big || w.chance(300) {
		body = fields
		c.finish(a, "POST", path, body)
		return
	}
	c.finish(a, "GET", path+"?"+fields, "")
}

// strange sends what is no request, or a part of one, and may leave.
func (c *client) strange() {
	w := c.w
	if !c.usable() {
		return
	}
	if w.chance(100) {
		c.leave()
		return
	}
	const mostBytes = 20_000
	if len(c.outbox) > mostBytes {
		return
	}
	c.outbox = append(c.outbox, pick(w.rng,
		"\x16\x03\x01", "GET", "GET /nope HTTP/1.1\r\nHost: h\r\n\r\n", "POST / HTTP/9.9\r\n\r\n", "\r\n",
		"GET /sub?cname="+strings.Repeat("n", w.rng.IntN(3000)), "\n\n\n", "PUT /sub HTTP/1.1\r\nHost: h\r\n : \r\n")...)
}
