package result

import "github.com/HdrHistogram/hdrhistogram-go"

// beyond is how many samples must lie beyond a percentile for it to be told.
const beyond = 100

// PercentilesOf reads the percentiles of a histogram of microseconds. Those
// with fewer than 100 samples beyond them are nil; an empty histogram gives nil.
func PercentilesOf(h *hdrhistogram.Histogram) *Percentiles {
	n := h.TotalCount()
	if n == 0 {
		return nil
	}
	at := func(percent, tail float64) *float64 {
		if float64(n)*tail < beyond {
			return nil
		}
		v := float64(h.ValueAtPercentile(percent))
		return &v
	}
	return &Percentiles{
		Samples: n, Min: float64(h.Min()), Mean: h.Mean(), Max: float64(h.Max()),
		P50: at(50, 0.5), P90: at(90, 0.1), P99: at(99, 0.01), P999: at(99.9, 0.001), P9999: at(99.99, 0.0001),
	}
}
