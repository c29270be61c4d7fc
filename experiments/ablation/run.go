package ablation

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"c1000k/experiments/floor"
	"c1000k/experiments/ladder"
	"c1000k/experiments/process"
	"c1000k/experiments/result"
	"c1000k/experiments/sample"
	"c1000k/experiments/stats"
	"c1000k/experiments/turns"
	"c1000k/uring"
)

// Run measures every cell that is missing in o.Dir: all of them, or with resume
// those that an earlier run left. It stops with the context; the data of what was
// measured is returned all the same.
func Run(ctx context.Context, o Options, resume bool) (*Data, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	if err := memoryMissing(o.Sizes); err != nil {
		return nil, err
	}
	h, err := o.header()
	if err != nil {
		return nil, err
	}
	var l *log
	if resume {
		l, err = openLog(o.Dir, h)
	} else {
		l, err = newLog(o.Dir, h)
	}
	if err != nil {
		return nil, err
	}
	defer l.file.Close()
	subjects, err := o.parsed()
	if err != nil {
		return nil, err
	}
	r := &run{o: &o, log: l, data: l.data, subjects: subjects, order: len(l.data.Cells) + len(l.data.Failed)}
	fmt.Fprintf(o.Progress, "%d cells are to be measured, of %d subjects at %v connections in %v rounds: about %v by guess\n",
		r.missing(), len(subjects), o.Sizes, o.Rounds, r.left().Round(time.Minute))
	return r.data, r.all(ctx)
}

// header says what this run is.
func (o *Options) header() (h Header, err error) {
	h = Header{Settings: o.Settings, LeftOut: o.LeftOut, Order: drawn, Environment: sample.ReadEnvironment("")}
	for _, s := range uring.Switches {
		h.Hypotheses = append(h.Hypotheses, Hypothesis{s.Name, s.Values, s.Hypothesis})
	}
	subjects, err := o.parsed()
	if err != nil {
		return h, err
	}
	h.ServerCommand = append([]string{filepath.Base(o.Server)}, subjects[0].args()...)
	if h.ServerHash, err = sample.HashFile(o.Server); err != nil {
		return h, err
	}
	if slices.ContainsFunc(subjects, func(s Subject) bool { return s.Planted }) {
		if o.PlantedServer == "" {
			return h, errors.New("a subject has a planted cost, and there is no server with the tag plant (--plant-server)")
		}
		if h.PlantedHash, err = sample.HashFile(o.PlantedServer); err != nil {
			return h, err
		}
	}
	for _, s := range subjects {
		if s.Config == "" {
			continue
		}
		text, err := os.ReadFile(s.Config)
		if err != nil {
			return h, fmt.Errorf("the settings of %s: %w", s, err)
		}
		if h.Configs == nil {
			h.Configs = map[string]string{}
		}
		h.Configs[s.Config] = string(text)
	}
	h.ProgramHash, err = sample.HashFile(o.Load[0])
	return h, err
}

// run is a run under way.
type run struct {
	o        *Options
	log      *log
	data     *Data
	subjects []Subject
	order    int
}

