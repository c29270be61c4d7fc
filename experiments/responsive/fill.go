package responsive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"c1000k/experiments/load"
	"c1000k/experiments/process"
)

// ownChannel is the one that pushes go to.
const ownChannel = "responsive"

// fill makes all channels and holds polls on some, in turns, and opens candidates
// for pings meanwhile.
func (c *cell) fill(ctx context.Context) error {
	o, turns := c.o, c.o.turns()
	others := o.Channels - o.Connections
	made := 0
	for turn := 1; turn <= turns; turn++ {
		if err := c.makeChannels(ctx, o.Connections+made, o.Connections+others*turn/turns); err != nil {
			return err
		}
		made = others * turn / turns
		held := o.Connections * turn / turns
		candidates := make(chan error, 1)
		go func() { candidates <- c.openCandidates() }()
		_, err := c.load.Open(ctx, held, 0, nil)
		if err := errors.Join(err, <-candidates); err != nil {
			return fmt.Errorf("opening %d: %w", held, err)
		}
		if _, err := process.AwaitHeld(ctx, held, process.Subscribers(c.server.Doors.AdminAddr())); err != nil {
			return err
		}
	}
	// Some loop may have begun to fill in the last turn alone.
	return c.openCandidates()
}

// openCandidates opens some candidates for pings. While others connect, too, every
// loop that accepts has its part of them; alone they would all come to the one that
// waited last.
func (c *cell) openCandidates() error {
	addrs := c.server.Doors.FrontAddrs()
	for range perTurn {
		time.Sleep(candidateEvery)
		x, err := newExchanger("ping", addrs[len(c.candidates)%len(addrs)], get("/ping"))
		if err != nil {
			return err
		}
		c.candidates = append(c.candidates, x)
	}
	return nil
}

// makeChannels makes the channels numbered from first to before end.
func (c *cell) makeChannels(ctx context.Context, first, end int) error {
	for ; first < end; first += namesPerPush {
		var body strings.Builder
		body.WriteString("content=x")
		for i := first; i < min(end, first+namesPerPush); i++ {
			fmt.Fprintf(&body, "&cname=c%07d", i)
		}
		if err := c.post(ctx, "/push", body.String()); err != nil {
			return err
		}
	}
	return nil
}

// post sends a form to the admin door, one at a time on a kept connection.
func (c *cell) post(ctx context.Context, path, body string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.server.Doors.AdminAddr()+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := c.client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %q", path, resp.Status, text)
	}
	return err
}

// countEvery is how often the load's counters and the server are asked.
const countEvery = 10 * time.Millisecond

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// castPatience is how long nothing may come of a broadcast.
const castPatience = 30 * time.Second

// castOnce broadcasts and waits until every subscriber has it.
func (c *cell) castOnce(ctx context.Context, i int) error {
	before, err := c.load.Counts(ctx)
	if err != nil {
		return err
	}
	sent := time.Now()
	c.metronome.broadcast()
	var counts load.Counts
	last, moved := before.Messages, sent
	for counts.Messages-before.Messages < int64(c.o.Connections) {
		if err := pause(ctx, countEvery); err != nil {
			return err
		}
		if counts, err = c.load.Counts(ctx); err != nil {
			return err
		}
		if err := c.metronome.failed(); err != nil {
			return err
		}
		if counts.Messages != last {
			last, moved = counts.Messages, time.Now()
		}
		if time.Since(moved) > castPatience {
			return fmt.Errorf("broadcast %d came to %d of %d subscribers, and then to none for %v", i, counts.Messages-before.Messages, c.o.Connections, castPatience)
		}
	}
	took := time.Since(sent)
	for {
		if answer, ok := c.metronome.answered(i); ok {
			c.note(answer, took, counts.Messages-before.Messages)
			return nil
		}
		if err := pause(ctx, countEvery); err != nil {
			return err
		}
		if err := c.metronome.failed(); err != nil {
			return err
		}
		if time.Since(sent) > took+castPatience {
			return fmt.Errorf("broadcast %d was not answered", i)
		}
	}
}
