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
