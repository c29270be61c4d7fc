package sample

import (
	"fmt"
	"os"
	"time"

	"github.com/prometheus/procfs"
)

// Machine is how busy the machine is: taken before and after a measurement to
// know whether it was quiet.
type Machine struct {
	At time.Time `json:"at"`
	// Loads are the load averages over 1, 5 and 15 minutes.
	Loads [3]float64 `json:"load_average"`
	// Pressure is by resource: cpu, memory, io. It is empty where the kernel
	// does not keep it.
	Pressure map[string]Pressure `json:"pressure,omitempty"`
	// Steal is the time since boot that the hypervisor gave to others.
	Steal time.Duration `json:"steal_ns"`
	// TimeWait counts the remains of closed connections.
	TimeWait int `json:"tcp_time_wait"`
	// MemoryTotal and MemoryAvailable are in bytes; available is what programs
	// could still take without swapping.
	MemoryTotal     int64 `json:"memory_total_bytes"`
	MemoryAvailable int64 `json:"memory_available_bytes"`
	// Slab is the kernel's slabs in bytes: between two runs it returns to
	// within 2 % of what it was.
	Slab int64 `json:"slab_bytes"`
	// NetDropped counts the packets since boot that found a processor's queue full
	// (net.core.netdev_max_backlog), on loopback too; TCPRetransmitted the segments
	// that were sent again. What is lost comes after 200 ms or more, whoever serves.
	NetDropped       int64 `json:"net_backlog_dropped"`
	TCPRetransmitted int64 `json:"tcp_retransmitted"`
	// TCPPressure is the time since boot in which socket buffers took more than the
	// second limit of net.ipv4.tcp_mem: the kernel then slows all connections.
	TCPPressure time.Duration `json:"tcp_memory_pressure_ns"`
}

// Pressure is the kernel's pressure stall information of one resource, in
// percent of the last 10 and 60 seconds, and the stalled time since boot.
type Pressure struct {
	Some10    float64       `json:"some_avg10_percent"`
	Some60    float64       `json:"some_avg60_percent"`
	SomeTotal time.Duration `json:"some_total_ns"`
	// Full is the time in which nobody got on; zero for cpu on most kernels.
	Full10    float64       `json:"full_avg10_percent"`
	FullTotal time.Duration `json:"full_total_ns"`
}

// ReadMachine reads load, pressure, steal, TIME_WAIT and memory.
func ReadMachine() (Machine, error) {
	proc, err := procfs.NewDefaultFS()
	if err != nil {
		return Machine{}, fmt.Errorf("read the state of the machine: %w", err)
	}
	m := Machine{At: time.Now()}
	load, err := proc.LoadAvg()
	if err != nil {
		return Machine{}, fmt.Errorf("read /proc/loadavg: %w", err)
	}
	m.Loads = [3]float64{load.Load1, load.Load5, load.Load15}
	info, err := proc.Meminfo()
	if err != nil {
		return Machine{}, fmt.Errorf("read /proc/meminfo: %w", err)
	}
	m.MemoryTotal = signed(info.MemTotalBytes)
	m.MemoryAvailable = signed(info.MemAvailableBytes)
	m.Slab = signed(info.SlabBytes)
	sockets, err := ReadSockets()
	if err != nil {
		return Machine{}, err
	}
	m.TimeWait = sockets.TimeWait
	if m.Steal, err = readSteal(); err != nil {
		return Machine{}, err
	}
	m.Pressure = readPressure(proc)
	return m, m.readNet(proc)
}

// readNet reads what the network has lost.
func (m *Machine) readNet(proc procfs.FS) error {
	cpus, err := proc.NetSoftnetStat()
	if err != nil {
		return fmt.Errorf("read /proc/net/softnet_stat: %w", err)
	}
	for _, c := range cpus {
		m.NetDropped += int64(c.Dropped)
	}
	self, err := proc.Self()
	if err != nil {
		return err
	}
	snmp, err := self.Snmp()
	if err != nil {
		return fmt.Errorf("read /proc/self/net/snmp: %w", err)
	}
	if n := snmp.Tcp.RetransSegs; n != nil {
		m.TCPRetransmitted = int64(*n)
	}
	stat, err := self.Netstat()
	if err != nil {
		return fmt.Errorf("read /proc/self/net/netstat: %w", err)
	}
	if ms := stat.TCPMemoryPressuresChrono; ms != nil {
		m.TCPPressure = time.Duration(*ms) * time.Millisecond
	}
	return nil
}

func readSteal() (time.Duration, error) {
	f, err := os.Open("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("read steal: %w", err)
	}
	defer f.Close()
	var buf [4096]byte
	cpu, err := readMachineCPU(f, buf[:])
	return cpu.Steal, err
}

// readPressure leaves out what the kernel does not keep: pressure is switched
// off by default on some.
func readPressure(proc procfs.FS) map[string]Pressure {
	all := map[string]Pressure{}
	for _, resource := range []string{"cpu", "memory", "io"} {
		psi, err := proc.PSIStatsForResource(resource)
		if err != nil || psi.Some == nil {
			continue
		}
		p := Pressure{
			Some10: psi.Some.Avg10, Some60: psi.Some.Avg60,
			SomeTotal: time.Duration(psi.Some.Total) * time.Microsecond,
		}
		if psi.Full != nil {
			p.Full10 = psi.Full.Avg10
			p.FullTotal = time.Duration(psi.Full.Total) * time.Microsecond
		}
		all[resource] = p
	}
	return all
}
