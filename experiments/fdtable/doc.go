// Package fdtable gives a locked OS thread a table of file descriptors of its
// own, so that one process may hold more sockets than RLIMIT_NOFILE allows one
// table.
//
// The limit is checked against each table, not against the process: a thread
// that has called unshare(CLONE_FILES) counts from its own table. With a limit
// of 20,000 that nobody may raise, 53 threads hold a million sockets.
//
// # What goes wrong without care
//
// The Go runtime polls from whichever thread ends a stop-the-world or arms a
// timer. Such a thread must reach the runtime's epoll descriptor and its wake
// eventfd under the numbers that the runtime remembers. If a table has closed
// them the process dies at the next collection ("epollwait failed with 9"), and
// if another file took the number, a timer writes eight stray bytes into it. So
// Prepare starts the runtime's poller and finds both descriptors, and Go keeps
// them in each new table.
//
// A descriptor opened in one table does not exist in another. Listeners, wake
// descriptors and whatever else a thread shall share with others must be open
// before Go is called, and be named in keep.
//
// A thread that the runtime clones inherits the table of the thread that clones
// it. The runtime clones from a template thread once a goroutine is locked, so
// no table leaks; this is why Go locks first and unshares after.
//
// # Rules for the function that Go runs
//
// It runs on a thread of its own, never on the leader (whose table is what
// /proc/PID/fd shows; /proc/PID/task/TID/fd shows the others). It must use raw
// system calls for its descriptors: an os.File or net.Conn would be registered
// with, or finalised on, a thread that has another table. It must not call
// runtime.UnlockOSThread or start a process, and on its hot path it must not
// block on channels, timers or a logger, each of which parks the goroutine and
// costs two thread switches. Memory that other threads read is exchanged by
// atomics, and a wake by a kept eventfd.
//
// # Caveats
//
// Linux 5.9 or later (close_range). Docker's default seccomp profile refuses
// unshare without CAP_SYS_ADMIN: Probe says so. fs.file-max bounds the sum over
// all tables still.
package fdtable
