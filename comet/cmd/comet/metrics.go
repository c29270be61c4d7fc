package main

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"c1000k/comet"
)

// metric says how one of the service's counters is told to Prometheus.
type metric struct {
	stat         string // its name in Service.Stats
	name         string
	label, value string // empty without a label
	kind         prometheus.ValueType
	help         string // of the first of several with one name
}

const (
	counts = prometheus.CounterValue
	gauges = prometheus.GaugeValue
)

// serviceMetrics are all of Service.Stats. A test proves that none is missing.
var serviceMetrics = []metric{
	{"connections_opened", "comet_connections_opened_total", "", "", counts, "Connections accepted, both doors."},
	{"connections_closed", "comet_connections_closed_total", "", "", counts, "Connections that ended."},
	{"hangups", "comet_hangups_total", "", "", counts, "Connections that the peer ended or that failed."},
	{"requests", "comet_requests_total", "", "", counts, "Requests, both doors."},
	{"bad_requests", "comet_bad_requests_total", "", "", counts, "Requests refused for their form, method, path or parameters."},
	{"subscribers", "comet_subscribers", "", "", gauges, "Subscribers held: waiting polls and streams, each in every channel that it names."},
	{"connections_reading", "comet_connections", "state", "reading", gauges, "Connections open now, both doors: reading, a request has begun or is the first; idle, between requests; poll, stream and watcher, held for a long-poll, a stream of messages, /psub; writing, the reply is on its way; closing."},
	{"connections_idle", "comet_connections", "state", "idle", gauges, ""},
	{"connections_polling", "comet_connections", "state", "poll", gauges, ""},
	{"connections_streaming", "comet_connections", "state", "stream", gauges, ""},
	{"connections_watching", "comet_connections", "state", "watcher", gauges, ""},
	{"connections_writing", "comet_connections", "state", "writing", gauges, ""},
	{"connections_closing", "comet_connections", "state", "closing", gauges, ""},
	{"published", "comet_messages_published_total", "kind", "push", counts, "Messages published: pushes to one channel, broadcasts to all."},
	{"broadcasts", "comet_messages_published_total", "kind", "broadcast", counts, ""},
	{"publishes_refused", "comet_publishes_refused_total", "", "", counts, "Requests at the admin door answered with a status of 400 or above."},
	{"delivered", "comet_deliveries_total", "from", "live", counts, "Messages sent to subscribers: as they came, or from a history."},
	{"replayed", "comet_deliveries_total", "from", "history", counts, ""},
	{"noops", "comet_noops_total", "", "", counts, "Noops sent to subscribers that had waited for the polling timeout."},
	{"sends", "comet_sends_total", "", "", counts, "Sends given to the engine."},
	{"sent_bytes", "comet_sent_bytes_total", "", "", counts, "Bytes sent, heads included."},
	{"stale_completions", "comet_stale_completions_total", "", "", counts, "Completions of sends of an earlier connection in the same slot."},
	{"readers_paused", "comet_readers_paused_total", "", "", counts, "Times a connection that sent ahead was read no more until its reply had gone."},
	{"header_timeouts", "comet_timeouts_total", "kind", "header", counts, "Connections closed by a timeout: of a request, between requests, of a send."},
	{"idle_timeouts", "comet_timeouts_total", "kind", "idle", counts, ""},
	{"stall_timeouts", "comet_timeouts_total", "kind", "stall", counts, ""},
	{"inbox_behind", "comet_inbox_behind_total", "", "", counts, "Times a loop's inbox was full, so that it read histories instead; nothing is lost by it."},
	{"caught_up", "comet_inbox_caught_up_total", "", "", counts, "Times a loop had read the histories after its inbox was full."},
	{"wakes", "comet_loop_wakes_total", "", "", counts, "Wakes of loops that slept."},
	{"farewells", "comet_farewells_total", "", "", counts, "Held clients told that the server is about to stop."},
	{"channels_closed", "comet_channels_closed_total", "", "", counts, "Channels closed by /close."},

	{"too_many_channels", "comet_drops_total", "cause", "too_many_channels", counts, "What was refused or given up, by cause: subscriptions and messages beyond a limit or without permission, histories and messages dropped for want of memory, sends that failed, streams and watchers that were too slow."},
	{"too_many_subscribers", "comet_drops_total", "cause", "too_many_subscribers", counts, ""},
	{"too_many_channels_named", "comet_drops_total", "cause", "too_many_channels_named", counts, ""},
	{"no_memory", "comet_drops_total", "cause", "no_memory", counts, ""},
	{"token_errors", "comet_drops_total", "cause", "token_error", counts, ""},
	{"publishers_barred", "comet_drops_total", "cause", "publisher_barred", counts, ""},
	{"histories_lost", "comet_drops_total", "cause", "history_lost", counts, ""},
	{"messages_evicted", "comet_drops_total", "cause", "message_evicted", counts, ""},
	{"send_errors", "comet_drops_total", "cause", "send_error", counts, ""},
	{"stream_overruns", "comet_drops_total", "cause", "stream_overrun", counts, ""},
	{"watchers_lost", "comet_drops_total", "cause", "watcher_lost", counts, ""},

	{"channels", "comet_channels", "", "", gauges, "Channels there are."},
	{"channels_reserved", "comet_channels_limit", "", "", gauges, "Most channels at once, for which memory is reserved."},
	{"name_bytes", "comet_memory_bytes", "arena", "names", gauges, "Memory in use outside the Go heap, by arena."},
	{"history_bytes", "comet_memory_bytes", "arena", "histories", gauges, ""},
	{"message_bytes", "comet_memory_bytes", "arena", "messages", gauges, ""},
	{"loop_block_bytes", "comet_memory_bytes", "arena", "loop_blocks", gauges, ""},
}

