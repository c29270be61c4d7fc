package turns

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"c1000k/experiments/ladder"
	"c1000k/experiments/load"
	"c1000k/experiments/process"
	"c1000k/experiments/sample"
	"c1000k/experiments/stats"
)

// Pair is a fresh server with a fresh load: what a cell of an experiment is made
// of. It belongs to one goroutine. End must be called.
type Pair struct {
	Kind   string // of the messages: Fanout or Broadcast
	Bare   bool   // the server is a loop of the floor, without a debug door
	Doors  process.Doors
	Server *process.Process
	Load   *load.Client
}

// firstPort is where doors are looked for; the next server takes the next.
const firstPort = 8000

// FindDoors takes the next free ports from *port on (0: from the first), and moves
// it on.
func (p *Pair) FindDoors(port *int) (err error) {
	if p.Doors, *port, err = process.FindDoors(max(*port, firstPort)); err != nil {
		p.Doors, *port, err = process.FindDoors(firstPort)
	}
	return err
}

// serverSpare is how many connections the server may hold beside the load's.
const serverSpare = 64

// ServerArgs are the flags of a comet server that holds so many connections and
// sends nothing by itself.
func ServerArgs(d process.Doors, connections int) []string {
	return append(d.Args(), "--polling-timeout=1h", "--drain-timeout=0", "--max-connections="+strconv.Itoa(connections+serverSpare))
}

// RefusedError is a server that ended before it answered.
type RefusedError struct {
	Err   error
	Lines []string // the last of its log
	// PortTaken: somebody else took a port since FindDoors found it free.
	PortTaken bool
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("the server does not start: %v: %s", e.Err, strings.Join(e.Lines, "; "))
}

func (e *RefusedError) Unwrap() error { return e.Err }

// exitListen is the exit code of a server that could not listen.
const exitListen = 3

// StartServer starts a server at the pair's doors and waits until it answers. The
// error is a *RefusedError where it ends instead.
func (p *Pair) StartServer(ctx context.Context, path string, args []string, logPath string) (err error) {
	if p.Server, err = process.Start(path, args, logPath, nil); err != nil {
		return err
	}
	err = p.Server.Await(func() bool {
		_, err := process.AskInfo(ctx, p.Doors.AdminAddr())
		if err == nil {
			_, err = p.Facts(ctx) // which are told when all loops have begun: many take a while
		}
		return err == nil || ctx.Err() != nil
	})
	if err != nil && p.Server.Gone() {
		f := p.Server.Failure()
		return &RefusedError{err, f.LastLines, f.ExitStatus != nil && *f.ExitStatus == exitListen}
	}
	return errors.Join(err, context.Cause(ctx))
}

// StartLoad starts the load, which is to open so many connections: all on one
// channel for a fan-out and for streams, each on its own for a broadcast.
func (p *Pair) StartLoad(ctx context.Context, program []string, connections int) (err error) {
	subscribers := 0 // all on one channel
	if p.Kind == Broadcast && !p.Bare {
		subscribers = 1
	}
	argv := ladder.LoadArgs(program, p.Doors, connections, subscribers)
	if p.Kind == Stream {
		argv = append(argv, "--stream")
	}
	p.Load, err = load.Start(ctx, argv, os.Stderr)
	return err
}

// AwaitHeld waits until the server has read the polls of so many connections.
func (p *Pair) AwaitHeld(ctx context.Context, n int) error {
	_, err := process.AwaitHeld(ctx, n, process.Subscribers(p.Doors.AdminAddr()))
	return err
}

// Turn sends one message to n connections and returns when all have it and the
// server has read the next poll of each, with the seconds to the last delivery.
func (p *Pair) Turn(ctx context.Context, n int) (last float64, err error) {
	if last, err = p.Message(ctx); err != nil {
		return last, err
	}
	return last, p.AwaitHeld(ctx, n)
}

// Message sends one message and returns when all have it, and have sent their next
// polls unless these are withheld, with the seconds to the last delivery.
func (p *Pair) Message(ctx context.Context) (last float64, err error) {
	if p.Kind == Broadcast {
		r, err := p.Load.Broadcast(ctx, load.BroadcastOptions{Count: 1, Admin: p.Doors.AdminAddr()}, nil)
		if err == nil && !r.Clean() {
			err = fmt.Errorf("a broadcast was not delivered as it must be: %+v", r.Counts)
		}
		if err != nil {
			return 0, err
		}
		return r.Rounds[0].Last, nil
	}
	r, err := p.Load.Push(ctx, load.PushOptions{Count: 1, Seed: 1, Admin: p.Doors.AdminAddr()}, nil)
	if err == nil && !r.Clean() {
		err = fmt.Errorf("a push was not delivered as it must be: %d missing, %+v", r.Missing, r.Counts)
	}
	return r.Seconds, err
}

