package uring

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Level61 is the least kernel that the engine runs on.
const Level61 = "6.1"

// A Switch is a choice of the engine that may be made otherwise, to see what it
// buys.
type Switch struct {
	Name   string
	Values string // what it takes, the default first
	// Hypothesis is what the other choice is expected to cost, or to gain, written
	// down before it was measured.
	Hypothesis string
	set        func(o *Options, value string) error
}

// Switches are all of them.
var Switches = []Switch{
	{"accept", "multishot|single", "single: a poll and an accept a connection for one completion: a tenth more CPU to open, nothing else", setAccept},
	{"batch", "256|N", "1: a loaded loop wakes for each completion: a tenth more CPU a delivery where the load sets the pace, and no less latency", setBatch},
	{"minwait", "200us|DURATION", "longer: fewer wakes and no CPU to speak of, up to so much more latency on a loaded loop", setMinWait},
	{"taskrun", "deferred|cooperative|default", "cooperative: the kernel's work runs in whatever the loop goes to the kernel for, in smaller batches: some per cent more CPU a delivery; default: the loop is interrupted for each piece as well: a tenth more", setTaskRun},
	{"sqpoll", "off|on", "on: no enter to submit, but a thread of the kernel for each loop that looks for submissions, and hands over each completion: twice the CPU at least; it pays only where there are processors to spare", setSQPoll},
	{"fds", "direct|plain", "plain: each request looks its descriptor up in the process's table and counts its file: some per cent more CPU a message, 40 bytes of the kernel a connection less, and no more of them than the descriptor limit", setFDs},
	{"recv", "poll|epoll", "epoll: a system call a connection to add it, and one operation for each batch of events: a tenth more CPU to open, no more a message, and 48 bytes of the kernel a connection less, 88 with the slot's", setRecv},
	{"level", "kernel|" + Level61, Level61 + ": without a minimum wait a short time limit stands in, and a cancel for an accept that does not wait: some per cent more CPU", setLevel},
}

// Set makes choices of the form "accept=single,batch=64". It names what is wrong
// with the first that is none.
func (o *Options) Set(choices string) error {
	for choice := range strings.SplitSeq(choices, ",") {
		name, value, ok := strings.Cut(choice, "=")
		if !ok {
			return fmt.Errorf("%q is not of the form NAME=VALUE", choice)
		}
		if err := o.set(name, value); err != nil {
			return err
		}
	}
	chosen := *o // what goes with the choices is filled in by New
	return errors.Join(chosen.checkTaskRun(), chosen.checkRecv())
}

func (o *Options) set(name, value string) error {
	var known []string
	for _, s := range Switches {
		if s.Name == name {
			if err := s.set(o, value); err != nil {
				return fmt.Errorf("%s=%s: %w (%s)", name, value, err, s.Values)
			}
			return nil
		}
		known = append(known, s.Name)
	}
	return fmt.Errorf("%q is none of %s", name, strings.Join(known, ", "))
}

var errValue = errors.New("there is no such value")

func setAccept(o *Options, value string) error {
	if value != "multishot" && value != "single" {
		return errValue
	}
	o.SingleAccept = value == "single"
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
		return errValue
	}
	o.TaskRun = value
	return nil
}

func setSQPoll(o *Options, value string) error {
	if value != "on" && value != "off" {
		return errValue
	}
	o.SQPoll = value == "on"
	return nil
}

func setFDs(o *Options, value string) error {
	if value != "direct" && value != "plain" {
		return errValue
	}
	o.PlainFDs = value == "plain"
	return nil
}

func setRecv(o *Options, value string) error {
	if value != "poll" && value != recvEpoll {
		return errValue
	}
	o.EpollWait = value == recvEpoll
	return nil
}

func setLevel(o *Options, value string) error {
	switch value {
	case "kernel":
		o.Level = ""
	case Level61:
		o.Level = Level61
	default:
		return errValue
	}
	return nil
}
