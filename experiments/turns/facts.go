package turns

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"c1000k/experiments/process"
	"c1000k/experiments/sample"
	"c1000k/experiments/stats"
)

// facts is the part of the debug door's answer that counts here.
type facts struct {
	Loops int               `json:"loops"`
	Rings int               `json:"rings"`
	Stats map[string]uint64 `json:"stats"`
}

// facts asks the server what it is and has counted. The floor has no debug door,
// and tells its loops alone.
func (c *cell) facts(ctx context.Context) (f facts, err error) {
	url := "http://" + c.doors.DebugAddr() + "/facts"
	if c.bare() {
		url = "http://" + c.doors.AdminAddr() + "/info"
	}
	body, err := process.Get(ctx, url)
	if err != nil {
		return f, err
	}
	if err := json.Unmarshal(body, &f); err != nil {
		return f, fmt.Errorf("%s cannot be read: %w", url, err)
	}
	return f, nil
}

// sum makes the cell's figures of what was read.
func (c *cell) sum(lasts []float64, server, load sample.CPUDelta, before, after facts) Cell {
	n := int64(c.o.Messages) * int64(c.o.Connections)
	each := func(d time.Duration) float64 { return float64(d) / 1e3 / float64(n) }
	r := Cell{
		Version: version, Kind: c.o.Kind, Subject: c.subject, Loops: after.Loops, Rings: after.Rings,
		Connections: c.o.Connections, Messages: c.o.Messages, Deliveries: n,
		Server: each(server.Process), Load: each(load.Process), Last: stats.Median(lasts), Machine: server.Machine,
	}
	for name, v := range after.Stats {
		if d := v - before.Stats[name]; d > 0 && v >= before.Stats[name] {
			if r.Counters == nil {
				r.Counters = map[string]float64{}
			}
			r.Counters[name] = float64(d) / float64(n)
		}
	}
	return r
}

// end ends the load and then the server.
func (c *cell) end() (err error) {
	if c.load != nil {
		err = c.load.Close()
	}
	if c.server != nil {
		err = errors.Join(err, c.server.Stop(c.o.Force))
	}
	return err
}
