package result

import "c1000k/experiments/sample"

// Expiry is a window in which nothing is asked of a server but what its polling
// timeout brings: polls expire, are answered by a noop, and come again. It is
// measured on a server of its own, and belongs to the Backend record of the same
// Order.
type Expiry struct {
	Backend string `json:"backend"`
	Order   int    `json:"order"`
	Target  int    `json:"target_connections"`
	Loops   int    `json:"loops"`
	Rings   int    `json:"rings,omitempty"`
	Tables  int    `json:"tables,omitempty"`
	// PollingTimeout is the server's, and Window the length planned, in seconds.
	PollingTimeout float64 `json:"polling_timeout_seconds"`
	Window         float64 `json:"window_seconds"`
	// Held is the last count of the witnesses: after the window, or before it
	// where it was cut. Polls on their way are not held by the server.
	Held *Held `json:"held,omitempty"`
	// MemoryBefore and KernelBefore are read when all are open, the others after
	// the window. Nothing settles, since nothing stands still.
	MemoryBefore *Memory             `json:"memory_before,omitempty"`
	KernelBefore *sample.KernelDelta `json:"kernel_before,omitempty"`
	MemoryAfter  *Memory             `json:"memory_after,omitempty"`
	KernelAfter  *sample.KernelDelta `json:"kernel_after,omitempty"`
	// Measured is the window as far as it came, nil where it was not begun.
	Measured *Expired `json:"measured,omitempty"`
	// Cut says why the window is not whole.
	Cut string `json:"cut,omitempty"`
}

// Expired is what was seen in a window of expiring polls.
type Expired struct {
	Seconds float64 `json:"seconds"`
	// Noops came; Expected are due at least: a poll is answered within a second
	// after its timeout, so each expires a whole number of times for certain and,
	// by the moment at which it came, may expire once more.
	Noops    int64 `json:"noops"`
	Expected int64 `json:"noops_expected_at_least"`
	// Rate is noops a second.
	Rate float64 `json:"rate_per_second"`
	// These must be 0: no message is sent, so none may be missed or come, and no
	// connection may end.
	Lost       int64 `json:"lost"`
	Repeated   int64 `json:"repeated"`
	OutOfOrder int64 `json:"out_of_order"`
	Broken     int64 `json:"broken"` // resets, replies that are none, messages of another channel
	// ServerCore and LoadCore are fractions of one core.
	ServerCore float64 `json:"server_core_fraction"`
	LoadCore   float64 `json:"load_core_fraction"`
	// ServerCPU and LoadCPU are microseconds of CPU a noop, with the next poll.
	ServerCPU *float64 `json:"server_cpu_us_per_noop,omitempty"`
	LoadCPU   *float64 `json:"load_cpu_us_per_noop,omitempty"`
	// Server and Load are the whole differences of the CPU samples.
	Server *sample.CPUDelta `json:"server_cpu,omitempty"`
	Load   *sample.CPUDelta `json:"load_cpu,omitempty"`
}

// Wrong is how much of what was seen no correct server causes.
func (e *Expired) Wrong() int64 { return e.Lost + e.Repeated + e.OutOfOrder + e.Broken }

// Connections is the number held by the best witness there is.
func (e *Expiry) Connections() int64 { return connections(e.Held, e.Target) }

// UserAndKernelBefore is the server's resident memory and its share of the
// kernel's before the window, in bytes; UserAndKernelAfter the same after it. Nil
// where either was not measured.
func (e *Expiry) UserAndKernelBefore() *int64 {
	return userAndKernel(e.MemoryBefore, share(e.KernelBefore, e.Connections()))
}

// UserAndKernelAfter is documented at UserAndKernelBefore.
func (e *Expiry) UserAndKernelAfter() *int64 {
	return userAndKernel(e.MemoryAfter, share(e.KernelAfter, e.Connections()))
}

// Estimated tells whether the kernel's memory was not read by cache.
func (e *Expiry) Estimated() bool {
	return e.KernelBefore != nil && e.KernelBefore.Estimated || e.KernelAfter != nil && e.KernelAfter.Estimated
}

