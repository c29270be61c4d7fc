package load

// What a driver can ask for. Commands are carried out one after the other; "stop"
// and "quit" are heard meanwhile, unless a further command was sent before them.
const (
	DoSign      = "sign"      // To, Admin: get a token for each channel of the first To connections, to show from then on; before open
	DoOpen      = "open"      // To, Rate: hold To connections in all
	DoPush      = "push"      // Count, Rate, Seed, Admin: one message to each of Count channels
	DoBroadcast = "broadcast" // Count, Admin: Count broadcasts, each when the one before has arrived
	DoCounts    = "counts"    // what was seen so far
	DoClose     = "close"     // close all connections
	DoCeiling   = "ceiling"   // To, Seconds: what this load can do at best; To connections of its own
	DoWithhold  = "withhold"  // from now on no poll follows a reply
	DoRepoll    = "repoll"    // send what was withheld, and withhold no more
	DoStop      = "stop"      // end what is being done, with the result so far; without effect otherwise
	DoQuit      = "quit"      // end the process, as the end of the input does
)

// Command is a line of JSON on the load's standard input.
type Command struct {
	Do      string  `json:"do"`
	To      int     `json:"to,omitempty"`
	Count   int     `json:"count,omitempty"`
	Rate    float64 `json:"rate,omitempty"` // a second; 0 is as fast as goes
	Seed    uint64  `json:"seed,omitempty"`
	Admin   string  `json:"admin,omitempty"` // address of the server's admin door: "127.0.0.1:8000"
	Seconds float64 `json:"seconds,omitempty"`
}

// EventReady is the first line of a load, EventProgress comes every 500 ms of a
// command that takes long, EventDone once for each command but stop and quit.
const (
	EventReady    = "ready"
	EventProgress = "progress"
	EventDone     = "done"
)

// Event is a line of JSON on the load's standard output.
type Event struct {
	Event string `json:"event"`
	Do    string `json:"do,omitempty"` // the command it belongs to
	// Error says why a command failed or ended early; a result may stand beside
	// it, of what was done until then.
	Error     string           `json:"error,omitempty"`
	Ready     *Ready           `json:"ready,omitempty"`
	Progress  *Progress        `json:"progress,omitempty"`
	Sign      *SignResult      `json:"sign,omitempty"`
	Open      *OpenResult      `json:"open,omitempty"`
	Push      *PushResult      `json:"push,omitempty"`
	Broadcast *BroadcastResult `json:"broadcast,omitempty"`
	Counts    *Counts          `json:"counts,omitempty"`
	Close     *CloseResult     `json:"close,omitempty"`
	Ceiling   *CeilingResult   `json:"ceiling,omitempty"`
	Repoll    *RepollResult    `json:"repoll,omitempty"`
}

// Ready says how the load is laid out.
type Ready struct {
	PID             int  `json:"pid"`
	Connections     int  `json:"connections"` // the most it will hold
	Reactors        int  `json:"reactors"`
	PerReactor      int  `json:"connections_per_reactor"`
	OwnTables       bool `json:"own_tables"` // each reactor has its own descriptor table
	DescriptorLimit int  `json:"descriptor_limit"`
}

// Progress is how far a command is: Done of Of, in connections or messages.
type Progress struct {
	Done    int64   `json:"done"`
	Of      int64   `json:"of"`
	Errors  int64   `json:"errors"` // of any kind, since the command began
	Seconds float64 `json:"seconds"`
}

// OpenResult is the outcome of open.
type OpenResult struct {
	Opened   int64   `json:"opened"` // now, in all
	Added    int64   `json:"added"`  // by this command
	Seconds  float64 `json:"seconds"`
	Rate     float64 `json:"connections_per_second"`
	Retries  int64   `json:"retries"`       // connects tried again: refused or timed out
	Waits    int64   `json:"connect_waits"` // handshakes that were not over at once
	CPU      float64 `json:"load_cpu_seconds"`
	Counts   Counts  `json:"counts"` // of this command; Opened and Held in all
	Reactors int     `json:"reactors_started"`
}

