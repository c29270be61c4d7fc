package ladder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"c1000k/experiments/process"
	"c1000k/experiments/report"
	"c1000k/experiments/result"
	"c1000k/experiments/sample"
)

// Outcome is how a ladder went.
type Outcome struct {
	// Folder is the results folder.
	Folder string
	// Interrupted says that the context ended the run.
	Interrupted bool
	// Failures are what was recorded as a failure, in order.
	Failures []result.Failure
}

// errServerDied is the cause of a backend's context once its server is gone.
var errServerDied = errors.New("the server died")

// keepError is a record that could not be written: the run cannot go on.
type keepError struct{ err error }

func (e keepError) Error() string { return e.err.Error() }
func (e keepError) Unwrap() error { return e.err }

// run is a ladder under way. It belongs to one goroutine.
type run struct {
	o        *Options
	folder   *result.Folder
	meta     result.Run
	show     *progress
	start    sample.Machine // the machine before anything was started
	sockets  sample.Sockets // and its sockets
	cpus     placement
	enter    chan error // nil until somebody waits for Enter
	nextPort int
	outcome  Outcome
}

// Run climbs the ladder. The error says why it could not be begun or gone on
// with; what happened to single backends stands in the outcome.
func Run(ctx context.Context, o Options) (Outcome, error) {
	if err := o.Check(); err != nil {
		return Outcome{}, err
	}
	if err := process.CheckProgram(o.Server); err != nil {
		return Outcome{}, err
	}
	r, err := newRun(&o)
	if err != nil {
		return Outcome{}, err
	}
	defer r.folder.Close()
	err = r.climb(ctx)
	r.show.close()
	return r.outcome, errors.Join(err, r.finish(ctx))
}

// newRun makes the results folder and looks at the machine.
func newRun(o *Options) (*run, error) {
	if o.Profile != "" {
		if err := os.MkdirAll(o.Profile, 0o777); err != nil {
			return nil, fmt.Errorf("--profile: %w", err)
		}
	}
	r := &run{o: o, nextPort: o.PortBase}
	var err error
	if r.start, err = sample.ReadMachine(); err != nil {
		return nil, err
	}
	if r.sockets, err = sample.ReadSockets(); err != nil {
		return nil, err
	}
	if r.cpus, err = place(o); err != nil {
		return nil, err
	}
	now := time.Now()
	if r.folder, err = result.Create(o.Results, "ladder", now); err != nil {
		return nil, err
	}
	r.outcome.Folder = r.folder.Path()
	r.meta = result.Run{
		Name: "ladder", Spec: o.Spec, Started: now.UTC(), Backends: o.Backends, Targets: o.targets(), Seed: o.Seed,
		Arguments: o.arguments(), Pinning: r.cpus.String(), Environment: sample.ReadEnvironment(""), Notes: o.notes(),
	}
	if err := r.folder.WriteRun(r.meta); err != nil {
		r.folder.Close()
		return nil, err
	}
	r.show = newProgress(o.Out, plannedSeconds(o, len(o.Backends)))
	return r, nil
}

// climb measures the floor and then each backend.
func (r *run) climb(ctx context.Context) error {
	r.show.line("ladder: %s, to %s in steps of %s, into %s; about %s", strings.Join(r.o.Backends, " and "),
		grouped(r.o.To), grouped(r.o.Step), r.folder.Path(), roughly(r.show.remaining()))
	r.show.line("user and kernel are the server's bytes a connection, idle its part of a core, push its CPU a message")
	if err := r.machine("before", r.start, 0, nil); err != nil {
		return err
	}
	if err := r.floor(ctx); err != nil {
		return err
	}
	for i, name := range r.o.Backends {
		if ctx.Err() != nil {
			return nil
		}
		r.show.reach(plannedSeconds(r.o, i))
		if err := r.backend(ctx, i, name); err != nil {
			return err
		}
	}
	return nil
}

// finish marks the run as finished and writes tables and figures of what there
// is. Where they cannot be kept they are printed all the same.
func (r *run) finish(ctx context.Context) error {
	r.outcome.Interrupted = ctx.Err() != nil
	r.meta.Finished = time.Now().UTC()
	r.meta.Interrupted = r.outcome.Interrupted
	kept := r.folder.WriteRun(r.meta)
	made, err := report.Generate(r.folder.Path())
	kept = errors.Join(kept, err)
	if made == nil {
		return kept
	}
	last := fmt.Sprintf("The report, figures and raw data are in %s", r.folder.Path())
	if kept != nil {
		last = fmt.Sprintf("The raw data until then are in %[1]s; `experiment report %[1]s` makes the report of them when there is room", r.folder.Path())
	}
	_, err = fmt.Fprintf(r.o.Out, "\n%s\n%s\n", made.Terminal, last)
	return errors.Join(kept, err)
}

// keep writes a record. One that cannot be written is printed instead, as the
// line it would have been, and ends the run.
func (r *run) keep(rec result.Record) error {
	rec.At = time.Now().UTC()
	err := r.folder.Append(rec)
	if err == nil {
		return nil
	}
	rec.Version, rec.Kind = result.Version, kindOf(rec)
	text, jsonErr := json.Marshal(rec)
	if jsonErr != nil {
		return keepError{errors.Join(err, jsonErr)}
	}
	r.show.line("this record could not be written to %s:\n%s", filepath.Join(r.folder.Path(), result.DataFile), text)
	return keepError{err}
}

// kindOf names the part of a record that is set.
func kindOf(rec result.Record) result.Kind {
	switch {
	case rec.Backend != nil:
		return result.KindBackend
	case rec.Step != nil:
		return result.KindStep
	case rec.Failure != nil:
		return result.KindFailure
	case rec.Floor != nil:
		return result.KindFloor
	case rec.Expiry != nil:
		return result.KindExpiry
	default:
		return result.KindMachine
	}
}

// fail records a failure, tells it, and lets the run go on.
func (r *run) fail(f result.Failure) error {
	r.outcome.Failures = append(r.outcome.Failures, f)
	where := ""
	if f.Backend != "" {
		where = fmt.Sprintf("%s at %s, ", f.Backend, grouped(f.Target))
	}
	if f.During != "" {
		where += f.During + ": "
	}
	text := fmt.Sprintf("FAILED %sthe %s: %s", where, f.Process, f.Reason)
	switch {
	case f.ExitStatus != nil:
		text += fmt.Sprintf(" (exit status %d)", *f.ExitStatus)
	case f.Signal != "":
		text += fmt.Sprintf(" (signal %s)", f.Signal)
	}
	if len(f.LastLines) > 0 {
		text += "; the last lines of its log:"
	}
	for _, l := range f.LastLines {
		text += "\n    " + l
	}
	r.show.line("%s", text)
	return r.keep(result.Record{Failure: &f})
}

// machine records a look at the machine.
func (r *run) machine(when string, m sample.Machine, waited time.Duration, noisy []string) error {
	quiet := len(noisy) == 0
	return r.keep(result.Record{Machine: &result.Machine{
		When: when, State: m, WaitedSeconds: waited.Seconds(), Quiet: &quiet, Noisy: noisy,
	}})
}

// grouped writes a number with its thousands apart.
func grouped(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// sleep waits, or until the context ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
