package epoll

import (
	"fmt"
	"os"

	"c1000k/comet"
	"c1000k/comet/hub"
	timerslack "c1000k/comet/slack"
	"c1000k/experiments/fdtable"
)

const (
	// defaultAdminReserve is the number of slots kept for the admin door where
	// nothing else is said; a small table gives at most a quarter.
	defaultAdminReserve = 64
	// reservePart bounds that number: a fourth of a small server.
	reservePart = 4
	// spareShared are descriptors of the process's table left to the rest of
	// the program: the debug door, profiles, files.
	spareShared = 64
	// spareOwn are descriptors of a loop's own table left free. Nothing but the
	// loop opens any there.
	spareOwn = 8
	// tableKeeps are the descriptors that every table keeps besides ours: 0 to 2
	// and the Go runtime's two.
	tableKeeps = 5
)

// plan is how the connections are spread over loops and tables.
type plan struct {
	own        bool    // each loop has a descriptor table of its own
	capacities []int32 // the most connections of each loop, both doors together
	reserve    int32   // slots of loop 0 kept for the admin door
	width      int     // the most loops that accept at a time
	tableLimit int     // the most connections of one table
	connLimit  int     // one more than the highest connection of a loop
	limit      int     // the process's descriptor limit
}

// makePlan spreads o.MaxConns over loops. listeners is the number of listening
// sockets, all open in each table.
func makePlan(o comet.EngineOptions, listeners int) (plan, error) {
	if o.MaxConns < 1 || o.Loops < 0 || o.TableLimit < 0 || o.AdminReserve < 0 {
		return plan{}, fmt.Errorf("epoll: %d connections, %d loops, tables of %d, %d slots for the admin door:"+
			" none may be negative, and there must be room for a connection", o.MaxConns, o.Loops, o.TableLimit, o.AdminReserve)
	}
	opened, err := openDescriptors()
	if err != nil {
		return plan{}, err
	}
	cores := timerslack.Processors()
	loops := o.Loops
	if loops == 0 {
		loops = min(cores, o.MaxConns)
	}
	// Two descriptors a loop: its set and its eventfd.
	overhead := opened + 2*loops + spareShared
	p := plan{limit: fdtable.RaiseLimit(o.MaxConns + overhead)}
	p.tableLimit = p.limit - overhead
	if o.TableLimit > 0 {
		p.tableLimit = min(p.tableLimit, o.TableLimit)
	}
	p.width = loops
	if o.MaxConns > p.tableLimit {
		if loops, err = p.giveTables(o, listeners); err != nil {
			return plan{}, err
		}
		p.width = loops
		if o.Loops == 0 {
			p.width = min(cores, loops)
		}
	}
	if err := p.setReserve(o); err != nil {
		return plan{}, err
	}
	if !p.own {
		// A loop without a slot could serve nobody.
		loops = min(loops, o.MaxConns-int(p.reserve))
		p.width = loops
	}
	p.spread(o.MaxConns, loops)
	if !p.own {
		p.connLimit = int(p.capacities[0])
	}
	return p, nil
}

// giveTables plans a table for each loop and returns how many there must be.
func (p *plan) giveTables(o comet.EngineOptions, listeners int) (loops int, err error) {
	p.own = true
	// Every table keeps every loop's eventfd, so that their number takes from
	// their size: count until both agree.
	most := 0
	for loops = max(1, o.Loops); ; loops++ {
		if loops > hub.MaxLoops {
			return 0, tooMany(o.MaxConns, p.limit, listeners, most)
		}
		beside := tableBeside(listeners, loops)
		p.tableLimit = p.limit - beside
		if o.TableLimit > 0 {
			p.tableLimit = min(p.tableLimit, o.TableLimit)
		}
		if p.tableLimit > max(o.AdminReserve, defaultAdminReserve) { // which a server keeps
			most = max(most, loops*p.tableLimit)
		}
		if loops*p.tableLimit >= o.MaxConns {
			// New descriptors take the lowest free numbers, so none is above
			// the number of all that are open.
			p.connLimit = p.tableLimit + beside
			break
		}
	}
	if o.Loops > 0 && loops != o.Loops {
		return 0, fmt.Errorf("epoll: %d connections do not fit in %d loops: a descriptor table has room for %d, and each loop past"+
			" the limit has one of its own: ask for %d loops, or raise the limit (ulimit -n)", o.MaxConns, o.Loops, p.tableLimit, loops)
	}
	return loops, nil
}

// probe says whether a plan can be carried out here: tables of their own may be refused.
func (p *plan) probe(maxConns int) error {
	if !p.own {
		return nil
	}
	if err := fdtable.Probe(); err != nil {
		return fmt.Errorf("epoll: %d connections are more than the descriptor limit of %d allows in one table, and %w;"+
			" what still works: up to about %d connections, or a higher limit (ulimit -n)",
			maxConns, p.limit, err, p.limit-spareShared-2*timerslack.Processors())
	}
	return nil
}

// tableBeside is what a loop's own table has no connections in: what it keeps, the
// listeners, every loop's eventfd, its set, and what is left free.
func tableBeside(listeners, loops int) int { return tableKeeps + listeners + loops + 1 + spareOwn }

// tooMany refuses more connections than the most loops there may be have room for,
// and says how many that are: most, with this limit and so many listeners.
func tooMany(conns, limit, listeners, most int) error {
	works := "a higher limit (ulimit -n)"
	switch {
	case most > 0:
		works = fmt.Sprintf("up to %d connections, or %s", most, works)
	case limit > tableBeside(2, 1)+defaultAdminReserve:
		works = "fewer ports, or " + works
	}
	return fmt.Errorf("epoll: %d connections are more than a descriptor limit of %d allows in tables of their own for each of %d loops,"+
		" which are the most, beside %d listeners in each. What still works: %s", conns, limit, hub.MaxLoops, listeners, works)
}

// setReserve keeps slots of loop 0 for the admin door.
func (p *plan) setReserve(o comet.EngineOptions) error {
	p.reserve = int32(o.AdminReserve)
	if o.AdminReserve == 0 {
		p.reserve = int32(min(defaultAdminReserve, o.MaxConns/reservePart, p.tableLimit/reservePart))
	}
	if int(p.reserve) >= min(o.MaxConns, p.tableLimit) {
		return fmt.Errorf("epoll: %d slots for the admin door leave none of %d connections in tables of %d for subscribers",
			p.reserve, o.MaxConns, p.tableLimit)
	}
	return nil
}

// spread divides the connections among the loops. Where loops fill one after the
// other the last gets what is left. Elsewhere all get the same for subscribers,
// and loop 0 the publishers' slots beside it, as far as its table has room.
func (p *plan) spread(connections, loops int) {
	left := connections
	for i := range loops {
		share := (left + loops - i - 1) / (loops - i)
		switch {
		case p.width < loops:
			share = min(left, p.tableLimit)
		case i == 0:
			front := connections - int(p.reserve)
			share = min(p.tableLimit, int(p.reserve)+(front+loops-1)/loops)
		}
		p.capacities = append(p.capacities, int32(share))
		left -= share
	}
}

// openDescriptors counts the descriptors open in the process's table.
func openDescriptors() (int, error) {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0, fmt.Errorf("epoll: counting open descriptors: %w", err)
	}
	return len(entries), nil
}
