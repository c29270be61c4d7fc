package sample

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// CPU is what a process, the kernel's threads and the machine have used, as
// counters: subtract two samples with Since.
type CPU struct {
	// At is when the sample was taken; it keeps the monotonic clock.
	At time.Time `json:"at"`
	// Process is the sum over /proc/PID/task/*/schedstat. The kernel's io-wq
	// workers are threads of the process and are counted here.
	Process time.Duration `json:"process_ns"`
	// ProcessClock is the process CPU clock, the second witness of Process: it
	// keeps what ended threads used.
	ProcessClock time.Duration `json:"process_clock_ns"`
	// IOWorkers is the part of Process used by io-wq threads (iou-wrk).
	IOWorkers time.Duration `json:"io_workers_ns"`
	// Threads is the number of threads of the process.
	Threads int `json:"threads"`
	// Ksoftirqd and Kworkers are the kernel's own threads that do network and
	// deferred work for everybody. They are nil where kernel threads cannot be
	// seen, as in a container with a process namespace of its own.
	Ksoftirqd *time.Duration `json:"ksoftirqd_ns,omitempty"`
	Kworkers  *time.Duration `json:"kworkers_ns,omitempty"`
	// Machine is the whole machine by /proc/stat, in ticks of the kernel.
	Machine MachineCPU `json:"machine"`
}

// MachineCPU is the time of all processors together, sampled by the kernel's
// tick and so good to about 10 ms.
type MachineCPU struct {
	User    time.Duration `json:"user_ns"` // nice included
	System  time.Duration `json:"system_ns"`
	IRQ     time.Duration `json:"irq_ns"`
	SoftIRQ time.Duration `json:"softirq_ns"`
	Idle    time.Duration `json:"idle_ns"`
	IOWait  time.Duration `json:"iowait_ns"`
	// Steal is the time the hypervisor gave to others.
	Steal time.Duration `json:"steal_ns"`
}

// Busy is the time in which the processors did work of this machine.
func (m MachineCPU) Busy() time.Duration { return m.User + m.System + m.IRQ + m.SoftIRQ }

// CPUDelta is the difference of two CPU samples.
type CPUDelta struct {
	Wall         time.Duration  `json:"wall_ns"`
	Process      time.Duration  `json:"process_ns"`
	ProcessClock time.Duration  `json:"process_clock_ns"`
	IOWorkers    time.Duration  `json:"io_workers_ns"`
	Threads      int            `json:"threads"`
	Ksoftirqd    *time.Duration `json:"ksoftirqd_ns,omitempty"`
	Kworkers     *time.Duration `json:"kworkers_ns,omitempty"`
	Machine      MachineCPU     `json:"machine"`
}

// CoreFraction is Process over Wall: 1 is one core kept busy.
func (d CPUDelta) CoreFraction() float64 {
	if d.Wall <= 0 {
		return 0
	}
	return float64(d.Process) / float64(d.Wall)
}

// Since returns what was used between an earlier sample and c.
func (c CPU) Since(earlier CPU) CPUDelta {
	m, e := c.Machine, earlier.Machine
	return CPUDelta{
		Wall:         c.At.Sub(earlier.At),
		Process:      c.Process - earlier.Process,
		ProcessClock: c.ProcessClock - earlier.ProcessClock,
		IOWorkers:    c.IOWorkers - earlier.IOWorkers,
		Threads:      c.Threads,
		Ksoftirqd:    difference(c.Ksoftirqd, earlier.Ksoftirqd),
		Kworkers:     difference(c.Kworkers, earlier.Kworkers),
		Machine: MachineCPU{
			User: m.User - e.User, System: m.System - e.System,
			IRQ: m.IRQ - e.IRQ, SoftIRQ: m.SoftIRQ - e.SoftIRQ,
			Idle: m.Idle - e.Idle, IOWait: m.IOWait - e.IOWait, Steal: m.Steal - e.Steal,
		},
	}
}

// Plus returns what was used in both times together. Threads are those of the later.
func (d CPUDelta) Plus(later CPUDelta) CPUDelta {
	m, l := d.Machine, later.Machine
	return CPUDelta{
		Wall:         d.Wall + later.Wall,
		Process:      d.Process + later.Process,
		ProcessClock: d.ProcessClock + later.ProcessClock,
		IOWorkers:    d.IOWorkers + later.IOWorkers,
		Threads:      later.Threads,
		Ksoftirqd:    total(d.Ksoftirqd, later.Ksoftirqd),
		Kworkers:     total(d.Kworkers, later.Kworkers),
		Machine: MachineCPU{
			User: m.User + l.User, System: m.System + l.System,
			IRQ: m.IRQ + l.IRQ, SoftIRQ: m.SoftIRQ + l.SoftIRQ,
			Idle: m.Idle + l.Idle, IOWait: m.IOWait + l.IOWait, Steal: m.Steal + l.Steal,
		},
	}
}

