package responsive

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sys/unix"

	"c1000k/experiments/load/rawnet"
)

const (
	timerSlackNs  = 1000 // how exactly a request is sent at its time
	longestWait   = time.Millisecond
	longestUs     = int64(time.Minute / time.Microsecond)
	latencyDigits = 3
)

// phase is what a metronome is recording for; 0 is nothing.
type phase int32

const (
	phaseNone phase = iota
	phaseIdle
	phaseDuring
	phases
)

// track is what one kind of request took, by phase. The metronome's thread alone
// touches it while it runs.
type track struct {
	latency, late [phases]*hdrhistogram.Histogram // microseconds
	refused       int64
}

func newTrack() *track {
	t := &track{}
	for p := range phases {
		t.latency[p] = hdrhistogram.New(1, longestUs, latencyDigits)
		t.late[p] = hdrhistogram.New(1, longestUs, latencyDigits)
	}
	return t
}

func record(h *hdrhistogram.Histogram, d time.Duration) {
	h.RecordValue(min(max(int64(d/time.Microsecond), 1), longestUs)) // always within the range
}

// request is one that is not answered yet.
type request struct {
	due   time.Duration
	phase phase
}

// beat is a connection on which requests are sent at a rate.
type beat struct {
	*exchanger
	track  *track
	period time.Duration
	next   time.Duration // when the next is due
	wait   []request     // sent and not answered, in order
}

// metronome sends on all its beats and reads the answers.
type metronome struct {
	epoch time.Time
	beats []*beat
	phase atomic.Int32
	// realtime: the kernel runs the thread before all others, so that it does not
	// wait for those whom it measures. That takes a privilege.
	realtime atomic.Bool
	stop     atomic.Bool
	// open is how many requests of a phase are not answered yet.
	open  atomic.Int64
	ended chan struct{}
	err   error // when ended is closed

	cast     *exchanger // for broadcasts
	castTo   atomic.Int64
	castSent int64 // how many were sent
	castAt   time.Duration
	mu       sync.Mutex
	answers  []time.Duration // of the broadcasts, from their sending
}

func newMetronome(cast *exchanger) *metronome {
	return &metronome{epoch: time.Now(), ended: make(chan struct{}), cast: cast}
}

// add sends on x at so many a second, beginning at a part of the first period, so
// that beats do not fall together.
func (m *metronome) add(x *exchanger, t *track, rate, part float64) {
	period := time.Duration(float64(time.Second) / rate)
	m.beats = append(m.beats, &beat{exchanger: x, track: t, period: period, next: time.Duration(part * float64(period))})
}

func (m *metronome) now() time.Duration { return time.Since(m.epoch) }

// start begins, on a thread of its own.
func (m *metronome) start() {
	now := m.now()
	for _, b := range m.beats {
		b.next += now
	}
	go func() {
		defer close(m.ended)
		runtime.LockOSThread() // for good: its timer slack is changed
		unix.Prctl(unix.PR_SET_TIMERSLACK, timerSlackNs, 0, 0, 0)
		m.realtime.Store(realtime() == nil)
		m.err = m.run()
	}()
}

// realtime has the kernel run this thread before those of usual priority.
func realtime() error {
	return unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1}, 0)
}

func (m *metronome) run() error {
	waits := make([]unix.PollFd, len(m.beats)+1)
	for i, b := range m.beats {
		waits[i] = unix.PollFd{Fd: int32(b.fd), Events: unix.POLLIN}
	}
	waits[len(m.beats)] = unix.PollFd{Fd: int32(m.cast.fd), Events: unix.POLLIN}
	for !m.stop.Load() {
		until, err := m.send()
		if err != nil {
			return err
		}
		for i := range waits {
			waits[i].Revents = 0
		}
		if until = min(until, longestWait); until > 0 {
			rawnet.PollBriefly(waits, unix.NsecToTimespec(int64(until)))
		} else {
			rawnet.PollBriefly(waits, unix.Timespec{})
		}
		for i, b := range m.beats {
			if waits[i].Revents != 0 {
				if err := m.hear(b); err != nil {
					return err
				}
			}
		}
		if waits[len(m.beats)].Revents != 0 {
			if err := m.hearCast(); err != nil {
				return err
			}
		}
	}
	return nil
}

// send sends all that is due, and says when more will be.
func (m *metronome) send() (until time.Duration, err error) {
	until = longestWait
	for _, b := range m.beats {
		now := m.now()
		if err := b.flush(); err != nil {
			return 0, err
		}
		for b.next <= now {
			p := phase(m.phase.Load())
			if err := b.write(); err != nil {
				return 0, err
			}
			record(b.track.late[p], now-b.next)
			if p != phaseNone {
				m.open.Add(1)
			}
			b.wait = append(b.wait, request{b.next, p})
			b.next += b.period
		}
		until = min(until, b.next-now)
	}
	if err := m.cast.flush(); err != nil {
		return 0, err
	}
	if m.castTo.Load() > m.castSent {
		m.castSent++
		m.castAt = m.now()
		if err := m.cast.write(); err != nil {
			return 0, err
		}
	}
	return until, nil
}

// hear takes the answers that have come on b.
func (m *metronome) hear(b *beat) error {
	n, refused, err := b.read()
	if err != nil {
		return err
	}
	if n > len(b.wait) {
		return fmt.Errorf("%s: an answer to nothing", b.what)
	}
	now := m.now()
	for _, r := range b.wait[:n] {
		record(b.track.latency[r.phase], now-r.due)
		if r.phase != phaseNone {
			m.open.Add(-1)
		}
	}
	b.wait = b.wait[:copy(b.wait, b.wait[n:])]
	b.track.refused += int64(refused)
	return nil
}

func (m *metronome) hearCast() error {
	n, refused, err := m.cast.read()
	if err != nil {
		return err
	}
	if refused > 0 {
		return errors.New("the server refused a broadcast")
	}
	if n > 0 {
		m.mu.Lock()
		m.answers = append(m.answers, m.now()-m.castAt)
		m.mu.Unlock()
	}
	return nil
}

// broadcast has one sent at once.
func (m *metronome) broadcast() { m.castTo.Add(1) }

// answered is how long the answer to broadcast i took; false if there is none yet.
func (m *metronome) answered(i int) (time.Duration, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i >= len(m.answers) {
		return 0, false
	}
	return m.answers[i], true
}

// failed is why the metronome ended; nil while it runs.
func (m *metronome) failed() error {
	select {
	case <-m.ended:
		if m.err == nil {
			return errors.New("the instrument has ended")
		}
		return m.err
	default:
		return nil
	}
}

// end stops it, so that its tracks may be read.
func (m *metronome) end() error {
	m.stop.Store(true)
	<-m.ended
	return m.err
}
