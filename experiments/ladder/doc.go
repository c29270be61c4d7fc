// Package ladder is the main experiment: for each backend a fresh server and a
// fresh load, and at zero connections and after every step the same
// measurements.
//
// # A step
//
//	open to the step        until the server's own count has reached it
//	count                   by the server and by the kernel, both ends
//	settle                  until memory stands still
//	memory                  of the server, the load and the kernel
//	idle                    CPU in a window in which nothing is asked
//	push                    one message each to channels drawn by the seed
//	broadcast, settle       at some steps, and memory once more
//
// The server is a process of its own, the load another; this package starts
// them, asks their doors, reads the kernel, and keeps what it finds record by
// record, so that whatever ends a run early leaves a valid folder behind.
//
// # How a run ends early
//
// A cancelled context ends the children and keeps the step begun, marked as
// cut. A server or a load that dies is recorded as a failure with its exit and
// its last lines, and the next backend is begun. Too little memory is found
// before a step, not in it. A record that cannot be written ends the run; it is
// printed, so that it is not lost.
//
// # Caveats
//
// One ladder describes; it has no repetitions and proves no difference. The
// kernel's memory is that of the whole machine. On loopback the sender of a
// message pays for the receiver's TCP work too.
package ladder