// PushResult is the outcome of push.
type PushResult struct {
	Channels   int     `json:"channels"`  // the draw was among so many
	Sent       int64   `json:"sent"`      // requests
	Accepted   int64   `json:"accepted"`  // answered 200
	Refused    int64   `json:"refused"`   // answered otherwise
	Expected   int64   `json:"expected"`  // deliveries: held subscribers of what was accepted or may be
	Delivered  int64   `json:"delivered"` // and in order
	Missing    int64   `json:"missing"`   // expected and not delivered
	Seed       uint64  `json:"seed"`
	Seconds    float64 `json:"seconds"`              // first intended time to last delivery
	RateAsked  float64 `json:"rate_asked,omitempty"` // pushes a second
	RateSent   float64 `json:"rate_sent"`
	Deliveries float64 `json:"deliveries_per_second"`
	// Latency is from the intended time, Uncorrected from the time of sending.
	Latency     Latency `json:"latency"`
	Uncorrected Latency `json:"latency_uncorrected"`
	// SendLagMax is how late the worst push was sent: above the latencies, the
	// load was the bottleneck.
	SendLagMax float64 `json:"send_lag_max_us"`
	CPU        float64 `json:"load_cpu_seconds"`
	Counts     Counts  `json:"counts"` // of this command; Opened and Held in all
}

// Clean says whether each push came once to each subscriber it was meant for.
func (r PushResult) Clean() bool { return r.Missing == 0 && r.Refused == 0 && r.Counts.Clean() }

// BroadcastResult is the outcome of broadcast: one Round for each.
type BroadcastResult struct {
	Rounds []Round `json:"rounds"`
	CPU    float64 `json:"load_cpu_seconds"`
	Counts Counts  `json:"counts"` // of this command; Opened and Held in all
}

// Round is one broadcast. Times are from the sending of the request.
type Round struct {
	Expected  int64   `json:"expected"`
	Delivered int64   `json:"delivered"`
	Missing   int64   `json:"missing"`
	Reply     float64 `json:"reply_seconds"` // the admin door's answer
	First     float64 `json:"first_seconds"` // to the first subscriber
	Median    float64 `json:"median_seconds"`
	Last      float64 `json:"last_seconds"` // to the last; by then each has polled again
	Latency   Latency `json:"latency"`
	CPU       float64 `json:"load_cpu_seconds"`
}

// Clean says whether each broadcast came once to each connection.
func (r BroadcastResult) Clean() bool {
	for _, round := range r.Rounds {
		if round.Missing != 0 {
			return false
		}
	}
	return r.Counts.Clean()
}

// Latency describes a histogram in microseconds. A percentile with fewer than
// 100 samples beyond it is left out.
type Latency struct {
	Samples int64    `json:"samples"`
	P50     *float64 `json:"p50_us,omitempty"`
	P90     *float64 `json:"p90_us,omitempty"`
	P99     *float64 `json:"p99_us,omitempty"`
	P999    *float64 `json:"p999_us,omitempty"`
	Max     float64  `json:"max_us"`
	// HDR is the whole histogram, in nanoseconds: V2 compressed, base64.
	HDR string `json:"hdr,omitempty"`
	// TooLong counts samples above the histogram's range, a minute.
	TooLong int64 `json:"too_long,omitempty"`
}

// CloseResult is the outcome of close.
type CloseResult struct {
	Closed  int64   `json:"closed"`
	Seconds float64 `json:"seconds"`
	CPU     float64 `json:"load_cpu_seconds"`
}

// CeilingResult is what the load does against a loop that answers canned bytes,
// with all connections busy all the time.
type CeilingResult struct {
	Connections int     `json:"connections"`
	Seconds     float64 `json:"seconds"`
	Messages    int64   `json:"messages"`
	Rate        float64 `json:"messages_per_second"` // of the pair: the slower decides
	// CPU is the load's own per message, in microseconds; ResponderCPU the
	// canned loop's.
	CPU          float64 `json:"load_cpu_us_per_message"`
	ResponderCPU float64 `json:"responder_cpu_us_per_message"`
	// CoreRate is what one core given to the load alone would receive, check and
	// poll again: 1 / CPU.
	CoreRate float64 `json:"messages_per_core_second"`
	Counts   Counts  `json:"counts"`
}
