package uring

import (
	"strings"
	"testing"
	"time"
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
	if err := o.Set("accept=multishot,recv=poll,buffers=own,level=kernel"); err != nil || o.SingleAccept || o.MultishotRecv || !o.OwnBuffers || o.Level != "" {
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
