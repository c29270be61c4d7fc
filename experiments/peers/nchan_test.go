package peers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"c1000k/experiments/load"
	"c1000k/experiments/process"
)

// TestFindModule proves that a missing nchan is told with what to install.
func TestFindModule(t *testing.T) {
	dir := t.TempDir()
	for _, said := range []string{"", "nginx version: nginx/1.22.1\n", "configure arguments: --modules-path=" + dir + " --with-x"} {
		if _, err := findModule(said); !errors.Is(err, errNotInstalled) || !strings.Contains(err.Error(), "libnginx-mod-nchan") {
			t.Errorf("%q: %v", said, err)
		}
	}
	file := filepath.Join(dir, moduleName)
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if module, err := findModule("configure arguments: --modules-path=" + dir + " --with-x"); err != nil || module != file {
		t.Errorf("%q, %v", module, err)
	}
}

// TestParseStatus proves that a status page is read, and that one without the
// numbers is an error.
func TestParseStatus(t *testing.T) {
	const page = "total published messages: 1\nchannels: 3\nsubscribers: 12\nnchan version: 1.3.6\n"
	if s, err := parseStatus(page); err != nil || s != (status{Subscribers: 12, Channels: 3, Version: "1.3.6"}) {
		t.Errorf("%+v, %v", s, err)
	}
	for _, page := range []string{"", "<html>", "channels: 3\n", "channels: 3\nsubscribers: many\n", "subscribers:"} {
		if s, err := parseStatus(page); err == nil {
			t.Errorf("%q: %+v", page, s)
		}
	}
}

// startRealNchan starts an nchan for so many connections, or skips the test.
func startRealNchan(t *testing.T, connections int) *server {
	t.Helper()
	module, err := FindNchan()
	if err != nil {
		t.Skip(err)
	}
	doors, _, err := process.FindDoors(20_000)
	if err != nil {
		t.Fatal(err)
	}
	s, err := startNchan(context.Background(), &Options{Connections: connections, module: module}, doors)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestNchanLoad proves that the load holds polls at a real nchan, as nchan counts
// them by all and by channel, that each of many messages comes to each once and in order,
// one at a time and as fast as goes, and that a channel's history is replayed.
func TestNchanLoad(t *testing.T) {
	const connections = 120
	for _, subscribers := range []int{1, 3, 0} {
		t.Run(fmt.Sprintf("subscribers=%d", subscribers), func(t *testing.T) {
			ctx := context.Background()
			s := startRealNchan(t, connections)
			g, err := load.New(load.Options{
				Host: s.doors.Host, Port: s.doors.FirstPort, Ports: process.FrontPorts, Connections: connections, Subscribers: subscribers,
				Reactors: 2, Openers: 2, Protocol: load.ProtocolNchan,
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(g.End)
			hold := func() {
				t.Helper()
				if _, err := g.Open(ctx, connections, 0, nil); err != nil {
					t.Fatal(err)
				}
				if err := s.awaitHeld(ctx, connections); err != nil {
					t.Fatal(err)
				}
			}
			hold()
			channels, each := 1, connections
			if subscribers > 0 {
				channels, each = connections/subscribers, subscribers
			}
			for i, rate := range []float64{0, 2000, 0} {
				r, err := g.Push(ctx, load.PushOptions{Count: channels, Rate: rate, Seed: uint64(i), Admin: s.doors.AdminAddr()}, nil)
				if err != nil || !r.Clean() || r.Delivered != connections || r.Counts.Unrelated != 0 || r.Accepted != int64(channels) {
					t.Fatalf("%v, %+v", err, r)
				}
			}
			if err := s.awaitHeld(ctx, connections); err != nil {
				t.Fatal(err)
			}
			if c, err := askChannel(ctx, s.doors, "c0000000"); err != nil || c != (channel{Messages: 3, Subscribers: each}) {
				t.Errorf("%+v, %v", c, err)
			}
			if _, err := g.CloseAll(ctx, nil); err != nil {
				t.Fatal(err)
			}
			if err := s.awaitHeld(ctx, 0); err != nil {
				t.Fatal(err)
			}
			before := g.Counts()
			hold()
			after := g.Counts()
			if n := after.Messages - before.Messages; n != 3*connections || !after.Clean() {
				t.Errorf("%d of the history came, of %d: %+v", n, 3*connections, after)
			}
		})
	}
}
