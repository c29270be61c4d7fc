package ablation

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// engines are what a subject begins with.
var engines = []string{"uring", "epoll", "gonet"}

// Subject is an engine with its arguments, written
//
//	uring
//	uring:accept=single,batch=1
//	epoll:loops=6
//	uring:config=all.toml
//	uring:tokens=on
//	uring+1us
//
// loops=N and config=FILE are the server's flags; with tokens=on the server asks for
// each channel's token, and the load shows it; what follows a plus is a planted cost a
// delivery.
type Subject struct {
	Engine  string
	Choices []string // of the engine, NAME=VALUE
	Loops   int      // 0 leaves it to the server
	Config  string   // a file of the server's settings; empty: none
	Tokens  bool
	Spin    time.Duration
	Planted bool // a server with planted costs, be the cost 0
}

// The arguments that are flags of their own.
const (
	loopsChoice  = "loops"
	configChoice = "config"
	tokensChoice = "tokens"
)

// ParseSubjects reads subjects from words parted by commas: a word that begins with
// no engine belongs to the subject before it.
func ParseSubjects(words []string) (subjects []Subject, err error) {
	var texts []string
	for _, w := range words {
		name, _, _ := strings.Cut(w, ":")
		name, _, _ = strings.Cut(name, "+")
		switch {
		case slices.Contains(engines, name):
			texts = append(texts, w)
		case len(texts) > 0 && strings.Contains(texts[len(texts)-1], ":") && strings.Contains(w, "="):
			texts[len(texts)-1] += "," + w
		default:
			return nil, fmt.Errorf("%q is no subject: want one of %s, then :NAME=VALUE,... or +DURATION", w, strings.Join(engines, " "))
		}
	}
	for _, text := range texts {
		s, err := parseSubject(text)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", text, err)
		}
		subjects = append(subjects, s)
	}
	return subjects, nil
}

// mostLoops is what the server takes at most.
const mostLoops = 64

func parseSubject(text string) (s Subject, err error) {
	if before, spin, ok := strings.Cut(text, "+"); ok {
		if s.Spin, err = time.ParseDuration(spin); err != nil || s.Spin < 0 || s.Spin > time.Millisecond {
			return s, fmt.Errorf("+%s: want a duration up to 1ms a delivery", spin)
		}
		text, s.Planted = before, true
	}
	var choices string
	s.Engine, choices, _ = strings.Cut(text, ":")
	if choices == "" {
		return s, nil
	}
	for choice := range strings.SplitSeq(choices, ",") {
		name, value, ok := strings.Cut(choice, "=")
		if !ok || name == "" || value == "" {
			return s, fmt.Errorf("%q is not of the form NAME=VALUE", choice)
		}
		switch name {
		case loopsChoice:
			if s.Loops, err = strconv.Atoi(value); err != nil || s.Loops < 1 || s.Loops > mostLoops {
				return s, fmt.Errorf("%s: want a number from 1 to %d", choice, mostLoops)
			}
		case configChoice:
			s.Config = value // without comma and plus, which part subjects
		case tokensChoice:
			if s.Tokens = value == "on"; !s.Tokens {
				return s, fmt.Errorf("%s: want on", choice)
			}
		default:
			s.Choices = append(s.Choices, choice)
		}
	}
	return s, nil
}

// String is the subject as it is written.
func (s Subject) String() string {
	text := s.Engine
	choices := slices.Clone(s.Choices)
	if s.Loops > 0 {
		choices = append(choices, loopsChoice+"="+strconv.Itoa(s.Loops))
	}
	if s.Config != "" {
		choices = append(choices, configChoice+"="+s.Config)
	}
	if s.Tokens {
		choices = append(choices, tokensChoice+"=on")
	}
	if len(choices) > 0 {
		text += ":" + strings.Join(choices, ",")
	}
	if s.Planted {
		text += "+" + strings.ReplaceAll(s.Spin.String(), "µ", "u")
	}
	return text
}

// args are the server's flags for it.
func (s Subject) args() []string {
	args := []string{"--engine=" + s.Engine}
	if len(s.Choices) > 0 {
		args = append(args, "--"+s.Engine+"="+strings.Join(s.Choices, ","))
	}
	if s.Loops > 0 {
		args = append(args, "--loops="+strconv.Itoa(s.Loops))
	}
	if s.Config != "" {
		args = append(args, "--config="+s.Config)
	}
	if s.Tokens {
		args = append(args, "--auth=token")
	}
	return args
}

// Labels name the subjects of a run in their order: where one is named again, its
// row says so.
func Labels(subjects []string) []string {
	labels := make([]string, len(subjects))
	seen := map[string]int{}
	for i, s := range subjects {
		labels[i] = s
		if seen[s]++; seen[s] > 1 {
			labels[i] += " (again)"
		}
		if seen[s] > 2 {
			labels[i] = fmt.Sprintf("%s (again, %d)", s, seen[s])
		}
	}
	return labels
}
