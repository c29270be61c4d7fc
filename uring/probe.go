package uring

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"unsafe"

	"github.com/pawelgaczynski/giouring"
	"golang.org/x/sys/unix"
)

// features is what the kernel has of the things that differ between kernels.
type features struct {
	taskRun  string // what was asked for and is there
	sqPoll   bool   // likewise
	plain    bool   // descriptors, as was asked for
	epoll    bool   // wait, likewise
	single   bool   // accepts, likewise, or as goes with sqPoll
	own      bool   // buffers, likewise
	minWait  bool   // Linux 6.12
	dontWait bool   // Linux 6.10; nothing tells it from 6.9, so it is taken to come with minWait
	// multishotRecv, Linux 6.0, is looked for only where it was asked for.
	multishotRecv bool
}

// needed are the operations without which the engine cannot be.
var needed = []struct {
	op   uint8
	name string
}{
	{giouring.OpAccept, "accept"}, {giouring.OpPollAdd, "poll"}, {giouring.OpRecv, "recv"},
	{giouring.OpSend, "send"}, {giouring.OpSendmsg, "sendmsg"}, {giouring.OpClose, "close"},
	{giouring.OpAsyncCancel, "cancel"}, {giouring.OpRead, "read"},
}

// taskNames are the features behind each way to run the kernel's work.
var taskNames = map[string][]string{
	taskDeferred:    {"single issuer", "deferred task running"},
	taskCooperative: {"single issuer", "cooperative task running"},
}

// setup are the features of a ring that depend on the options.
func (f features) setup() []string {
	if f.sqPoll {
		return []string{"submission by a kernel thread"}
	}
	return taskNames[f.taskRun]
}

// always are the features that New insists on.
func (f features) always() []string {
	descriptors := "direct descriptors"
	if f.plain {
		descriptors = "plain descriptors"
	}
	wait := "multishot poll"
	if f.epoll {
		wait = "epoll wait"
	}
	accept := "multishot accept"
	if f.single {
		accept = "single accept"
	}
	buffers := "provided-buffer ring"
	if f.own {
		buffers = "buffers of its own"
	}
	return slices.Concat(f.setup(), []string{"submit all", descriptors, accept, wait, buffers, "wait with a timeout"})
}

const (
	nameMinWait       = "minimum wait"
	nameDontWait      = "accept without waiting"
	nameMultishotRecv = "multishot receive"
)

func (f features) asked() []string {
	out := append(f.always(), nameMinWait, nameDontWait)
	if f.multishotRecv { // New fails where it was asked for and is not there
		out = append(out, nameMultishotRecv)
	}
	return out
}

func (f features) got() []string {
	out := f.always()
	if f.minWait {
		out = append(out, nameMinWait)
	}
	if f.dontWait {
		out = append(out, nameDontWait)
	}
	if f.multishotRecv {
		out = append(out, nameMultishotRecv)
	}
	return out
}

// Probe says whether the engine can run here. The error names what is missing
// or what forbids it, as far as can be known. Where it fails the epoll engine
// still works. Any thread may call it.
func Probe() error {
	_, err := probe(&Options{TaskRun: taskDeferred})
	return err
}

// probe asks the kernel for a ring of the kind that the engine would make.
func probe(o *Options) (features, error) {
	f := features{
		taskRun: o.TaskRun, sqPoll: o.SQPoll, plain: o.PlainFDs, epoll: o.EpollWait, single: o.SingleAccept, own: o.OwnBuffers,
	}
	s := newSetup(8, 16, o.TaskRun)
	if o.SQPoll {
		s = s.polled(nil)
	}
	// A ring answers only the thread that made it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var q queues
	if err := q.open(s); err != nil {
		return features{}, refusal(err, f)
	}
	defer q.close()
	// A filter may permit a ring to be made, and nothing to be done with it.
	if errno := q.enter(0, giouring.EnterGetEvents, nil); errno != 0 {
		return features{}, refusal(errno, f)
	}
	if q.features&giouring.FeatExtArg == 0 || q.features&giouring.FeatNoDrop == 0 {
		return features{}, errors.New("io_uring here cannot wait with a timeout: Linux 6.1 or later is needed")
	}
	if err := probeOps(&q, o, f); err != nil {
		return features{}, err
	}
	if err := q.registerTable(1); err != nil && !o.PlainFDs {
		return features{}, fmt.Errorf("io_uring here refuses a %w: Linux 6.1 or later is needed", err)
	}
	var b buffers
	if err := b.open(&q, 1, 1); err != nil {
		return features{}, fmt.Errorf("io_uring here refuses a %w: Linux 6.1 or later is needed", err)
	}
	defer b.close()
	later := q.features&featMinTimeout != 0
	f.minWait, f.dontWait = later, later
	return f, nil
}

