package floor

import (
	"fmt"
	"net/netip"

	"c1000k/experiments/fdtable"
	"c1000k/experiments/load/rawnet"
)

// tableConnections is how many connections a thread with a table of its own
// holds at most; the rest of the usual 20,000 is for listeners and wakes.
const tableConnections = 19_000

// tableReserve is kept back, in a table that the process shares, for what else
// it opens.
const tableReserve = 300

// layout says over how many threads a number of connections is spread.
type layout struct {
	threads   int
	perThread int
	own       bool // each thread has a table of its own; otherwise they share one
}

// plan chooses the layout for n connections and descriptors others beside them,
// over at least some threads.
func plan(n, others, threads int) (layout, error) {
	soft := fdtable.RaiseLimit(n + others + tableReserve)
	if n+others+tableReserve <= soft {
		return layout{threads: threads, perThread: (n + threads - 1) / threads}, nil
	}
	if err := fdtable.Probe(); err != nil {
		return layout{}, fmt.Errorf("%d connections exceed the limit of %d descriptors: %w", n, soft, err)
	}
	per := min(tableConnections, soft-others-tableReserve)
	if per <= 0 {
		return layout{}, fmt.Errorf("a limit of %d descriptors leaves no room for connections beside %d of each thread's own: raise it (ulimit -n)",
			soft, others+tableReserve)
	}
	return layout{threads: (n + per - 1) / per, perThread: per, own: true}, nil
}

// start runs fn on a thread with the kind of table that the layout says.
func (l layout) start(keep []int, fn func()) (*fdtable.Thread, error) {
	if l.own {
		return fdtable.Go(keep, func(*fdtable.Table) { fn() })
	}
	return fdtable.GoShared(func(*fdtable.Table) { fn() }), nil
}

// listenAll listens on ports from first on; first 0 lets the kernel choose each.
func listenAll(ip netip.Addr, first, ports int) (fds, bound []int, err error) {
	for i := range ports {
		port := 0
		if first != 0 {
			port = first + i
		}
		fd, port, err := rawnet.Listen(ip, port)
		if err != nil {
			closeAll(fds)
			return nil, nil, err
		}
		fds, bound = append(fds, fd), append(bound, port)
	}
	return fds, bound, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		rawnet.Close(fd)
	}
}
