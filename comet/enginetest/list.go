package enginetest

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"c1000k/comet"
)

// listed is a channel as /channels lists it.
func listed(name string, subscribers, seq int) string {
	return `{"cname":"` + name + `","subscribers":` + decimal(subscribers) + `,"seq":` + decimal(seq) + "}"
}

// page is the body of a list without a next page.
func page(channels ...string) string { return `{"channels":[` + strings.Join(channels, ",") + "]}\n" }

// pageBefore is one that is not the last.
func pageBefore(channels ...string) string {
	return strings.TrimSuffix(page(channels...), "}\n") + `,"next":"` + maskedCursor + "\"}\n"
}

// listings are asked for on a server with the channels l1, which one holds, q"<y, to
// which three messages went, and l2; nobody but the tables' own asks makes others.
var listings = []exchange{
	{
		name: "list", door: comet.DoorAdmin,
		send: get("/channels"), want: adminReply(typeJSON, page(listed("l1", 1, 1), listed(`q\"<y`, 0, 4), listed("l2", 0, 2))),
	}, {
		name: "list with a limit", door: comet.DoorAdmin,
		send: get("/channels?limit=2"), want: adminReply(typeJSON, pageBefore(listed("l1", 1, 1), listed(`q\"<y`, 0, 4))),
	}, {
		name: "a page that ends with the last", door: comet.DoorAdmin,
		send: get("/channels?limit=3"), want: adminReply(typeJSON, page(listed("l1", 1, 1), listed(`q\"<y`, 0, 4), listed("l2", 0, 2))),
	}, {
		name: "list by prefix", door: comet.DoorAdmin,
		send: get("/channels?prefix=l&after="), want: adminReply(typeJSON, page(listed("l1", 1, 1), listed("l2", 0, 2))),
	}, {
		name: "list by a prefix of none", door: comet.DoorAdmin,
		send: get("/channels?prefix=l1x"), want: adminReply(typeJSON, page()),
	}, {
		name: "list with callback", door: comet.DoorAdmin,
		send: get("/channels?prefix=l2&cb=k"), want: adminReply(typeScript, wrapped("k", page(listed("l2", 0, 2)))),
	}, {
		name: "list by form", door: comet.DoorAdmin,
		send: post("/channels?limit=1", "limit=3&prefix=l2"), want: adminReply(typeJSON, page(listed("l2", 0, 2))),
	}, {
		name: "list by HEAD", door: comet.DoorAdmin, method: "HEAD",
		send: "HEAD /channels HTTP/1.1\r\nHost: h\r\n\r\n",
		want: "HTTP/1.1 200 OK\r\nServer: <server>\r\nContent-Type: " + typeJSON + "\r\nDate: <date>\r\n\r\n",
	}, {
		name: "list by HTTP/1.0", door: comet.DoorAdmin,
		send:   "GET /channels?prefix=l2 HTTP/1.0\r\n\r\n",
		want:   "HTTP/1.0 200 OK\r\nServer: <server>\r\nContent-Type: " + typeJSON + "\r\n\r\n" + page(listed("l2", 0, 2)),
		closes: true,
	}, {
		name: "list by DELETE", door: comet.DoorAdmin,
		send: "DELETE /channels HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", want: adminBare("405 Invalid Method", ""),
	}, {
		name: "a limit of none", door: comet.DoorAdmin,
		send: get("/channels?limit=0"), want: adminBare("400 Bad Request", ""),
	}, {
		name: "a limit that is no number", door: comet.DoorAdmin,
		send: get("/channels?limit=x"), want: adminBare("400 Bad Request", ""),
	}, {
		name: "a limit that is too high", door: comet.DoorAdmin,
		send: get("/channels?limit=513"), want: adminBare("400 Bad Request", ""),
	}, {
		name: "the highest limit", door: comet.DoorAdmin,
		send: get("/channels?limit=512&prefix=l2"), want: adminReply(typeJSON, page(listed("l2", 0, 2))),
	}, {
		name: "a cursor that nobody gave", door: comet.DoorAdmin,
		send: get("/channels?after=0000000100000000"), want: adminBare("400 Bad Request", ""),
	}, {
		name: "a cursor that is too long", door: comet.DoorAdmin,
		send: get("/channels?after=00000001000000000"), want: adminBare("400 Bad Request", ""),
	}, {
		name: "a cursor that is none", door: comet.DoorAdmin,
		send: get("/channels?after=xxxxxxxxxxxxxxxx"), want: adminBare("400 Bad Request", ""),
	}, {
		name: "a prefix that is too long", door: comet.DoorAdmin,
		send: get("/channels?prefix=" + longName + "n"), want: adminBare("400 Bad Request", ""),
	}, {
		name: "a list on the front door",
		send: get("/channels"), status: "HTTP/1.1 404 ", closes: true,
	},
}