// collector reads the counters of a server at each scrape; it keeps nothing.
type collector struct {
	served *served
	descs  map[string]*prometheus.Desc // of serviceMetrics, by name
	turns  *prometheus.Desc
	events *prometheus.Desc
	facts  [4]*prometheus.Desc
	info   *prometheus.Desc
}

func newCollector(s *served) *collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	c := &collector{
		served: s,
		descs:  map[string]*prometheus.Desc{},
		turns:  desc("comet_loop_turn_actions", "Turns of a loop by the number of actions (sends, closes, wakes) that each left to the engine.", "loop"),
		events: desc("comet_engine_events_total", "The engine's own counters, which differ from engine to engine; its source says what each counts.", "event"),
		facts: [4]*prometheus.Desc{
			desc("comet_loops", "Event loops."),
			desc("comet_rings", "io_uring rings open."),
			desc("comet_descriptor_tables", "Descriptor tables in use."),
			desc("comet_connections_limit", "Most connections at once, both doors."),
		},
		info: desc("comet_build_info", "Always 1; the labels say what runs.", "version", "revision", "goversion", "engine"),
	}
	for _, m := range serviceMetrics {
		if c.descs[m.name] != nil {
			continue
		}
		if m.label == "" {
			c.descs[m.name] = desc(m.name, m.help)
		} else {
			c.descs[m.name] = desc(m.name, m.help, m.label)
		}
	}
	return c
}

// Describe is prometheus.Collector's.
func (c *collector) Describe(out chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, out) }

// Collect is prometheus.Collector's.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	send := func(d *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, kind, value, labels...)
	}
	stats := map[string]uint64{}
	for _, s := range c.served.service.Stats() {
		stats[s.Name] = s.Value
	}
	for _, m := range serviceMetrics {
		var labels []string
		if m.label != "" {
			labels = []string{m.value}
		}
		send(c.descs[m.name], m.kind, float64(stats[m.stat]), labels...)
	}
	channels, connections := c.served.service.RecordBytes()
	send(c.descs["comet_memory_bytes"], gauges, float64(channels), "channels")
	send(c.descs["comet_memory_bytes"], gauges, float64(connections), "connections")

	c.collectLoops(out)
	for _, s := range c.served.engine.Stats() {
		send(c.events, counts, float64(s.Value), s.Name)
	}
	f := c.served.engine.Facts()
	for i, n := range []int{f.Loops, f.Rings, f.Tables, f.MaxConns} {
		send(c.facts[i], gauges, float64(n))
	}
	b := readBuild()
	send(c.info, gauges, 1, b.Version, b.Revision, b.Go, f.Engine)
}

// collectLoops tells each loop's turns as a histogram.
func (c *collector) collectLoops(out chan<- prometheus.Metric) {
	for _, l := range c.served.service.LoopStats() {
		buckets, below := map[float64]uint64{}, uint64(0)
		for b, n := range l.Batches[:comet.BatchBuckets-1] {
			below += n
			buckets[float64(comet.BatchBound(b))] = below
		}
		out <- prometheus.MustNewConstHistogram(c.turns, l.Turns, float64(l.Actions), buckets, strconv.Itoa(l.Loop))
	}
}
