package result

import (
	"time"

	"c1000k/experiments/sample"
)

// Version is the format of every record and of run.json. It goes up when the
// meaning of a field changes or a field goes; a new optional field is no change.
const Version = 1

// Kind says which part of a Record is set.
type Kind string

// The kinds of record.
const (
	KindBackend Kind = "backend" // a server was started
	KindStep    Kind = "step"    // a step of the ladder, whole or cut short
	KindFailure Kind = "failure" // a server or a load died, or the ladder had to stop
	KindFloor   Kind = "floor"   // what this machine does without a protocol
	KindMachine Kind = "machine" // how quiet the machine was
	KindExpiry  Kind = "expiry"  // a window in which polls expire
	// KindResponsive is what others waited for during broadcasts.
	KindResponsive Kind = "responsive"
)

// The backends' names, as the server's --engine takes them.
const (
	URing  = "uring"
	Epoll  = "epoll"
	Gonet  = "gonet"
	Icomet = "icomet"
)

// Record is one line of data.jsonl. Folder.Append fills Version, Kind and, where
// it is zero, At.
type Record struct {
	Version int       `json:"version"`
	Kind    Kind      `json:"kind"`
	At      time.Time `json:"at"`

	Backend *Backend `json:"backend,omitempty"`
	Step    *Step    `json:"step,omitempty"`
	Failure *Failure `json:"failure,omitempty"`
	Floor   *Floor   `json:"floor,omitempty"`
	Machine *Machine `json:"machine,omitempty"`
	Expiry  *Expiry  `json:"expiry,omitempty"`

	Responsive *Responsive `json:"responsive,omitempty"`
}

// Backend describes one fresh server process.
type Backend struct {
	Name string `json:"name"` // URing, Epoll, Gonet
	// Order is the place of this server in the run, from 0.
	Order int `json:"order"`
	// Loops is the number of event loops (threads), Rings of io_uring
	// instances, Tables of descriptor tables. Rings and Tables are those at
	// the start; a step says its own.
	Loops  int `json:"loops"`
	Rings  int `json:"rings,omitempty"`
	Tables int `json:"tables,omitempty"`
	// DescriptorLimit is the server's soft limit.
	DescriptorLimit uint64 `json:"descriptor_limit,omitempty"`
	// Banner is the server's first lines: what the kernel gave.
	Banner []string `json:"banner,omitempty"`
	// Features are those asked for and those got.
	FeaturesAsked []string `json:"features_asked,omitempty"`
	FeaturesGot   []string `json:"features_got,omitempty"`
	// Command is the server's command line, without the folder of the binary;
	// Binary its SHA-256.
	Command []string `json:"command,omitempty"`
	Binary  string   `json:"binary_sha256,omitempty"`
	// LoadCommand and LoadBinary are the same of the load.
	LoadCommand []string `json:"load_command,omitempty"`
	LoadBinary  string   `json:"load_binary_sha256,omitempty"`
	// Empty is the memory of a server of the same arguments with --channels 0
	// and no connection: what the headline subtracts.
	Empty *Memory `json:"empty_server,omitempty"`
	// KernelZero is the kernel's memory before the server was started.
	KernelZero *sample.Kernel `json:"kernel_zero,omitempty"`
	// Stopped is why no larger step was tried, when it was not the plan.
	Stopped string `json:"stopped,omitempty"`
}

// Memory is a process's user memory and what its Go runtime says of its heap.
type Memory struct {
	sample.Memory
	// GoHeap is the heap in use, objects of the Go runtime only.
	GoHeap *uint64 `json:"go_heap_bytes,omitempty"`
	// GoSys is all that the Go runtime took from the kernel.
	GoSys *uint64 `json:"go_sys_bytes,omitempty"`
}

