package ladder

import (
	"context"
	"fmt"
	"time"
)

// defaultPolling is the server's default polling timeout.
const defaultPolling = 30 * time.Second

// expiry measures what the ladder keeps out of all its other figures: polls that
// expire. A second server with the default polling timeout is filled to the last
// step, and for a minute, two timeouts, does nothing but answer noops and take
// the next polls. The outcome is a note of the run.
func (b *backend) expiry(parent context.Context) error {
	if err := b.stop(); err != nil {
		return err
	}
	if err := b.r.awaitReturn(parent, b.name+", before expiry", b.o.ReturnPatience); err != nil {
		return err
	}
	if err := b.findDoors(); err != nil {
		return err
	}
	n := b.targets[len(b.targets)-1]
	b.target, b.held = n, 0
	if err := b.checkMemory(n); err != nil {
		return err
	}
	b.begin(phaseExpiry, float64(n)/guessOpenRate+expiryWindow.Seconds())
	ctx, cancel, err := b.startServer(parent, b.serverArgs(defaultPolling))
	if err != nil {
		return err
	}
	defer cancel()
	if err := b.startLoad(ctx); err != nil {
		return err
	}
	if err := b.load.open(ctx, n, func(int64) {}); err != nil {
		return err
	}
	before, err := b.load.counts(ctx)
	if err != nil {
		return err
	}
	server, load, err := b.readCPU()
	if err != nil {
		return err
	}
	if err := sleep(ctx, expiryWindow); err != nil {
		return err
	}
	serverNow, loadNow, err := b.readCPU()
	if err != nil {
		return err
	}
	after, err := b.load.counts(ctx)
	if err != nil {
		return err
	}
	noops := after.Noops - before.Noops
	sd, ld := serverNow.Since(server), loadNow.Since(load)
	note := fmt.Sprintf("Expiry, %s: %s polls with a polling timeout of %v, %v: %s noops, server CPU %.1f %% of a core",
		b.name, grouped(n), defaultPolling, expiryWindow, grouped(int(noops)), 100*sd.CoreFraction())
	if us := perMessage(sd.Process, noops); us != nil {
		note += fmt.Sprintf(" (%.1f us a noop and the poll after it)", *us)
	}
	note += fmt.Sprintf(", load %.1f %%.", 100*ld.CoreFraction())
	b.r.meta.Notes = append(b.r.meta.Notes, note)
	b.r.show.line("%s", note)
	return b.r.folder.WriteRun(b.r.meta)
}
