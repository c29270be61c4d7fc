package epoll

import "c1000k/comet/switches"

// Switches are the choices of this engine that may be made otherwise.
var Switches = switches.List[Options]{
	{
		Name: "trigger", Values: "edge|level",
		Hypothesis: "level: the kernel looks again, in the next wait, at each connection that it has just reported, " +
			"and an epoll_ctl more stands before and after each pause and each want of room: " +
			"a few per cent more CPU a delivery with its next poll, nothing a delivery to a stream",
		Set: setTrigger,
	},
}

// Set makes choices of the form "trigger=level". It names what is wrong with the
// first that is none.
func (o *Options) Set(choices string) error { return Switches.Set(o, choices) }

func setTrigger(o *Options, value string) error {
	if value != "edge" && value != "level" {
		return switches.ErrValue
	}
	o.LevelTriggered = value == "level"
	return nil
}