// Step is what was measured at one number of held connections. All but the
// first group is optional.
type Step struct {
	Backend string `json:"backend"`
	// Order is that of the Backend record the step belongs to.
	Order  int `json:"order"`
	Index  int `json:"index"` // from 0, the step without connections
	Target int `json:"target_connections"`
	Loops  int `json:"loops"`
	Rings  int `json:"rings,omitempty"`
	Tables int `json:"tables,omitempty"`

	Opening *Opening `json:"opening,omitempty"`
	Held    *Held    `json:"held,omitempty"`
	// Settled tells how long the wait for quiet memory took.
	Settled *sample.Settled `json:"settled,omitempty"`
	// Memory and Kernel are read after the settling, before any message of
	// this step. Kernel is the growth since the backend's KernelZero.
	Memory *Memory             `json:"memory,omitempty"`
	Kernel *sample.KernelDelta `json:"kernel,omitempty"`
	// Sockets is the kernel's own count at that time.
	Sockets *sample.Sockets `json:"sockets,omitempty"`
	// LoadMemory is the load's user memory at that time.
	LoadMemory *Memory `json:"load_memory,omitempty"`
	Idle       *Idle   `json:"idle,omitempty"`
	Push       *Phase  `json:"push,omitempty"`
	Broadcast  *Phase  `json:"broadcast,omitempty"`
	// Broadcasts is how many were sent at this step; Broadcast is the last.
	Broadcasts int `json:"broadcasts,omitempty"`
	// MemoryAfter and KernelAfter are read after the broadcast and a settling.
	MemoryAfter *Memory             `json:"memory_after_broadcast,omitempty"`
	KernelAfter *sample.KernelDelta `json:"kernel_after_broadcast,omitempty"`
	// BroadcastsBefore counts the broadcasts that had gone to each channel when
	// Memory was read: history takes memory.
	BroadcastsBefore int `json:"broadcasts_before"`
	// MachineBefore and MachineAfter tell how quiet the machine was.
	MachineBefore *sample.Machine `json:"machine_before,omitempty"`
	MachineAfter  *sample.Machine `json:"machine_after,omitempty"`
	// Noisy says why the step was not quiet, by the limits of the spec.
	Noisy []string `json:"noisy,omitempty"`
	// Cut says why the step is not whole ("interrupted", "server died", ...).
	Cut string `json:"cut,omitempty"`
}

// Opening is the growth of the number of connections in one step: from the
// first connect to the last hold confirmed.
type Opening struct {
	Connections int     `json:"connections"`
	Seconds     float64 `json:"seconds"`
	// Rate is connections a second.
	Rate float64 `json:"rate_per_second"`
	// ServerCPU and LoadCPU are microseconds of CPU a connection.
	ServerCPU *float64 `json:"server_cpu_us_per_connection,omitempty"`
	LoadCPU   *float64 `json:"load_cpu_us_per_connection,omitempty"`
}

// How the kernel was asked for the number of connections.
const (
	BySockDiag = "sock_diag" // exact, both ends counted apart
	BySockstat = "sockstat"  // both ends together, halved
)

// Held is the number of held connections by its witnesses.
type Held struct {
	// Server is what the server says of itself.
	Server *int64 `json:"server,omitempty"`
	// KernelServer and KernelLoad are the kernel's counts of established
	// sockets at the two ends.
	KernelServer *int64 `json:"kernel_server_end,omitempty"`
	KernelLoad   *int64 `json:"kernel_load_end,omitempty"`
	// Load is what the load says it holds.
	Load    *int64 `json:"load,omitempty"`
	Witness string `json:"witness,omitempty"` // BySockDiag or BySockstat
	// Seconds is how long the kernel's count took.
	Seconds float64 `json:"seconds,omitempty"`
}

// Idle is a window in which nothing was asked of the server.
type Idle struct {
	Seconds float64 `json:"seconds"`
	// ServerCore and LoadCore are fractions of one core: 0.005 is 0.5 %.
	ServerCore float64  `json:"server_core_fraction"`
	LoadCore   *float64 `json:"load_core_fraction,omitempty"`
	// GCCycles counts the server's garbage collections in the window.
	GCCycles *uint32 `json:"gc_cycles,omitempty"`
	// Server and Load are the whole differences of the CPU samples.
	Server *sample.CPUDelta `json:"server_cpu,omitempty"`
	Load   *sample.CPUDelta `json:"load_cpu,omitempty"`
}

// Phase is messages sent through the server: pushes, one message to one
// channel each, or a broadcast, one message to all channels.
type Phase struct {
	// Sent counts the messages that were due at a subscriber; Delivered those
	// that came. The other three must be 0.
	Sent       int64 `json:"sent"`
	Delivered  int64 `json:"delivered"`
	Lost       int64 `json:"lost"`
	Repeated   int64 `json:"repeated"`
	OutOfOrder int64 `json:"out_of_order"`
	// Requests counts the calls of the admin door: as many as Sent for pushes,
	// one for a broadcast.
	Requests int64   `json:"requests"`
	Seconds  float64 `json:"seconds"`
	// Rate is deliveries a second over Seconds.
	Rate float64 `json:"rate_per_second"`
	// ToLast is the seconds from the request to the last delivery.
	ToLast *float64 `json:"seconds_to_last_delivery,omitempty"`
	// ServerCPU and LoadCPU are microseconds of CPU a delivered message.
	ServerCPU *float64 `json:"server_cpu_us_per_message,omitempty"`
	LoadCPU   *float64 `json:"load_cpu_us_per_message,omitempty"`
	// Server and Load are the whole differences of the CPU samples.
	Server *sample.CPUDelta `json:"server_cpu,omitempty"`
	Load   *sample.CPUDelta `json:"load_cpu,omitempty"`
	// Latency is from the intended time, Uncorrected from the actual time of
	// sending.
	Latency     *Percentiles `json:"latency,omitempty"`
	Uncorrected *Percentiles `json:"latency_uncorrected,omitempty"`
	// HDR names the file of the whole histogram, relative to the folder.
	HDR string `json:"hdr,omitempty"`
	// Seed drew the channels.
	Seed uint64 `json:"seed,omitempty"`
	// Window is how many messages were under way at most; 0 without bound.
	Window int `json:"window,omitempty"`
}

