package main

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
)

// TestBadInput proves that a wrong flag or value ends the program at once with
// the code for usage and a message that names it, and that what is too much for
// the machine has another code and says what works.
func TestBadInput(t *testing.T) {
	for _, c := range []struct {
		args string
		exit int
		want string // parts of the message, separated by |
	}{
		{"--frob", exitUsage, "unknown flag --frob|--help"},
		{"--chanels 5", exitUsage, "--chanels|--channels"},
		{"serve", exitUsage, "serve"},
		{"--engine kqueue", exitUsage, "--engine|uring|epoll|gonet|kqueue"},
		{"--epoll trigger=never", exitUsage, "--epoll=trigger=never|edge|level"},
		{"--epoll colour=red", exitUsage, "--epoll=colour=red|none of trigger"},
		{"--loops many", exitUsage, "--loops=many|auto"},
		{"--loops 0", exitUsage, "--loops=0|from 1"},
		{"--channels many", exitUsage, "--channels"},
		{"--channels=-1", exitUsage, "--channels=-1|from 0"},
		{"--channels -1", exitUsage, "--channels=-1|from 0"},
		{"--loops -1", exitUsage, "--loops=-1|from 1"},
		{"--polling-timeout -1s", exitUsage, "--polling-timeout=-1s|from 1ms"},
		{"--channels 1000000000", exitUsage, "--channels=1000000000"},
		{"--max-connections 64", exitUsage, "--max-connections=64|from 65"},
		{"--max-connections 1000000000", exitUsage, "--max-connections"},
		{"--max-channels-per-subscription=129", exitUsage, "--max-channels-per-subscription=129"},
		{"--max-channels-per-subscription=0", exitUsage, "want a number from 1 to 128"},
		{"--max-subscribers-per-channel=-2", exitUsage, "--max-subscribers-per-channel=-2"},
		{"--channel-buffer-size 70000", exitUsage, "--channel-buffer-size=70000|65535"},
		{"--channel-timeout 0s", exitUsage, "--channel-timeout=0s|from 1ms"},
		{"--channel-timeout 30", exitUsage, "--channel-timeout"},
		{"--polling-timeout=-1s", exitUsage, "--polling-timeout=-1s"},
		{"--polling-timeout 9000h", exitUsage, "--polling-timeout=9000h0m0s"},
		{"--header-timeout 0s", exitUsage, "--header-timeout=0s"},
		{"--idle-timeout 0s", exitUsage, "--idle-timeout=0s"},
		{"--stall-timeout 9000h", exitUsage, "--stall-timeout=9000h0m0s"},
		{"--max-content-bytes 0", exitUsage, "--max-content-bytes=0|from 1 to 4194304"},
		{"--max-content-bytes 9999999", exitUsage, "--max-content-bytes=9999999"},
		{"--max-message-bytes 1000", exitUsage, "--max-message-bytes=1000|from 1048576"},
		{"--channel-buffer-bytes=-1", exitUsage, "--channel-buffer-bytes=-1"},
		{"--cors-origin a,b", exitUsage, "--cors-origin=a,b|scheme"},
		{"--auth basic", exitUsage, "--auth|none|token"},
		{"--log-level loud", exitUsage, "--log-level|debug|loud"},
		{"--log-format xml", exitUsage, "--log-format|json"},
		{"--admin-allow 10.0.0.0/33", exitUsage, "--admin-allow|10.0.0.0/33|no network"},
		{"--admin-deny here", exitUsage, "--admin-deny=here|neither an address nor a network"},
		{"--trusted-proxies 10.1.2.3/8", exitUsage, "--trusted-proxies|10.0.0.0/8"},
		{"--admin-allow 10.0.0.0/8 --admin-deny 10.0.0.0/8", exitUsage, "--admin-deny|both allowed and denied"},
		{"--admin-secret-file /nowhere/secret", exitUsage, "--admin-secret-file=/nowhere/secret|no such file"},
		{"--admin-secret-file /dev/null", exitUsage, "--admin-secret-file|empty"},
		{"--config /nowhere/comet.toml", exitUsage, "--config|/nowhere/comet.toml|no such file"},
		{"--table-limit 3", exitUsage, "--table-limit=3"},
		{"--front here", exitUsage, "--front=here|no port"},
		{"--front 127.0.0.1:8199-8100", exitUsage, "--front|before it begins"},
		{"--front 127.0.0.1:70000", exitUsage, "--front|70000"},
		{"--front=", exitUsage, "--front"},
		{"--admin localhost:8000", exitUsage, "--admin|not an IP address"},
		{"--debug 127.0.0.1", exitUsage, "--debug|no port"},
		{"--front 127.0.0.1:8000-8005", exitUsage, "--admin|127.0.0.1:8000|--front already"},
		{"--debug 127.0.0.1:8150", exitUsage, "--debug|--front already"},
		{"--front 192.0.2.1:0 --admin 127.0.0.1:0 --debug 127.0.0.1:0 --channels 10", exitListen, "--front|192.0.2.1|none of this machine's"},
	} {
		t.Run(c.args, func(t *testing.T) {
			exit, stdout, stderr := runToEnd(t, strings.Fields(c.args)...)
			if exit != c.exit {
				t.Errorf("exit code %d, want %d", exit, c.exit)
			}
			for part := range strings.SplitSeq(c.want, "|") {
				if !strings.Contains(stderr, part) {
					t.Errorf("no %q in the message: %s", part, stderr)
				}
			}
			if stdout != "" || strings.Contains(stderr, "goroutine ") {
				t.Errorf("output %q, message %q", stdout, stderr)
			}
		})
	}
}

