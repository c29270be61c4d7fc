package ladder

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"c1000k/experiments/load"
	"c1000k/experiments/process"
	"c1000k/experiments/result"
)

// loadProcess is a running load, driven for one server.
type loadProcess struct {
	*load.Client
	admin string
	log   *tailWriter
}

// loadArgs is the command line of a load for a server.
func loadArgs(o *Options, d process.Doors) []string {
	return LoadArgs(o.Load, d, o.To, o.SubscribersPerChannel)
}

// LoadArgs is the command line of a load for a server: program and the first
// arguments are those that lead to a load process.
func LoadArgs(program []string, d process.Doors, connections, subscribers int) []string {
	return append(slices.Clone(program),
		"--host="+d.Host, "--port="+strconv.Itoa(d.FirstPort), "--ports="+strconv.Itoa(process.FrontPorts),
		"--connections="+strconv.Itoa(connections), "--subscribers="+strconv.Itoa(subscribers))
}

// startLoad starts a load on its processors.
func startLoad(ctx context.Context, o *Options, d process.Doors, cpus []int) (*loadProcess, error) {
	p := &loadProcess{admin: d.AdminAddr(), log: &tailWriter{}}
	err := process.OnCPUs(cpus, func() (err error) {
		p.Client, err = load.Start(ctx, loadArgs(o, d), p.log)
		return err
	})
	if err != nil {
		return nil, p.explain(err)
	}
	return p, nil
}

// loadError is an error of the load process, with its last words.
type loadError struct {
	err   error
	lines []string
}

func (e loadError) Error() string { return e.err.Error() }
func (e loadError) Unwrap() error { return e.err }

// closePatience is how long the load may take to close its connections: a million
// resets are work for the server, too.
const closePatience = 90 * time.Second

// end closes all connections and ends the process. Once force is closed it waits
// for the connections no longer.
func (p *loadProcess) end(force <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(context.Background(), closePatience)
	defer cancel()
	go func() {
		select {
		case <-force:
			cancel()
		case <-ctx.Done():
		}
	}()
	// Where this fails the end of the process closes what is left.
	_, _ = p.CloseAll(ctx, nil)
	return p.Close()
}

// explain makes an error of the load's.
func (p *loadProcess) explain(err error) error { return loadError{err, p.log.lines()} }

// open opens connections until to are open in all; progress gets their number.
func (p *loadProcess) open(ctx context.Context, to int, progress func(opened int64)) error {
	r, err := p.Open(ctx, to, 0, func(g load.Progress) { progress(g.Done) })
	if err != nil {
		return p.explain(fmt.Errorf("opened %d of %d: %w", r.Opened, to, err))
	}
	return nil
}

// counts asks what the load holds and has seen.
func (p *loadProcess) counts(ctx context.Context) (load.Counts, error) {
	c, err := p.Counts(ctx)
	if err != nil {
		return c, p.explain(err)
	}
	return c, nil
}

// traffic is what the load saw of messages.
type traffic struct {
	phase result.Phase // without CPU
	// trouble is what no correct server causes, in words; empty where there is
	// none.
	trouble string
	// latency and uncorrected are whole histograms of microseconds, or nil.
	latency, uncorrected *hdrhistogram.Histogram
}

// push sends one message each to count channels drawn by seed, rate a second,
// and returns when all have come or are lost.
func (p *loadProcess) push(ctx context.Context, count, rate int, seed uint64, progress func(float64)) (traffic, error) {
	r, err := p.Push(ctx, load.PushOptions{Count: count, Rate: float64(rate), Seed: seed, Admin: p.admin}, part(progress))
	if err != nil && (r.Sent == 0 || ctx.Err() != nil) {
		return traffic{}, p.explain(err)
	}
	t := traffic{
		phase: result.Phase{
			Sent: r.Expected, Delivered: r.Delivered, Lost: max(r.Missing, r.Counts.Lost), Requests: r.Sent,
			Seconds: r.Seconds, Rate: r.Deliveries, Seed: r.Seed,
		},
		trouble: trouble(r.Missing, r.Refused, r.Counts, err),
	}
	return t, p.complete(&t, r.Counts, r.Latency, r.Uncorrected)
}

