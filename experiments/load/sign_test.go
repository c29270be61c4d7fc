package load

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// fakeToken is what a fake server that asks for tokens gives for a channel.
func fakeToken(name string) string { return fmt.Sprintf("%032x", name) }

// sign is the fake server's answer to /sign.
func (s *fakeServer) sign(q url.Values) (status int, body string) {
	name := q.Get("cname")
	s.channel(name)
	if s.signing != nil {
		return s.signing(name)
	}
	return 200, fmt.Sprintf(`{"type":"sign","cname":"%s","seq":1,"token":"%s","expires":%s,"sub_timeout":3}`+"\n", name, fakeToken(name), q.Get("expires"))
}

// Channels are signed once each, however many subscribe to one, and every poll and
// every next poll shows its own channel's token.
func TestSign(t *testing.T) {
	for _, subscribers := range []int{1, 4, 0} {
		t.Run(fmt.Sprintf("subscribers=%d", subscribers), func(t *testing.T) {
			const n = 200
			s := startFake(t, 1, func(s *fakeServer) { s.tokens, s.history = true, 10 })
			o := s.options(n)
			o.Subscribers, o.Reactors = subscribers, 2
			g := startGenerator(t, o)
			ctx := context.Background()
			r, err := g.Sign(ctx, s.admin, n, nil)
			if err != nil || r.Signed != o.channels() {
				t.Fatalf("%v %+v", err, r)
			}
			s.await("the server has each channel", func() bool { return len(s.channels) == o.channels() })
			if subscribers > 0 {
				o.Connections *= 2
				g := startGenerator(t, o)
				if r, err := g.Sign(ctx, s.admin, n, nil); err != nil || r.Signed != o.channels()/2 {
					t.Fatalf("half of them: %v %+v", err, r)
				}
				if _, err := g.Open(ctx, n+1, 0, nil); !errors.Is(err, errUnsigned) {
					t.Errorf("more than were signed: %v", err)
				}
			}
			open(t, g, s, n)
			for range 2 {
				if b, err := g.Broadcast(ctx, BroadcastOptions{Count: 1, Admin: s.admin}, nil); err != nil || !b.Clean() || b.Rounds[0].Delivered != n {
					t.Fatalf("broadcast: %v %+v", err, b)
				}
				s.await("the server holds all again", func() bool { return waiting(s) == n })
			}
			if _, err := g.Sign(ctx, s.admin, n, nil); !errors.Is(err, errSignFirst) {
				t.Errorf("signing after opening: %v", err)
			}
		})
	}
}

// What is no token is told, with what the server said, and leaves the load as it was.
func TestSignRefused(t *testing.T) {
	for says, reply := range map[string]func(name string) (int, string){
		"answers 429":  func(string) (int, string) { return 429, "full" },
		"has no token": func(name string) (int, string) { return 200, `{"type":"sign","cname":"` + name + `","token":"12"}` },
		"for it": func(string) (int, string) {
			return 200, `{"type":"sign","cname":"other","token":"` + fakeToken("other") + `"}`
		},
		"is not new": func(name string) (int, string) {
			return 200, `{"type":"sign","cname":"` + name + `","seq":7,"token":"` + fakeToken(name) + `"}`
		},
		"invalid character": func(string) (int, string) { return 200, "<html>" },
	} {
		s := startFake(t, 1, func(s *fakeServer) { s.signing = reply })
		g := startGenerator(t, s.options(10))
		if r, err := g.Sign(context.Background(), s.admin, 10, nil); err == nil || !strings.Contains(err.Error(), says) || r.Signed != 0 {
			t.Errorf("%q: %v %+v", says, err, r)
		}
		if g.tokens != nil {
			t.Errorf("%q: tokens are shown that were not given", says)
		}
	}
	s := startFake(t, 1, nil)
	o := s.options(10)
	g := startGenerator(t, o)
	for _, to := range []int{0, 11} {
		if _, err := g.Sign(context.Background(), s.admin, to, nil); err == nil {
			t.Errorf("%d connections are signed for", to)
		}
	}
	if _, err := g.Sign(context.Background(), "192.0.2.1:80", 1, nil); err == nil || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("an admin door elsewhere: %v", err)
	}
	stopped, stop := context.WithCancel(context.Background())
	stop()
	if _, err := g.Sign(stopped, s.admin, 10, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
	o.Protocol = ProtocolNchan
	if _, err := startGenerator(t, o).Sign(context.Background(), s.admin, 1, nil); err == nil || !strings.Contains(err.Error(), ProtocolIcomet) {
		t.Errorf("nchan: %v", err)
	}
}
