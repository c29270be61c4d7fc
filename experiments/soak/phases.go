package soak

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"c1000k/experiments/sample"
)

// errStuck says that nothing moved any more. What is missing is told as a fault.
var errStuck = errors.New("nothing moves any more")

// progressEvery is the time from one line of progress to the next.
const progressEvery = 5 * time.Second

// phases goes through the phases until all have left. An error is the context's, or
// says that the round could not go on.
func (s *round) phases(ctx context.Context) error {
	owners := s.owners()
	together(owners, func(p *publisher) { p.begin(ctx) })
	var watching sync.WaitGroup
	watchCtx, endWatch := context.WithCancel(ctx)
	defer watching.Wait()
	defer endWatch()
	s.startWatchers(watchCtx, &watching)
	var publishing sync.WaitGroup
	publishCtx, endPublish := context.WithCancel(ctx)
	defer publishing.Wait()
	defer endPublish()
	for _, p := range owners[:publishers] {
		publishing.Go(func() { p.run(publishCtx, s.o.rate()/publishers) })
	}
	publishing.Go(func() { owners[publishers].torrent(publishCtx) })
	publishing.Go(func() { s.broadcast(publishCtx, s.random(3000)) })

	for _, r := range s.reactors {
		if err := r.start(s.ownTables); err != nil {
			return err
		}
	}
	if err := s.await(ctx, "clients that have come", s.o.Connections, s.came); err != nil {
		return err
	}
	if err := s.look(ctx); err != nil {
		return err
	}
	s.phase.Store(phaseChurn)
	if err := s.churn(ctx); err != nil {
		return err
	}
	endPublish()
	publishing.Wait()
	together(owners, func(p *publisher) { p.finish(ctx) })
	s.phase.Store(phaseSettle)
	if err := s.await(ctx, "clients that came to the last message", s.o.Connections, s.settled); err != nil {
		return err
	}
	s.phase.Store(phaseLeave)
	return s.goodbye(ctx)
}

// begin has each channel come into being.
func (p *publisher) begin(ctx context.Context) {
	for _, ch := range p.own {
		if ctx.Err() != nil {
			return
		}
		if p.s.tokens {
			p.sign(ch)
		}
		p.push([]*channel{ch}, 0)
	}
}

// finish gives each channel its last message. Of a channel that was never closed it
// must have the number of all that was published: a broadcast may be on its way yet.
func (p *publisher) finish(ctx context.Context) {
	patience := movePatience
	for _, ch := range p.own {
		for began := time.Now(); ctx.Err() == nil; time.Sleep(lookPause) {
			p.push([]*channel{ch}, 0)
			highest := ch.published(p.s.broadcasts.Load())
			if ch.closable || ch.last == highest {
				break
			}
			if time.Since(began) > patience {
				p.s.faults.add(faultLost, "%s: the last message has number %d, and %d were published", ch.name, ch.last, highest)
				patience = 0
				break
			}
		}
		ch.final.Store(ch.last)
	}
}

// came, online and settled are sums over the threads.
func (s *round) came() (n int) {
	for _, r := range s.reactors {
		n += int(r.came.Load())
	}
	return n
}

func (s *round) online() (n int) {
	for _, r := range s.reactors {
		n += int(r.online.Load())
	}
	return n
}

func (s *round) settled() (n int) {
	for _, r := range s.reactors {
		n += int(r.settled.Load())
	}
	return n
}

// await waits until count is want, for as long as it moves.
func (s *round) await(ctx context.Context, what string, want int, count func() int) error {
	best, moved, told := -1, time.Now(), time.Now()
	for {
		n := count()
		if n == want {
			return nil
		}
		if n > best {
			best, moved = n, time.Now()
		}
		if time.Since(moved) > movePatience {
			s.faults.add("stuck", "%d of %d %s, and no more for %v", n, want, what, movePatience)
			s.tellUnsettled()
			return errStuck
		}
		if time.Since(told) > progressEvery {
			told = time.Now()
			fmt.Fprintf(s.o.Progress, "%s: %d of %d %s\n", s.name, n, want, what)
		}
		if err := s.pause(ctx, lookPause); err != nil {
			return err
		}
	}
}

func (s *round) pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// tellUnsettled ends the threads and tells of the first clients that did not come
// to the last message of their channel.
func (s *round) tellUnsettled() {
	phase := s.phase.Swap(phaseEnd)
	if phase != phaseSettle {
		return
	}
	for _, r := range s.reactors {
		r.thread.Wait()
		for _, c := range r.clients {
			if final := c.ch.final.Load(); !c.ch.fleeting && c.next <= final {
				s.faults.add(faultLost, "%s: did not come to the last message, %d", c.where(), final)
			}
		}
	}
}