// all measures what is missing.
func (r *run) all(ctx context.Context) error {
	for _, size := range r.o.Sizes {
		if r.missingAt(size) > 0 && r.data.bare(size) == nil {
			if err := r.bare(ctx, size); err != nil {
				return err
			}
		}
		for round := range r.o.rounds(size) {
			for _, place := range stats.Drawn(round, len(r.data.Subjects)) {
				if r.data.done(size, round, place) {
					continue
				}
				if err := r.cell(ctx, size, round, place); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// cell measures one cell and keeps it, or why it could not be measured. An error
// ends the run.
func (r *run) cell(ctx context.Context, size, round, place int) error {
	subject := r.subjects[place]
	r.order++
	var c Cell
	err := atFreePorts(func() (err error) {
		c, err = r.o.measure(ctx, subject, size)
		return err
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err == nil {
		c.Round, c.Place, c.Order = round, place, r.order-1
		if err := r.log.keep(Record{Cell: &c}); err != nil {
			return err
		}
		fmt.Fprintf(r.o.Progress, "%d connections, round %d of %d: %s; about %v left\n", size, round+1, r.o.rounds(size), &c, r.left().Round(time.Second))
		return nil
	}
	f := Failed{Size: size, Round: round, Place: place, Subject: subject.String(), Reason: err.Error()}
	var refused *turns.RefusedError
	if errors.As(err, &refused) && !refused.PortTaken {
		f.Refused, f.Reason = true, reason(refused)
	}
	fmt.Fprintf(r.o.Progress, "%d connections, round %d of %d: %s: FAILED: %s\n", size, round+1, r.o.rounds(size), f.Subject, f.Reason)
	return r.log.keep(Record{Failed: &f})
}

// String is what progress says of a cell.
func (c *Cell) String() string {
	text := fmt.Sprintf("%s: us of server CPU: %.2f an accept", c.Subject, c.Opening.Server)
	if c.Turns != nil {
		text += fmt.Sprintf(", %.2f a delivery with its next poll, %.2f and %.2f apart", c.Turns.Server, c.Deliveries.Server, c.Polls.Server)
	}
	text += fmt.Sprintf("; %.0f + %.0f bytes; %.0f s", c.UserBytes(), c.KernelBytes(), c.Seconds)
	if len(c.Noisy) > 0 {
		text += fmt.Sprintf("; not quiet: %v", c.Noisy)
	}
	return text
}

// bare measures what the kernel keeps for the connections of a bare accept loop,
// which is no engine's.
func (r *run) bare(ctx context.Context, size int) error {
	if err := ladder.CheckMemory(size); err != nil {
		return err
	}
	var kernel sample.KernelDelta
	var a floor.AcceptResult
	var err error
	for range portTries { // somebody else may take a port meanwhile
		if a, kernel, err = r.bareOnce(ctx, size); err == nil || ctx.Err() != nil {
			break
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("the bare accept loop was not measured: %w", err)
	}
	cpu := turns.Each(a.ServerCPU, 1)
	return r.log.keep(Record{Bare: &result.Floor{
		What: result.FloorAccept, Variant: "epoll, accept4", Loops: 1, Count: int64(a.Connections),
		Seconds: a.Seconds, Rate: a.Rate, ServerCPU: &cpu, Kernel: &kernel,
	}})
}

// bareOnce opens and holds them once.
func (r *run) bareOnce(ctx context.Context, size int) (a floor.AcceptResult, kernel sample.KernelDelta, err error) {
	var p turns.Pair
	if err := p.FindDoors(&r.o.port); err != nil {
		return a, kernel, err
	}
	before, err := ladder.KernelAtRest(ctx)
	if err != nil {
		return a, kernel, err
	}
	a, err = floor.Accept(ctx, floor.AcceptOptions{
		ServerArgv: r.o.Floor, Host: p.Doors.Host, Port: p.Doors.FirstPort, Ports: process.FrontPorts, Connections: size,
		Held: func(ctx context.Context) error {
			after, err := ladder.KernelAtRest(ctx)
			kernel = after.Since(before)
			return err
		},
	})
	return a, kernel, err
}

// missing counts the cells that are to be measured.
func (r *run) missing() (n int) {
	for _, size := range r.o.Sizes {
		n += r.missingAt(size)
	}
	return n
}

func (r *run) missingAt(size int) (n int) {
	for round := range r.o.rounds(size) {
		for place := range r.subjects {
			if !r.data.done(size, round, place) {
				n++
			}
		}
	}
	return n
}

// left is how long the missing cells will take: by those of the same size that were
// measured, else by guess, corrected by how wrong the guess was at other sizes.
func (r *run) left() time.Duration {
	var measured, guessed float64
	for _, c := range r.data.Cells {
		measured += c.Seconds
		guessed += r.o.guess(c.Size)
	}
	wrong := 1.0
	if guessed > 0 {
		wrong = measured / guessed
	}
	var seconds float64
	for _, size := range r.o.Sizes {
		n := r.missingAt(size)
		if n == 0 {
			continue
		}
		if r.data.bare(size) == nil {
			seconds += guessBare(size)
		}
		each := r.o.guess(size) * wrong
		var known []float64
		for _, c := range r.data.Cells {
			if c.Size == size {
				known = append(known, c.Seconds)
			}
		}
		if len(known) > 0 {
			each = stats.Median(known)
		}
		seconds += float64(n) * each
	}
	return time.Duration(seconds * float64(time.Second))
}
