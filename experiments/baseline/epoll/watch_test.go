package epoll

import (
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"c1000k/comet"
	"c1000k/comet/doors"
)

// TestOneControlAConnection proves that a connection whose replies find room is
// added to the set and no more, whatever comes and goes over it, and that each of
// its replies is one write and none waits for an event. The level-triggered loop
// does the same: nothing is in want of room or paused here.
func TestOneControlAConnection(t *testing.T) {
	eachKind(t, func(t *testing.T, o Options) {
		r := start(t, &testCores{}, o)
		const clients, messages = 50, 4
		for range clients {
			c := r.dial()
			for range messages {
				exchange(t, c, "echo", "echo")
			}
			c.Close()
		}
		eventually(t, "all to be closed", func() bool { return r.cores.sum(closes) == clients })
		eventually(t, "the counters to be shown", func() bool { return r.stat("closes") == clients })
		for name, want := range map[string]uint64{
			"accepts": clients, "conn_epoll_ctls": clients, "writes": clients * messages, "write_eagain": 0, "partial_sends": 0,
		} {
			if n := r.stat(name); n != want {
				t.Errorf("%s is %d, want %d", name, n, want)
			}
		}
	})
}

// TestLevelDoesNotSpin proves that what nobody takes ends no wait again: input of
// a paused connection, and room after a send that had to wait for it. Each costs
// its epoll_ctls, which are counted; edge-triggered, only the want of room does.
func TestLevelDoesNotSpin(t *testing.T) {
	for _, level := range []bool{false, true} {
		t.Run(map[bool]string{false: "edge", true: "level"}[level], func(t *testing.T) {
			listeners, closer, err := doors.Listen("127.0.0.1:0", comet.DoorFront, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer closer.Close()
			if err := unix.SetsockoptInt(listeners[0].FD, unix.SOL_SOCKET, unix.SO_SNDBUF, 1); err != nil {
				t.Fatal(err)
			}
			o := Options{EngineOptions: comet.EngineOptions{Loops: 1, MaxConns: 10}, LevelTriggered: level}
			r := startOn(t, &testCores{}, o, listeners)
			c := r.dial()
			if _, err := io.WriteString(c, "b"); err != nil {
				t.Fatal(err)
			}
			if _, err := io.CopyN(io.Discard, c, bigBytes); err != nil {
				t.Fatal(err)
			}
			exchange(t, c, "e", "e")
			controls := r.stat("conn_epoll_ctls")
			if want := map[bool]uint64{false: 2, true: 3}[level]; controls != want {
				t.Errorf("%d epoll_ctls for a send that waited for room, want %d", controls, want)
			}
			if _, err := io.WriteString(c, "p"); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the pause", func() bool { return r.stat("reads") == 3 })
			if _, err := io.WriteString(c, strings.Repeat("x", 100)); err != nil {
				t.Fatal(err)
			}
			if level {
				eventually(t, "input to be asked for no longer", func() bool { return r.stat("conn_epoll_ctls") == controls+1 })
			}
			before := r.stat("waits") + r.stat("polls")
			time.Sleep(50 * time.Millisecond)
			if spun := r.stat("waits") + r.stat("polls") - before; spun > 10 {
				t.Errorf("%d turns in 50 ms with nothing to do", spun)
			}
		})
	}
}

// TestSwitches proves that the choice reaches the options, and that what is none is
// refused with what would be one.
func TestSwitches(t *testing.T) {
	var o Options
	if err := o.Set("trigger=level"); err != nil || !o.LevelTriggered {
		t.Errorf("%v, %+v", err, o)
	}
	if err := o.Set("trigger=edge"); err != nil || o.LevelTriggered {
		t.Errorf("%v, %+v", err, o)
	}
	for choices, says := range map[string]string{"trigger=both": "edge|level", "batch=1": "trigger", "level": "NAME=VALUE"} {
		if err := o.Set(choices); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", choices, err)
		}
	}
	if s := Switches[0]; s.Hypothesis == "" || !strings.Contains(Switches.String(), "trigger=edge|level") {
		t.Errorf("%+v, %s", s, Switches)
	}
}
