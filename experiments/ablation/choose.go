package ablation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	offered "c1000k/comet/switches"
	"c1000k/experiments/ladder"
	"c1000k/experiments/turns"
	"c1000k/uring"
)

// numbers are what is tried of a switch that takes a number: the least, which is
// the switch off, and more where more is expected to change something.
var numbers = map[string][]string{
	"N":        {"1"},
	"DURATION": {"1us", "1ms"},
}

// uringSwitch is a switch of the io_uring engine.
type uringSwitch = offered.Switch[uring.Options]

// alternatives are the choices of a switch other than its default, NAME=VALUE.
func alternatives(s uringSwitch) (choices []string) {
	for _, value := range strings.Split(s.Values, "|")[1:] {
		values, ok := numbers[value]
		if !ok {
			values = []string{value}
		}
		for _, v := range values {
			choices = append(choices, s.Name+"="+v)
		}
	}
	return choices
}

// off is the choice of a switch that has least of the engine's features: of numbers
// the least, of words the last, as they stand in falling order. A word that adds
// something, or hands the waiting to another engine, takes nothing away: "" if the
// switch has no other.
func off(s uringSwitch) string {
	values := strings.Split(s.Values, "|")[1:]
	for _, v := range slices.Backward(values) {
		if least, ok := numbers[v]; ok {
			return s.Name + "=" + least[0]
		}
		if v != "on" && !slices.Contains(engines, v) {
			return s.Name + "=" + v
		}
	}
	return ""
}

// Plan is a list of subjects, and what is not among them.
type Plan struct {
	Subjects []Subject
	// LeftOut says which choices no subject has, or not by itself, and why.
	LeftOut []string
}

// controls are the subjects beside the choices: the default twice before them, and
// after them the other engine, each way to trigger it, and the planted cost.
var (
	controlsBefore = []Subject{{Engine: "uring"}, {Engine: "uring"}}
	controlsAfter  = []Subject{{Engine: "epoll"}, {Engine: "epoll", Choices: []string{"trigger=level"}}}
	controlPlanted = Subject{Engine: "uring", Spin: time.Microsecond, Planted: true}
)

// taker says why a server for so many connections does not start with a subject; ""
// where it does.
type taker func(s Subject, size int) (refused string, err error)

// Choose makes the default list: each choice of the io_uring engine by itself, all
// of them together, and the controls. The server itself is asked which of them it
// takes, at the sizes of o: a choice that it refuses alone is measured with the one
// other that it needs, and one that it refuses beside the others is left out of all;
// where that differs by size, there is a subject of all for each.
func Choose(ctx context.Context, o Options) (Plan, error) {
	return choose(uring.Switches, o.Sizes, o.PlantedServer != "", func(s Subject, size int) (string, error) {
		err := atFreePorts(func() error {
			p := turns.Pair{Kind: turns.Broadcast}
			if err := p.FindDoors(&o.port); err != nil {
				return err
			}
			err := o.startServer(ctx, &p, s, turns.ServerArgs(p.Doors, size)...)
			return errors.Join(err, p.End(o.Force))
		})
		var refused *turns.RefusedError
		if errors.As(err, &refused) && !refused.PortTaken {
			return reason(refused), nil
		}
		return "", err
	})
}

func choose(switches []uringSwitch, sizes []int, planted bool, takes taker) (p Plan, err error) {
	least := slices.Min(sizes) // what is refused at some size only is a row there
	var all []string           // NAME=VALUE of every switch
	p.Subjects = slices.Clone(controlsBefore)
	for _, s := range switches {
		all = append(all, alternatives(s)...)
	}
	for _, choice := range all {
		s, note, err := alone(choice, all, least, takes)
		if err != nil {
			return p, err
		}
		if note != "" {
			p.LeftOut = append(p.LeftOut, note)
		}
		p.Subjects = append(p.Subjects, s)
	}
	for _, size := range sizes {
		together, notes, err := together(switches, size, takes)
		if err != nil {
			return p, err
		}
		for _, note := range notes {
			if !slices.Contains(p.LeftOut, note) {
				p.LeftOut = append(p.LeftOut, note)
			}
		}
		same := func(s Subject) bool { return s.String() == together.String() }
		if len(together.Choices) > 1 && !slices.ContainsFunc(p.Subjects, same) {
			p.Subjects = append(p.Subjects, together)
		}
	}
	for _, s := range controlsAfter {
		refused, err := takes(s, least)
		if err != nil {
			return p, err
		}
		if refused != "" {
			p.LeftOut = append(p.LeftOut, fmt.Sprintf("%s: %s", s, refused))
			continue
		}
		p.Subjects = append(p.Subjects, s)
	}
	if planted {
		p.Subjects = append(p.Subjects, controlPlanted)
	}
	return p, nil
}

// alone is the subject that has one choice, and if it must another that this one
// needs; the note says so. Where the server takes neither, its row will say why.
func alone(choice string, all []string, size int, takes taker) (s Subject, note string, err error) {
	one := Subject{Engine: "uring", Choices: []string{choice}}
	refused, err := takes(one, size)
	if err != nil || refused == "" {
		return one, "", err
	}
	for _, other := range all {
		if switchOf(other) == switchOf(choice) {
			continue
		}
		two := Subject{Engine: "uring", Choices: []string{choice, other}}
		if not, err := takes(two, size); err != nil {
			return one, "", err
		} else if not == "" {
			return two, fmt.Sprintf("%s is measured with %s, for alone it is refused: %s", choice, other, refused), nil
		}
	}
	return one, "", nil
}

func switchOf(choice string) string {
	name, _, _ := strings.Cut(choice, "=")
	return name
}

// together is the subject with every switch off, in their order, less what the
// server refuses beside those before.
func together(switches []uringSwitch, size int, takes taker) (s Subject, leftOut []string, err error) {
	s.Engine = "uring"
	for _, sw := range switches {
		choice := off(sw)
		if choice == "" {
			leftOut = append(leftOut, fmt.Sprintf("%s has no choice with less, so it stays in the subject of all", sw.Name))
			continue
		}
		more := s
		more.Choices = append(slices.Clone(s.Choices), choice)
		refused, err := takes(more, size)
		if err != nil {
			return s, nil, err
		}
		if refused != "" {
			leftOut = append(leftOut, fmt.Sprintf("%s is not in the subject of all for %s connections, where beside %s it is refused: %s",
				choice, ladder.Grouped(size), strings.Join(s.Choices, ","), refused))
			continue
		}
		s = more
	}
	return s, leftOut, nil
}

// reason is what a server said last before it ended.
func reason(e *turns.RefusedError) string {
	if len(e.Lines) == 0 {
		return e.Err.Error()
	}
	last := e.Lines[len(e.Lines)-1]
	for _, line := range e.Lines {
		// The line before the hint to --help.
		if strings.HasPrefix(line, "comet: ") && !strings.Contains(line, "see comet --help") {
			last = line
		}
	}
	return strings.TrimPrefix(last, "comet: ")
}
