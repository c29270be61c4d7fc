package sim

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// tour is a publisher's walk through the pages of the list of channels.
type tour struct {
	prefix string
	next   string // the cursor of the next page
	under  *ask   // the page asked for last
	begun  bool   // a page was taken
	// always are the channels that were there at every page so far, for certain, by
	// the instance that they were; listed counts how often a page named each.
	always, listed map[string]int
}

// listing is what a page may say of a channel.
type listing struct {
	may         bool // it may be there
	seqs        []int
	subscribers span
}

// list writes a request for a page, the next of a tour or the first of another.
func (c *client) list() {
	w := c.w
	t := c.tour
	switch {
	case t == nil || t.begun && t.next == "":
		t = &tour{listed: map[string]int{}}
		if w.chance(300) {
			t.prefix = pick(w.rng, "c", "quo\"", w.set.names[0], "none")
		}
		c.tour = t
	case t.under != nil && !t.under.done:
		return
	}
	a := &ask{kind: "list", style: style{minor: 1}, tour: t, limit: pick(w.rng, 1, 2, 3, 100)}
	path := "/channels?limit=" + strconv.Itoa(a.limit) + "&after=" + t.next + "&prefix=" + quote(t.prefix)
	if w.chance(50) {
		a.limit = pick(w.rng, 0, -1, 513)
		path = "/channels?after=" + t.next + "&limit=" + strconv.Itoa(a.limit)
	}
	if w.chance(100) {
		a.style.cb = "k"
		path += "&cb=k"
	}
	t.under = a
	c.finish(a, "GET", path, "")
}

// badLimit says whether the request asks for a page that there is not.
func (a *ask) badLimit() bool { return a.limit < 1 || a.limit > 512 }

// list is a page that the server makes now.
func (m *model) list(a *ask) {
	if a.badLimit() {
		return
	}
	t := a.tour
	a.listings = map[string]listing{}
	always := map[string]int{}
	for _, name := range m.w.set.names {
		c := m.channels[name]
		m.settle(c)
		var one listing
		all, instance := true, c.states[0].instance
		for _, p := range c.states {
			all = all && p.alive && p.instance == instance
			if p.alive {
				one.may = true
				one.seqs = append(one.seqs, len(p.log)+1)
			}
		}
		one.subscribers.low, one.subscribers.high = m.subscribersOf(c)
		a.listings[name] = one
		was, before := t.always[name]
		if all && strings.HasPrefix(name, t.prefix) && (!t.begun || before && was == instance) {
			always[name] = instance
		}
	}
	t.always, t.begun = always, true
}

var (
	listForm   = regexp.MustCompile(`^\{"channels":\[(.*?)\](?:,"next":"([0-9a-f]{16})")?\}$`)
	listedForm = regexp.MustCompile(`\{"cname":"((?:[^"\\]|\\.)*)","subscribers":(\d+),"seq":(\d+)\}`)
)

// observeList holds a page against what was so when it was made, and the last page
// of a tour against what was so throughout.
func (m *model) observeList(a *ask, reply string) {
	a.done = true
	if a.badLimit() {
		if reply != a.style.admin("400 Bad Request", "", "") {
			m.w.fail("%v: limit %d: reply %q", a, a.limit, reply)
		}
		return
	}
	t := a.tour
	contentType := typeJSON
	_, body, _ := strings.Cut(reply, "\r\n\r\n")
	if a.style.cb != "" {
		contentType = typeScript
		body = strings.TrimSuffix(strings.TrimPrefix(body, a.style.cb+"("), ");\n")
	}
	form := listForm.FindStringSubmatch(strings.TrimSuffix(body, "\n"))
	if form == nil || reply != a.style.admin("200 OK", contentType, a.style.wrapped(form[0])) {
		m.w.fail("%v: the reply is not legal: %q", a, reply)
	}
	found := listedForm.FindAllStringSubmatch(form[1], -1)
	var whole []string
	seen := map[string]bool{}
	for _, f := range found {
		whole = append(whole, f[0])
		i := slices.IndexFunc(m.w.set.names, func(name string) bool { return escape(name) == f[1] })
		if i < 0 || seen[f[1]] {
			m.w.fail("%v: it lists %q, which is no channel, or twice: %q", a, f[1], reply)
		}
		seen[f[1]] = true
		name := m.w.set.names[i]
		one := a.listings[name]
		subscribers, _ := strconv.Atoi(f[2])
		seq, _ := strconv.Atoi(f[3])
		if !one.may || !slices.Contains(one.seqs, seq) || !strings.HasPrefix(name, t.prefix) ||
			subscribers < one.subscribers.low || subscribers > one.subscribers.high {
			m.w.fail("%v: it lists %s, want %v, with prefix %q", a, f[0], one, t.prefix)
		}
		t.listed[name]++
	}
	if strings.Join(whole, ",") != form[1] || len(found) > a.limit {
		m.w.fail("%v: a page of at most %d: %q", a, a.limit, reply)
	}
	t.next = form[2]
	if t.next != "" {
		return
	}
	m.w.tours++
	for name := range t.always {
		if t.listed[name] != 1 {
			m.w.fail("%v: channel %q was there throughout and was listed %d times", a, name, t.listed[name])
		}
	}
}

// String is what a page may say of a channel, in words.
func (l listing) String() string {
	if !l.may {
		return "nothing"
	}
	return fmt.Sprintf("numbers %v and subscribers %v", l.seqs, l.subscribers)
}
