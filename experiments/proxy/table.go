package proxy

import (
	"fmt"
	"io"
	"slices"
)

// Table prints the median bytes a connection at the last step, for each mode and
// path, and what is more than without the proxy.
func Table(w io.Writer, readings []Reading) {
	last := 0
	for _, r := range readings {
		last = max(last, r.Held)
	}
	fmt.Fprintf(w, "Bytes a held connection, at %d, beyond the empty processes: median of the repetitions (lowest to highest).\n", last)
	fmt.Fprintf(w, "Kernel: every end on this machine: 2 sockets a connection without the proxy, 4 with it.\n\n")
	fmt.Fprintln(w, "| mode | path | nginx | server | kernel | all | more than direct |")
	fmt.Fprintln(w, "|---|---|---:|---:|---:|---:|---:|")
	for _, mode := range Modes {
		direct := int64(0)
		for _, path := range Paths {
			var nginx, server, kernel, all []int64
			for _, r := range readings {
				if r.Held != last || r.Mode != mode || r.Path != path {
					continue
				}
				n := int64(r.Held)
				nginx, server, kernel = append(nginx, r.Nginx/n), append(server, r.Server/n), append(kernel, r.Kernel.Bytes/n)
				all = append(all, (r.Nginx+r.Server+r.Kernel.Bytes)/n)
			}
			if len(all) == 0 {
				continue
			}
			if path == Direct {
				direct = median(all)
			}
			fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | %d |\n", mode, path, spread(nginx), spread(server), spread(kernel), spread(all), median(all)-direct)
		}
	}
}

func median(v []int64) int64 {
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

func spread(v []int64) string {
	return fmt.Sprintf("%d (%d to %d)", median(v), slices.Min(v), slices.Max(v))
}
