package uring

import (
	"slices"
	"strings"
	"testing"
	"time"

	"c1000k/comet/switches"
)

// TestSwitches proves that each choice reaches the options, that later ones win,
// and that what is none is refused with what would be one.
func TestSwitches(t *testing.T) {
	var o Options
	if err := o.Set("accept=single,recv=epoll,fds=plain,recv=multishot,batch=64,minwait=1ms,taskrun=default,sqpoll=on,level=6.1"); err != nil {
		t.Fatal(err)
	}
	if want := (Options{SingleAccept: true, MultishotRecv: true, Batch: 64, MinWait: time.Millisecond, TaskRun: taskDefault, SQPoll: true, PlainFDs: true, Level: Level61}); o != want {
		t.Errorf("%+v, want %+v", o, want)
	}
	if err := o.Set("sqpoll=off,accept=multishot,recv=poll,buffers=own,level=kernel"); err != nil || o.SingleAccept || o.MultishotRecv || !o.OwnBuffers || o.Level != "" {
		t.Errorf("%v, %+v", err, o)
	}
	if err := o.Set("buffers=ring"); err != nil || o.OwnBuffers {
		t.Errorf("%v, %+v", err, o)
	}
	for _, test := range []struct{ choices, says string }{
		{"", "NAME=VALUE"},
		{"accept", "NAME=VALUE"},
		{"colour=red", "accept, recv, buffers, batch, minwait, taskrun, sqpoll, fds, level"},
		{"accept=never", "multishot|single"},
		{"recv=never", "poll|multishot|epoll"},
		{"buffers=mine", "ring|own"},
		{"buffers=own,recv=multishot", "recv=multishot and buffers=own exclude each other"},
		{"batch=0", "from 1"},
		{"batch=64,batch=many", "from 1"},
		{"minwait=5", "1us to 1s"},
		{"taskrun=never", "deferred|cooperative|default"},
		{"sqpoll=1", "off|on"},
		{"taskrun=deferred,sqpoll=on", "leave taskrun out"},
		{"sqpoll=on,taskrun=cooperative", "leave taskrun out"},
		{"sqpoll=on,accept=multishot", "leave accept out"},
		{"accept=multishot,sqpoll=on", "leave accept out"},
		{"fds=0", "direct|plain"},
		{"recv=never", "poll|multishot|epoll"},
		{"recv=epoll", "needs fds=plain"},
		{"recv=epoll,fds=plain,level=6.1", "needs Linux 6.15"},
		{"level=5.15", "kernel|6.1"},
	} {
		var o Options
		if err := o.Set(test.choices); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%q: %v, want %q", test.choices, err, test.says)
		}
	}
	for _, s := range Switches {
		if s.Hypothesis == "" || !strings.Contains(s.Values, "|") {
			t.Errorf("%s: %q, %q", s.Name, s.Values, s.Hypothesis)
		}
	}
}

// TestChosenIsTold proves that what is asked of the kernel, and got, are the choices that
// were made and those that go with them, and none in whose place another stands.
func TestChosenIsTold(t *testing.T) {
	const stream, single, provided, own, thread = "multishot accept", "single accept", "provided-buffer ring", "buffers of its own", "submission by a kernel thread"
	for _, test := range []struct {
		choices   string
		want, not []string
	}{
		{"accept=multishot", []string{stream, provided, "deferred task running"}, []string{single, own, thread}},
		{"accept=single", []string{single, provided}, []string{stream}},
		{"buffers=own", []string{own, stream}, []string{provided}},
		{"sqpoll=on", []string{thread, single, provided}, []string{stream, "deferred task running"}},
		{"sqpoll=on,accept=single,taskrun=default", []string{thread, single}, []string{stream}},
	} {
		var o Options
		if err := o.Set(test.choices); err != nil {
			t.Fatal(err)
		}
		b := newBench(t, o)
		for _, list := range [][]string{b.e.Facts().Asked, b.e.Facts().Got} {
			for _, name := range test.want {
				if !slices.Contains(list, name) {
					t.Errorf("%s: %q lacks %s", test.choices, list, name)
				}
			}
			for _, name := range test.not {
				if slices.Contains(list, name) {
					t.Errorf("%s: %q has %s", test.choices, list, name)
				}
			}
		}
	}
}

// TestOther proves that of choices those are left which are not the default, in
// whichever way that is written, and that what is none stays for others to refuse.
func TestOther(t *testing.T) {
	for choices, want := range map[string]string{
		"":                                     "",
		"accept=multishot":                     "",
		"batch=256,minwait=0.2ms,level=kernel": "",
		"accept=multishot,batch=64":            "batch=64",
		"recv=multishot,sqpoll=off,fds=plain":  "recv=multishot,fds=plain",
		"batch=64,fds=plain,batch=32":          "fds=plain,batch=32",
		"batch=64,batch=256":                   "",
		"accept=never,batch=256":               "accept=never,batch=256",
		"colour=red":                           "colour=red",
		"accept":                               "accept",
	} {
		if got := switches.Other(Switches, choices); got != want {
			t.Errorf("%q: %q, want %q", choices, got, want)
		}
	}
}
