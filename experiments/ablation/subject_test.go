package ablation

import (
	"context"
	"slices"
	"strings"
	"testing"

	"c1000k/experiments/turns"
	"c1000k/uring"
)

// TestSubjects proves that a list of subjects is read though commas part both
// subjects and choices, that each is written as it is read, and what the server is
// told of it.
func TestSubjects(t *testing.T) {
	list := "uring,uring:recv=multishot,uring:accept=single,recv=multishot,epoll,epoll:trigger=level,loops=6,uring+1us,uring:loops=53,uring+0s,uring:batch=1,config=a/b.toml,uring:config=all.toml,tokens=on"
	subjects, err := ParseSubjects(strings.Split(list, ","))
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, s := range subjects {
		texts = append(texts, s.String())
	}
	want := []string{"uring", "uring:recv=multishot", "uring:accept=single,recv=multishot", "epoll", "epoll:trigger=level,loops=6", "uring+1us", "uring:loops=53", "uring+0s", "uring:batch=1,config=a/b.toml", "uring:config=all.toml,tokens=on"}
	if !slices.Equal(texts, want) {
		t.Errorf("%q", texts)
	}
	if args := subjects[4].args(); !slices.Equal(args, []string{"--engine=epoll", "--epoll=trigger=level", "--loops=6"}) {
		t.Errorf("%q", args)
	}
	if args := subjects[2].args(); !slices.Equal(args, []string{"--engine=uring", "--uring=accept=single,recv=multishot"}) {
		t.Errorf("%q", args)
	}
	if args := subjects[8].args(); !slices.Equal(args, []string{"--engine=uring", "--uring=batch=1", "--config=a/b.toml"}) {
		t.Errorf("%q", args)
	}
	if args := subjects[9].args(); !slices.Equal(args, []string{"--engine=uring", "--config=all.toml", "--auth=token"}) || !subjects[9].Tokens || subjects[8].Tokens {
		t.Errorf("%q", args)
	}
	if !subjects[7].Planted || subjects[6].Planted || subjects[5].Spin.Microseconds() != 1 {
		t.Errorf("%+v", subjects[5:])
	}
	for text, says := range map[string]string{
		"pigeon": "pigeon", "recv=multishot": "no subject", "uring,recv=multishot": "no subject", "uring:recv": "NAME=VALUE", "uring:loops=0": "loops=0",
		"uring:loops=many": "loops=many", "uring+1h": "+1h", "uring+x": "+x", "uring:=x": "NAME=VALUE", "uring:tokens=off": "want on",
	} {
		if _, err := ParseSubjects(strings.Split(text, ",")); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if l := Labels([]string{"uring", "uring", "epoll", "uring"}); l[0] != "uring" || l[1] != "uring (again)" || l[2] != "epoll" || l[3] != "uring (again, 3)" {
		t.Errorf("%q", l)
	}
}

// switches are a table of switches with every kind of value.
var switches = []uringSwitch{
	{Name: "recv", Values: "poll|multishot|epoll"},
	{Name: "batch", Values: "256|N"},
	{Name: "fds", Values: "direct|plain"},
	{Name: "taskrun", Values: "deferred|cooperative|default"},
	{Name: "sqpoll", Values: "off|on"},
}

// TestChoose proves that the default list has each other choice alone, all of them
// but what adds something, and the controls; that a choice which needs another is
// measured with it, and what is refused beside the others is left out of all and told.
func TestChoose(t *testing.T) {
	refuses := func(s Subject, size int) (string, error) {
		has := func(c string) bool { return slices.Contains(s.Choices, c) }
		switch {
		case has("recv=epoll") && !has("fds=plain"):
			return "the waiting by epoll needs plain descriptors", nil
		case has("sqpoll=on"):
			return "no thread for it", nil
		case has("fds=plain") && size > 20_000:
			return "one table is too small", nil
		case has("trigger=level"):
			return "unknown flag --epoll", nil
		}
		return "", nil
	}
	p, err := choose(switches, []int{18_000, 200_000}, true, refuses)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, s := range p.Subjects {
		texts = append(texts, s.String())
	}
	want := []string{
		"uring", "uring", "uring:recv=multishot", "uring:recv=epoll,fds=plain", "uring:batch=1", "uring:fds=plain",
		"uring:taskrun=cooperative", "uring:taskrun=default", "uring:sqpoll=on",
		"uring:recv=multishot,batch=1,fds=plain,taskrun=default", "uring:recv=multishot,batch=1,taskrun=default", "epoll", "uring+1us",
	}
	if !slices.Equal(texts, want) {
		t.Errorf("%q", texts)
	}
	notes := strings.Join(p.LeftOut, "\n")
	for _, text := range []string{
		"recv=epoll is measured with fds=plain", "needs plain descriptors", "sqpoll has no choice with less",
		"fds=plain is not in the subject of all for 200,000 connections", "table is too small", "epoll:trigger=level: unknown flag",
	} {
		if !strings.Contains(notes, text) {
			t.Errorf("%q is not told:\n%s", text, notes)
		}
	}
	p, err = choose(switches, []int{1}, false, func(Subject, int) (string, error) { return "", context.Canceled })
	if err == nil {
		t.Errorf("%+v", p)
	}
}

// TestChooseAll proves that every switch that the engine has is in the default list:
// a new one comes into it by itself.
func TestChooseAll(t *testing.T) {
	p, err := choose(uring.Switches, []int{1}, false, func(Subject, int) (string, error) { return "", nil })
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range uring.Switches {
		one := slices.ContainsFunc(p.Subjects, func(x Subject) bool { return len(x.Choices) == 1 && switchOf(x.Choices[0]) == s.Name })
		if !one {
			t.Errorf("no subject has %s alone", s.Name)
		}
		for _, choice := range alternatives(s) {
			// Some go only with another.
			if err := new(uring.Options).Set(choice); err != nil && !strings.Contains(err.Error(), " needs ") {
				t.Errorf("%s: %v", choice, err)
			}
		}
	}
}

// TestReason proves that of a server's last words the one that says why is quoted.
func TestReason(t *testing.T) {
	e := &turns.RefusedError{Err: context.Canceled, Lines: []string{"level=info", "comet: --uring=x: bad", "comet: see comet --help"}}
	if r := reason(e); r != "--uring=x: bad" {
		t.Errorf("%q", r)
	}
	e.Lines = nil
	if r := reason(e); r != context.Canceled.Error() {
		t.Errorf("%q", r)
	}
}
