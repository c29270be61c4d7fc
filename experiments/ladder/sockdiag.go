package ladder

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"c1000k/experiments/process"
)

// The parts of the kernel's sock_diag that are used; x/sys has no names for
// most of them.
const (
	sockDiagByFamily = 20        // message type
	inetDiagBytecode = 1         // attribute: the filter
	establishedMask  = 1 << 1    // of states; TCP_ESTABLISHED is 1
	opSourceGE       = 2         // source port at least
	opSourceLE       = 3         // source port at most
	opDestGE         = 4         // destination port at least
	opDestLE         = 5         // destination port at most
	diagBuffer       = 256 << 10 // bytes for one read
	nlHeader         = 16        // struct nlmsghdr
	diagRequest      = 56        // struct inet_diag_req_v2
	bytecodeOp       = 4         // struct inet_diag_bc_op
	bytecodeLen      = 4 * bytecodeOp
)

// endpoints counts established IPv4 connections by the kernel's own list.
type endpoints struct {
	// Server have one of the front ports at their own end, Client at the other.
	Server int
	Client int
}

// countEndpoints asks the kernel for the established connections of the doors
// in front of d, both ends. It copies about 100 bytes a connection out of the
// kernel, so it is for confirmation, not for watching.
func countEndpoints(d process.Doors) (endpoints, error) {
	var e endpoints
	var err error
	if e.Server, err = countPorts(opSourceGE, opSourceLE, d.FirstPort, d.LastPort); err != nil {
		return endpoints{}, err
	}
	if e.Client, err = countPorts(opDestGE, opDestLE, d.FirstPort, d.LastPort); err != nil {
		return endpoints{}, err
	}
	return e, nil
}

// countPorts counts the connections whose port, by the two comparisons, lies
// between first and last.
func countPorts(least, most byte, first, last int) (int, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return 0, fmt.Errorf("open sock_diag: %w", err)
	}
	defer unix.Close(fd)
	if err := unix.Sendto(fd, diagMessage(least, most, first, last), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return 0, fmt.Errorf("ask sock_diag: %w", err)
	}
	buf := make([]byte, diagBuffer)
	total := 0
	for {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("read sock_diag: %w", err)
		}
		found, done, err := countMessages(buf[:n])
		if err != nil {
			return 0, err
		}
		total += found
		if done {
			return total, nil
		}
	}
}

// diagMessage asks for established TCP connections over IPv4 by a filter of two
// operations: port >= first, port <= last. An operation that fails jumps past
// the end by four, which the kernel reads as a refusal.
func diagMessage(least, most byte, first, last int) []byte {
	const total = nlHeader + diagRequest + unix.SizeofRtAttr + bytecodeLen
	m := make([]byte, total)
	le := binary.NativeEndian
	le.PutUint32(m[0:], total)
	le.PutUint16(m[4:], sockDiagByFamily)
	le.PutUint16(m[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	req := m[nlHeader:]
	req[0], req[1] = unix.AF_INET, unix.IPPROTO_TCP
	le.PutUint32(req[4:], establishedMask)
	attr := req[diagRequest:]
	le.PutUint16(attr[0:], unix.SizeofRtAttr+bytecodeLen)
	le.PutUint16(attr[2:], inetDiagBytecode)
	code := attr[unix.SizeofRtAttr:]
	op := func(at int, kind byte, port int) {
		b := code[at:]
		b[0], b[1] = kind, 2*bytecodeOp                        // yes: over this operation and its port
		le.PutUint16(b[2:], uint16(bytecodeLen-at+bytecodeOp)) // no: past the end
		le.PutUint16(b[bytecodeOp+2:], uint16(port))           // the port travels in the next one's number
	}
	op(0, least, first)
	op(2*bytecodeOp, most, last)
	return m
}

// countMessages counts the connections of one read.
func countMessages(b []byte) (n int, done bool, err error) {
	le := binary.NativeEndian
	for len(b) >= nlHeader {
		size := int(le.Uint32(b))
		if size < nlHeader || size > len(b) {
			return 0, false, errors.New("read sock_diag: a message is cut short")
		}
		switch le.Uint16(b[4:]) {
		case unix.NLMSG_DONE:
			return n, true, nil
		case unix.NLMSG_ERROR:
			code := int32(le.Uint32(b[nlHeader:]))
			return 0, false, fmt.Errorf("sock_diag refuses: %w", unix.Errno(-code))
		default:
			n++
		}
		b = b[min(len(b), (size+unix.NLMSG_ALIGNTO-1)&^(unix.NLMSG_ALIGNTO-1)):]
	}
	return n, false, nil
}
