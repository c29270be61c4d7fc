// Package switches is how an engine offers its choices to be made otherwise, each
// with what that is expected to cost. It knows no engine.
package switches

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Switch is a choice of an engine that may be made otherwise, to see what it
// buys. O are the engine's options.
type Switch[O any] struct {
	Name   string
	Values string // what it takes, parted by |, the default first
	// Hypothesis is what the other choice is expected to cost, or to gain, written
	// down before it was measured.
	Hypothesis string
	// Set makes the choice, or says what is wrong with the value.
	Set func(o *O, value string) error
}

// List are all switches of an engine.
type List[O any] []Switch[O]

// ErrValue says that a switch does not take a value.
var ErrValue = errors.New("there is no such value")

// Set makes choices of the form "accept=single,batch=64"; of several of one name
// the last counts. It names what is wrong with the first that is none; those
// before it are made then.
func (l List[O]) Set(o *O, choices string) error {
	for choice := range strings.SplitSeq(choices, ",") {
		name, value, ok := strings.Cut(choice, "=")
		if !ok {
			return fmt.Errorf("%q is not of the form NAME=VALUE", choice)
		}
		if err := l.set(o, name, value); err != nil {
			return err
		}
	}
	return nil
}

func (l List[O]) set(o *O, name, value string) error {
	var known []string
	for _, s := range l {
		if s.Name == name {
			if err := s.Set(o, value); err != nil {
				return fmt.Errorf("%s=%s: %w (%s)", name, value, err, s.Values)
			}
			return nil
		}
		known = append(known, s.Name)
	}
	return fmt.Errorf("%q is none of %s", name, strings.Join(known, ", "))
}

// Other are those of some choices that are not the default; of several of one name the
// last counts. Choices that cannot be made are left as they are, for Set to refuse.
func Other[O comparable](l List[O], choices string) string {
	var names []string
	values := map[string]string{}
	for choice := range strings.SplitSeq(choices, ",") {
		name, value, _ := strings.Cut(choice, "=")
		if at := slices.Index(names, name); at >= 0 {
			names = slices.Delete(names, at, at+1)
		}
		names, values[name] = append(names, name), value
	}
	var others []string
	for _, name := range names {
		at := slices.IndexFunc(l, func(s Switch[O]) bool { return s.Name == name })
		if at < 0 {
			return choices
		}
		var usual, chosen O
		first, _, _ := strings.Cut(l[at].Values, "|")
		if l[at].Set(&usual, first) != nil || l[at].Set(&chosen, values[name]) != nil {
			return choices
		}
		if chosen != usual {
			others = append(others, name+"="+values[name])
		}
	}
	return strings.Join(others, ",")
}

// String lists the names with their values, as help shows them.
func (l List[O]) String() string {
	all := make([]string, len(l))
	for i, s := range l {
		all[i] = s.Name + "=" + s.Values
	}
	return strings.Join(all, ", ")
}
