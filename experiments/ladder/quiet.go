package ladder

import (
	"context"
	"fmt"
	"time"

	"c1000k/experiments/process"
	"c1000k/experiments/result"
	"c1000k/experiments/sample"
)

// Beyond these limits a step is marked as noisy. They are those of the spec.
const (
	maxStealFraction    = 0.02 // of the processors' time
	maxMemoryPressure   = 1.0  // percent of the last 10 s
	returnTolerance     = 0.02 // of slabs and sockets, against the start
	returnPatience      = 15 * time.Second
	returnPatienceQuick = 8 * time.Second // --quick
	returnPoll          = 500 * time.Millisecond
	// returnSockets is how many sockets more than at the start are no matter.
	returnSockets = 100
)

// noisy says by which limits the machine was not quiet between two looks.
func noisy(before, after sample.Machine) []string {
	var why []string
	wall := after.At.Sub(before.At)
	if cpus, err := process.UsableCPUs(); err == nil && wall > 0 {
		steal := float64(after.Steal-before.Steal) / (float64(wall) * float64(len(cpus)))
		if steal > maxStealFraction {
			why = append(why, fmt.Sprintf("steal %.1f %% of the processors' time", 100*steal))
		}
	}
	if p, ok := after.Pressure["memory"]; ok && p.Some10 > maxMemoryPressure {
		why = append(why, fmt.Sprintf("memory pressure %.1f %%", p.Some10))
	}
	return why
}

// serverListeners are the sockets that a server has beside its connections:
// front, admin and debug door.
const serverListeners = process.FrontPorts + 2

// countedFree is how many sockets the kernel's count of objects may be off: a
// processor keeps some free ones at hand, and they count as used.
const countedFree = 500

// How long the kernel may take to free the sockets of a server that has ended.
const (
	restPoll     = 250 * time.Millisecond
	restPatience = 3 * time.Second
)

// kernelAtRest reads the kernel's memory once it has stopped freeing sockets,
// which it does a while after they are closed.
func kernelAtRest(ctx context.Context) (sample.Kernel, error) {
	began := time.Now()
	last, err := sample.ReadKernel()
	if err != nil {
		return last, err
	}
	for {
		if err := sleep(ctx, restPoll); err != nil {
			return last, err
		}
		now, err := sample.ReadKernel()
		if err != nil {
			return now, err
		}
		tcp, _ := now.Lookup("TCP")
		before, _ := last.Lookup("TCP")
		if tcp.Active >= before.Active && now.Sockets.Allocated >= last.Sockets.Allocated || time.Since(began) > restPatience {
			return now, nil
		}
		last = now
	}
}

// foreignSockets says where the kernel's memory at a step holds sockets that are
// not the run's, or lacks some that were there at its start. Without root the
// kernel does not tell.
func foreignSockets(s *result.Step) []string {
	k := s.Share()
	if k == nil || k.Estimated {
		return nil
	}
	own := 2*s.Connections() + serverListeners
	foreign := k.Sockets - own
	if limit := max(countedFree, int64(float64(own)*returnTolerance)); foreign <= limit && -foreign <= limit {
		return nil
	}
	return []string{fmt.Sprintf("the kernel's memory holds %+d sockets of other programs against the start of this backend: its kernel column is wrong by about %s",
		foreign, size(int64(float64(foreign)*k.EndFloor)))}
}

// awaitReturn waits until the kernel has given back what a backend took, within
// 2 % of the start of the run, but no longer than patience, and marks the
// machine where it has not.
func (r *run) awaitReturn(ctx context.Context, name string, patience time.Duration) error {
	r.show.begin(phase{phaseReturn, guessReturnSeconds})
	began := time.Now()
	for {
		m, err := sample.ReadMachine()
		if err != nil {
			return err
		}
		sockets, err := sample.ReadSockets()
		if err != nil {
			return err
		}
		if patience == 0 {
			return r.keep(result.Record{Machine: &result.Machine{When: "after " + name, State: m}})
		}
		why := r.unreturned(m, sockets)
		if len(why) == 0 || time.Since(began) > patience {
			return r.machine("after "+name, m, time.Since(began), why)
		}
		if err := sleep(ctx, returnPoll); err != nil {
			return r.machine("after "+name+", interrupted", m, time.Since(began), why)
		}
	}
}

// unreturned says what is still above the start of the run.
func (r *run) unreturned(m sample.Machine, sockets sample.Sockets) []string {
	var why []string
	if most := float64(r.start.Slab) * (1 + returnTolerance); float64(m.Slab) > most {
		why = append(why, fmt.Sprintf("slabs %s, at the start %s", size(m.Slab), size(r.start.Slab)))
	}
	at := func(what string, now, start int) {
		if now > start+max(returnSockets, int(float64(start)*returnTolerance)) {
			why = append(why, fmt.Sprintf("%s %s, at the start %s", what, grouped(now), grouped(start)))
		}
	}
	at("sockets", sockets.InUse, r.sockets.InUse)
	at("TIME_WAIT", sockets.TimeWait, r.sockets.TimeWait)
	return why
}
