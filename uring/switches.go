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
	{Name: "recv", Values: "poll|multishot", Hypothesis: "multishot: one completion a request instead of a poll's and a receive's, and nothing to submit: 2 to 3 per cent less CPU a message, for 864 bytes of the kernel's memory a connection instead of 256; and all buffers may be out within one enter, which costs that gain again under load", Set: setRecv},
	{Name: "buffers", Values: "ring|own", Hypothesis: "own: the buffer of a receive is out no longer than its enter either way, so no more memory and no CPU that could be measured", Set: setBuffers},
	{Name: "batch", Values: "256|N", Hypothesis: "1: a loaded loop wakes for each completion: a tenth more CPU a delivery where the load sets the pace, and no less latency", Set: setBatch},
	{Name: "minwait", Values: "200us|DURATION", Hypothesis: "longer: fewer wakes and no CPU to speak of, up to so much more latency on a loaded loop", Set: setMinWait},
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
	return nil
}

func setAccept(o *Options, value string) error {
	if value != "multishot" && value != "single" {
		return switches.ErrValue
	}
	o.SingleAccept = value == "single"
	return nil
}

func setRecv(o *Options, value string) error {
	if value != "poll" && value != "multishot" {
		return switches.ErrValue
	}
	o.MultishotRecv = value == "multishot"
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
