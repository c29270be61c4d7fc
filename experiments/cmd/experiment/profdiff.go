package main

import (
	"fmt"
	"regexp"

	"c1000k/experiments/profdiff"
)

// profdiffCommand are the flags of experiment profdiff.
type profdiffCommand struct {
	A         string `arg:"" help:"The profile to compare with."`
	B         string `arg:"" help:"The profile to compare."`
	MessagesA int64  `default:"0" placeholder:"N" help:"Messages that A covers. Default: what the .json beside it says."`
	MessagesB int64  `default:"0" placeholder:"N" help:"Messages that B covers. Default: what the .json beside it says."`
	Top       int    `default:"20" placeholder:"N" help:"How many functions. Default ${default}."`
	By        string `default:"flat" enum:"flat,cumulative" placeholder:"flat|cumulative" help:"Rank by what a function spends itself, or with what it calls. Default ${default}."`
	Sample    string `default:"" placeholder:"TYPE" help:"Which of the profiles' values (cpu, samples, alloc_space, ...). Default: alloc_space of a heap profile, else the last."`
	Raw       bool   `help:"Leave CPU profiles as sampled. Otherwise they are scaled to the kernel's own clock, where the .json beside them tells it."`
	Ignore    string `default:"" placeholder:"REGEXP" help:"Drop samples with a matching function, such as the waiting that a wall-clock profile counts."`
}

// Run compares and prints.
func (c *profdiffCommand) Run(e *environment) error {
	o := profdiff.Options{Sample: c.Sample, Top: c.Top, ByCumulative: c.By == "cumulative", Raw: c.Raw}
	if c.Top < 1 {
		return usageError{fmt.Errorf("--top %d: must be at least 1", c.Top)}
	}
	if c.Ignore != "" {
		var err error
		if o.Ignore, err = regexp.Compile(c.Ignore); err != nil {
			return usageError{fmt.Errorf("--ignore: %w", err)}
		}
	}
	a, err := profdiff.Load(c.A, c.MessagesA)
	if err != nil {
		return err
	}
	b, err := profdiff.Load(c.B, c.MessagesB)
	if err != nil {
		return err
	}
	table, err := profdiff.Diff(a, b, o)
	if err != nil {
		return err
	}
	return table.Write(e.stdout)
}
