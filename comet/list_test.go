package comet

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"c1000k/comet/hub"
)

// listing is a page of /channels.
type listing struct {
	Channels []struct {
		Cname       string
		Subscribers int
		Seq         int
	}
	Next string
}

// page asks for a page by connection c, which is open.
func (e *rig) page(c Conn, query string) (p listing) {
	e.t.Helper()
	e.out[c] = ""
	e.get(c, "/channels?"+query)
	e.settle()
	_, body, _ := strings.Cut(e.out[c], "\r\n\r\n")
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		e.t.Fatalf("%q: %v", e.out[c], err)
	}
	return p
}

// TestListInSlices proves that a page is made in one slice however empty the table
// is, and however much of it a prefix leaves out: it may be empty and have a next.
func TestListInSlices(t *testing.T) {
	const channels = 20_000
	e := newRigs(t, 1, 4, func(c *Config) { c.Channels = channels })[0]
	for i := range channels {
		e.push(fmt.Sprintf("c%06d", i), "x")
	}
	e.l.Open(e.now, 0, DoorAdmin, Peer{})
	walk := func(query string) (pages, empty int, names []string) {
		t.Helper()
		for next := ""; pages == 0 || next != ""; pages++ {
			p := e.page(0, query+"&after="+next)
			if next = p.Next; len(p.Channels) == 0 {
				empty++
			}
			for _, c := range p.Channels {
				names = append(names, c.Cname)
			}
			if len(p.Channels) > maxListed || pages > channels {
				t.Fatalf("page %d has %d channels", pages, len(p.Channels))
			}
		}
		return pages, empty, names
	}
	slices := (channels + maxListed - 1) / maxListed
	if pages, _, names := walk("limit=512"); pages != slices || len(names) != channels {
		t.Errorf("the whole table: %d pages, %d names", pages, len(names))
	}
	if pages, empty, names := walk("prefix=c0100"); pages < slices || empty < slices-3 || len(names) != 100 {
		t.Errorf("by prefix: %d pages, %d of them empty, %d names", pages, empty, len(names))
	}
	e.l.Open(e.now, 1, DoorAdmin, Peer{})
	for i := range channels {
		if i%10_000 != 9_999 {
			e.get(1, fmt.Sprintf("/close?cname=c%06d", i))
			e.drain()
			e.out[1] = ""
		}
	}
	e.settle()
	pages, empty, names := walk("limit=512")
	if most := channels/tourBudget + 2; pages > most || empty < 1 || fmt.Sprint(names) != "[c009999 c019999]" {
		t.Errorf("of two channels: %d pages, at most %d are due, %d of them empty, %v", pages, most, empty, names)
	}
}

// TestListBytes proves that a page of the longest names ends where its memory does,
// and leaves nothing out.
func TestListBytes(t *testing.T) {
	const channels = 600
	e := newRigs(t, 1, 4, nil)[0]
	for i := range channels {
		e.push(strings.Repeat("\x01", hub.MaxNameBytes-8)+fmt.Sprintf("%08d", i), "x")
	}
	e.l.Open(e.now, 0, DoorAdmin, Peer{})
	const longest = listBytes + 7*hub.MaxNameBytes
	seen := map[string]bool{}
	for next, pages := "", 0; pages == 0 || next != ""; pages++ {
		p := e.page(0, "limit=512&after="+next)
		if n := len(e.out[0]); n > longest || len(p.Channels) == 0 {
			t.Fatalf("a page of %d bytes, %d channels", n, len(p.Channels))
		}
		for _, c := range p.Channels {
			seen[c.Cname] = true
		}
		next = p.Next
	}
	if len(seen) != channels {
		t.Errorf("%d channels were listed, of %d", len(seen), channels)
	}
}

// TestListEndsTheBatch proves that of pipelined requests one that lists is the last
// that is answered at once: the others wait for its reply to go.
func TestListEndsTheBatch(t *testing.T) {
	e := newRigs(t, 1, 4, nil)[0]
	e.slow = true
	e.l.Open(e.now, 0, DoorAdmin, Peer{})
	const list = "GET /channels HTTP/1.1\r\nHost: h\r\n\r\n"
	e.l.Data(e.now, 0, []byte("GET /check HTTP/1.1\r\nHost: h\r\n\r\n"+strings.Repeat(list, 3)))
	for replies := 1; replies <= 3; replies++ {
		e.turn()
		if got := strings.Count(e.out[0], `{"channels":[]}`); got != replies || strings.Count(e.out[0], "{}\n") != 1 {
			t.Fatalf("%d lists, want %d: %q", got, replies, e.out[0])
		}
		e.finish(0)
	}
	e.settle()
	if e.l.at(1).busy() || e.closed[0] {
		t.Error("the connection is not as before")
	}
}
