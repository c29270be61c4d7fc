// Package epoll carries the comet service by epoll: the baseline that io_uring
// is compared with. It shares every decision with the other engines, which are
// the core's, and no loop with them. A baseline that wastes time proves nothing,
// so it is tuned as far as we know how; what follows says how, and where it
// still falls short.
//
// # A loop
//
// A loop is a locked OS thread with an epoll descriptor and a loop of the core.
// Each connection is added to the set once, edge-triggered, for input and for
// the peer's end (EPOLLIN, EPOLLRDHUP), and leaves it by close. That is one
// epoll_ctl in a connection's life. A wait takes up to 128 events. A read takes
// what there is; a short one has emptied the socket, so there is no second to
// see EAGAIN. A send is tried at once, from the core's own memory, and reported
// at once; pieces of a short message are first copied together. Only a send that finds no room asks for EPOLLOUT, and
// keeps it: edge-triggered, it is silent until there was want of room again.
//
// The counters conn_epoll_ctls and accepts are equal then, and writes are as many as
// the core's sends. --epoll trigger=level has connections reported for as long as
// there is something (see Switches for what that is expected to cost): what nobody
// takes is asked for no longer when it is first reported in vain, and room when it
// was found.
//
// Sleeping loops are woken by an eventfd, edge-triggered too and therefore never
// read. The wait has the core's deadline in nanoseconds (epoll_pwait2), or in
// milliseconds, rounded up, on kernels before 5.11.
//
// A loop that has just accepted rests for 200 us before it looks again, so that
// connections and their first requests come together: what a minimum wait is to
// io_uring. So does a loaded one (comet/pace). At any other time each event ends a
// wait.
//
// System calls that cannot sleep are made without telling the Go scheduler; the
// wait does tell it, so that collections need not wait for a sleeping loop.
//
// # Who accepts
//
// There is one listening socket a port. Every loop that accepts has all of them
// in its set with EPOLLEXCLUSIVE, and the gate keeps the loops level: see there.
// A report of a listener is answered by one accept: level-triggered, it is
// reported again while anybody waits, and an accept that finds nobody is dear (4
// us by itself: the kernel makes the socket before it looks).
//
// A loop that is full takes the listeners out and puts them in again when one of
// its connections has closed. Nothing is accepted that cannot be held; who comes
// to a full server waits in the backlog. A few slots of loop 0 are kept for the
// admin door, which loop 0 alone serves.
//
// # Past the descriptor limit
//
// A descriptor table holds RLIMIT_NOFILE descriptors. Up to that, loops = cores
// share the process's table. Where more connections are asked for, and the limit
// cannot be raised, each loop has a table of its own (package fdtable says what
// that takes): as many loops as tables are needed, of which as many as there are
// cores accept at a time, and as many run: see share. In a table of its own a connection's number is its
// descriptor; in a shared one it is a dense index, so that loops do not tear
// holes into each other's records.
//
// # Tried
//
// All on the 2-core machine of the project's facts, shared with other work at the
// time; CPU of the server, medians. None of it was declared before it ran, so
// none of it is more than a reason for a default.
//
// One accept a report against accepting until nobody is left, 18,000 polls, 12
// runs each: 950 accepts in vain instead of 16,000. In CPU no difference was
// found: 11.1 and, the same program again, 11.6 us a connection, against 11.7.
//
// Six loops with tables of their own on two cores, 100,000 polls, by who decides which
// of them run: the Go scheduler, with a right to run a core (as it was before); the
// kernel, with a right a loop; share. A broadcast, ten, five and ten rounds in turn: 9.1, 9.75 and 9.0
// us of CPU a delivery. A push during broadcasts, the load of nice 19, one to six runs:
// 29 ms at the 99th percentile, 3 to 4.6, and 3.5 to 6. The runtime's monitor looked each
// 0.2 ms in all three. Share is as cheap as the first and as prompt as the second; and
// with it the monitor can look each 4 ms: 200,000 polls on eleven loops, three runs in turn,
// a push took 42 us of CPU against 57, and as long.
//
// A wait of up to 128 events against 512, with share: a push during broadcasts 4.4 to
// 4.9 ms at the 99th percentile against 5.1 to 5.5, three runs each in turn.
//
// Loops that ask the kernel for slices of 0.1 ms (sched_setattr), so that they go first when they
// wake: that push took 3.7 and 4.1 ms against 4.4. But on io_uring, with a loop a processor,
// a push by itself took 43 to 48 us of CPU against 36 to 39, and a fan-out up to a quarter
// more. Not taken, on either.
//
// The rest after accepting against none, 300,000 polls in two steps, three runs
// each, in turn: 24 us a connection against 34, medians of the steps; with 600 us
// instead of 200 not told apart (19 and 23).
//
// The same rest of a loaded loop against none, fan-out to 15,000, three runs each in
// turn, two cells a run: 7.4, 7.7 and 8.3 us a delivery against 7.5, 9.0 and 8.5. Not
// much, and taken because io_uring has its like: neither shall lack what the other has.
//
// Reading right after accept, before the connection is watched: a third to a half
// of those reads came too early, and two runs against two showed nothing. Left.
//
// Three pieces of 250 bytes together: copied and sent 0.52 us, as a vector 0.56,
// medians of three short benchmarks that overlap. The copy stays, on weak
// evidence.
//
// # What a connection costs
//
// In the kernel the socket, and 208 bytes of epoll (item, head, wait entry).
// Here 4 bytes of state, and 4 more for the descriptor in a shared table,
// outside the Go heap and touched as used. The rest of a send that found no room
// lives in a map while it lasts.
//
// # Caveats
//
// There is no minimum wait as io_uring has; a loop that is loaded or has accepted
// rests instead (comet/pace), blind to what comes: a message to somebody held then
// waits up to 200 us longer. A loop with little to do wakes for each event.
//
// Loops and tables are one thing past the limit: a million connections under a
// limit of 20,000 take 51 threads, where io_uring takes one a core. Figures say
// both counts. With a high limit the two are alike, and that is the fair
// comparison.
//
// The count of what a table holds is taken at the start. If the rest of the
// program opens many descriptors later in a shared table, accept fails; the loop
// then pauses for a tenth of a second, or until one of its own connections
// closes.
//
// A loop that lags takes its share of accepts late: the others wait for it once
// they are an eighth ahead. Moving the listeners in and out of a set costs two
// epoll_ctl a listener, about 90 us with a hundred of them, some dozens of times
// on the way to a full loop.
//
// A client whose data holds an urgent mark may make a read shorter than what
// there is; it waits for its own next byte then, and nobody else does.
//
// close discards what is unread so that the last reply is not overtaken by a
// reset, but what arrives after it still causes one.
//
// While another thread copies the process's table (a fork, or another unshare)
// a closed socket lives on in the copy; an event for it is dropped by its
// generation, which has 16 bits.
package epoll
