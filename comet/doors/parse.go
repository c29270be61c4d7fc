package doors

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// maxEndpoints bounds the listeners that one specification may ask for. Each is
// a descriptor in every table of the process.
const maxEndpoints = 1024

// maxUnixPath is the longest path of a unix socket: sun_path has 108 bytes, and
// one ends the string.
const maxUnixPath = 107

// Endpoint is one address to listen on.
type Endpoint struct {
	// Path is the path of a unix socket, beginning with @ if it is abstract;
	// empty for TCP.
	Path string
	// Addr is the address of a TCP socket. Port 0 asks for any free port.
	Addr netip.AddrPort
}

// String writes the endpoint as Parse reads it.
func (e Endpoint) String() string {
	if e.Path != "" {
		return "unix:" + e.Path
	}
	return e.Addr.String()
}

// Parse reads a comma-separated list of addresses, each with one port or a
// range of ports, or unix:/path. The error quotes the part that is wrong and
// says what was expected.
func Parse(spec string) ([]Endpoint, error) {
	var all []Endpoint
	seen := map[Endpoint]bool{}
	for part := range strings.SplitSeq(spec, ",") {
		part = strings.TrimSpace(part)
		endpoints, err := parseOne(part)
		if err != nil {
			return nil, fmt.Errorf("listen address %q: %w", part, err)
		}
		for _, e := range endpoints {
			if seen[e] && e.Addr.Port() != 0 {
				return nil, fmt.Errorf("listen address %q: %s is named twice", part, e)
			}
			seen[e] = true
		}
		all = append(all, endpoints...)
		if len(all) > maxEndpoints {
			return nil, fmt.Errorf("listen address %q: more than %d ports; each is a descriptor in every table", part, maxEndpoints)
		}
	}
	return all, nil
}

// parseOne reads one part of the list.
func parseOne(part string) ([]Endpoint, error) {
	if part == "" {
		return nil, fmt.Errorf("is empty; write it as 127.0.0.1:8100-8199")
	}
	if path, ok := strings.CutPrefix(part, "unix:"); ok {
		switch {
		case path == "" || path == "@":
			return nil, fmt.Errorf("has no path; write it as unix:/run/comet.sock")
		case len(path) > maxUnixPath:
			return nil, fmt.Errorf("the path has %d bytes, a unix socket's may have %d", len(path), maxUnixPath)
		}
		return []Endpoint{{Path: path}}, nil
	}
	// The last colon: an IPv6 address has more of them, but in brackets.
	colon := strings.LastIndexByte(part, ':')
	if colon < 0 {
		return nil, fmt.Errorf("has no port; write it as 127.0.0.1:8100-8199")
	}
	host, err := parseHost(part[:colon])
	if err != nil {
		return nil, err
	}
	first, last, err := parsePorts(part[colon+1:])
	if err != nil {
		return nil, err
	}
	var endpoints []Endpoint
	for port := first; port <= last; port++ {
		endpoints = append(endpoints, Endpoint{Addr: netip.AddrPortFrom(host, uint16(port))})
	}
	return endpoints, nil
}

// parseHost reads the part before the port.
func parseHost(host string) (netip.Addr, error) {
	if host == "" {
		return netip.IPv4Unspecified(), nil
	}
	inner, bracketed := strings.CutPrefix(host, "[")
	if bracketed {
		var closed bool
		if inner, closed = strings.CutSuffix(inner, "]"); !closed {
			return netip.Addr{}, fmt.Errorf("a bracket is not closed")
		}
	} else if strings.Contains(host, ":") {
		return netip.Addr{}, fmt.Errorf("an IPv6 address stands in brackets, as in [::1]:8000")
	}
	addr, err := netip.ParseAddr(inner)
	switch {
	case err != nil:
		return netip.Addr{}, fmt.Errorf("%q is not an IP address (names are not resolved)", inner)
	case bracketed && addr.Is4():
		return netip.Addr{}, fmt.Errorf("an IPv4 address stands without brackets")
	case addr.Zone() != "":
		return netip.Addr{}, fmt.Errorf("an address with a zone is not supported")
	}
	return addr, nil
}

// parsePorts reads a port or a range of ports.
func parsePorts(text string) (first, last int, err error) {
	low, high, isRange := strings.Cut(text, "-")
	if first, err = parsePort(low); err != nil {
		return 0, 0, err
	}
	if !isRange {
		return first, first, nil
	}
	if last, err = parsePort(high); err != nil {
		return 0, 0, err
	}
	switch {
	case first == 0:
		return 0, 0, fmt.Errorf("a range of ports cannot begin with 0")
	case last < first:
		return 0, 0, fmt.Errorf("the range of ports %s ends before it begins", text)
	}
	return first, last, nil
}

// parsePort reads one port in decimal.
func parsePort(text string) (int, error) {
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("%q is not a port, which is a number from 0 to 65535", text)
	}
	return int(port), nil
}
