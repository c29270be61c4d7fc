package ladder

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"c1000k/experiments/process"
	"c1000k/experiments/profdiff"
)

const (
	// profileLead is how long a profile runs before the first message, so that
	// it misses none.
	profileLead = 200 * time.Millisecond
	// profileRound is the length of one round of pushes under a profile, and
	// profileTail what the last one may need to arrive.
	profileRound = time.Second
	profileTail  = 500 * time.Millisecond
)

// profiles keeps a CPU, a wall-clock and a heap profile of the server, the
// first two under pushes at the ladder's rate. They slow the server down:
// nothing timed is read while they run.
func (b *backend) profiles(ctx context.Context, target int) error {
	// First, since the profilers of the others allocate in the same process.
	if err := b.heapProfile(ctx, target); err != nil {
		return err
	}
	for _, p := range []struct{ kind, page string }{{"cpu", "/debug/pprof/profile"}, {"fgprof", "/debug/fgprof"}} {
		b.begin(phaseProfile, b.o.ProfileTime.Seconds()+2)
		before, _, err := b.readCPU()
		if err != nil {
			return err
		}
		messages, err := b.profileUnderPush(ctx, target, p.page, p.kind)
		if err != nil {
			return fmt.Errorf("%s profile: %w", p.kind, err)
		}
		after, _, err := b.readCPU()
		if err != nil {
			return err
		}
		err = profdiff.WriteSidecar(b.profilePath(target, p.kind), profdiff.Sidecar{
			Engine: b.name, Kind: p.kind, Connections: target, Messages: messages, Seconds: b.o.ProfileTime.Seconds(),
			Scope: "messages delivered while the profile ran, each answered by the next poll",
			CPU:   after.Since(before).Process.Seconds(),
		})
		if err != nil {
			return keepError{err}
		}
	}
	return nil
}

// heapProfile keeps what the server's Go heap holds and has held.
func (b *backend) heapProfile(ctx context.Context, target int) error {
	path := b.profilePath(target, "heap")
	if err := process.Download(ctx, "http://"+b.doors.DebugAddr()+"/debug/pprof/heap", path); err != nil {
		return fmt.Errorf("heap profile: %w", err)
	}
	err := profdiff.WriteSidecar(path, profdiff.Sidecar{
		Engine: b.name, Kind: "heap", Connections: target, Messages: b.delivered,
		Scope: "messages delivered since the server's start",
	})
	if err != nil {
		return keepError{err}
	}
	return nil
}

// profilePath names a profile by backend, step and kind.
func (b *backend) profilePath(target int, kind string) string {
	return filepath.Join(b.o.Profile, fmt.Sprintf("%s-%07d-%s.pb.gz", b.name, target, kind))
}

// profileUnderPush takes one profile while messages are pushed, and counts them.
func (b *backend) profileUnderPush(ctx context.Context, target int, page, kind string) (int64, error) {
	seconds := int(b.o.ProfileTime.Round(time.Second).Seconds())
	taken := make(chan error, 1)
	end := time.Now().Add(time.Duration(seconds) * time.Second)
	go func() {
		taken <- process.Download(ctx, fmt.Sprintf("http://%s%s?seconds=%d", b.doors.DebugAddr(), page, seconds), b.profilePath(target, kind))
	}()
	if err := sleep(ctx, profileLead); err != nil {
		return 0, err
	}
	round := min(int(float64(b.o.PushRate)*profileRound.Seconds()), b.o.channels(target))
	var messages int64
	for seed := b.o.Seed; ; seed++ {
		t, err := b.load.push(ctx, round, b.o.PushRate, seed, func(float64) {})
		if err != nil {
			return 0, err
		}
		messages += t.phase.Delivered
		b.delivered += t.phase.Delivered
		next := time.Duration(float64(round)/float64(b.o.PushRate)*float64(time.Second)) + profileTail
		if time.Now().Add(next).After(end) {
			break
		}
	}
	return messages, <-taken
}