// testList proves what a publisher is told of the channels there are, and that what
// cannot be asked for is refused.
func testList(t *testing.T, f Factory) {
	s := newServer(t, f, setup{})
	s.hold(1, func(int) string { return "l1" })
	for range 3 {
		s.mustCall("/push?cname=q%22%3Cy&content=x")
	}
	s.mustCall("/push?cname=l2&content=x")
	runExchanges(t, s, listings)
	other := newServer(t, f, setup{config: func(c *comet.Config) { c.Seed = 2 }})
	other.mustCall("/push?cname=a&content=x")
	other.mustCall("/push?cname=b&content=x")
	c := other.mustDial(comet.DoorAdmin)
	p, err := c.list("limit=1")
	if err != nil || p.Next == "" {
		t.Fatalf("the first page: %+v, %v", p, err)
	}
	if again, err := c.list("after=" + p.Next); err != nil || len(again.Channels) != 1 || again.Next != "" {
		t.Errorf("the second page: %+v, %v", again, err)
	}
	s.mustDial(comet.DoorAdmin).mustAsk(t, get("/channels?after="+p.Next), adminBare("400 Bad Request", ""))
}

// listPage is a page of a list, read.
type listPage struct {
	Channels []struct {
		Cname       string
		Subscribers int
		Seq         int
	}
	Next string
}

// list asks for a page.
func (c *client) list(query string) (p listPage, err error) {
	c.raw = true
	reply, err := c.do(get("/channels?" + query))
	if err != nil {
		return p, err
	}
	_, body, _ := strings.Cut(reply, "\r\n\r\n")
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		return p, fmt.Errorf("%q: %w", reply, err)
	}
	return p, nil
}

// testListOfMany proves that a list in pages names each channel that stays once, with
// what is true of it, while others come and go on other connections.
func testListOfMany(t *testing.T, f Factory) {
	n, rounds := scaled(1_000), 3
	s := newServer(t, f, setup{config: func(c *comet.Config) { c.Channels = n + 100 }})
	for i := range n {
		s.mustCall(fmt.Sprintf("/push?cname=stay%d&content=x", i))
	}
	var churn sync.WaitGroup
	stop := make(chan struct{})
	churn.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			for _, path := range []string{"/push?content=x&cname=go%d", "/close?cname=go%d"} {
				if _, err := s.call(fmt.Sprintf(path, i%100)); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	c := s.mustDial(comet.DoorAdmin)
	for range rounds {
		seen := map[string]int{}
		for next, first := "", true; first || next != ""; first = false {
			p, err := c.list("limit=37&after=" + next)
			if err != nil || len(p.Channels) > 37 {
				t.Fatalf("%d channels, %v", len(p.Channels), err)
			}
			for _, ch := range p.Channels {
				seen[ch.Cname]++
				if strings.HasPrefix(ch.Cname, "stay") && (ch.Subscribers != 0 || ch.Seq != 2) {
					t.Errorf("listed: %+v", ch)
				}
			}
			next = p.Next
		}
		for i := range n {
			if got := seen[fmt.Sprint("stay", i)]; got != 1 {
				t.Errorf("channel %d is listed %d times", i, got)
			}
		}
	}
	close(stop)
	churn.Wait()
}