// Percentiles of a latency, in microseconds. One that fewer than 100 samples
// lie beyond is nil.
type Percentiles struct {
	Samples int64    `json:"samples"`
	Min     float64  `json:"min_us"`
	Mean    float64  `json:"mean_us"`
	P50     *float64 `json:"p50_us,omitempty"`
	P90     *float64 `json:"p90_us,omitempty"`
	P99     *float64 `json:"p99_us,omitempty"`
	P999    *float64 `json:"p999_us,omitempty"`
	P9999   *float64 `json:"p9999_us,omitempty"`
	Max     float64  `json:"max_us"`
}

// Failure is the end of a server or a load before its time.
type Failure struct {
	Backend string `json:"backend"`
	Order   int    `json:"order"`
	Target  int    `json:"target_connections"`
	// During names the part of the step: opening, settle, idle, push, broadcast.
	During string `json:"during,omitempty"`
	// Process is server, load or ladder.
	Process string `json:"process"`
	// Reason is one sentence.
	Reason string `json:"reason"`
	// ExitStatus is the process's, nil where a signal ended it; Signal names that.
	ExitStatus *int   `json:"exit_status,omitempty"`
	Signal     string `json:"signal,omitempty"`
	// LastLines are the last lines of its log.
	LastLines []string `json:"last_lines,omitempty"`
}

// What a Floor measured.
const (
	FloorAccept = "accept" // the bare accept loop: connections a second
	FloorTurn   = "turn"   // the same bytes each way without a protocol
	LoadCeiling = "load"   // the load against the floor's sockets
)

// Floor is what this machine does without the server's work, in the same run.
type Floor struct {
	What    string  `json:"what"`
	Variant string  `json:"variant,omitempty"`
	Loops   int     `json:"loops,omitempty"`
	Count   int64   `json:"count"`
	Seconds float64 `json:"seconds"`
	// Rate is connections or messages a second.
	Rate float64 `json:"rate_per_second"`
	// ServerCPU and LoadCPU are microseconds of CPU a connection or message.
	ServerCPU *float64 `json:"server_cpu_us,omitempty"`
	LoadCPU   *float64 `json:"load_cpu_us,omitempty"`
	// Kernel is the growth of the kernel's memory, of the whole machine, while
	// all are held and watched by the client; of the bare accept loop alone.
	Kernel *sample.KernelDelta `json:"kernel,omitempty"`
}

// Machine is a look at the machine between servers.
type Machine struct {
	// When is before or after, and of what ("before uring").
	When  string         `json:"when"`
	State sample.Machine `json:"state"`
	// WaitedSeconds is the wait for slabs and TIME_WAIT to return.
	WaitedSeconds float64 `json:"waited_seconds,omitempty"`
	// Quiet is false where the limits of the spec were passed; Noisy says which.
	Quiet *bool    `json:"quiet,omitempty"`
	Noisy []string `json:"noisy,omitempty"`
}

// Run is run.json.
type Run struct {
	Version int       `json:"version"`
	Name    string    `json:"name"`
	Spec    string    `json:"spec,omitempty"` // the file under experiments/specs
	Started time.Time `json:"started"`
	// Finished is zero while the run goes on or where it was killed.
	Finished time.Time `json:"finished,omitzero"`
	// Interrupted says that somebody stopped the run.
	Interrupted bool `json:"interrupted,omitempty"`
	// Backends are in the order in which they were run.
	Backends []string `json:"backends"`
	Targets  []int    `json:"target_connections"`
	Seed     uint64   `json:"seed"`
	// Arguments are all settings of the run by name, defaults included.
	Arguments map[string]string `json:"arguments,omitempty"`
	// Pinning says which processors server and load had.
	Pinning     string             `json:"pinning,omitempty"`
	Environment sample.Environment `json:"environment"`
	// Notes are sentences that the report prints.
	Notes []string `json:"notes,omitempty"`
}