// probeMultishotRecv has a multishot receive take a byte that is waiting: it must
// have taken a buffer for it and say that more may follow.
func probeMultishotRecv() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var q queues
	f := features{taskRun: taskDeferred}
	if err := q.open(newSetup(8, 16, f.taskRun)); err != nil {
		return refusal(err, f)
	}
	defer q.close()
	var b buffers
	if err := b.open(&q, 2, 1); err != nil {
		return fmt.Errorf("io_uring here refuses a %w", err)
	}
	defer b.close()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("a pair of sockets to try a multishot receive with: %w", err)
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	if _, err := unix.Write(pair[1], []byte{1}); err != nil {
		return fmt.Errorf("a byte to try a multishot receive with: %w", err)
	}
	e := q.next()
	e.PrepareRecvMultishot(pair[0], 0, 0, 0)
	e.Flags, e.BufIG = giouring.SqeBufferSelect, bufferGroup
	if errno := q.enter(1, giouring.EnterGetEvents, nil); errno != 0 {
		return refusal(errno, f)
	}
	c := q.cqes[q.cqSeen&uint32(len(q.cqes)-1)]
	return judgeMultishotRecv(c.Res, c.Flags)
}

// judgeMultishotRecv says what is wrong with the first completion of a multishot
// receive for which a byte is waiting.
func judgeMultishotRecv(res int32, flags uint32) error {
	const want = giouring.CQEFMore | giouring.CQEFBuffer
	switch {
	case res < 0:
		return fmt.Errorf("recv=multishot: io_uring here refuses a %s (Linux 6.0 or later is needed): %w; recv=poll works", nameMultishotRecv, unix.Errno(-res))
	case res != 1 || flags&want != want:
		return fmt.Errorf("recv=multishot: a %s here ends with its first bytes (Linux 6.0 or later is needed); recv=poll works", nameMultishotRecv)
	}
	return nil
}

// probeOps asks the kernel for its list of operations.
func probeOps(q *queues, o *Options, f features) error {
	const ops = 64
	var p struct {
		lastOp, opsLen uint8
		_              uint16
		_              [3]uint32
		ops            [ops]giouring.ProbeOp
	}
	const supported = 1 << 0
	if err := q.register("list of operations", giouring.RegisterProbe, unsafe.Pointer(&p), ops); errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.ENOSYS) {
		return refusal(err, f)
	} else if err != nil {
		return fmt.Errorf("io_uring here has no %w", err)
	}
	for _, n := range needed {
		if n.op > p.lastOp || p.ops[n.op].Flags&supported == 0 {
			return fmt.Errorf("io_uring here has no %s", n.name)
		}
	}
	if o.EpollWait && (opEpollWait > p.lastOp || p.ops[opEpollWait].Flags&supported == 0) {
		return errors.New("io_uring here has no wait for an epoll instance, which recv=epoll needs: Linux 6.15 or later has it; leave recv out")
	}
	return nil
}

// refusal explains why no ring of the features wanted could be made.
func refusal(err error, want features) error {
	var why string
	switch {
	case errors.Is(err, unix.ENOSYS):
		why = "this kernel has no io_uring (Linux 6.1 or later is needed), or a filter hides it"
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		why = whyForbidden(readWord("/proc/sys/kernel/io_uring_disabled"), readStatus("Seccomp"))
	case errors.Is(err, unix.EINVAL):
		lacks := "submit all"
		if names := want.setup(); len(names) > 0 {
			lacks = names[len(names)-1]
		}
		why = fmt.Sprintf("this kernel's io_uring lacks %s (Linux 6.1 or later is needed)", lacks)
	case errors.Is(err, unix.ENOMEM):
		why = "no memory for an io_uring: look at the locked-memory limit (ulimit -l) and the memory control group"
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE):
		why = "no descriptor left for an io_uring: look at ulimit -n"
	default:
		why = "no io_uring can be made"
	}
	return fmt.Errorf("%s: %w", why, err)
}

// whyForbidden tells the three ways apart in which io_uring is forbidden, from
// the sysctl's value and the process's seccomp mode.
func whyForbidden(sysctl, seccomp string) string {
	const filtered = "2"
	switch {
	case sysctl == "2":
		return "io_uring is turned off for all by sysctl kernel.io_uring_disabled = 2"
	case sysctl == "1":
		return "io_uring is turned off for those outside the group of sysctl kernel.io_uring_group by kernel.io_uring_disabled = 1"
	case seccomp == filtered:
		return "io_uring is refused by a seccomp filter, as the default one of container engines does (allow io_uring_setup, io_uring_enter and io_uring_register)"
	default:
		return "io_uring is refused, by a security module or a filter"
	}
}

func readWord(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// readStatus is a field of /proc/self/status.
func readStatus(field string) string {
	for _, line := range strings.Split(readWord("/proc/self/status"), "\n") {
		if v, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}
