package doors

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"c1000k/comet"
)

// Every way of writing an address is read as the documentation says, and
// written back the same; ranges hold both ends.
func TestParse(t *testing.T) {
	for _, test := range []struct {
		spec string
		want []string
	}{
		{"127.0.0.1:8000", []string{"127.0.0.1:8000"}},
		{"127.0.0.1:8100-8102", []string{"127.0.0.1:8100", "127.0.0.1:8101", "127.0.0.1:8102"}},
		{"127.0.0.1:65535-65535", []string{"127.0.0.1:65535"}},
		{"[::1]:8000", []string{"[::1]:8000"}},
		{":8000", []string{"0.0.0.0:8000"}},
		{"[::]:8000", []string{"[::]:8000"}},
		{"127.0.0.1:0", []string{"127.0.0.1:0"}},
		{"127.0.0.1:0,127.0.0.1:0", []string{"127.0.0.1:0", "127.0.0.1:0"}},
		{"unix:/run/a:b-c.sock", []string{"unix:/run/a:b-c.sock"}},
		{"unix:@name", []string{"unix:@name"}},
		{"127.0.0.1:1, [::1]:2-3,unix:x", []string{"127.0.0.1:1", "[::1]:2", "[::1]:3", "unix:x"}},
	} {
		endpoints, err := Parse(test.spec)
		if err != nil {
			t.Errorf("%q: %v", test.spec, err)
			continue
		}
		var got []string
		for _, e := range endpoints {
			got = append(got, e.String())
		}
		if fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("%q is read as %v, want %v", test.spec, got, test.want)
		}
	}
}

// What cannot be an address is refused with a message that says why.
func TestParseRefuses(t *testing.T) {
	for _, test := range []struct{ spec, says string }{
		{"", "is empty"},
		{"127.0.0.1:8000,", "is empty"},
		{"8000", "has no port"},
		{"127.0.0.1", "has no port"},
		{"127.0.0.1:", `"" is not a port`},
		{"127.0.0.1:http", `"http" is not a port`},
		{"127.0.0.1:65536", `"65536" is not a port`},
		{"127.0.0.1:-1", `"" is not a port`},
		{"127.0.0.1:+1", `"+1" is not a port`},
		{"127.0.0.1:8100-", `"" is not a port`},
		{"127.0.0.1:8199-8100", "ends before it begins"},
		{"127.0.0.1:0-9", "cannot begin with 0"},
		{"127.0.0.1:1000-9000", "more than 1024 ports"},
		{"localhost:8000", "not an IP address"},
		{"127.0.0.256:8000", "not an IP address"},
		{"::1:8000", "stands in brackets"},
		{"[::1:8000", "not closed"},
		{"[127.0.0.1]:8000", "without brackets"},
		{"[fe80::1%lo]:8000", "zone"},
		{"127.0.0.1:8000-8001,127.0.0.1:8001", "named twice"},
		{"unix:", "has no path"},
		{"unix:@", "has no path"},
		{"unix:/" + strings.Repeat("x", 107), "may have 107"},
	} {
		endpoints, err := Parse(test.spec)
		if err == nil {
			t.Errorf("%q is read as %v", test.spec, endpoints)
		} else if !strings.Contains(err.Error(), test.says) {
			t.Errorf("%q: %q does not say %q", test.spec, err, test.says)
		}
	}
}

// listen opens spec, or fails the test, and closes it at the end.
func listen(t *testing.T, spec string) []comet.Listener {
	t.Helper()
	listeners, closer, err := Listen(spec, comet.DoorFront, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := closer.Close(); err != nil {
			t.Error(err)
		}
	})
	return listeners
}

// option reads a socket option, or fails the test.
func option(t *testing.T, fd, level, name int) int {
	t.Helper()
	v, err := unix.GetsockoptInt(fd, level, name)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Listening sockets carry the door and the true port, do not block, are alone on
// their port, and give TCP_NODELAY to what is accepted.
func TestListenTCP(t *testing.T) {
	for _, spec := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(spec, func(t *testing.T) {
			if strings.HasPrefix(spec, "[") {
				probe, err := net.Listen("tcp6", "[::1]:0")
				if err != nil {
					t.Skip("skipped: no IPv6 here: ", err)
				}
				probe.Close()
			}
			l := listen(t, spec)[0]
			if netip.MustParseAddrPort(l.Addr).Port() == 0 || l.Door != comet.DoorFront {
				t.Fatalf("listener is %+v", l)
			}
			if _, _, err := unix.Accept4(l.FD, 0); !errors.Is(err, unix.EAGAIN) {
				t.Fatalf("accept with nobody waiting: %v, want EAGAIN", err)
			}
			if option(t, l.FD, unix.SOL_SOCKET, unix.SO_REUSEPORT) != 0 {
				t.Error("SO_REUSEPORT is set")
			}
			client, err := net.Dial("tcp", l.Addr)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			fd, _, err := unix.Accept4(l.FD, unix.SOCK_CLOEXEC)
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(fd)
			if option(t, fd, unix.IPPROTO_TCP, unix.TCP_NODELAY) == 0 {
				t.Error("an accepted socket has no TCP_NODELAY")
			}
		})
	}
}

