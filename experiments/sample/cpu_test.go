package sample

import (
	"math"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// busy keeps n locked threads at work, each until it has used as much CPU as
// asked; it returns when all have, and holds the threads until release is called.
func busy(n int, each time.Duration) (release func()) {
	var working, holding sync.WaitGroup
	stop := make(chan struct{})
	for range n {
		working.Add(1)
		holding.Add(1)
		go func() {
			defer holding.Done()
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			var ts unix.Timespec
			for unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts) == nil && time.Duration(ts.Nano()) < each {
			}
			working.Done()
			<-stop
		}()
	}
	working.Wait()
	return func() { close(stop); holding.Wait() }
}

// Proves that the sum over the threads' schedstat is the CPU of the process:
// with eight busy threads it agrees with the process CPU clock within 3 %, and
// the clock of another process's view agrees with our own clock.
func TestProcessCPUAgainstClock(t *testing.T) {
	m, err := NewCPUMeter(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	before, err := m.Read()
	if err != nil {
		t.Fatal(err)
	}
	const threads, each = 8, 150 * time.Millisecond
	release := busy(threads, each)
	defer release()
	after, err := m.Read()
	if err != nil {
		t.Fatal(err)
	}
	var own unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &own); err != nil {
		t.Fatal(err)
	}
	d := after.Since(before)
	if d.Process < threads*each/2 {
		t.Errorf("eight threads used %v by schedstat, want at least half of %v", d.Process, threads*each)
	}
	if off := math.Abs(float64(d.Process-d.ProcessClock)) / float64(d.ProcessClock); off > 0.03 {
		t.Errorf("schedstat says %v, the process clock %v: %.1f %% apart", d.Process, d.ProcessClock, off*100)
	}
	if off := time.Duration(own.Nano()) - after.ProcessClock; off < 0 || off > 50*time.Millisecond {
		t.Errorf("the clock read by number differs from the process's own by %v", off)
	}
	if after.Threads < threads {
		t.Errorf("%d threads seen, want at least %d", after.Threads, threads)
	}
}

// Proves that the CPU of threads that ended is kept: the sum never falls.
func TestEndedThreadsAreKept(t *testing.T) {
	m, err := NewCPUMeter(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	stop := make(chan struct{})
	var worked, done sync.WaitGroup
	for range 4 {
		worked.Add(1)
		done.Add(1)
		go func() {
			defer done.Done()
			runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
			for deadline := time.Now().Add(20 * time.Millisecond); time.Now().Before(deadline); {
			}
			worked.Done()
			<-stop
		}()
	}
	worked.Wait()
	with, err := m.Read()
	if err != nil {
		t.Fatal(err)
	}
	close(stop)
	done.Wait()
	for wait := 0; ; wait++ {
		without, err := m.Read()
		if err != nil {
			t.Fatal(err)
		}
		if without.Process < with.Process {
			t.Fatalf("the sum fell from %v to %v", with.Process, without.Process)
		}
		if without.Threads <= with.Threads-3 { // the leader's thread never ends
			break
		}
		if wait > 500 {
			t.Fatalf("%d threads before, %d after: they never ended", with.Threads, without.Threads)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Proves that a sample is cheap where a server has many threads: with eighty of
// them it uses less than 5 ms of CPU, hundredfold less than the shortest window
// it is taken around.
func TestReadIsCheap(t *testing.T) {
	release := busy(80, time.Millisecond)
	defer release()
	m, err := NewCPUMeter(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const rounds = 50
	var before, after unix.Timespec
	unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &before)
	for range rounds {
		if _, err := m.Read(); err != nil {
			t.Fatal(err)
		}
	}
	unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &after)
	each := time.Duration(after.Nano()-before.Nano()) / rounds
	t.Logf("a sample of 80 threads uses %v of CPU", each)
	if each > 5*time.Millisecond {
		t.Errorf("a sample of 80 threads uses %v of CPU", each)
	}
}

// Proves that the end of the process is told as an error, not as zero CPU.
func TestReadOfEndedProcess(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	m, err := NewCPUMeter(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	cmd.Process.Kill()
	cmd.Wait()
	if c, err := m.Read(); err == nil {
		t.Errorf("an ended process has used %+v", c)
	}
	if _, err := NewCPUMeter(cmd.Process.Pid); err == nil {
		t.Error("a meter was opened on an ended process")
	}
	if _, err := ReadMemory(cmd.Process.Pid); err == nil {
		t.Error("an ended process has memory")
	}
}

// Proves that the first line of /proc/stat is taken apart in the kernel's order.
func TestReadMachineCPU(t *testing.T) {
	path := t.TempDir() + "/stat"
	if err := os.WriteFile(path, []byte("cpu  10 1 20 300 4 5 6 7 8 9\ncpu0 1 1 1 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := readMachineCPU(f, make([]byte, 4096))
	want := MachineCPU{User: 110 * time.Millisecond, System: 200 * time.Millisecond, Idle: 3 * time.Second, IOWait: 40 * time.Millisecond,
		IRQ: 50 * time.Millisecond, SoftIRQ: 60 * time.Millisecond, Steal: 70 * time.Millisecond}
	if err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if got.Busy() != 420*time.Millisecond {
		t.Errorf("busy %v", got.Busy())
	}
}
