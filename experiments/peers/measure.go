package peers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"time"

	"c1000k/experiments/ladder"
	"c1000k/experiments/load"
	"c1000k/experiments/process"
	"c1000k/experiments/proxy"
	"c1000k/experiments/sample"
	"c1000k/experiments/stats"
)

// Nchan is the subject that is not an engine of this server.
const Nchan = "nchan"

// The two workloads.
const (
	Fanout = "fanout" // one message at a time to one channel that all subscribe to
	Push   = "push"   // one message to each channel in turn, of one subscriber each
)

// MostConnections is what one loop, and one worker, holds below a usual
// descriptor limit.
const MostConnections = 19_000

// Options are what a measurement is told.
type Options struct {
	Server      string   // the comet server's binary
	Load        []string // starts a load process
	Subjects    []string // engines and Nchan; what is named twice is measured twice, which shows the noise
	Workloads   []string
	Connections int
	Messages    int       // measured, of each fan-out cell
	Passes      int       // measured, of each push cell at each rate: a pass is one push to each channel
	Rates       []float64 // pushes a second
	Rounds      int
	Settle      time.Duration // how long memory must have stood still
	Dir         string        // where the servers' logs are written
	Log         io.Writer     // data.jsonl
	Progress    io.Writer
	Force       <-chan struct{} // closed by a second Ctrl-C

	module              string // nchan's
	serverCPUs, loadCPU []int
}

// version counts up when a field changes its meaning.
const version = 1

// Header is the first line of the data.
type Header struct {
	Version     int                `json:"version"`
	Subjects    []string           `json:"subjects"`
	Workloads   []string           `json:"workloads"`
	Connections int                `json:"connections"`
	Messages    int                `json:"messages"`
	Passes      int                `json:"passes"`
	Rates       []float64          `json:"pushes_per_second"`
	Rounds      int                `json:"rounds"`
	ServerCPUs  []int              `json:"server_cpus"`
	LoadCPUs    []int              `json:"load_cpus"`
	ServerHash  string             `json:"server_sha256"`
	Nginx       []string           `json:"nginx,omitempty"` // what it says of itself
	NchanHash   string             `json:"nchan_sha256,omitempty"`
	NchanConfig string             `json:"nchan_config,omitempty"`
	Environment sample.Environment `json:"environment"`
	// Ceiling is what the load does alone, on its processors.
	Ceiling load.CeilingResult `json:"ceiling"`
	// Wire is what goes over the wire, by subject.
	Wire map[string]Wire `json:"wire"`
}

// Footer is the last line of the data of a run that came to its end.
type Footer struct {
	Version int            `json:"version"`
	Before  sample.Machine `json:"machine_before"`
	After   sample.Machine `json:"machine_after"`
	Noisy   []string       `json:"noisy"` // limits that were not kept
}

// Run is what was measured.
type Run struct {
	Header Header
	Cells  []Cell
	Footer *Footer // nil where the run did not come to its end
}

// Measure measures every cell and returns those that were. It stops with the
// context.
func Measure(ctx context.Context, o Options) (r Run, err error) {
	if o.serverCPUs, o.loadCPU, err = process.Apart(); err != nil {
		return r, err
	}
	if slices.Contains(o.Subjects, Nchan) {
		if o.module, err = FindNchan(); err != nil {
			return r, err
		}
	}
	before, err := sample.ReadMachine()
	if err != nil {
		return r, err
	}
	port := firstPort
	if r.Header, err = header(ctx, &o, &port); err != nil {
		return r, err
	}
	data := json.NewEncoder(o.Log)
	if err := data.Encode(r.Header); err != nil {
		return r, err
	}
	for round := range o.Rounds {
		for _, p := range order(&o, round) {
			c := &cell{o: &o, place: p, round: round}
			got, err := c.measure(ctx, &port)
			if err != nil {
				return r, fmt.Errorf("%s of %s in round %d: %w", p.workload, o.Subjects[p.slot], round+1, err)
			}
			for _, one := range got {
				one.Order = len(r.Cells)
				if err := data.Encode(one); err != nil {
					return r, err
				}
				r.Cells = append(r.Cells, one)
				fmt.Fprintf(o.Progress, "round %d of %d: %s of %s%s: %.2f us of the server's CPU a delivery, %.2f of the load's\n",
					round+1, o.Rounds, one.Workload, one.Subject, atRate(one.RateAsked), one.Server, one.Load)
			}
		}
	}
	after, err := sample.ReadMachine()
	if err != nil {
		return r, err
	}
	r.Footer = &Footer{Version: version, Before: before, After: after, Noisy: ladder.Noisy(before, after)}
	return r, data.Encode(r.Footer)
}

