package comet

import "sync/atomic"

// counts are one loop's counters, written by its thread alone.
type counts struct {
	opened, closed, hangups, requests, badRequests     uint64
	held                                               uint64
	published, broadcasts, refusedPublishes            uint64
	delivered, replayed, noops                         uint64
	sends, sentBytes, sendErrors, stale                uint64
	paused, headerTimeouts, idleTimeouts               uint64
	stallTimeouts, tooManyChannels, tooManySubscribers uint64
	behind, caughtUp, noMemory, wakes                  uint64
	streamOverruns, tokenErrors, closedChannels        uint64
	watchersLost, barredPublishers, farewells          uint64
	tooManyNamed, holding                              uint64
	streams                                            uint64            // of holding
	states                                             [numStates]uint64 // connections by state; of those that are free it says nothing
}

// numCounts is how many there are.
const numCounts = 40

// countNames are the counters as others see them, in the order of list.
var countNames = []string{
	"connections_opened", "connections_closed", "hangups", "requests", "bad_requests",
	"subscribers",
	"published", "broadcasts", "publishes_refused",
	"delivered", "replayed", "noops",
	"sends", "sent_bytes", "send_errors", "stale_completions",
	"readers_paused", "header_timeouts", "idle_timeouts",
	"stall_timeouts", "too_many_channels", "too_many_subscribers",
	"inbox_behind", "caught_up", "no_memory", "wakes",
	"stream_overruns", "token_errors", "channels_closed", "watchers_lost", "publishers_barred", "farewells",
	"too_many_channels_named",
	"connections_reading", "connections_idle", "connections_polling", "connections_streaming",
	"connections_watching", "connections_writing", "connections_closing",
}

func (c *counts) list() [numCounts]uint64 {
	return [numCounts]uint64{
		c.opened, c.closed, c.hangups, c.requests, c.badRequests,
		c.held,
		c.published, c.broadcasts, c.refusedPublishes,
		c.delivered, c.replayed, c.noops,
		c.sends, c.sentBytes, c.sendErrors, c.stale,
		c.paused, c.headerTimeouts, c.idleTimeouts,
		c.stallTimeouts, c.tooManyChannels, c.tooManySubscribers,
		c.behind, c.caughtUp, c.noMemory, c.wakes,
		c.streamOverruns, c.tokenErrors, c.closedChannels, c.watchersLost, c.barredPublishers, c.farewells,
		c.tooManyNamed,
		c.states[stateReading], c.states[stateIdle], c.holding - c.streams, c.streams,
		c.states[stateHeld] - c.holding, c.states[stateSending], c.states[stateClosing],
	}
}

// sharedCounts is the copy of counts that other threads read; brought up to
// date at the end of each turn.
type sharedCounts [numCounts]atomic.Uint64

func (l *Loop) publishCounts() {
	for i, n := range l.n.list() {
		if l.shared[i].Load() != n {
			l.shared[i].Store(n)
		}
	}
}

// Stats is the counters of all loops together, and what the arenas hold.
func (s *Service) Stats() []Stat {
	sum := make([]Stat, len(countNames))
	for i, name := range countNames {
		sum[i].Name = name
	}
	var blocks int64
	s.mu.Lock()
	for _, l := range s.loops {
		for i := range sum {
			sum[i].Value += l.shared[i].Load()
		}
		blocks += l.blocks.Used()
	}
	s.mu.Unlock()
	u := s.hub.Usage()
	return append(sum,
		Stat{"channels", uint64(u.Channels)},
		Stat{"channels_reserved", uint64(u.ChannelCap)},
		Stat{"name_bytes", uint64(u.NameBytes)},
		Stat{"history_bytes", uint64(u.HistoryBytes)},
		Stat{"message_bytes", uint64(u.MessageBytes)},
		Stat{"histories_lost", u.HistoriesLost},
		Stat{"messages_evicted", u.MessagesEvicted},
		Stat{"loop_block_bytes", uint64(blocks)},
	)
}

// Subscribers is the number of held subscribers on all loops, as of the end of
// each loop's last turn: a connection is one in each of its channels.
func (s *Service) Subscribers() int64 {
	const at = 5 // countNames[5]
	s.mu.Lock()
	defer s.mu.Unlock()
	n := int64(0)
	for _, l := range s.loops {
		n += int64(l.shared[at].Load())
	}
	return n
}
