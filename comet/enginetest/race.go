package enginetest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"c1000k/comet"
)

// testRacingPolls proves that polls racing with pushes lose nothing, repeat
// nothing and reorder nothing: several publishers push to several channels
// while each subscriber asks for the next number as soon as it has one, and so
// meets every case of S < X and S = X. The history is longer than the run, so
// that every number must arrive.
func testRacingPolls(t *testing.T, f Factory) {
	for _, loops := range []int{1, 2, 4} {
		subtest(t, decimal(loops), func(t *testing.T) {
			r := racing{channels: 4, publishers: 4, subscribers: 6, pushes: scaled(100)}
			s := newServer(t, f, setup{
				config: func(c *comet.Config) { c.ChannelBufferSize = r.publishers * r.pushes },
				options: comet.EngineOptions{
					Loops: loops,
				},
			})
			workers := r.channels * (r.publishers + r.subscribers)
			if err := together(workers, func(i int) error { return r.work(s, i) }); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// racing is the size of one such run; publishers, subscribers and pushes are
// for each channel, for each channel, and for each publisher.
type racing struct{ channels, publishers, subscribers, pushes int }

func (r racing) work(s *server, i int) error {
	channel := "race" + decimal(i%r.channels)
	i /= r.channels
	if i < r.publishers {
		return r.publish(s, channel, i)
	}
	return r.subscribe(s, channel)
}

// publish pushes contents that say who pushed and how often before.
func (r racing) publish(s *server, channel string, publisher int) error {
	c, err := s.dial(comet.DoorAdmin)
	if err != nil {
		return err
	}
	defer c.conn.Close()
	for n := range r.pushes {
		path := fmt.Sprintf("/push?cname=%s&content=%d.%d", channel, publisher, n)
		if err := c.ask(get(path), pushed); err != nil {
			return err
		}
	}
	return nil
}

// subscribe polls for one number after the other and checks every message:
// numbers without a gap, and each publisher's contents in its own order.
func (r racing) subscribe(s *server, channel string) error {
	c, err := s.dial(comet.DoorFront)
	if err != nil {
		return err
	}
	defer c.conn.Close()
	counts := make([]int, r.publishers)
	for next := 1; next <= r.publishers*r.pushes; {
		reply, err := c.do(sub(channel, next))
		if err != nil {
			return fmt.Errorf("at %d: %w", next, err)
		}
		got := messageForm.FindAllStringSubmatch(reply, -1)
		if len(got) == 0 {
			return fmt.Errorf("at %d: %q", next, reply)
		}
		var objects []string
		for _, m := range got {
			if m[1] != channel || m[2] != decimal(next) {
				return fmt.Errorf("got %s of %s, want %d of %s", m[2], m[1], next, channel)
			}
			publisher, err := strconv.Atoi(m[3])
			if err != nil || publisher >= r.publishers || m[4] != decimal(counts[publisher]) {
				return fmt.Errorf("number %d: content %s.%s out of order", next, m[3], m[4])
			}
			counts[publisher]++
			objects = append(objects, data(channel, next, m[3]+"."+m[4]))
			next++
		}
		// Whole replies, not only the messages in them.
		if one := polled(objects[0] + "\n"); len(objects) == 1 && reply == one {
			continue
		}
		if reply != polled(array(objects...)) {
			return fmt.Errorf("reply %q, want the array of %s", reply, strings.Join(objects, ","))
		}
	}
	return nil
}

var messageForm = regexp.MustCompile(`\{"type":"data","cname":"(\w+)","seq":(\d+),"content":"(\d+)\.(\d+)"\}`)
