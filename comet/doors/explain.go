package doors

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// firstFreePort is the lowest port that needs no privilege by default.
const firstFreePort = 1024

// explain says which address failed in which step, why that is likely, and what
// can be done about it. The system's error stays inside.
func explain(e Endpoint, step string, err error) error {
	hint := ""
	switch {
	case errors.Is(err, unix.EADDRINUSE) && e.Path != "":
		hint = "; another server answers there, or it is no socket: remove it or choose another path"
	case errors.Is(err, unix.EADDRINUSE):
		hint = inUseHint(int(e.Addr.Port()))
	case errors.Is(err, unix.EACCES) && e.Path != "":
		hint = "; the directory must be writable and searchable"
	case errors.Is(err, unix.EACCES) && int(e.Addr.Port()) < firstFreePort:
		hint = fmt.Sprintf("; a port below %d needs CAP_NET_BIND_SERVICE: choose a higher one", firstFreePort)
	case errors.Is(err, unix.EADDRNOTAVAIL):
		hint = "; the address is none of this machine's: see `ip address`"
	case errors.Is(err, unix.EAFNOSUPPORT):
		hint = "; the kernel has no IPv6: use an IPv4 address"
	case errors.Is(err, unix.ENOENT) && e.Path != "":
		hint = "; the directory does not exist"
	case errors.Is(err, unix.EMFILE):
		hint = "; the descriptor limit is too low: raise it (`ulimit -n`) or ask for fewer ports"
	}
	return fmt.Errorf("listening on %s: %s: %w%s", e, step, err, hint)
}

// inUseHint names who may hold a port: a server, or a client's own end where the
// range of outgoing ports covers it.
func inUseHint(port int) string {
	hint := fmt.Sprintf("; port %d is in use: see `ss -tanp 'sport = :%d'`, and stop that server or choose other ports", port, port)
	if low, high, ok := outgoingRange(); ok && low <= port && port <= high {
		hint += fmt.Sprintf("; or an outgoing connection took it, as net.ipv4.ip_local_port_range is %d to %d:"+
			" reserve it in net.ipv4.ip_local_reserved_ports", low, high)
	}
	return hint
}

// outgoingRange is the range of ports that the kernel gives to clients.
func outgoingRange() (low, high int, ok bool) {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return 0, 0, false
	}
	n, err := fmt.Sscan(string(text), &low, &high)
	return low, high, err == nil && n == 2
}
