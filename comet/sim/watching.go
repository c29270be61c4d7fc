package sim

import (
	"fmt"
	"strings"
)

// watching is what a reader of /psub has been told.
type watching struct {
	began    int // instances of channels of a higher number came later
	snapshot bool
	last     map[string]byte  // by channel: '1' it is there, '0' it was freed
	told     map[string]int64 // when that was
}

// watcher reads /psub, and now and then begins anew.
func (c *client) watcher() {
	w := c.w
	if !c.usable() {
		return
	}
	if len(c.asks) > 0 {
		if w.chance(10) {
			c.leave()
		}
		return
	}
	if w.chance(200) { // its reply and the head go together
		c.finish(&ask{kind: "check", channel: w.set.names[0], style: style{minor: 1}}, "GET", "/check?cname="+quote(w.set.names[0]), "")
	}
	a := &ask{kind: "psub", style: style{minor: 1}}
	path := "/psub"
	if w.chance(500) {
		a.snapshot = true
		path += "?snapshot=1"
	}
	c.finish(a, "GET", path, "")
}

// watchHead is the head of the reply to /psub.
func (s style) watchHead() string {
	head := fmt.Sprintf("HTTP/1.%d 200 OK\r\nServer: <server>\r\n", s.minor)
	if s.minor == 1 {
		head += "Transfer-Encoding: chunked\r\nDate: <date>\r\n"
	}
	head += "Content-Type: text/html; charset=ISO-8859-1\r\n"
	if s.closes && s.minor == 1 && !s.leaves {
		head += "Connection: close\r\n"
	}
	return head + "\r\n"
}

// watch takes what was given to the kernel for a reader of /psub: the head, and
// whole lines.
func (s *socket) watch(a *ask) {
	w := s.loop.w
	text := string(s.out)
	s.out = nil
	if !a.begun {
		head, rest, _ := strings.Cut(text, "\r\n\r\n")
		if got := s.mask(a, head+"\r\n\r\n"); got != a.style.watchHead() {
			w.fail("%v: the reply begins with %q", a, got)
		}
		text, a.begun, a.held = rest, true, true
	}
	for text != "" {
		line, rest, ok := a.style.cutChunk(text)
		text = rest
		there, escaped, named := strings.Cut(line, " ")
		name, known := w.model.unescaped[escaped]
		if !ok || !named || !known || there != "0" && there != "1" {
			w.fail("%v: it is told %q before %q", a, line, text)
		}
		if a.watch.last[name] == '0' && there == "0" {
			w.fail("%v: it is told twice that %q was freed", a, name)
		}
		a.watch.last[name], a.watch.told[name] = there[0], w.now
	}
}

// cutChunk takes a line from the front of a body, out of its chunk if there are
// any.
func (s style) cutChunk(text string) (line, rest string, ok bool) {
	if s.minor == 0 {
		return strings.Cut(text, "\n")
	}
	size := 0
	frame, rest, ok := strings.Cut(text, "\r\n")
	if _, err := fmt.Sscanf(frame, "%x", &size); err != nil || !ok || size == 0 || len(rest) < size+2 || rest[size-1:size+2] != "\n\r\n" {
		return text, "", false
	}
	return rest[:size-1], rest[size+2:], true
}

// watchedAtRest holds what a reader of /psub was told against the channels there
// are, when nothing moves any more: of each the last word must be right, none may
// be missing, and all that are there were told of within the channel timeout.
func (m *model) watchedAtRest(a *ask) {
	for _, name := range m.w.set.names {
		c := m.channels[name]
		m.settle(c)
		last := a.watch.last[name]
		m.filter(c, func(p *possible) bool {
			if last == 0 {
				return !p.alive || !a.watch.snapshot && p.instance < a.watch.began
			}
			return p.alive == (last == '1')
		}, "%v: everything is at rest, and of %q it was told %q", a, name, string(rune(last)))
		// Whoever began at the same time is told again within a tick or two.
		longest := int64(m.w.set.config.ChannelTimeout) + 4*int64(tick)
		if last == '1' && m.w.now-a.watch.told[name] > longest {
			m.w.fail("%v: it was not told again that there is %q", a, name)
		}
	}
}