// churn lets clients come and go for as long as a round lasts, and tells of it.
func (s *round) churn(ctx context.Context) error {
	began := time.Now()
	counted, next := began, began.Add(time.Second) // the first line comes soon
	messages := s.n.messages.Load()
	for time.Since(began) < s.o.roundTime() {
		if err := s.pause(ctx, min(time.Second, s.o.roundTime())); err != nil {
			return err
		}
		if err := s.look(ctx); err != nil {
			return err
		}
		if time.Now().After(next) {
			now := s.n.messages.Load()
			fmt.Fprintf(s.o.Progress, "%s: %.0f of %.0f s: %d of %d clients, %.0f messages/s, %d broadcasts, %d connections so far; %d lost, %d repeated, %d faults; RES %s\n",
				s.name, time.Since(began).Seconds(), s.o.roundTime().Seconds(), s.online(), s.o.Connections,
				float64(now-messages)/time.Since(counted).Seconds(), s.broadcasts.Load(), s.n.connects.Load(),
				s.faults.count(faultLost), s.faults.count(faultRepeated), s.faults.count(""), mega(s.seen.endResident))
			counted, messages = time.Now(), now
			next = counted.Add(progressEvery)
		}
	}
	return nil
}

// mega prints bytes as megabytes.
func mega(bytes uint64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/1e6) }

// look reads what the server holds and keeps the highest figures.
func (s *round) look(ctx context.Context) error {
	m, err := readMetrics(ctx, s.server)
	if err != nil {
		return err
	}
	resident, err := sample.Resident(s.server.PID())
	if err != nil {
		return err
	}
	v := &s.seen
	v.end, v.endResident = m, resident
	v.peakResident = max(v.peakResident, resident)
	v.peakSubscribers = max(v.peakSubscribers, m["comet_subscribers"])
	v.peakChannels = max(v.peakChannels, m["comet_channels"])
	v.peakConnections = max(v.peakConnections, m.connections())
	return nil
}

// goodbye waits until all clients have left and the watchers have seen every
// channel go.
func (s *round) goodbye(ctx context.Context) error {
	for began := time.Now(); s.online() > 0; {
		if time.Since(began) > leavePatience {
			s.phase.Store(phaseEnd)
		}
		if err := s.pause(ctx, lookPause); err != nil {
			return err
		}
	}
	s.admin.CloseIdleConnections()
	for began := time.Now(); ; {
		left := 0
		for _, w := range s.watches {
			left += w.left()
		}
		if left == 0 {
			return nil
		}
		if time.Since(began) > s.o.channelTimeout()+emptyPatience {
			s.faults.add("left", "the watchers were not told that %d channels went", left)
			return nil
		}
		if err := s.pause(ctx, lookPause); err != nil {
			return err
		}
	}
}

func (s *round) startWatchers(ctx context.Context, g *sync.WaitGroup) {
	steady := map[string]bool{}
	for _, ch := range s.channels {
		if !ch.closable {
			steady[ch.name] = true
		}
	}
	for range watchers {
		w := &watcher{s: s, steady: steady, present: map[string]bool{}}
		s.watches = append(s.watches, w)
		g.Go(func() { w.run(ctx) })
	}
}

// emptied proves that the server is as empty as it was, and that what it says of
// the connections that it ended is what the clients saw.
func (s *round) emptied(ctx context.Context) error {
	for began := time.Now(); ; {
		if err := s.look(ctx); err != nil {
			return err
		}
		more := s.seen.end.more(s.seen.empty)
		info, err := s.server.Info(ctx)
		if err != nil {
			return err
		}
		if info.Channels != 0 || info.Subscribers != 0 {
			more = append(more, fmt.Sprintf("/info tells of %d channels and %d subscribers", info.Channels, info.Subscribers))
		}
		if len(more) == 0 {
			break
		}
		if time.Since(began) > emptyPatience {
			for _, one := range more {
				s.faults.add("left", "%s", one)
			}
			break
		}
		if err := s.pause(ctx, lookPause); err != nil {
			return err
		}
	}
	if cuts := s.n.cuts.Load(); float64(cuts) > s.seen.end.cuts() {
		s.faults.add("ended", "%d streams and slow readers were ended, and the server knows of %.0f", cuts, s.seen.end.cuts())
	}
	return nil
}
