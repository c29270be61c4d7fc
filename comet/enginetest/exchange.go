package enginetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"c1000k/comet"
)

// exchange is one case of a table: a request and the whole reply to it.
type exchange struct {
	name string
	// row is the recording that the case repeats, by its title in rows.go;
	// empty where protocol.md alone asks for it.
	row  string
	door comet.Door
	// before are admin requests made and answered before.
	before []string
	send   string
	// held is the channel that must have one subscriber after the request
	// and before then; empty asks for nothing. heldAtAll is for the channel
	// without a name: the server must have one subscriber.
	held      string
	heldAtAll bool
	// then are the admin requests that bring the reply about.
	then []string
	// want is the whole reply, masked. Where only the status is promised,
	// status is the start of the reply instead.
	want, status string
	// closes says that the connection ends after the reply; otherwise one more
	// request must be answered on it.
	closes bool
	// chunks is for a stream, whose reply has no end: want are its head and so
	// many chunks, after which nothing comes.
	chunks int
	// early says that the reply's head comes at once.
	early bool
	// method is that of the request, if a reply to it has no body.
	method string
}

// runExchanges runs a table on one server, in order.
func runExchanges(t *testing.T, s *server, table []exchange) {
	for _, x := range table {
		subtest(t, x.name, func(t *testing.T) { x.run(t, s) })
	}
}

// early is the table where every head comes at once.
func early(table []exchange) []exchange {
	table = slices.Clone(table)
	for i := range table {
		table[i].early = true
	}
	return table
}

func (x exchange) run(t *testing.T, s *server) {
	for _, path := range x.before {
		if _, err := s.call(path); err != nil {
			t.Fatal(err)
		}
	}
	c, err := s.dial(x.door)
	if err != nil {
		t.Fatal(err)
	}
	defer c.conn.Close()
	c.mustSend(t, x.send)
	if x.held != "" || x.heldAtAll {
		s.waitSubscribers(x.held, 1)
		if err := c.silent(5 * time.Millisecond); err != nil && !x.early {
			t.Fatalf("before the push: %v", err)
		}
	}
	for _, path := range x.then {
		if _, err := s.call(path); err != nil {
			t.Fatal(err)
		}
	}
	var got string
	if x.chunks > 0 {
		got, err = c.beginning(x.chunks)
	} else {
		got, err = c.replyTo(x.method)
	}
	switch {
	case err != nil:
		t.Fatalf("%v; so far %q", err, got)
	case x.want != "" && got != x.want:
		t.Fatalf("%q\ngives\n%q, want\n%q", x.send, got, x.want)
	case !strings.HasPrefix(got, x.status):
		t.Fatalf("%q\ngives\n%q, want\n%q...", x.send, got, x.status)
	}
	switch {
	case x.chunks > 0:
		if err := c.silent(5 * time.Millisecond); err != nil {
			t.Fatalf("after the stream's chunks: %v", err)
		}
	case x.closes:
		c.mustEnd(t)
	default:
		c.mustKeep(t)
	}
}
