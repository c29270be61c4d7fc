package soak

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"sync"
	"time"
)

// watchers is how many read /psub at the same time.
const watchers = 2

// watcher is one that reads /psub.
type watcher struct {
	s       *round
	steady  map[string]bool // names of channels that are not closed
	mu      sync.Mutex
	present map[string]bool
	lines   int64
	lost    int64 // times the server let it go
}

// run watches until the context ends. A watcher that is too slow is let go, and
// begins anew with what there is.
func (w *watcher) run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := w.watch(ctx); err != nil && ctx.Err() == nil {
			w.s.faults.add("watch", "%v", err)
			time.Sleep(time.Second)
		}
	}
}

// watch watches once.
func (w *watcher) watch(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.s.server.Doors.AdminAddr()+"/psub?snapshot=1", nil)
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.present = map[string]bool{}
	w.mu.Unlock()
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		w.line(lines.Text())
	}
	w.mu.Lock()
	w.lost++
	w.mu.Unlock()
	return nil
}

// line takes one line: whether a channel came or went.
func (w *watcher) line(line string) {
	came, name, ok := strings.Cut(line, " ")
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines++
	switch {
	case ok && came == "1":
		w.present[name] = true
	case ok && came == "0":
		if w.steady[name] && w.s.phase.Load() < phaseLeave {
			w.s.faults.add("watch", "%s went, and nobody closed it", name)
		}
		delete(w.present, name)
	default:
		w.s.faults.add("watch", "line %.100q", line)
	}
}

// left is how many channels it takes for present.
func (w *watcher) left() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.present)
}