// TestPortInUse proves that a door whose port is taken is named with its port
// and a remedy, that nothing serves then, and the exit code for it.
func TestPortInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, flag := range []string{"--front", "--admin", "--debug"} {
		t.Run(flag, func(t *testing.T) {
			doors := map[string]string{"--front": "127.0.0.1:0", "--admin": "127.0.0.1:0", "--debug": "127.0.0.1:0"}
			doors[flag] = taken.Addr().String()
			args := []string{"--channels", "10", "--engine", "epoll"}
			for f, addr := range doors {
				args = append(args, f, addr)
			}
			exit, _, stderr := runToEnd(t, args...)
			if exit != exitListen {
				t.Errorf("exit code %d, want %d", exit, exitListen)
			}
			for _, part := range []string{"cannot start", flag, taken.Addr().String(), "in use", "`ss -tanp"} {
				if !strings.Contains(stderr, part) {
					t.Errorf("no %q in the message: %s", part, stderr)
				}
			}
			if strings.Contains(stderr, "msg=serving") {
				t.Error("it served all the same")
			}
		})
	}
}

// TestUnixDoors proves that a door's path that cannot be made is refused by name.
func TestUnixDoors(t *testing.T) {
	path := "unix:" + filepath.Join(t.TempDir(), "missing", "front.sock")
	exit, _, stderr := runToEnd(t, "--channels", "10", "--engine", "epoll", "--front", path, "--admin", "127.0.0.1:0", "--debug", "none")
	if exit != exitListen || !strings.Contains(stderr, path) || !strings.Contains(stderr, "does not exist") {
		t.Errorf("exit code %d: %s", exit, stderr)
	}
}

// TestHelp proves that help names every flag that is for users, with its default,
// an example and the exit codes, and starts nothing.
func TestHelp(t *testing.T) {
	exit, stdout, stderr := runToEnd(t, "--help")
	if exit != exitClean || stderr != "" {
		t.Errorf("exit code %d: %s", exit, stderr)
	}
	for _, part := range []string{
		"--engine", "--front", "--admin", "--debug", "--channels", "--max-connections", "--max-subscribers-per-channel", "--max-channels-per-subscription",
		"--channel-buffer-size", "--channel-buffer-bytes", "--max-content-bytes", "--max-message-bytes", "--channel-timeout",
		"--header-timeout", "--idle-timeout", "--stall-timeout", "--early-head", "--cors-origin", "--auth", "--admin-allow",
		"--admin-deny", "--trusted-proxies", "--admin-secret-file", "--config", "--log-level", "--log-format", "--polling-timeout", "--loops", "--prefault", "--version",
		"127.0.0.1:8100-8199", "1000000", "30s", "curl", "Exit codes:", "SIGTERM", "SIGHUP", "COMET_POLLING_TIMEOUT",
		"Doors:", "Who may publish and subscribe:", "Limits:", "Timeouts:", "Engine:", "Operation:",
	} {
		if !strings.Contains(stdout, part) {
			t.Errorf("help does not name %s", part)
		}
	}
	for _, hidden := range []string{"--table-limit", "--seed"} {
		if strings.Contains(stdout, hidden) {
			t.Errorf("help shows %s, which is for tests", hidden)
		}
	}
}

// TestVersion proves that the version is one line on standard output.
func TestVersion(t *testing.T) {
	exit, stdout, stderr := runToEnd(t, "--version")
	if exit != exitClean || stderr != "" || !strings.HasPrefix(stdout, "comet ") || strings.Count(stdout, "\n") != 1 {
		t.Errorf("exit code %d: %q %q", exit, stdout, stderr)
	}
}
