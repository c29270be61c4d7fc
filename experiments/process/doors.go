package process

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
)

// The ports of one server, counted from its base: the admin and the debug door
// first, then the front doors. Base 8000 gives the server's own defaults.
const (
	adminOffset = 0
	debugOffset = 1
	frontOffset = 100
	// doorsStride is the distance between two bases that are tried.
	doorsStride = 1000
	// FrontPorts is the number of front ports of a ladder's server: past about
	// 14,000 connections to one port connect() searches for a source port, so a
	// hundred ports carry a million.
	FrontPorts = 100
)

// Doors are the addresses of one server, all on loopback.
type Doors struct {
	Host      string `json:"host"`
	Admin     int    `json:"admin_port"`
	Debug     int    `json:"debug_port"`
	FirstPort int    `json:"front_first_port"`
	LastPort  int    `json:"front_last_port"`
}

// FrontFlag is the value of the server's --front.
func (d Doors) FrontFlag() string { return fmt.Sprintf("%s:%d-%d", d.Host, d.FirstPort, d.LastPort) }

// AdminAddr is the address of the admin door.
func (d Doors) AdminAddr() string { return net.JoinHostPort(d.Host, strconv.Itoa(d.Admin)) }

// DebugAddr is the address of the debug door.
func (d Doors) DebugAddr() string { return net.JoinHostPort(d.Host, strconv.Itoa(d.Debug)) }

// Args are the server's flags for them.
func (d Doors) Args() []string {
	return []string{"--front=" + d.FrontFlag(), "--admin=" + d.AdminAddr(), "--debug=" + d.DebugAddr()}
}

// FrontAddrs lists the front doors.
func (d Doors) FrontAddrs() []string {
	var addrs []string
	for p := d.FirstPort; p <= d.LastPort; p++ {
		addrs = append(addrs, net.JoinHostPort(d.Host, strconv.Itoa(p)))
	}
	return addrs
}

// CheckBase refuses a base from which no server finds room for its ports.
func CheckBase(base int) error {
	limit := localPortsFrom()
	if base < 1 || base+frontOffset+FrontPorts > limit {
		return fmt.Errorf("must be 1 to %d: a server takes it and %d front ports, and the range of source ports begins at %d",
			limit-frontOffset-FrontPorts, FrontPorts, limit)
	}
	return nil
}

// FindDoors finds ports for a server: base, or the next thousand where one of
// them is taken or another experiment on this machine uses it, below the range that
// connections take their source from. It returns the base to try for the next server.
func FindDoors(base int) (d Doors, next int, err error) {
	limit := localPortsFrom()
	var busy []string
	for b := base; b+frontOffset+FrontPorts <= limit; b += doorsStride {
		d = Doors{
			Host: "127.0.0.1", Admin: b + adminOffset, Debug: b + debugOffset,
			FirstPort: b + frontOffset, LastPort: b + frontOffset + FrontPorts - 1,
		}
		port := b
		err := claim(b)
		if err == nil {
			port, err = firstBusy(d)
		}
		if err == nil {
			return d, b + doorsStride, nil
		}
		busy = append(busy, strconv.Itoa(port))
	}
	if len(busy) == 0 {
		return Doors{}, 0, fmt.Errorf("no room for %d front ports between port %d and the range of source ports, which begins at %d", FrontPorts, base, limit)
	}
	return Doors{}, 0, fmt.Errorf("no free range of ports for a server between %d and %d: taken are %s", base, limit, strings.Join(busy, ", "))
}

// firstBusy tries each port and names the first that cannot be listened on.
func firstBusy(d Doors) (int, error) {
	ports := []int{d.Admin, d.Debug}
	for p := d.FirstPort; p <= d.LastPort; p++ {
		ports = append(ports, p)
	}
	for _, p := range ports {
		l, err := net.Listen("tcp", net.JoinHostPort(d.Host, strconv.Itoa(p)))
		if err != nil {
			return p, err
		}
		l.Close()
	}
	return 0, nil
}

// localPortsFrom is the first port the kernel gives to outgoing connections; a
// listener above it may meet one of them.
func localPortsFrom() int {
	const usual = 32768
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return usual
	}
	fields := strings.Fields(string(text))
	if len(fields) == 0 {
		return usual
	}
	low, err := strconv.Atoi(fields[0])
	if err != nil || low < doorsStride {
		return usual
	}
	return low
}