// openDescriptors counts the open descriptors of this process.
func openDescriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// A port in use is named, with the remedy; nothing of the same call stays open;
// and after the holder closes, the port can be had at once.
func TestListenPortInUse(t *testing.T) {
	holder, closer, err := Listen("127.0.0.1:0", comet.DoorFront, 0)
	if err != nil {
		t.Fatal(err)
	}
	addr := holder[0].Addr
	port := netip.MustParseAddrPort(addr).Port()
	// A free port stands before it, so that one socket is open when the second
	// fails.
	before := openDescriptors(t)
	_, _, err = Listen("127.0.0.1:0,"+addr, comet.DoorFront, 0)
	if after := openDescriptors(t); after != before {
		t.Errorf("%d descriptors were open before the failure, %d after it", before, after)
	}
	if !errors.Is(err, unix.EADDRINUSE) || !strings.Contains(err.Error(), "port "+strconv.Itoa(int(port))+" is in use") {
		t.Fatalf("listening on a port in use: %v", err)
	}
	if err := closer.Close(); err != nil {
		t.Fatal(err)
	}
	listen(t, addr)
}

// A range opens one listener a port, in order.
func TestListenRange(t *testing.T) {
	// Find three neighbours that are free just now.
	for base := 21000; base < 22000; base += 3 {
		spec := fmt.Sprintf("127.0.0.1:%d-%d", base, base+2)
		listeners, closer, err := Listen(spec, comet.DoorAdmin, 16)
		if errors.Is(err, unix.EADDRINUSE) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		defer closer.Close()
		for i, l := range listeners {
			if want := fmt.Sprintf("127.0.0.1:%d", base+i); l.Addr != want || l.Door != comet.DoorAdmin {
				t.Errorf("listener %d is %+v, want %s", i, l, want)
			}
		}
		if len(listeners) != 3 {
			t.Errorf("%s opened %d listeners", spec, len(listeners))
		}
		return
	}
	t.Fatal("no three free neighbours between ports 21000 and 22000")
}

// A dead server's unix socket is replaced; a living one's and a plain file are
// refused and left alone; closing removes the path.
func TestListenUnix(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	spec := "unix:" + path
	first, _, err := Listen(spec, comet.DoorFront, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := Listen(spec, comet.DoorFront, 0); !errors.Is(err, unix.EADDRINUSE) {
		t.Fatalf("a second server on one path: %v", err)
	}
	// Die: the socket is closed but the path stays.
	unix.Close(first[0].FD)
	second, closer, err := Listen(spec, comet.DoorFront, 0)
	if err != nil {
		t.Fatalf("after a dead server: %v", err)
	}
	client, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	client.Close()
	if second[0].Addr != spec {
		t.Errorf("address is %q", second[0].Addr)
	}
	if err := closer.Close(); err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("unix", path); err == nil {
		t.Error("the path answers after the closer ran")
	}
}

// Errors that a user can mend say how.
func TestListenExplains(t *testing.T) {
	for _, test := range []struct{ spec, says string }{
		{"192.0.2.1:0", "none of this machine's"},
		{"unix:/nonexistent/s", "does not exist"},
		{"unix:/proc/s", "listening on unix:/proc/s"},
	} {
		_, closer, err := Listen(test.spec, comet.DoorFront, 0)
		if err == nil {
			closer.Close()
			t.Errorf("%s could be opened", test.spec)
		} else if !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %q does not say %q", test.spec, err, test.says)
		}
	}
	low := Endpoint{Addr: netip.MustParseAddrPort("127.0.0.1:80")}
	if err := explain(low, "bind", unix.EACCES); !strings.Contains(err.Error(), "CAP_NET_BIND_SERVICE") {
		t.Errorf("a port without privilege: %q", err)
	}
}
