package result

import (
	"fmt"
	"io"
	"runtime"
	"strings"

	"golang.org/x/perf/benchfmt"
)

// WriteBench writes the steps in the Go benchmark format, one line for each
// part of a step and for each window of expiring polls, so that benchstat compares runs:
//
//	BenchmarkMemory/backend=epoll/connections=100000/loops=2 1 2.4e+07 RES-bytes ...
//
// What was not measured has no line or no unit on it. The number of iterations
// is the messages delivered, or 1 where nothing was counted.
func WriteBench(w io.Writer, d *Data) error {
	out := benchfmt.NewWriter(w)
	config := benchConfig(d)
	var lines []*benchfmt.Result
	for i := range d.Steps {
		lines = append(lines, benchLines(&d.Steps[i])...)
	}
	for i := range d.Expiries {
		lines = append(lines, expiryLine(&d.Expiries[i]).Result)
	}
	for _, line := range lines {
		if len(line.Values) == 0 {
			continue
		}
		line.Config = config
		if err := out.Write(line); err != nil {
			return err
		}
	}
	return nil
}

func benchConfig(d *Data) []benchfmt.Config {
	env := d.Run.Environment
	var config []benchfmt.Config
	for _, c := range [][2]string{
		{"goos", runtime.GOOS}, {"goarch", env.Architecture}, {"pkg", "c1000k"}, {"cpu", env.CPU.Model},
		{"kernel", env.Kernel}, {"go", env.Program.Go}, {"commit", env.Program.Git.Commit}, {"run", d.Run.Name},
	} {
		if value := strings.Join(strings.Fields(c[1]), " "); value != "" {
			config = append(config, benchfmt.Config{Key: c[0], Value: []byte(value), File: true})
		}
	}
	return config
}

// benchLine collects the values of one line.
type benchLine struct{ *benchfmt.Result }

func newBenchLine(name, backend string, connections, loops int, iterations int64) benchLine {
	full := fmt.Sprintf("%s/backend=%s/connections=%d/loops=%d", name, backend, connections, loops)
	return benchLine{&benchfmt.Result{Name: benchfmt.Name(full), Iters: int(max(1, iterations))}}
}

func (b benchLine) add(unit string, value *float64) {
	if value != nil {
		b.Values = append(b.Values, benchfmt.Value{Value: *value, Unit: unit})
	}
}

func stepLine(name string, s *Step, iterations int64) benchLine {
	return newBenchLine(name, s.Backend, s.Target, s.Loops, iterations)
}

func benchLines(s *Step) []*benchfmt.Result {
	memory := stepLine("Memory", s, 1)
	if m := s.Memory; m != nil {
		memory.add("RES-bytes", number(m.Resident))
		memory.add("VIRT-bytes", number(m.Virtual))
		if m.GoHeap != nil {
			memory.add("heap-bytes", number(*m.GoHeap))
		}
	}
	if k := s.Share(); k != nil {
		memory.add("kernel-bytes", number(k.Server))
	}
	if sum := s.UserAndKernel(); sum != nil {
		memory.add("user+kernel-bytes", number(*sum))
	}
	lines := []*benchfmt.Result{memory.Result}
	if o := s.Opening; o != nil && o.Connections > 0 {
		b := stepLine("Open", s, int64(o.Connections))
		b.add("conns/s", &o.Rate)
		b.add("server-us/conn", o.ServerCPU)
		lines = append(lines, b.Result)
	}
	if i := s.Idle; i != nil {
		b := stepLine("Idle", s, 1)
		b.add("cores", &i.ServerCore)
		lines = append(lines, b.Result)
	}
	if s.Push != nil {
		lines = append(lines, phaseLine("Push", s, s.Push))
	}
	if s.Broadcast != nil {
		lines = append(lines, phaseLine("Broadcast", s, s.Broadcast))
	}
	return lines
}

func phaseLine(name string, s *Step, p *Phase) *benchfmt.Result {
	b := stepLine(name, s, p.Delivered)
	b.add("server-us/msg", p.ServerCPU)
	b.add("load-us/msg", p.LoadCPU)
	b.add("msgs/s", &p.Rate)
	b.add("last-s", p.ToLast)
	b.add("lost-msgs", number(p.Lost+p.Repeated+p.OutOfOrder))
	if l := p.Latency; l != nil {
		b.add("p50-us", l.P50)
		b.add("p90-us", l.P90)
		b.add("p99-us", l.P99)
		b.add("p999-us", l.P999)
		b.add("max-us", &l.Max)
	}
	return b.Result
}

func number[T int64 | uint64](n T) *float64 {
	f := float64(n)
	return &f
}