// Settle is how long after a message is over CPU is read: by then all loops have
// read what their connections sent.
const Settle = 100 * time.Millisecond

// Metered is what some messages took in all.
type Metered struct {
	Server, Load  sample.CPUDelta
	Before, After Facts
	// Last is the median of the times from a message to its last delivery, in
	// seconds.
	Last float64
}

// Meter sends so many messages to n connections, a turn each, and measures both
// processes meanwhile.
func (p *Pair) Meter(ctx context.Context, n, messages int) (m Metered, err error) {
	meters, err := p.Meters()
	if err != nil {
		return m, err
	}
	defer meters.Close()
	time.Sleep(Settle)
	if m.Before, err = p.Facts(ctx); err != nil {
		return m, err
	}
	if err := meters.Mark(); err != nil {
		return m, err
	}
	var lasts []float64
	for range messages {
		last, err := p.Turn(ctx, n)
		if err != nil {
			return m, err
		}
		lasts = append(lasts, last)
	}
	time.Sleep(Settle)
	if m.Server, m.Load, err = meters.Since(); err != nil {
		return m, err
	}
	m.Last = stats.Median(lasts)
	m.After, err = p.Facts(ctx)
	return m, err
}

// Meters read the CPU of a pair's two processes. Close them.
type Meters struct {
	server, load         *sample.CPUMeter
	serverFrom, loadFrom sample.CPU
}

// Meters opens them.
func (p *Pair) Meters() (m *Meters, err error) {
	m = &Meters{}
	if m.server, err = sample.NewCPUMeter(p.Server.PID()); err != nil {
		return nil, err
	}
	if m.load, err = sample.NewCPUMeter(p.Load.PID()); err != nil {
		m.server.Close()
		return nil, err
	}
	return m, nil
}

// Close gives their descriptors back.
func (m *Meters) Close() {
	m.server.Close()
	m.load.Close()
}

// Mark begins a measurement.
func (m *Meters) Mark() (err error) {
	if m.serverFrom, err = m.server.Read(); err != nil {
		return err
	}
	m.loadFrom, err = m.load.Read()
	return err
}

// Since is what both used since the last Mark.
func (m *Meters) Since() (server, load sample.CPUDelta, err error) {
	s, err := m.server.Read()
	if err != nil {
		return server, load, err
	}
	l, err := m.load.Read()
	return s.Since(m.serverFrom), l.Since(m.loadFrom), err
}

// Facts is the part of the debug door's answer that counts here.
type Facts struct {
	Loops  int               `json:"loops"`
	Rings  int               `json:"rings"`
	Tables int               `json:"tables"`
	Stats  map[string]uint64 `json:"stats"`
}

// Facts asks the server what it is and has counted. The floor has no debug door,
// and tells its loops alone.
func (p *Pair) Facts(ctx context.Context) (f Facts, err error) {
	url := "http://" + p.Doors.DebugAddr() + "/facts"
	if p.Bare {
		url = "http://" + p.Doors.AdminAddr() + "/info"
	}
	body, err := process.Get(ctx, url)
	if err != nil {
		return f, err
	}
	if err := json.Unmarshal(body, &f); err != nil {
		return f, fmt.Errorf("%s cannot be read: %w", url, err)
	}
	return f, nil
}

// Each is microseconds for each of n.
func Each(d time.Duration, n int64) float64 { return float64(d) / 1e3 / float64(n) }

// Counted are the engine's counters that moved between two answers, for each of n;
// nil where none did.
func Counted(before, after Facts, n int64) (counters map[string]float64) {
	for name, v := range after.Stats {
		if d := v - before.Stats[name]; d > 0 && v >= before.Stats[name] {
			if counters == nil {
				counters = map[string]float64{}
			}
			counters[name] = float64(d) / float64(n)
		}
	}
	return counters
}

// End ends the load and then the server.
func (p *Pair) End(force <-chan struct{}) (err error) {
	if p.Load != nil {
		err = p.Load.Close()
	}
	if p.Server != nil {
		err = errors.Join(err, p.Server.Stop(force))
	}
	return err
}
