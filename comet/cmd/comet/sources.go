package main

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// Where a setting's value is from, the strongest first.
const (
	fromFlag    = "flag"
	fromEnv     = "env"
	fromFile    = "file"
	fromDefault = "default"
)

// envPrefix begins the name of every variable of the environment that is read.
const envPrefix = "COMET_"

// environment is the variables as os.Environ gives them.
type environment []string

// lookup finds a variable. An empty one counts as not set: that is how service
// managers and container files write "none".
func (e environment) lookup(name string) (string, bool) {
	for _, line := range slices.Backward(e) { // of several the last counts
		if key, value, ok := strings.Cut(line, "="); ok && key == name {
			return value, value != ""
		}
	}
	return "", false
}

// envName is the variable of a flag.
func envName(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// sources finds the values of flags that the command line does not give: in the
// environment, then in the file. It is kong's Resolver.
type sources struct {
	env   environment
	path  string            // of the file; empty without one
	file  map[string]string // its settings
	named map[string]string // flag: where its value is from
}

func newSources(env environment) *sources {
	return &sources{env: env, named: map[string]string{}}
}

// of says where a flag's value is from.
func (s *sources) of(flag string) string {
	if from := s.named[flag]; from != "" {
		return from
	}
	return fromDefault
}

// place names where a flag's value stands, for a message about it; empty on the
// command line, which a message quotes anyway.
func (s *sources) place(flag string) string {
	switch s.of(flag) {
	case fromEnv:
		return " (given by " + envName(flag) + ")"
	case fromFile:
		return " (given in " + s.path + ")"
	}
	return ""
}

// open reads the file, where one is named, before the first flag is resolved.
func (s *sources) open(ctx *kong.Context) error {
	s.path, _ = s.env.lookup(envName("config"))
	for _, f := range ctx.Model.Flags {
		if f.Name != "config" {
			continue
		}
		if given, _ := ctx.FlagValue(f).(string); given != "" {
			s.path = given
		}
	}
	if s.path == "" {
		return nil
	}
	var err error
	s.file, err = readConfigFile(s.path, ctx.Model.Flags)
	return err
}

// Validate is for kong: the file was validated when it was read.
func (s *sources) Validate(*kong.Application) error { return nil }

// Resolve gives the value of a flag that is not on the command line; nil leaves
// the default. It tries the value itself, so that an error can say where it stands.
func (s *sources) Resolve(_ *kong.Context, _ *kong.Path, f *kong.Flag) (any, error) {
	if !isSetting(f) {
		return nil, nil
	}
	value, ok := s.env.lookup(envName(f.Name))
	from := fromEnv
	if !ok {
		value, ok = s.file[f.Name]
		from = fromFile
	}
	if !ok {
		return nil, nil
	}
	s.named[f.Name] = from
	if err := tryValue(f, value); err != nil {
		return nil, fmt.Errorf("%q%s: %w", value, s.place(f.Name), err)
	}
	return value, nil
}

// tryValue says whether a flag takes a value.
func tryValue(f *kong.Flag, value string) error {
	scan := kong.Scan().PushTyped(value, kong.FlagValueToken)
	target := reflect.New(f.Target.Type()).Elem()
	if err := f.Mapper.Decode(&kong.DecodeContext{Value: f.Value, Scan: scan}, target); err != nil {
		return err
	}
	if f.Enum != "" && !f.EnumMap()[value] {
		return fmt.Errorf("must be one of %s", strings.Join(f.EnumSlice(), ", "))
	}
	return nil
}

// noteFlags notes what the command line gave.
func (s *sources) noteFlags(ctx *kong.Context) {
	for _, p := range ctx.Path {
		if p.Flag != nil && !p.Resolved {
			s.named[p.Flag.Name] = fromFlag
		}
	}
}

// doubtful lists variables that are no settings but look like a mistyped one.
// Others of the prefix are left alone: orchestrators make them from a service's name.
func (s *sources) doubtful(flags []*kong.Flag) []setting {
	var names []string
	for _, f := range flags {
		if isSetting(f) {
			names = append(names, envName(f.Name))
		}
	}
	var found []setting
	for _, line := range s.env {
		name, _, _ := strings.Cut(line, "=")
		if !strings.HasPrefix(name, envPrefix) || slices.Contains(names, name) {
			continue
		}
		if near := nearest(name, names); distance(name, near) <= 2 {
			found = append(found, setting{Name: name, Value: near, From: fromEnv})
		}
	}
	return found
}
