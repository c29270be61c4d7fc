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
	{Name: "batch", Values: "256|N", Hypothesis: "1: a loaded loop wakes for each completion: a tenth more CPU a delivery where the load sets the pace, and no less latency", Set: setBatch},
	{Name: "minwait", Values: "200us|DURATION", Hypothesis: "longer: fewer wakes and no CPU to speak of, up to so much more latency on a loaded loop", Set: setMinWait},
	{Name: "level", Values: "kernel|" + Level61, Hypothesis: Level61 + ": without a minimum wait a short time limit stands in, and a cancel for an accept that does not wait: some per cent more CPU", Set: setLevel},
}

// Set makes choices of the form "accept=single,batch=64". It names what is wrong
// with the first that is none.
func (o *Options) Set(choices string) error { return Switches.Set(o, choices) }

func setAccept(o *Options, value string) error {
	if value != "multishot" && value != "single" {
		return switches.ErrValue
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
