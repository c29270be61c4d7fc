// Package uring is the io_uring engine: it carries the actions of package
// comet to the kernel and the kernel's completions back. It is the only package
// that knows giouring.
//
// # Loops and rings
//
// A loop is a locked thread with a core loop of its own. It owns as many rings
// as its connections need, because a ring's table of direct descriptors may
// have no more slots than the process may have descriptors; the tables are
// counted singly, not together, and take none of the process's descriptors. A
// connection is (ring, slot), and its number ring * slots + slot.
//
// The loop waits on its first ring. The others are its children: an eventfd is
// registered with each, and the first ring has a read of it armed. While a
// child is being worked on its eventfd is silent. Rings are added by their loop
// as the last one fills.
//
// # A turn
//
// The core decides (Turn), its actions become submissions (Next), listeners are
// armed where that changed, receives are submitted, each ring is entered once,
// and its completions go to the core. Sends and receives complete within the
// enter that submits them, so a turn costs one enter a ring whatever the number
// of its connections, and the next takes up what it brought. Only where more has
// come than the kernel tells in one enter, it is entered again. Only when nothing
// was submitted and nothing came does the loop sleep, in an enter that takes
// the core's deadline as its time limit: no timer is ever submitted.
//
// On the way of a message, from the push to the delivery and the next poll, nothing is
// allocated (TestHotPathAllocatesNothing, and the benchmarks of packages uring and
// comet) and nothing called by an interface: the loop holds the core's *comet.Loop
// itself. What is called so stands beside that way: a push from a network that is
// looked up in lists, a frame shared by the streams of a channel.
//
// An idle loop waits for one completion. A loaded one (comet/pace) lets a batch
// gather for a minimum wait of 200 µs, since a wake costs about as much as a message.
//
// # A connection
//
// It waits by a multishot poll, which costs the kernel 256 bytes where a
// multishot receive costs 864. When the poll reports, a one-shot receive that
// does not wait takes a provided buffer, and gives it back when the core has
// read it. The engine's own memory of a connection is one word: generation and
// flags. A send has a record while it is outstanding, found by its number in
// the user data; records come from a stack, so a loop whose sends complete at
// once touches few.
//
// With recv=multishot it waits by a multishot receive, which takes a provided
// buffer for each piece that arrives and brings it in one completion. To pause is
// to cancel that and to poll for the peer's leaving alone; to resume is to arm it
// again. With buffers=own each receive behind a poll is told a buffer of the
// engine's own.
//
// A close is three requests in one submission: cancel the poll or the receive,
// cancel the send, close the descriptor. What the kernel is just trying anew no
// cancel finds: it is cancelled until it has ended (see cancelAgain). The core is told
// Closed when all three, and what they ended, have completed. The kernel may have given
// the slot to a new connection by then: that one is opened after the old one's end.
//
// # Beside the engine
//
// Switches are the choices that can be made otherwise, each with its hypothesis.
// Where the kernel's work is not deferred (taskrun), completions come without an
// enter, and an accept goes on while the loop looks. Where a thread of the kernel
// submits (sqpoll), it does all that work, one thread for all rings of a loop; its
// CPU is the process's, under the name iou-sqp. Plain descriptors (fds) leave the
// choice of the slot to the engine and are bound by the process's limit. With them
// connections may wait in an epoll instance (recv=epoll), which an operation of the
// first ring waits for: file epollwait.go, and nothing elsewhere but calls to it.
//
// Bare is a loop of the same parts with no core behind it, against which the engine
// is measured.
//
// # What goes wrong, and what follows
//
//	completion of an earlier life     dropped                     stale
//	multishot ended                   armed again                 rearms
//	no provided buffer                read or armed again         enobufs
//	                                  next turn
//	submission queue full             submitted, and on           sq_full
//	completion queue full             kept by the kernel, read    cq_overflow
//	no memory for a request           entered again               busy
//	signal                            an empty turn               eintr
//	part of a send                    sent on                     partial_sends
//	table full                        the backlog waits           accept_paused
//	accept failed                     again in 100 ms             accept_errors
//	ring could not be made            again in 100 ms             accept_errors
//	cancel found nothing              what it was for had ended   cancels_late
//	and a send or accept goes on      cancelled again             cancels_late
//
// TestFaults has a row for each but the last lines of memory, accepts and rings, with
// what provokes it on a kernel and what the core sees of it, which package sim provokes
// too. Failed accepts have tests of their own: TestNoDescriptorLeft and
// TestNoPlaceInEpoll, and TestRingThatCannotBeMade for a ring. That the kernel has no
// memory for a request (EAGAIN or EBUSY of an enter) has no test: we know nothing that
// provokes it and spares the process.
//
// # Caveats
//
// Linux 6.1 is the least: deferred task running. Where a minimum wait (6.12) or
// an accept that does not wait (6.10) is missing, a short time limit and a
// cancel stand in.
//
// With recv=multishot a peer that leaves right behind its last bytes may not be told
// of, by kernels up to 6.18 at least: the poll inside the receive lets go of both
// wakes when it has read the bytes (liburing issue 1549). Such a connection ends when
// something is sent to it, at the latest by the polling timeout. A poll of the
// engine's own, the default, tells of both.
//
// One outstanding send a connection. A message is sent by reference where it
// has several pieces, but never without a copy into the socket: zero-copy does
// not pay below several kilobytes.
//
// A multishot receive takes buffers before the core has seen what is in them. So a
// ring has 256 instead of 64, an enter collects no more than they hold, and a
// client that is to be read no more may have sent that much before its receive
// has ended: the core keeps it.
//
// A streaming accept goes to the loop that armed it first, and balance among
// loops comes from giving up the place after 32 connections: it is statistical.
// Short of a table's end all loops that have room are woken for each
// connection, and all but one find nothing.
//
// The kernel runs about 20 pieces of its deferred work in an enter that waits for
// no more completions than that. A busy turn waits for as many as its own sends
// and receives bring at once, so that as much work is run, and enters again while
// the kernel says that it has more.
//
// Stop ends what the kernel might still read from the core's memory, and waits
// for that; the sockets themselves end when the kernel has taken the rings
// down, a little after Stop has returned.
//
// An enter that fails in a way that this list does not have is a panic: the
// loop could only go on by not serving.
package uring
