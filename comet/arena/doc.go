// Package arena is preallocated, pointer-free memory outside the Go heap,
// named by handles and never by pointers.
//
// A Region is reserved at once and becomes resident page by page as it is
// touched. A Pool hands out records of one size from a region, Blocks hands
// out byte blocks in size classes, and a Wheel keeps timers whose links lie
// inside the records of others, so that an armed timer costs nothing but them.
//
// A handle is a record's index plus one, so that zeroed memory holds no
// handle: 0 is none everywhere. The collector never sees this memory: a
// million records cost it nothing, and nothing here keeps a Go object alive.
//
// Under the race detector the memory comes from Go slices, since the detector
// does not see mapped memory and would report false races on Go data that is
// guarded by an atomic that lives there.
//
// Caveats: memory given back to a Pool or to Blocks is kept for reuse and not
// returned to the system; a freed handle that is used again is not caught here
// (the owners of records keep generations for that).
package arena
