package uring

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"c1000k/comet/switches"
)

// Level61 is the least kernel that the engine runs on.
const Level61 = "6.1"

// Switches are all of them.
var Switches = switches.List[Options]{
	{Name: "accept", Values: "multishot|single", Hypothesis: "single: a poll and an accept a connection for one completion: a tenth more CPU to open, nothing else", Set: setAccept},
	{Name: "recv", Values: "poll|multishot|epoll", Hypothesis: "multishot: one completion a request instead of a poll's and a receive's, and nothing to submit: 2 to 3 per cent less CPU a message, for 864 bytes of the kernel's memory a connection instead of 256; and all buffers may be out within one enter, which costs that gain again under load; epoll: a system call a connection to add it, and one operation for each batch of events: a tenth more CPU to open, no more a message, and 48 bytes of the kernel a connection less, 88 with the slot's", Set: setRecv},
	{Name: "buffers", Values: "ring|own", Hypothesis: "own: the buffer of a receive is out no longer than its enter either way, so no more memory and no CPU that could be measured", Set: setBuffers},
	{Name: "batch", Values: "256|N", Hypothesis: "1: a loaded loop wakes for each completion: a tenth more CPU a delivery where the load sets the pace, and no less latency", Set: setBatch},
	{Name: "minwait", Values: "200us|DURATION", Hypothesis: "longer: fewer wakes and no CPU to speak of, up to so much more latency on a loaded loop", Set: setMinWait},
	{Name: "taskrun", Values: "deferred|cooperative|default", Hypothesis: "cooperative: the kernel's work runs in whatever the loop goes to the kernel for, in smaller batches: some per cent more CPU a delivery; default: the loop is interrupted for each piece as well: a tenth more", Set: setTaskRun},
	{Name: "sqpoll", Values: "off|on", Hypothesis: "on: no enter to submit, but a thread of the kernel for each loop that looks for submissions, and hands over each completion: twice the CPU at least; it pays only where there are processors to spare", Set: setSQPoll},
	{Name: "fds", Values: "direct|plain", Hypothesis: "plain: each request looks its descriptor up in the process's table and counts its file: some per cent more CPU a message, 40 bytes of the kernel a connection less, and no more of them than the descriptor limit", Set: setFDs},
	{Name: "level", Values: "kernel|" + Level61, Hypothesis: Level61 + ": without a minimum wait a short time limit stands in, and a cancel for an accept that does not wait: some per cent more CPU", Set: setLevel},
}

// Set makes choices of the form "accept=single,batch=64". It names what is wrong
// with the first that is none.
func (o *Options) Set(choices string) error {
	if err := Switches.Set(o, choices); err != nil {
		return err
	}
	return o.agree()
}

// agree says which choices exclude each other.
func (o *Options) agree() error {
	if o.MultishotRecv && o.OwnBuffers {
		return errors.New("recv=multishot and buffers=own exclude each other: the kernel takes a buffer for each piece that a multishot receive brings, so it must have been provided")
	}
	chosen := *o // what goes with the choices is filled in by New
	return errors.Join(chosen.checkTaskRun(), chosen.checkRecv())
}

func setAccept(o *Options, value string) error {
	if value != "multishot" && value != "single" {
		return switches.ErrValue
	}
	o.SingleAccept = value == "single"
	o.streamAsked = !o.SingleAccept
	return nil
}

func setRecv(o *Options, value string) error {
	if value != "poll" && value != "multishot" && value != recvEpoll {
		return switches.ErrValue
	}
	o.MultishotRecv, o.EpollWait = value == "multishot", value == recvEpoll
	return nil
}

func setBuffers(o *Options, value string) error {
	if value != "ring" && value != "own" {
		return switches.ErrValue
	}
	o.OwnBuffers = value == "own"
	return nil
}

func setBatch(o *Options, value string) error {
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > maxEntries {
		return fmt.Errorf("want a number from 1 to %d", maxEntries)
	}
	o.Batch = n
	return nil
}

func setMinWait(o *Options, value string) error {
	d, err := time.ParseDuration(value)
	if err != nil || d < time.Microsecond || d > time.Second {
		return errors.New("want a duration from 1us to 1s")
	}
	o.MinWait = d
	return nil
}

func setTaskRun(o *Options, value string) error {
	if _, ok := taskFlags[value]; !ok {
		return switches.ErrValue
	}
	o.TaskRun = value
	return nil
}

func setSQPoll(o *Options, value string) error {
	if value != "on" && value != "off" {
		return switches.ErrValue
	}
	o.SQPoll = value == "on"
	return nil
}

func setFDs(o *Options, value string) error {
	if value != "direct" && value != "plain" {
		return switches.ErrValue
	}
	o.PlainFDs = value == "plain"
	return nil
}

func setLevel(o *Options, value string) error {
	switch value {
	case "kernel":
		o.Level = ""
	case Level61:
		o.Level = Level61
	default:
		return switches.ErrValue
	}
	return nil
}
