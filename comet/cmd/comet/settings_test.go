package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// configFile writes a file of settings.
func configFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "comet.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestPrecedence proves that a flag counts before the environment, that before
// the file, that before the default, and that each setting knows where its value
// is from; for every kind of value.
func TestPrecedence(t *testing.T) {
	path := configFile(t, `
channels = 1_000
polling-timeout = "2m"
max-message-bytes = 2_000_000
front = ["127.0.0.1:1", "[::1]:1"]
prefault = true
log-level = "debug"
engine = "gonet"
`)
	for _, c := range []struct {
		args, env   string
		name, value string
		from        string
	}{
		{"", "", "channels", "1000000", fromDefault},
		{"--config F", "", "channels", "1000", fromFile},
		{"--config F", "COMET_CHANNELS=2000", "channels", "2000", fromEnv},
		{"--config F --channels 3000", "COMET_CHANNELS=2000", "channels", "3000", fromFlag},
		{"--channels 3000", "COMET_CHANNELS=2000 COMET_CONFIG=F", "channels", "3000", fromFlag},
		{"", "COMET_CONFIG=F", "channels", "1000", fromFile},
		{"--config F", "COMET_CONFIG=/nowhere", "channels", "1000", fromFile},
		{"--config F", "COMET_CHANNELS=", "channels", "1000", fromFile},
		{"--config F", "COMET_CHANNELS=1 COMET_CHANNELS=2", "channels", "2", fromEnv},
		{"--config F --channels 1000000", "", "channels", "1000000", fromDefault},
		{"--config F", "", "polling-timeout", "2m0s", fromFile},
		{"--config F", "COMET_POLLING_TIMEOUT=90s", "polling-timeout", "1m30s", fromEnv},
		{"--config F", "", "front", "127.0.0.1:1,[::1]:1", fromFile},
		{"--config F", "", "prefault", "true", fromFile},
		{"--config F --prefault=false", "", "prefault", "false", fromDefault},
		{"", "COMET_PREFAULT=true", "prefault", "true", fromEnv},
		{"--config F", "", "log-level", "debug", fromFile},
		{"--config F", "COMET_LOG_LEVEL=warn", "log-level", "warn", fromEnv},
		{"--config F --engine epoll", "", "engine", "epoll", fromFlag},
		{"--config F", "", "max-message-bytes", "2000000", fromFile},
		{"--uring accept=multishot,batch=256", "", "uring", "", fromDefault},
		{"--uring accept=multishot,batch=64", "", "uring", "batch=64", fromFlag},
		{"", "COMET_EPOLL=trigger=edge", "epoll", "", fromDefault},
		{"", "COMET_EPOLL=trigger=level", "epoll", "trigger=level", fromEnv},
	} {
		file := strings.NewReplacer("--config F", "--config "+path, "CONFIG=F", "CONFIG="+path)
		args, env := strings.Fields(file.Replace(c.args)), strings.Fields(file.Replace(c.env))
		o, err := inputs{args: args, env: env}.parse(io.Discard)
		if err != nil {
			t.Errorf("%q %q: %v", c.args, c.env, err)
			continue
		}
		for _, s := range o.given {
			if s.Name == c.name && (s.Value != c.value || s.From != c.from) {
				t.Errorf("%q %q: %s is %s from %s, want %s from %s", c.args, c.env, s.Name, s.Value, s.From, c.value, c.from)
			}
		}
	}
}