// atRate says at which rate, where there is one.
func atRate(rate float64) string {
	if rate == 0 {
		return ""
	}
	return fmt.Sprintf(" at %g a second", rate)
}

// place is where a cell stands in its round.
type place struct {
	workload string
	slot     int // index of the subject
}

// order lists a round's cells, drawn by lot.
func order(o *Options, round int) (cells []place) {
	n := len(o.Subjects)
	for _, i := range stats.Drawn(round, len(o.Workloads)*n) {
		cells = append(cells, place{o.Workloads[i/n], i % n})
	}
	return cells
}

// firstPort is where doors are looked for; the next server takes the next.
const firstPort = 8000

// findDoors finds a server's ports, from port on and then from the first again.
func findDoors(port *int) (d process.Doors, err error) {
	if d, *port, err = process.FindDoors(*port); err != nil {
		d, *port, err = process.FindDoors(firstPort)
	}
	return d, err
}

// header collects what is the same for all cells.
func header(ctx context.Context, o *Options, port *int) (h Header, err error) {
	h = Header{
		Version: version, Subjects: o.Subjects, Workloads: o.Workloads, Connections: o.Connections,
		Messages: o.Messages, Passes: o.Passes, Rates: o.Rates, Rounds: o.Rounds,
		ServerCPUs: o.serverCPUs, LoadCPUs: o.loadCPU, Environment: sample.ReadEnvironment(""), Wire: map[string]Wire{},
	}
	if h.ServerHash, err = sample.HashFile(o.Server); err != nil {
		return h, err
	}
	if o.module != "" {
		if err := h.nchan(o); err != nil {
			return h, err
		}
	}
	if h.Ceiling, err = ceiling(ctx, o); err != nil {
		return h, fmt.Errorf("the load's ceiling: %w", err)
	}
	for _, subject := range o.Subjects {
		if _, ok := h.Wire[subject]; ok {
			continue
		}
		if h.Wire[subject], err = measureWire(ctx, o, subject, port); err != nil {
			return h, fmt.Errorf("what goes over the wire with %s: %w", subject, err)
		}
	}
	return h, nil
}

// nchan says which nginx and nchan this is, and how they are told to be.
func (h *Header) nchan(o *Options) (err error) {
	if h.NchanHash, err = sample.HashFile(o.module); err != nil {
		return err
	}
	nginx, err := proxy.Find()
	if err != nil {
		return err
	}
	said, err := exec.Command(nginx, "-V").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s -V: %w", nginx, err)
	}
	h.Nginx = strings.Split(strings.TrimSpace(string(said)), "\n")
	doors := process.Doors{Host: "127.0.0.1", Admin: 8000, FirstPort: 8100, LastPort: 8199}
	h.NchanConfig, err = NchanConfig(o.module, doors, o.Connections)
	return err
}

// ceiling measures what the load does alone.
func ceiling(ctx context.Context, o *Options) (r load.CeilingResult, err error) {
	c, err := startLoad(ctx, o, process.Doors{Host: "127.0.0.1", FirstPort: firstPort}, load.ProtocolIcomet, 1)
	if err != nil {
		return r, err
	}
	r, err = c.Ceiling(ctx, load.CeilingOptions{})
	return r, errors.Join(err, c.Close())
}

// Read reads the lines that Measure wrote.
func Read(in io.Reader) (r Run, err error) {
	d := json.NewDecoder(in)
	if err := d.Decode(&r.Header); err != nil {
		return r, fmt.Errorf("the first line is no header: %w", err)
	}
	if r.Header.Version != version {
		return r, fmt.Errorf("the data has version %d, this program reads %d", r.Header.Version, version)
	}
	for {
		var line json.RawMessage
		err := d.Decode(&line)
		if err == io.EOF {
			return r, nil
		}
		var footer Footer
		var c Cell
		if err == nil {
			err = json.Unmarshal(line, &footer)
		}
		if err == nil && !footer.After.At.IsZero() {
			r.Footer = &footer
			continue
		}
		if err == nil {
			err = json.Unmarshal(line, &c)
		}
		if err != nil {
			return r, fmt.Errorf("line %d: %w", len(r.Cells)+2, err)
		}
		r.Cells = append(r.Cells, c)
	}
}