// total is the sum of what is known.
func total(a, b *time.Duration) *time.Duration {
	if a == nil {
		return b
	}
	if b == nil {
		return a
	}
	sum := *a + *b
	return &sum
}

func difference(now, earlier *time.Duration) *time.Duration {
	if now == nil || earlier == nil {
		return nil
	}
	d := *now - *earlier
	return &d
}

// CPUMeter samples the CPU of one process. It keeps the files of its threads
// open, so that a sample of a process with sixty threads costs sixty reads and
// one directory listing. Call it from one goroutine at a time.
type CPUMeter struct {
	pid    int
	tasks  taskSet
	kernel kernelThreads
	stat   *os.File
	buf    [4096]byte
}

// NewCPUMeter opens a meter on process pid. Pass os.Getpid() for the caller's
// own process.
func NewCPUMeter(pid int) (*CPUMeter, error) {
	stat, err := os.Open("/proc/stat")
	if err != nil {
		return nil, fmt.Errorf("open the CPU meter: %w", err)
	}
	m := &CPUMeter{pid: pid, stat: stat, tasks: newTaskSet(filepath.Join("/proc", strconv.Itoa(pid), "task"))}
	if _, err := m.Read(); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// Read takes a sample. It fails when the process is gone.
func (m *CPUMeter) Read() (CPU, error) {
	machine, err := readMachineCPU(m.stat, m.buf[:])
	if err != nil {
		return CPU{}, err
	}
	soft, workers, err := m.kernel.read(m.buf[:])
	if err != nil {
		return CPU{}, err
	}
	c := CPU{Machine: machine, Ksoftirqd: soft, Kworkers: workers}
	if err := m.tasks.refresh(m.buf[:]); err != nil {
		return CPU{}, fmt.Errorf("read CPU of process %d: %w", m.pid, err)
	}
	c.At = time.Now()
	c.Process, c.IOWorkers, c.Threads = m.tasks.total(m.buf[:])
	if c.ProcessClock, err = ProcessClock(m.pid); err != nil {
		return CPU{}, err
	}
	return c, nil
}

// Close gives the meter's descriptors back.
func (m *CPUMeter) Close() {
	m.stat.Close()
	m.tasks.close()
	m.kernel.close()
}

// ProcessClock reads the CPU clock of process pid: one system call, to the
// nanosecond, ended threads included.
func ProcessClock(pid int) (time.Duration, error) {
	// The kernel encodes a process in a clock number: the complement of its
	// number, shifted by three, with 2 for the scheduler's clock.
	clock := int32(^pid<<3 | 2)
	var ts unix.Timespec
	if err := unix.ClockGettime(clock, &ts); err != nil {
		return 0, fmt.Errorf("read the CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// userTick is the unit of /proc/stat: USER_HZ is 100 on every architecture
// that Go runs on.
const userTick = 10 * time.Millisecond

// readMachineCPU parses the first line of /proc/stat only: the rest, a number
// for each interrupt, is long.
func readMachineCPU(f *os.File, buf []byte) (MachineCPU, error) {
	n, err := f.ReadAt(buf, 0)
	if n == 0 && err != nil {
		return MachineCPU{}, fmt.Errorf("read /proc/stat: %w", err)
	}
	line, _, _ := bytes.Cut(buf[:n], []byte("\n"))
	fields := strings.Fields(string(line))
	if len(fields) < 9 || fields[0] != "cpu" {
		return MachineCPU{}, errors.New("read /proc/stat: the first line is not the sum of the processors")
	}
	var t [8]time.Duration
	for i := range t {
		ticks, err := strconv.ParseInt(fields[i+1], 10, 64)
		if err != nil {
			return MachineCPU{}, fmt.Errorf("read /proc/stat: %w", err)
		}
		t[i] = time.Duration(ticks) * userTick
	}
	return MachineCPU{
		User: t[0] + t[1], System: t[2], Idle: t[3], IOWait: t[4],
		IRQ: t[5], SoftIRQ: t[6], Steal: t[7],
	}, nil
}
