package sample

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Established is the kernel's exact count of established TCP connections.
type Established struct {
	// Server counts the sockets whose own port lies in the range, Load those
	// whose peer's does: on loopback both ends of a connection are here.
	Server int64 `json:"server_end"`
	Load   int64 `json:"load_end"`
}

// The kernel's numbers for its socket monitoring interface (sock_diag and
// inet_diag), which golang.org/x/sys/unix does not name.
const (
	sockDiagByFamily   = 20
	tcpEstablished     = 1
	inetDiagRequestLen = 56 // struct inet_diag_req_v2
	inetDiagMessageLen = 72 // struct inet_diag_msg
	nlmsgHeaderLen     = 16
)

// dumpBuffer holds what the kernel gives in one read of a dump; it never gives
// more than 32 KB at a time unless asked with a larger buffer.
const dumpBuffer = 1 << 20

// CountEstablished asks the kernel for every established TCP socket and counts
// those with a port from low to high, both included, at one of their ends. IPv4
// and IPv6 are counted together. It needs no privilege but takes seconds where
// there are millions of sockets, during which a processor is busy: count by
// ReadSockets where this would disturb. It stops with the context's error when
// ctx ends.
func CountEstablished(ctx context.Context, low, high uint16) (Established, error) {
	var total Established
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		e, err := countFamily(ctx, family, low, high)
		total.Server += e.Server
		total.Load += e.Load
		if err != nil {
			return total, fmt.Errorf("count connections by sock_diag: %w", err)
		}
	}
	return total, nil
}

func countFamily(ctx context.Context, family uint8, low, high uint16) (Established, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return Established{}, err
	}
	defer unix.Close(fd)
	if err := unix.Sendto(fd, diagRequest(family), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return Established{}, err
	}
	var count Established
	buf := make([]byte, dumpBuffer)
	for {
		if err := ctx.Err(); err != nil {
			return count, err
		}
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return count, err
		}
		done, err := count.add(buf[:n], low, high)
		if err != nil || done {
			return count, err
		}
	}
}

// diagRequest asks for all established TCP sockets of a family.
func diagRequest(family uint8) []byte {
	b := make([]byte, nlmsgHeaderLen+inetDiagRequestLen)
	binary.NativeEndian.PutUint32(b[0:], uint32(len(b)))
	binary.NativeEndian.PutUint16(b[4:], sockDiagByFamily)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	request := b[nlmsgHeaderLen:]
	request[0] = family
	request[1] = unix.IPPROTO_TCP
	binary.NativeEndian.PutUint32(request[4:], 1<<tcpEstablished)
	return b
}

// add counts the sockets of one read and tells whether the dump is at its end.
func (e *Established) add(messages []byte, low, high uint16) (done bool, err error) {
	for len(messages) >= nlmsgHeaderLen {
		length := binary.NativeEndian.Uint32(messages[0:])
		kind := binary.NativeEndian.Uint16(messages[4:])
		if length < nlmsgHeaderLen || int(length) > len(messages) {
			return false, errors.New("the kernel's answer is cut off")
		}
		body := messages[nlmsgHeaderLen:length]
		switch kind {
		case unix.NLMSG_DONE:
			return true, nil
		case unix.NLMSG_ERROR:
			if len(body) >= 4 {
				if code := int32(binary.NativeEndian.Uint32(body)); code != 0 {
					return false, unix.Errno(-code)
				}
			}
			return true, nil
		case sockDiagByFamily:
			if len(body) < inetDiagMessageLen {
				return false, errors.New("the kernel's answer is too short")
			}
			// The ports follow four bytes of family, state, timer and
			// retransmissions, in network order.
			own, peer := binary.BigEndian.Uint16(body[4:]), binary.BigEndian.Uint16(body[6:])
			if low <= own && own <= high {
				e.Server++
			}
			if low <= peer && peer <= high {
				e.Load++
			}
		}
		messages = messages[min(align4(int(length)), len(messages)):]
	}
	return false, nil
}

func align4(n int) int { return (n + 3) &^ 3 }