// TestBadSettings proves that what is wrong in the file or the environment is
// named with where it stands, and that a mistyped name is answered with the right one.
func TestBadSettings(t *testing.T) {
	for _, c := range []struct {
		file, env string
		want      string // parts of the error, separated by |
	}{
		{`chanels = 5`, "", `comet.toml|no setting "chanels"|"channels"`},
		{`channel_buffer_size = 5`, "", `"channel_buffer_size"|"channel-buffer-size"`},
		{"channels = 5\nfrob = 1\nengin = 2", "", `"frob"|"engin"|"engine"`},
		{"[limits]\nchannels = 5", "", `no setting "limits"`},
		{"[channels]\nmost = 5", "", `channels: want a string`},
		{`config = "other.toml"`, "", `no setting "config"`},
		{`help = true`, "", `no setting "help"`},
		{`channels = 5 5`, "", `comet.toml is not TOML|line 1`},
		{"channels = 5\nchannels = 6", "", `not TOML|channels`},
		{`channels = "many"`, "", `--channels|"many" (given in |comet.toml)|64 bit int`},
		{`channels = 1.5`, "", `channels: want a string, a whole number`},
		{`front = [1, 2]`, "", `front: a list holds strings`},
		{`channels = -1`, "", `--channels=-1 (given in |comet.toml): want a number from 0`},
		{`polling-timeout = 30`, "", `--polling-timeout|"30" (given in`},
		{`prefault = "perhaps"`, "", `--prefault|"perhaps" (given in`},
		{`engine = "kqueue"`, "", `--engine|"kqueue" (given in |must be one of auto, uring, epoll, gonet`},
		{`front = "here"`, "", `--front=here (given in |no port`},
		{`admin-allow = ["10.0.0.0/8", "10.0.0.0/99"]`, "", `--admin-allow|given in|"10.0.0.0/99" is no network`},
		{``, "COMET_CHANNELS=many", `--channels|"many" (given by COMET_CHANNELS)`},
		{``, "COMET_LOOPS=0", `--loops=0 (given by COMET_LOOPS): want auto`},
		{``, "COMET_LOG_LEVEL=loud", `"loud" (given by COMET_LOG_LEVEL): must be one of debug`},
	} {
		in := inputs{args: []string{"--config", configFile(t, c.file)}, env: strings.Fields(c.env)}
		_, err := in.parse(io.Discard)
		if err == nil {
			t.Errorf("%q %q: no error", c.file, c.env)
			continue
		}
		for part := range strings.SplitSeq(c.want, "|") {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q %q: no %q in %q", c.file, c.env, part, err)
			}
		}
	}
}

// TestNearest proves that a mistyped name finds the one that was meant.
func TestNearest(t *testing.T) {
	names := []string{"channels", "channel-timeout", "channel-buffer-size", "loops", "log-level"}
	for name, want := range map[string]string{
		"chanels": "channels", "channel_timeout": "channel-timeout", "loop": "loops", "loglevel": "log-level",
		"buffer-size": "channel-buffer-size", "Channels": "channels",
	} {
		if got := nearest(name, names); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	if d := distance("", "abc"); d != 3 {
		t.Errorf("three bytes to insert are a distance of %d", d)
	}
}

// TestDoubtful proves that a variable that looks like a mistyped setting is
// found, and that what an orchestrator makes of a service's name is left alone.
func TestDoubtful(t *testing.T) {
	in := inputs{env: []string{"COMET_CHANELS=5", "COMET_PORT=tcp://10.0.0.1:80", "COMET_SERVICE_HOST=10.0.0.1", "CHANNEL=1", "COMET_LOOPS=1"}}
	o, err := in.parse(io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	got := o.sources.doubtful(o.flags)
	if len(got) != 1 || got[0].Name != "COMET_CHANELS" || got[0].Value != "COMET_CHANNELS" {
		t.Errorf("doubtful: %+v", got)
	}
}

// FuzzConfigFile proves that no file makes the server panic.
func FuzzConfigFile(f *testing.F) {
	f.Add("channels = 5\n[x]\ny = [1, {a = 2}]")
	f.Add("front = [\"a\", \"b\"]\nprefault = true\nloops = \"auto\"")
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), "comet.toml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		o, err := inputs{args: []string{"--config", path}}.parse(io.Discard)
		if (o == nil) == (err == nil) {
			t.Errorf("options %v and error %v", o, err)
		}
	})
}
