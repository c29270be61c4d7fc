package fdtable

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Limit returns the process's RLIMIT_NOFILE, soft and hard, in descriptors. The
// soft one bounds every table of the process. Any thread may call it.
func Limit() (soft, hard int) {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		// getrlimit fails only for a bad resource or address.
		panic(fmt.Sprintf("fdtable: getrlimit(RLIMIT_NOFILE): %v", err))
	}
	return clampInt(r.Cur), clampInt(r.Max)
}

// RaiseLimit raises the soft limit so that one table may hold want descriptors:
// up to the hard limit for everybody, and beyond it (at most to fs.nr_open)
// where CAP_SYS_RESOURCE allows. It returns the soft limit then in force. Less
// than want is no error: the caller compares, and goes on with tables of its
// own. It never lowers a limit. Call it before other threads depend on Limit.
func RaiseLimit(want int) (soft int) {
	soft, hard := Limit()
	if soft >= want {
		return soft
	}
	if want > hard {
		beyond := min(want, nrOpen())
		r := unix.Rlimit{Cur: uint64(beyond), Max: uint64(beyond)}
		if beyond > hard && unix.Setrlimit(unix.RLIMIT_NOFILE, &r) == nil {
			return beyond
		}
	}
	r := unix.Rlimit{Cur: uint64(min(want, hard)), Max: uint64(hard)}
	if unix.Setrlimit(unix.RLIMIT_NOFILE, &r) == nil {
		return int(r.Cur)
	}
	return soft
}

// nrOpen is fs.nr_open, the most that a hard limit may be set to, or 0 where it
// cannot be read.
func nrOpen() int {
	text, err := os.ReadFile("/proc/sys/fs/nr_open")
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return n
}

// clampInt converts a limit, where infinity is all ones, to an int.
func clampInt(v uint64) int {
	const maxInt = int(^uint(0) >> 1)
	if v > uint64(maxInt) {
		return maxInt
	}
	return int(v)
}
