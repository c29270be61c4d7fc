package enginetest

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"c1000k/comet"
)

// testSeveralRacing proves that subscriptions of several channels, as polls and
// as streams, lose nothing, repeat nothing and reorder nothing of any of them,
// while publishers push to all: also what comes to one channel while the next of
// the same request is being looked at. The history is longer than the run.
func testSeveralRacing(t *testing.T, f Factory) {
	for _, loops := range []int{1, 2} {
		t.Run(decimal(loops), func(t *testing.T) {
			r := racing{channels: 3, publishers: 2, subscribers: 6, pushes: scaled(150)}
			s := newServer(t, f, setup{
				config:  func(c *comet.Config) { c.ChannelBufferSize = r.publishers * r.pushes },
				options: comet.EngineOptions{Loops: loops},
			})
			workers := r.channels*r.publishers + r.subscribers
			if err := together(workers, func(i int) error {
				if i < r.subscribers {
					return r.subscribeToAll(s, i)
				}
				i -= r.subscribers
				return r.publish(s, "race"+decimal(i%r.channels), i/r.channels)
			}); err != nil {
				t.Fatal(err)
			}
			s.waitSubscribers("", 0)
		})
	}
}

// subscribeToAll is one client of all channels: polls for what comes next of
// each, streams until it has all. They name the channels in orders of their own.
func (r racing) subscribeToAll(s *server, client int) error {
	c, err := s.dial(comet.DoorFront)
	if err != nil {
		return err
	}
	defer c.conn.Close()
	next := make([]int, r.channels)
	missing := r.channels * r.publishers * r.pushes
	for i := range next {
		next[i] = 1
	}
	path := []string{"/sub", "/stream", "/sse"}[client%3]
	for missing > 0 {
		var query strings.Builder
		for i := range next {
			k := (i + client) % r.channels
			fmt.Fprintf(&query, "&cname=race%d&seq=%d", k, next[k])
		}
		if err := c.send(get(path + "?" + query.String()[1:])); err != nil {
			return err
		}
		for piece := c.replyOrLine(path == "/sub"); missing > 0; {
			text, err := piece()
			if err != nil {
				return fmt.Errorf("%v missing: %w", missing, err)
			}
			for _, m := range messageForm.FindAllStringSubmatch(text, -1) {
				k, _ := strconv.Atoi(strings.TrimPrefix(m[1], "race"))
				if m[2] != decimal(next[k]) {
					return fmt.Errorf("%s: got %s of %s, want %d", path, m[2], m[1], next[k])
				}
				next[k]++
				missing--
			}
			if path == "/sub" {
				break
			}
		}
	}
	return nil
}

// replyOrLine reads whole replies, or a stream line by line.
func (c *client) replyOrLine(whole bool) func() (string, error) {
	if whole {
		return c.reply
	}
	return func() (string, error) {
		if err := c.patient(); err != nil {
			return "", err
		}
		return c.in.ReadString('\n')
	}
}

// testSeveralFanOut proves that a message to one channel reaches each of its many
// subscribers, among which are polls and streams that have another channel of
// their own, and leaves those of a poll.
func testSeveralFanOut(t *testing.T, f Factory) {
	n := scaled(400)
	s := newServer(t, f, setup{options: comet.EngineOptions{Loops: 2}})
	clients := make([]*client, n)
	paths := []string{"/sub", "/stream", "/sse", "/sub?cname=own%d&seq=1", "/stream?cname=own%d&seq=1", "/sse?cname=own%d&seq=1"}
	subscriptions := 0
	for i := range clients {
		clients[i] = s.mustDial(comet.DoorFront)
		path := paths[i%len(paths)]
		subscriptions++
		if strings.Contains(path, "%d") {
			path = fmt.Sprintf(path, i) + "&"
			subscriptions++
		} else {
			path += "?"
		}
		clients[i].mustSend(t, get(path+"cname=fan&seq=1"))
	}
	s.waitSubscribers("", subscriptions)
	s.mustCall("/push?cname=fan&content=x")
	object := data("fan", 1, "x")
	want := []string{polled(object + "\n"), streamHead + lines(object), eventsHead + retry + event(1, object),
		polled(object + "\n"), streamHead + lines(object), eventsHead + retry + eventOf("0,1", object)}
	for i, c := range clients {
		var got string
		var err error
		switch i % 3 {
		case 0:
			got, err = c.reply()
		case 1:
			got, err = c.beginning(1)
		case 2:
			got, err = c.beginning(2)
		}
		if err != nil || got != want[i%len(want)] {
			t.Fatalf("client %d: %v\n%q, want\n%q", i, err, got, want[i%len(want)])
		}
	}
	s.waitSubscribers("fan", n-(n+5)/6-(n+2)/6)
	s.waitSubscribers("own3", 0) // a poll's
	s.waitSubscribers("own4", 1) // a stream's
	s.mustCall("/push?cname=own5&content=y")
	if err := clients[5].bytes(eventOf("1,1", data("own5", 1, "y"))); err != nil {
		t.Error(err)
	}
}
