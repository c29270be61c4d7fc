package load

import (
	"encoding/binary"
	"hash/fnv"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"c1000k/experiments/load/replies"
)

// The histograms hold nanoseconds up to a minute, to three digits.
const (
	longestLatency = int64(time.Minute)
	latencyDigits  = 3
)

// leastBeyond is how many samples must lie beyond a percentile for it to be said.
const leastBeyond = 100

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, longestLatency, latencyDigits)
}

// latency describes a histogram.
func latency(h *hdrhistogram.Histogram, tooLong int64) Latency {
	l := Latency{Samples: h.TotalCount(), Max: microseconds(h.Max()), TooLong: tooLong}
	at := func(permille int64) *float64 {
		if l.Samples*(1000-permille) < leastBeyond*1000 {
			return nil
		}
		v := microseconds(h.ValueAtPercentile(float64(permille) / 10))
		return &v
	}
	l.P50, l.P90, l.P99, l.P999 = at(500), at(900), at(990), at(999)
	if encoded, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase); err == nil {
		l.HDR = string(encoded)
	}
	return l
}

func microseconds(ns int64) float64 { return float64(ns) / 1e3 }

// operation is a push or a broadcast under way: it knows the messages of its own
// from others, and their times.
type operation struct {
	id   uint32
	kind replies.Kind
	// Of each message, as nanoseconds of the generator's clock: when it was due
	// and when it was sent. The sender writes, the reactors read.
	due, sent []atomic.Int64
}

// The content of a message is a letter for its kind, the operation and the
// message's index, filled up: 100 bytes that need no escaping anywhere.
const (
	contentBytes    = 100
	operationDigits = 8 // hexadecimal
	indexDigits     = 8 // decimal
	indexStart      = 1 + operationDigits + 1
)

var kindLetters = [...]byte{replies.Data: 'p', replies.Broadcast: 'b'}

// appendContent appends the content of message i.
func (o *operation) appendContent(b []byte, i int) []byte {
	start := len(b)
	b = append(b, kindLetters[o.kind])
	const hex = "0123456789abcdef"
	for shift := 28; shift >= 0; shift -= 4 {
		b = append(b, hex[o.id>>shift&15])
	}
	b = append(b, '-')
	digits := strconv.AppendInt(nil, int64(i), 10)
	for n := len(digits); n < indexDigits; n++ {
		b = append(b, '0')
	}
	b = append(b, digits...)
	b = append(b, '-')
	for len(b)-start < contentBytes {
		b = append(b, 'x')
	}
	return b
}

// index finds which message of the operation has the content.
func (o *operation) index(m replies.Message) (int, bool) {
	if m.Kind != o.kind || len(m.Content) != contentBytes || m.Content[0] != kindLetters[o.kind] {
		return 0, false
	}
	id, err := strconv.ParseUint(string(m.Content[1:1+operationDigits]), 16, 32)
	if err != nil || uint32(id) != o.id {
		return 0, false
	}
	i, ok := replies.Decimal(m.Content[indexStart : indexStart+indexDigits])
	if !ok || i >= uint64(len(o.due)) {
		return 0, false
	}
	return int(i), true
}

// arrived notes the arrival of a message, if it belongs to the operation.
func (o *operation) arrived(a *arrivals, m replies.Message, now time.Duration) bool {
	i, ok := o.index(m)
	if !ok {
		return false
	}
	if a.corrected == nil {
		a.corrected, a.uncorrected = newHistogram(), newHistogram()
	}
	if a.corrected.RecordValue(int64(now)-o.due[i].Load()) != nil {
		a.tooLong++
	}
	if a.uncorrected.RecordValue(int64(now)-o.sent[i].Load()) != nil {
		a.uncorrectedTooLong++
	}
	if a.first == 0 {
		a.first = now
	}
	a.last = now
	return true
}

// arrivals are the times that a reactor took of one operation.
type arrivals struct {
	corrected, uncorrected      *hdrhistogram.Histogram
	tooLong, uncorrectedTooLong int64
	first, last                 time.Duration // on the generator's clock
}

// begin makes a new operation of messages known to the reactors.
func (g *Generator) begin(k replies.Kind, messages int) *operation {
	g.operations++
	o := &operation{
		id: g.operations, kind: k,
		due: make([]atomic.Int64, messages), sent: make([]atomic.Int64, messages),
	}
	g.op.Store(o)
	return o
}

// finish ends the operation under way, and returns what all reactors took. From
// then on its messages are unrelated.
func (g *Generator) finish() arrivals {
	g.op.Store(nil)
	all := arrivals{corrected: newHistogram(), uncorrected: newHistogram()}
	for _, r := range g.reactors {
		if r.thread == nil {
			continue
		}
		r.quiesce()
		a := &r.arrival
		if a.corrected == nil {
			continue
		}
		all.corrected.Merge(a.corrected)
		all.uncorrected.Merge(a.uncorrected)
		all.tooLong += a.tooLong
		all.uncorrectedTooLong += a.uncorrectedTooLong
		if all.first == 0 || a.first < all.first {
			all.first = a.first
		}
		all.last = max(all.last, a.last)
		r.arrival = arrivals{}
	}
	return all
}

// firstOperation is a number that other processes, which may have left messages
// in the server's histories, are unlikely to have used.
func firstOperation() uint32 {
	h := fnv.New32a()
	h.Write(binary.NativeEndian.AppendUint64(nil, uint64(time.Now().UnixNano())))
	h.Write(binary.NativeEndian.AppendUint32(nil, uint32(os.Getpid())))
	return h.Sum32()
}
