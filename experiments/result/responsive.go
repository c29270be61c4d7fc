package result

import "c1000k/experiments/sample"

// The phases of a Responsive, and what its probes are sent to.
const (
	PhaseIdle   = "idle"
	PhaseDuring = "during broadcasts"

	ProbePing = "ping" // the front door, on one loop
	ProbePush = "push" // the admin door, to a channel that nobody holds
	ProbeEcho = "echo" // a bare echo, which is the instrument's own
)

// AllLoops is the Loop of probes that are not one loop's.
const AllLoops = -1

// Responsive is what others waited for while broadcasts went out, of one backend.
type Responsive struct {
	Backend string `json:"backend"`
	Order   int    `json:"order"`
	Loops   int    `json:"loops"`
	Rings   int    `json:"rings,omitempty"`
	Tables  int    `json:"tables,omitempty"`
	// Channels is how many there were, Connections how many of them were held.
	Channels    int `json:"channels"`
	Connections int `json:"connections"`
	// Realtime says that the instrument ran before all else, LoadNice how far the
	// load was behind.
	Realtime bool `json:"instrument_realtime"`
	LoadNice int  `json:"load_nice,omitempty"`
	// Round numbers the rounds from 0; in each, every backend and LoadNice is measured once.
	Round int `json:"round,omitempty"`
	// IdleSeconds and DuringSeconds are the lengths of the phases.
	IdleSeconds   float64 `json:"idle_seconds"`
	DuringSeconds float64 `json:"during_seconds"`

	Broadcasts []BroadcastTimes `json:"broadcasts"`
	Probes     []Probe          `json:"probes"`
	// These must be 0: messages that were lost, repeated or out of order, and probes
	// that were not answered with 200.
	Lost       int64 `json:"lost"`
	Repeated   int64 `json:"repeated"`
	OutOfOrder int64 `json:"out_of_order"`
	Refused    int64 `json:"probes_refused"`
	// Work is what each loop did during the broadcasts.
	Work []LoopWork `json:"loop_work,omitempty"`
	// ServerCPU and LoadCPU are seconds of CPU during the broadcasts.
	ServerCPU float64 `json:"server_cpu_seconds"`
	LoadCPU   float64 `json:"load_cpu_seconds"`

	MachineBefore *sample.Machine `json:"machine_before,omitempty"`
	MachineAfter  *sample.Machine `json:"machine_after,omitempty"`
	Noisy         []string        `json:"noisy,omitempty"`
}

// LoopWork is how many turns a loop took, and how many actions (sends, closes,
// wakes) they left to the engine.
type LoopWork struct {
	Turns   float64 `json:"turns"`
	Actions float64 `json:"actions"`
}

// BroadcastTimes are those of one broadcast, from the sending of its request.
type BroadcastTimes struct {
	AnswerUs float64 `json:"answer_us"` // to the admin door's answer
	// LastSeconds is to the last delivery, as the load's counters show it when they
	// are looked at, each 10 ms.
	LastSeconds float64 `json:"last_seconds"`
	Delivered   int64   `json:"delivered"`
}

// Probe is one kind of request in one phase.
type Probe struct {
	Phase string `json:"phase"`
	What  string `json:"what"`
	// Loop is the one that answered, or AllLoops.
	Loop        int     `json:"loop"`
	Connections int     `json:"connections"`
	Rate        float64 `json:"rate_per_second"`
	// Latency is from the intended time to the whole reply; Late is how late the
	// request was sent, which is the instrument's.
	Latency *Percentiles `json:"latency"`
	Late    *Percentiles `json:"late"`
	// HDR names the file of the whole histogram, relative to the folder.
	HDR string `json:"hdr,omitempty"`
}

// Probe finds one; nil if there is none.
func (r *Responsive) Probe(phase, what string, loop int) *Probe {
	for i := range r.Probes {
		if p := &r.Probes[i]; p.Phase == phase && p.What == what && p.Loop == loop {
			return p
		}
	}
	return nil
}
