package soak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"c1000k/experiments/process"
)

// firstPort is where free ports for the servers are looked for.
const firstPort = 8000

// ErrFaults says that a soak came to its end and found faults; they were told.
var ErrFaults = errors.New("the soak found faults")

// Run holds a soak and tells of it on o.Progress. The error is ErrFaults, or why
// it could not be held, or the context's.
func Run(ctx context.Context, o Options) error {
	if err := o.Check(); err != nil {
		return err
	}
	fmt.Fprintf(o.Progress, "soak: %d connections, %d rounds of %v, seed %d\n", o.Connections, o.rounds(), o.roundTime(), o.Seed)
	port, failed := firstPort, false
	for _, engine := range o.Engines {
		for _, tokens := range []bool{false, true} {
			doors, next, err := process.FindDoors(port)
			if err != nil {
				return err
			}
			port = next
			s := newRound(o, engine, tokens)
			err = s.run(ctx, doors)
			s.write(o.Progress)
			if err != nil && !errors.Is(err, errStuck) {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			failed = failed || err != nil || s.faults.count("") > 0
		}
	}
	if failed {
		fmt.Fprintf(o.Progress, "soak: FAILED; the same draws again: --seed=%d\n", o.Seed)
		return ErrFaults
	}
	fmt.Fprintln(o.Progress, "soak: nothing lost, nothing repeated, nothing left")
	return nil
}

// write tells what a round did and found.
func (s *round) write(w io.Writer) {
	n, v := &s.n, &s.seen
	fmt.Fprintf(w, "%s: %.0f s\n", s.name, time.Since(s.began).Seconds())
	fmt.Fprintf(w, "  connections  %d in all, most at once %.0f (subscribers %.0f, channels %.0f); ended by reset %d, in order %d, half %d, in half of a request %d, in a flood %d, by the server %d; connects tried again %d\n",
		n.connects.Load(), v.peakConnections, v.peakSubscribers, v.peakChannels,
		n.resets.Load(), n.ends.Load(), n.halves.Load(), n.partials.Load(), n.floods.Load(), n.cuts.Load(), n.retries.Load())
	fmt.Fprintf(w, "  published    %d pushes, %d broadcasts, %d clears, %d closes, %d signs\n",
		n.pushes.Load(), n.broadcasts.Load(), n.clears.Load(), n.ended.Load(), n.signs.Load())
	fmt.Fprintf(w, "  received     %d messages, %s; %d noops, %d closes, %d numbers told, %d gaps, %d tokens refused, %d times another instance; %d messages gone from histories before they were asked for; readers paused %d times\n",
		n.messages.Load(), mega(uint64(n.bytes.Load())), n.noops.Load(), n.closes.Load(), n.jumps.Load(), n.gaps.Load(), n.refused.Load(), n.anew.Load(), n.gone.Load(), n.pauses.Load())
	lines, lost := int64(0), int64(0)
	for _, one := range s.watches {
		one.mu.Lock()
		lines, lost = lines+one.lines, lost+one.lost
		one.mu.Unlock()
	}
	fmt.Fprintf(w, "  watchers     %d lines; begun anew %d times\n", lines, max(lost-int64(len(s.watches)), 0))
	fmt.Fprintf(w, "  memory       RES %s at the start, %s at most, %s at the end; what is held at the end: ", mega(v.startResident), mega(v.peakResident), mega(v.endResident))
	switch more := v.end.more(v.empty); {
	case v.end == nil:
		fmt.Fprintln(w, "not read")
	case len(more) == 0:
		fmt.Fprintln(w, "nothing")
	default:
		fmt.Fprintln(w, more)
	}
	fmt.Fprintf(w, "  faults       %d lost, %d repeated, %d in all\n", s.faults.count(faultLost), s.faults.count(faultRepeated), s.faults.count(""))
	s.faults.write(w)
}