// broadcast sends one message to all channels and returns when all have come and
// polled again, or are lost.
func (p *loadProcess) broadcast(ctx context.Context, progress func(float64)) (traffic, error) {
	r, err := p.Broadcast(ctx, load.BroadcastOptions{Count: 1, Admin: p.admin}, part(progress))
	if len(r.Rounds) != 1 || ctx.Err() != nil {
		return traffic{}, p.explain(errors.Join(err, ctx.Err()))
	}
	round := r.Rounds[0]
	t := traffic{
		phase: result.Phase{
			Sent: round.Expected, Delivered: round.Delivered, Lost: max(round.Missing, r.Counts.Lost), Requests: 1,
			Seconds: round.Last, ToLast: &round.Last,
		},
		trouble: trouble(round.Missing, 0, r.Counts, err),
	}
	if round.Last > 0 {
		t.phase.Rate = float64(round.Delivered) / round.Last
	}
	return t, p.complete(&t, r.Counts, round.Latency, load.Latency{})
}

// complete fills in what a push and a broadcast have in common.
func (p *loadProcess) complete(t *traffic, c load.Counts, corrected, uncorrected load.Latency) error {
	t.phase.Repeated, t.phase.OutOfOrder = c.Repeated, c.OutOfOrder
	var err error
	if t.latency, err = histogram(corrected); err != nil {
		return p.explain(err)
	}
	if t.uncorrected, err = histogram(uncorrected); err != nil {
		return p.explain(err)
	}
	return nil
}

// part tells progress as a fraction.
func part(progress func(float64)) func(load.Progress) {
	return func(g load.Progress) {
		if g.Of > 0 {
			progress(float64(g.Done) / float64(g.Of))
		}
	}
}

// trouble words what must not be.
func trouble(missing, refused int64, c load.Counts, err error) string {
	var list []string
	for _, n := range []struct {
		count int64
		what  string
	}{
		{missing, "lost"}, {c.Repeated, "repeated"}, {c.OutOfOrder, "out of order"}, {c.Misdelivered, "at the wrong channel"},
		{refused, "requests refused by the admin door"}, {c.BadReplies, "replies not of the protocol"},
		{c.Resets, "connections ended by the server"}, {c.NotHeld, "polls answered at once instead of held"},
		{c.RefusedPolls, "polls refused"},
	} {
		if n.count != 0 {
			list = append(list, fmt.Sprintf("%d %s", n.count, n.what))
		}
	}
	if err != nil {
		list = append(list, err.Error())
	}
	return strings.Join(list, ", ")
}

// The histograms kept are of microseconds, up to a minute, to three digits.
const (
	longestLatencyUs = int64(time.Minute / time.Microsecond)
	latencyDigits    = 3
)

// histogram unpacks a load's histogram of nanoseconds into one of microseconds;
// nil where it has none.
func histogram(l load.Latency) (*hdrhistogram.Histogram, error) {
	if l.Samples == 0 || l.HDR == "" {
		return nil, nil
	}
	ns, err := hdrhistogram.Decode([]byte(l.HDR))
	if err != nil {
		return nil, fmt.Errorf("the load's histogram cannot be read: %w", err)
	}
	us := hdrhistogram.New(1, longestLatencyUs, latencyDigits)
	for _, bar := range ns.Distribution() {
		if bar.Count == 0 {
			continue
		}
		middle := (bar.From + bar.To) / 2
		if err := us.RecordValues(min(middle/1000, longestLatencyUs), bar.Count); err != nil {
			return nil, fmt.Errorf("the load's histogram cannot be converted: %w", err)
		}
	}
	return us, nil
}

// ceilingTime is how long the load's own limit is measured, ceilingConnections
// over how many connections: those of the load's default.
const (
	ceilingTime        = 2 * time.Second
	ceilingConnections = 4000
)

// ceiling measures what the load could do at best.
func (p *loadProcess) ceiling(ctx context.Context) (*result.Floor, error) {
	r, err := p.Ceiling(ctx, load.CeilingOptions{Connections: ceilingConnections, Duration: ceilingTime})
	if err != nil {
		return nil, p.explain(err)
	}
	return &result.Floor{
		What: result.LoadCeiling, Variant: "canned replies", Loops: 1, Count: r.Messages, Seconds: r.Seconds, Rate: r.Rate,
		ServerCPU: &r.ResponderCPU, LoadCPU: &r.CPU,
	}, nil
}

// tailWriter keeps the last of what is written to it. Its write and its lines may
// be called at the same time.
type tailWriter struct {
	mu   sync.Mutex
	text []byte
}

// mostTail bounds what a tailWriter keeps, in bytes.
const mostTail = 8 << 10

func (w *tailWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = append(w.text, p...)
	if over := len(w.text) - mostTail; over > 0 {
		w.text = append(w.text[:0], w.text[over:]...)
	}
	return len(p), nil
}

// lines returns the last lines written.
func (w *tailWriter) lines() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return process.LastLines(string(w.text))
}
