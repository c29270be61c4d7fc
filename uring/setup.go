package uring

import "github.com/pawelgaczynski/giouring"

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

// setup is how a ring is made.
type setup struct {
	sqEntries, cqEntries int
	flags                uint32
}

// taskFlags are the flags of each way to run the kernel's work.
var taskFlags = map[string]uint32{
	taskDeferred:    giouring.SetupSingleIssuer | giouring.SetupDeferTaskrun | giouring.SetupTaskrunFlag,
	taskCooperative: giouring.SetupSingleIssuer | giouring.SetupCoopTaskrun | giouring.SetupTaskrunFlag,
	taskDefault:     0,
}

// newSetup is how a ring is made whose work is run in the way named.
func newSetup(sqEntries, cqEntries int, taskRun string) setup {
	return setup{sqEntries, cqEntries, giouring.SetupSubmitAll | giouring.SetupCQSize | taskFlags[taskRun]}
}

// setup is how the rings of an engine are made.
func (o *Options) setup() setup { return newSetup(o.SQEntries, o.CQEntries, o.TaskRun) }
