package sample

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// task is one thread whose schedstat file is kept open.
type task struct {
	file     *os.File
	last     time.Duration
	ioWorker bool
	named    int // how often the name was read
	seen     uint64
}

// taskSet follows the threads of one process.
type taskSet struct {
	dir   string
	tasks map[int]*task
	round uint64
	// ended and endedWorkers keep the last seen value of threads that are gone.
	ended        time.Duration
	endedWorkers time.Duration
}

func newTaskSet(dir string) taskSet { return taskSet{dir: dir, tasks: map[int]*task{}} }

// refresh opens the files of new threads and retires those that ended.
func (s *taskSet) refresh(buf []byte) error {
	names, err := readNames(s.dir)
	if err != nil {
		return err
	}
	s.round++
	for _, name := range names {
		tid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		t := s.tasks[tid]
		if t == nil {
			if t = openTask(filepath.Join(s.dir, name), buf); t == nil {
				continue
			}
			s.tasks[tid] = t
		}
		t.seen = s.round
		t.name(filepath.Join(s.dir, name))
	}
	for tid, t := range s.tasks {
		if t.seen != s.round {
			s.retire(tid, t)
		}
	}
	return nil
}

func (s *taskSet) retire(tid int, t *task) {
	s.ended += t.last
	if t.ioWorker {
		s.endedWorkers += t.last
	}
	t.file.Close()
	delete(s.tasks, tid)
}

// total reads every open file. The reads follow each other without anything
// between them, so that the sum is close to one moment.
func (s *taskSet) total(buf []byte) (sum, workers time.Duration, threads int) {
	sum, workers = s.ended, s.endedWorkers
	for tid, t := range s.tasks {
		used, err := readSchedstat(t.file, buf)
		if err != nil {
			sum += t.last
			if t.ioWorker {
				workers += t.last
			}
			s.retire(tid, t)
			continue
		}
		t.last = used
		sum += used
		threads++
		if t.ioWorker {
			workers += used
		}
	}
	return sum, workers, threads
}

func (s *taskSet) close() {
	for _, t := range s.tasks {
		t.file.Close()
	}
	s.tasks = nil
}

// openTask returns nil when the thread ended between the listing and now.
func openTask(dir string, buf []byte) *task {
	f, err := os.Open(filepath.Join(dir, "schedstat"))
	if err != nil {
		return nil
	}
	t := &task{file: f}
	t.last, _ = readSchedstat(f, buf)
	return t
}

// name finds out whether the thread is an io-wq worker. It asks twice: a worker
// bears its parent's name for an instant before it takes its own.
func (t *task) name(dir string) {
	if t.named == 2 {
		return
	}
	comm, err := os.ReadFile(filepath.Join(dir, "comm"))
	if err != nil {
		return
	}
	t.named++
	t.ioWorker = bytes.HasPrefix(comm, []byte("iou-wrk"))
}

// readSchedstat reads the first of the three numbers: nanoseconds on a
// processor.
func readSchedstat(f *os.File, buf []byte) (time.Duration, error) {
	n, err := f.ReadAt(buf[:128], 0)
	if n == 0 {
		return 0, fmt.Errorf("read %s: %w", f.Name(), err)
	}
	number, _, _ := bytes.Cut(buf[:n], []byte(" "))
	ns, err := strconv.ParseInt(string(number), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", f.Name(), err)
	}
	return time.Duration(ns), nil
}

// rescanKernelThreads is how often the process list is searched for new kernel
// workers: they come and go, and a search opens a file for each process.
const rescanKernelThreads = 2 * time.Second

// kernelThreads follows ksoftirqd and the kworkers.
type kernelThreads struct {
	softirq map[int]*task
	workers map[int]*task
	ended   time.Duration
	scanned time.Time
	known   map[int]bool // what was looked at already and is neither
}

func (k *kernelThreads) read(buf []byte) (soft, workers *time.Duration, err error) {
	if now := time.Now(); now.Sub(k.scanned) > rescanKernelThreads {
		if err := k.scan(buf); err != nil {
			return nil, nil, err
		}
		k.scanned = now
	}
	if len(k.softirq) == 0 {
		return nil, nil, nil
	}
	s, w := time.Duration(0), k.ended
	for _, t := range k.softirq {
		if used, err := readSchedstat(t.file, buf); err == nil {
			t.last = used
		}
		s += t.last
	}
	for pid, t := range k.workers {
		used, err := readSchedstat(t.file, buf)
		if err != nil {
			w += t.last
			k.ended += t.last
			t.file.Close()
			delete(k.workers, pid)
			continue
		}
		t.last = used
		w += used
	}
	return &s, &w, nil
}

// scan looks at the processes it has not seen yet. A number that is used again
// by a worker after another process had it is missed until then; workers that
// matter live long.
func (k *kernelThreads) scan(buf []byte) error {
	names, err := readNames("/proc")
	if err != nil {
		return fmt.Errorf("look for kernel threads: %w", err)
	}
	if k.known == nil {
		k.known, k.softirq, k.workers = map[int]bool{}, map[int]*task{}, map[int]*task{}
	}
	present := make(map[int]bool, len(names))
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		present[pid] = true
		if k.known[pid] || k.softirq[pid] != nil || k.workers[pid] != nil {
			continue
		}
		k.adopt(pid, filepath.Join("/proc", name), buf)
	}
	for pid := range k.known {
		if !present[pid] {
			delete(k.known, pid)
		}
	}
	return nil
}

func (k *kernelThreads) adopt(pid int, dir string, buf []byte) {
	comm, err := os.ReadFile(filepath.Join(dir, "comm"))
	if err != nil {
		return
	}
	var set map[int]*task
	switch name := string(comm); {
	case strings.HasPrefix(name, "ksoftirqd/"):
		set = k.softirq
	case strings.HasPrefix(name, "kworker/"):
		set = k.workers
	default:
		k.known[pid] = true
		return
	}
	if t := openTask(dir, buf); t != nil {
		set[pid] = t
	}
}

func (k *kernelThreads) close() {
	for _, t := range k.softirq {
		t.file.Close()
	}
	for _, t := range k.workers {
		t.file.Close()
	}
}

// readNames lists a directory without asking for the type of each entry.
func readNames(dir string) ([]string, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, errors.New(dir + " is empty")
	}
	return names, nil
}
