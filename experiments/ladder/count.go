package ladder

import (
	"context"
	"fmt"
	"time"

	"c1000k/experiments/process"
	"c1000k/experiments/result"
	"c1000k/experiments/sample"
)

// countPatience is how long the kernel's count may differ from the server's.
const countPatience = 5 * time.Second

// count confirms the number of connections by its witnesses: the server, the
// load and the kernel, which counts the two ends apart.
func (b *backend) count(ctx context.Context, s *result.Step) error {
	info, err := process.AskInfo(ctx, b.doors.AdminAddr())
	if err != nil {
		return err
	}
	load, err := b.load.counts(ctx)
	if err != nil {
		return err
	}
	server, own := int64(info.Subscribers), load.Held
	s.Held = &result.Held{Server: &server, Load: &own}
	start := time.Now()
	for {
		from := time.Now()
		e, err := countEndpoints(b.doors)
		if err != nil {
			return b.countBySockstat(s, err)
		}
		near, far := int64(e.Server), int64(e.Client)
		s.Held.KernelServer, s.Held.KernelLoad = &near, &far
		s.Held.Witness, s.Held.Seconds = result.BySockDiag, time.Since(from).Seconds()
		if due := int64(s.Target); near == due && far == due && server == due && own == due {
			return nil
		}
		if time.Since(start) > countPatience {
			return b.r.fail(result.Failure{
				Backend: b.name, Order: b.order, Target: s.Target, During: "count", Process: "ladder",
				Reason: fmt.Sprintf("the witnesses differ: the server says %d, the load %d, the kernel %d at the server's end and %d at the load's, and %d are due", server, own, near, far, s.Target),
			})
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// countBySockstat is for kernels without sock_diag, or where it is forbidden:
// both ends together, of the whole machine, less what was there before.
func (b *backend) countBySockstat(s *result.Step, why error) error {
	sockets, err := sample.ReadSockets()
	if err != nil {
		return err
	}
	if s.Index == 0 {
		b.r.show.line("%s: %v; connections are counted by sockstat", b.name, why)
		b.socketsAtZero = sockets.InUse
	}
	half := int64(sockets.InUse-b.socketsAtZero) / 2
	s.Held.KernelServer, s.Held.KernelLoad, s.Held.Witness = &half, &half, result.BySockstat
	return nil
}
