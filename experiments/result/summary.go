package result

import (
	"encoding/csv"
	"io"
	"strconv"
)

// column is one column of summary.csv: an empty cell is "not measured".
type column struct {
	name string
	cell func(s *Step) string
}

// WriteSummary writes one row a step, in the order of the records. The names of
// the columns carry the units; a new column goes to the end.
func WriteSummary(w io.Writer, d *Data) error {
	columns := append(summaryColumns(), d.expiryColumns()...)
	out := csv.NewWriter(w)
	row := make([]string, len(columns))
	for i, c := range columns {
		row[i] = c.name
	}
	if err := out.Write(row); err != nil {
		return err
	}
	for i := range d.Steps {
		for j, c := range columns {
			row[j] = c.cell(&d.Steps[i])
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func summaryColumns() []column {
	columns := []column{
		{"backend", func(s *Step) string { return s.Backend }},
		{"order", func(s *Step) string { return strconv.Itoa(s.Order) }},
		{"target_connections", func(s *Step) string { return strconv.Itoa(s.Target) }},
		{"loops", func(s *Step) string { return strconv.Itoa(s.Loops) }},
		{"rings", func(s *Step) string { return strconv.Itoa(s.Rings) }},
		{"tables", func(s *Step) string { return strconv.Itoa(s.Tables) }},
		{"cut", func(s *Step) string { return s.Cut }},
	}
	columns = append(columns, heldColumns()...)
	columns = append(columns, memoryColumns()...)
	columns = append(columns, idleColumns()...)
	columns = append(columns, phaseColumns("push", func(s *Step) *Phase { return s.Push })...)
	return append(columns, phaseColumns("broadcast", func(s *Step) *Phase { return s.Broadcast })...)
}

func heldColumns() []column {
	held := func(get func(h *Held) *int64) func(s *Step) string {
		return func(s *Step) string {
			if s.Held == nil {
				return ""
			}
			return whole(get(s.Held))
		}
	}
	return []column{
		{"held_server", held(func(h *Held) *int64 { return h.Server })},
		{"held_kernel_server_end", held(func(h *Held) *int64 { return h.KernelServer })},
		{"held_kernel_load_end", held(func(h *Held) *int64 { return h.KernelLoad })},
		{"open_seconds", optional(func(s *Step) *Opening { return s.Opening }, func(o *Opening) string { return decimal(o.Seconds) })},
		{"open_rate_per_second", optional(func(s *Step) *Opening { return s.Opening }, func(o *Opening) string { return decimal(o.Rate) })},
		{"settle_seconds", func(s *Step) string {
			if s.Settled == nil {
				return ""
			}
			return decimal(s.Settled.Waited.Seconds())
		}},
		{"settled", func(s *Step) string {
			if s.Settled == nil {
				return ""
			}
			return strconv.FormatBool(s.Settled.Settled)
		}},
	}
}

func memoryColumns() []column {
	memory := func(get func(m *Memory) string) func(s *Step) string {
		return optional(func(s *Step) *Memory { return s.Memory }, get)
	}
	kernel := func(get func(k *KernelShare) string) func(s *Step) string {
		return optional((*Step).Share, get)
	}
	return []column{
		{"virtual_bytes", memory(func(m *Memory) string { return natural(&m.Virtual) })},
		{"resident_bytes", memory(func(m *Memory) string { return natural(&m.Resident) })},
		{"proportional_bytes", memory(func(m *Memory) string { return natural(m.Proportional) })},
		{"anonymous_bytes", memory(func(m *Memory) string { return natural(m.Anonymous) })},
		{"go_heap_bytes", memory(func(m *Memory) string { return natural(m.GoHeap) })},
		{"threads", memory(func(m *Memory) string { return strconv.Itoa(m.Threads) })},
		{"broadcasts_before", func(s *Step) string { return strconv.Itoa(s.BroadcastsBefore) }},
		{"kernel_both_ends_bytes", kernel(func(k *KernelShare) string { return whole(&k.BothEnds) })},
		{"kernel_server_bytes", kernel(func(k *KernelShare) string { return whole(&k.Server) })},
		{"kernel_over_floor_bytes", kernel(func(k *KernelShare) string { return whole(k.OverFloor) })},
		{"kernel_estimated", kernel(func(k *KernelShare) string { return strconv.FormatBool(k.Estimated) })},
		{"user_and_kernel_bytes", func(s *Step) string { return whole(s.UserAndKernel()) }},
		{"resident_after_broadcast_bytes", optional(func(s *Step) *Memory { return s.MemoryAfter }, func(m *Memory) string { return natural(&m.Resident) })},
	}
}

func idleColumns() []column {
	idle := func(get func(i *Idle) string) func(s *Step) string {
		return optional(func(s *Step) *Idle { return s.Idle }, get)
	}
	return []column{
		{"idle_seconds", idle(func(i *Idle) string { return decimal(i.Seconds) })},
		{"idle_server_core_fraction", idle(func(i *Idle) string { return decimal(i.ServerCore) })},
		{"idle_load_core_fraction", idle(func(i *Idle) string { return measured(i.LoadCore) })},
		{"idle_gc_cycles", idle(func(i *Idle) string {
			if i.GCCycles == nil {
				return ""
			}
			return strconv.FormatUint(uint64(*i.GCCycles), 10)
		})},
	}
}

func phaseColumns(prefix string, phase func(s *Step) *Phase) []column {
	at := func(name string, get func(p *Phase) string) column {
		return column{prefix + "_" + name, optional(phase, get)}
	}
	latency := func(get func(l *Percentiles) string) func(p *Phase) string {
		return func(p *Phase) string {
			if p.Latency == nil {
				return ""
			}
			return get(p.Latency)
		}
	}
	return []column{
		at("sent", func(p *Phase) string { return whole(&p.Sent) }),
		at("delivered", func(p *Phase) string { return whole(&p.Delivered) }),
		at("lost", func(p *Phase) string { return whole(&p.Lost) }),
		at("repeated", func(p *Phase) string { return whole(&p.Repeated) }),
		at("out_of_order", func(p *Phase) string { return whole(&p.OutOfOrder) }),
		at("rate_per_second", func(p *Phase) string { return decimal(p.Rate) }),
		at("seconds_to_last_delivery", func(p *Phase) string { return measured(p.ToLast) }),
		at("server_cpu_us_per_message", func(p *Phase) string { return measured(p.ServerCPU) }),
		at("load_cpu_us_per_message", func(p *Phase) string { return measured(p.LoadCPU) }),
		at("p50_us", latency(func(l *Percentiles) string { return measured(l.P50) })),
		at("p90_us", latency(func(l *Percentiles) string { return measured(l.P90) })),
		at("p99_us", latency(func(l *Percentiles) string { return measured(l.P99) })),
		at("p999_us", latency(func(l *Percentiles) string { return measured(l.P999) })),
		at("max_us", latency(func(l *Percentiles) string { return decimal(l.Max) })),
	}
}

// optional is an empty cell where the part of the step is missing.
func optional[T any](part func(s *Step) *T, cell func(*T) string) func(s *Step) string {
	return func(s *Step) string {
		if p := part(s); p != nil {
			return cell(p)
		}
		return ""
	}
}

func whole(n *int64) string {
	if n == nil {
		return ""
	}
	return strconv.FormatInt(*n, 10)
}

func natural(n *uint64) string {
	if n == nil {
		return ""
	}
	return strconv.FormatUint(*n, 10)
}

func measured(x *float64) string {
	if x == nil {
		return ""
	}
	return decimal(*x)
}

func decimal(x float64) string { return strconv.FormatFloat(x, 'g', 7, 64) }
