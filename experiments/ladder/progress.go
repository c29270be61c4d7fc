package ladder

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// The names of the phases, as progress shows and failures record them.
const (
	phaseFloor     = "floor"
	phaseStart     = "start"
	phaseOpen      = "opening"
	phaseSettle    = "settle"
	phaseIdle      = "idle"
	phasePush      = "push"
	phaseBroadcast = "broadcast"
	phaseProfile   = "profile"
	phaseExpiry    = "expiry"
	phaseReturn    = "return of memory"
)

// paceWeight is how many seconds as guessed are set beside what was measured, to
// tell the pace of a run: its first phases say little of the later ones.
const paceWeight = 10.0

// progressTick is how often the bar is drawn while a phase has no news.
const progressTick = 500 * time.Millisecond

// progress tells a person how far the run is: a bar with the remaining time on
// a terminal, and lines that stay. It may be called from any goroutine.
type progress struct {
	mu      sync.Mutex
	out     io.Writer
	bar     *progressbar.ProgressBar // nil: no terminal
	began   time.Time
	total   float64 // seconds guessed, over all phases
	done    float64 // seconds guessed, of the phases that ended
	phase   phase
	started time.Time // of the phase
	part    float64   // of the phase, 0 to 1; below 0: unknown, time tells
	backend string
	quit    chan struct{}
	waiting bool // for Enter: nothing is drawn
}

// newProgress begins to show a run that is guessed to take so many seconds. Close
// it.
func newProgress(out io.Writer, seconds float64) *progress {
	p := &progress{out: out, total: seconds, began: time.Now(), started: time.Now(), quit: make(chan struct{})}
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.bar = progressbar.NewOptions64(int64(p.total*1000),
			progressbar.OptionSetWriter(out), progressbar.OptionSetPredictTime(false),
			progressbar.OptionSetElapsedTime(false), progressbar.OptionSetWidth(30),
			progressbar.OptionClearOnFinish())
		go p.tick()
	}
	return p
}

// tick draws the bar while nothing else does.
func (p *progress) tick() {
	ticker := time.NewTicker(progressTick)
	defer ticker.Stop()
	for {
		select {
		case <-p.quit:
			return
		case <-ticker.C:
			p.mu.Lock()
			p.draw()
			p.mu.Unlock()
		}
	}
}

// close takes the bar away.
func (p *progress) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		close(p.quit)
		_ = p.bar.Clear() // a terminal that is gone is no failure of the run
		p.bar = nil
	}
}

// setBackend names the backend that the bar shows.
func (p *progress) setBackend(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.backend = name
}

// begin starts a phase; the one before it has ended.
func (p *progress) begin(ph phase) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += p.phase.seconds
	p.phase, p.started, p.part = ph, time.Now(), -1
	p.draw()
}

// reach tells that all phases up to so many guessed seconds are over, those that
// did not happen included.
func (p *progress) reach(seconds float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done, p.phase = seconds, phase{}
}

// at says how much of the phase is done, 0 to 1.
func (p *progress) at(part float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.part = min(max(part, 0), 1)
}

// line prints a line that stays.
func (p *progress) line(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Clear()
	}
	fmt.Fprintf(p.out, format+"\n", args...)
	p.draw()
}

// pause stops drawing, and goes on with the returned function; the time between
// the two does not count for the pace.
func (p *progress) pause() (resume func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Clear()
	}
	p.waiting = true
	from := time.Now()
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.waiting = false
		p.began = p.began.Add(time.Since(from))
		p.started = p.started.Add(time.Since(from))
	}
}

// remaining is the guess of what is left of the run.
func (p *progress) remaining() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.left()
}

func (p *progress) left() time.Duration {
	done := p.position()
	pace := (time.Since(p.began).Seconds() + paceWeight) / (done + paceWeight)
	return time.Duration(max(p.total-done, 0) * pace * float64(time.Second))
}

// position is how much of the guessed seconds is done, the phase in part.
func (p *progress) position() float64 {
	part := p.part
	if part < 0 && p.phase.seconds > 0 {
		part = min(time.Since(p.started).Seconds()/p.phase.seconds, 1)
	}
	return min(p.done+max(part, 0)*p.phase.seconds, p.total)
}

func (p *progress) draw() {
	if p.bar == nil || p.waiting {
		return
	}
	p.bar.Describe(fmt.Sprintf("%-6s %-16s about %6s left", p.backend, p.phase.name, roughly(p.left())))
	_ = p.bar.Set64(min(int64(p.position()*1000), int64(p.total*1000)-1))
}

// roughly words a duration for people.
func roughly(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%ds", int(d.Round(time.Second).Seconds()))
	}
	d = d.Round(time.Second)
	return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
}
