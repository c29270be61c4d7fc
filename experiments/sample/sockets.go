package sample

import (
	"fmt"
	"os"

	"github.com/prometheus/procfs"
)

// Sockets is /proc/net/sockstat: what the kernel counts of its TCP sockets, of
// the whole network namespace, both ends of a loopback connection. Reading it
// costs microseconds at any number of connections.
type Sockets struct {
	// InUse counts sockets that are bound or connected, listeners included,
	// IPv4 and IPv6 together.
	InUse int `json:"tcp_inuse"`
	// Orphan counts closed ones that still have something to send.
	Orphan int `json:"tcp_orphan"`
	// TimeWait counts the small remains of closed connections.
	TimeWait int `json:"tcp_time_wait"`
	// Allocated counts socket objects in the kernel.
	Allocated int `json:"tcp_alloc"`
	// Memory is the buffers of all TCP sockets, in bytes.
	Memory int64 `json:"tcp_memory_bytes"`
}

// ReadSockets reads /proc/net/sockstat and, where there is IPv6, sockstat6.
func ReadSockets() (Sockets, error) {
	proc, err := procfs.NewDefaultFS()
	if err != nil {
		return Sockets{}, fmt.Errorf("read sockstat: %w", err)
	}
	v4, err := proc.NetSockstat()
	if err != nil {
		return Sockets{}, fmt.Errorf("read /proc/net/sockstat: %w", err)
	}
	var s Sockets
	for _, p := range v4.Protocols {
		if p.Protocol != "TCP" {
			continue
		}
		s.InUse = p.InUse
		s.Orphan = number(p.Orphan)
		s.TimeWait = number(p.TW)
		s.Allocated = number(p.Alloc)
		s.Memory = int64(number(p.Mem)) * int64(os.Getpagesize())
	}
	if v6, err := proc.NetSockstat6(); err == nil {
		for _, p := range v6.Protocols {
			if p.Protocol == "TCP6" {
				s.InUse += p.InUse
			}
		}
	}
	return s, nil
}

func number(p *int) int {
	if p == nil {
		return 0
	}
	return *p
}