// expiryOf finds the window that belongs to a step; nil where there is none.
func (d *Data) expiryOf(s *Step) *Expiry {
	for i := range d.Expiries {
		if e := &d.Expiries[i]; e.Order == s.Order && e.Target == s.Target {
			return e
		}
	}
	return nil
}

// expiryColumns are those of the windows, in the row of the step of the same
// connections. A run without windows has none of them.
func (d *Data) expiryColumns() []column {
	if len(d.Expiries) == 0 {
		return nil
	}
	window := optional[Expiry]
	of := func(get func(e *Expired) string) func(s *Step) string {
		return window(d.expiryOf, func(e *Expiry) string {
			if e.Measured == nil {
				return ""
			}
			return get(e.Measured)
		})
	}
	resident := func(get func(e *Expiry) *Memory) func(s *Step) string {
		return window(d.expiryOf, func(e *Expiry) string {
			if m := get(e); m != nil {
				return natural(&m.Resident)
			}
			return ""
		})
	}
	return []column{
		{"expiry_polling_timeout_seconds", window(d.expiryOf, func(e *Expiry) string { return decimal(e.PollingTimeout) })},
		{"expiry_held_server_end", window(d.expiryOf, func(e *Expiry) string { n := e.Connections(); return whole(&n) })},
		{"expiry_seconds", of(func(e *Expired) string { return decimal(e.Seconds) })},
		{"expiry_noops", of(func(e *Expired) string { return whole(&e.Noops) })},
		{"expiry_noops_expected_at_least", of(func(e *Expired) string { return whole(&e.Expected) })},
		{"expiry_rate_per_second", of(func(e *Expired) string { return decimal(e.Rate) })},
		{"expiry_server_core_fraction", of(func(e *Expired) string { return decimal(e.ServerCore) })},
		{"expiry_load_core_fraction", of(func(e *Expired) string { return decimal(e.LoadCore) })},
		{"expiry_server_cpu_us_per_noop", of(func(e *Expired) string { return measured(e.ServerCPU) })},
		{"expiry_load_cpu_us_per_noop", of(func(e *Expired) string { return measured(e.LoadCPU) })},
		{"expiry_lost", of(func(e *Expired) string { return whole(&e.Lost) })},
		{"expiry_repeated", of(func(e *Expired) string { return whole(&e.Repeated) })},
		{"expiry_out_of_order", of(func(e *Expired) string { return whole(&e.OutOfOrder) })},
		{"expiry_broken", of(func(e *Expired) string { return whole(&e.Broken) })},
		{"expiry_resident_before_bytes", resident(func(e *Expiry) *Memory { return e.MemoryBefore })},
		{"expiry_resident_after_bytes", resident(func(e *Expiry) *Memory { return e.MemoryAfter })},
		{"expiry_user_and_kernel_after_bytes", window(d.expiryOf, func(e *Expiry) string { return whole(e.UserAndKernelAfter()) })},
		{"expiry_cut", window(d.expiryOf, func(e *Expiry) string { return e.Cut })},
	}
}

// expiryLine is the window in the Go benchmark format.
func expiryLine(e *Expiry) benchLine {
	m := e.Measured
	if m == nil {
		return newBenchLine("Expiry", e.Backend, e.Target, e.Loops, 1)
	}
	b := newBenchLine("Expiry", e.Backend, e.Target, e.Loops, m.Noops)
	b.add("cores", &m.ServerCore)
	b.add("load-cores", &m.LoadCore)
	b.add("server-us/noop", m.ServerCPU)
	b.add("load-us/noop", m.LoadCPU)
	b.add("noops/s", &m.Rate)
	b.add("lost-msgs", number(m.Wrong()))
	if e.MemoryAfter != nil {
		b.add("RES-bytes", number(e.MemoryAfter.Resident))
	}
	if sum := e.UserAndKernelAfter(); sum != nil {
		b.add("user+kernel-bytes", number(*sum))
	}
	return b
}
