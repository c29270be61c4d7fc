package responsive

import (
	"context"
	"fmt"
	"regexp"
	"strconv"

	"c1000k/experiments/process"
	"c1000k/experiments/result"
)

// locatePings is how many pings tell which loop a connection is on.
const locatePings = 16

var loopWork = regexp.MustCompile(`(?m)^comet_loop_turn_actions_(sum|count)\{loop="(\d+)"\} (\S+)$`)

// work reads what each loop has done since the server's start.
func work(ctx context.Context, s *process.Server) ([]result.LoopWork, error) {
	page, err := s.DebugPage(ctx, "/metrics")
	if err != nil {
		return nil, err
	}
	all := map[int]result.LoopWork{}
	for _, m := range loopWork.FindAllSubmatch(page, -1) {
		n, err := strconv.ParseFloat(string(m[3]), 64)
		loop, _ := strconv.Atoi(string(m[2]))
		if err != nil {
			return nil, fmt.Errorf("/metrics: %q: %w", m[0], err)
		}
		w := all[loop]
		if string(m[1]) == "sum" {
			w.Actions = n
		} else {
			w.Turns = n
		}
		all[loop] = w
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("/metrics does not tell the loops' turns")
	}
	list := make([]result.LoopWork, len(all))
	for loop, w := range all {
		if loop >= len(list) {
			return nil, fmt.Errorf("/metrics leaves loops out: %v", all)
		}
		list[loop] = w
	}
	return list, nil
}

// locate finds which loop a connection is on.
func locate(ctx context.Context, s *process.Server, x *exchanger) (loop int, err error) {
	before, err := work(ctx, s)
	if err != nil {
		return 0, err
	}
	for range locatePings {
		if err := x.once(); err != nil {
			return 0, err
		}
	}
	after, err := work(ctx, s)
	if err != nil {
		return 0, err
	}
	loop = -1
	for i := range after {
		if i >= len(before) || after[i].Actions-before[i].Actions >= locatePings {
			if loop >= 0 {
				return 0, fmt.Errorf("loops %d and %d were both busy: the server is not idle", loop, i)
			}
			loop = i
		}
	}
	if loop < 0 {
		return 0, fmt.Errorf("no loop counted %d pings: from %v to %v", locatePings, before, after)
	}
	return loop, nil
}

// locateAll finds connections on each loop, pingsPerLoop of them, and closes the
// others. Where there are many loops they fill one after the other, so it takes
// candidates of every turn in turn.
func locateAll(ctx context.Context, s *process.Server, candidates []*exchanger, loops int) ([][]*exchanger, error) {
	on := make([][]*exchanger, loops)
	missing := loops * pingsPerLoop
	for _, i := range spread(len(candidates)) {
		x := candidates[i]
		if missing == 0 {
			x.close()
			continue
		}
		loop, err := locate(ctx, s, x)
		if err != nil {
			return nil, err
		}
		if loop >= loops || len(on[loop]) == pingsPerLoop {
			x.close()
			continue
		}
		on[loop] = append(on[loop], x)
		missing--
	}
	for loop, list := range on {
		if len(list) == 0 {
			return nil, fmt.Errorf("none of %d connections is on loop %d of %d", len(candidates), loop, loops)
		}
	}
	return on, nil
}

// spread is an order of n things that comes to all parts early: every perTurn-th,
// and again from the next.
func spread(n int) []int {
	var order []int
	for first := range perTurn {
		for i := first; i < n; i += perTurn {
			order = append(order, i)
		}
	}
	return order
}
