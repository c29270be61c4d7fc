package uring

import (
	"errors"
	"fmt"

	"github.com/pawelgaczynski/giouring"
)

// The values of Options.TaskRun: when the kernel carries on with what the rings of
// a thread wait for.
const (
	// taskDeferred: only when the thread enters the ring, and in the order of one
	// piece after the other. Only its thread may enter.
	taskDeferred = "deferred"
	// taskCooperative: whenever the thread goes to the kernel for anything, but
	// it is not interrupted for it.
	taskCooperative = "cooperative"
	// taskDefault: at once. A thread that computes is interrupted.
	taskDefault = "default"
)

// sqThreadIdle is how long the kernel's thread looks for submissions before it
// sleeps, in milliseconds: the least that can be said. To wake it costs about as
// much as a message, and in a millisecond it could have sent a hundred.
const sqThreadIdle = 1

// setup is how a ring is made.
type setup struct {
	sqEntries, cqEntries int
	flags                uint32
	attach               int // the ring whose kernel thread submits for this one, too
}

// taskFlags are the flags of each way to run the kernel's work.
var taskFlags = map[string]uint32{
	taskDeferred:    giouring.SetupSingleIssuer | giouring.SetupDeferTaskrun | giouring.SetupTaskrunFlag,
	taskCooperative: giouring.SetupSingleIssuer | giouring.SetupCoopTaskrun | giouring.SetupTaskrunFlag,
	taskDefault:     0,
}

// newSetup is how a ring is made whose work is run in the way named.
func newSetup(sqEntries, cqEntries int, taskRun string) setup {
	flags := giouring.SetupSubmitAll | giouring.SetupCQSize | taskFlags[taskRun]
	return setup{sqEntries: sqEntries, cqEntries: cqEntries, flags: flags}
}

// polled is a ring for which a thread of the kernel submits. All rings of a loop
// share one, which is the first ring's.
func (s setup) polled(first *queues) setup {
	s.flags |= giouring.SetupSQPoll
	if first != nil {
		s.flags |= giouring.SetupAttachWQ
		s.attach = first.fd
	}
	return s
}

// setup is how the next ring of a loop is made.
func (l *loop) setup() setup {
	o := &l.e.opts
	s := newSetup(o.SQEntries, o.CQEntries, o.TaskRun)
	switch {
	case !o.SQPoll:
		return s
	case len(l.rings) == 0:
		return s.polled(nil)
	default:
		return s.polled(&l.rings[0].queues)
	}
}

// checkTaskRun fills in when the kernel's work is run, and what goes with a thread
// of the kernel: it has no other thread to defer its work to, or to spare.
func (o *Options) checkTaskRun() error {
	if o.SQPoll {
		if o.TaskRun != "" && o.TaskRun != taskDefault {
			return fmt.Errorf("sqpoll=on excludes taskrun=%s: the kernel's thread runs its work itself, so leave taskrun out", o.TaskRun)
		}
		// It accepts while the loop looks and until it has found the cancel, so
		// that only single accepts are counted.
		if o.streamAsked {
			return errors.New("sqpoll=on excludes accept=multishot: the kernel's thread accepts while the loop looks, so that only single accepts are counted; leave accept out")
		}
		o.TaskRun, o.SingleAccept = taskDefault, true
	}
	if o.TaskRun == "" {
		o.TaskRun = taskDeferred
	}
	if _, ok := taskFlags[o.TaskRun]; !ok {
		return fmt.Errorf("TaskRun is %q: want deferred, cooperative or default", o.TaskRun)
	}
	return nil
}
