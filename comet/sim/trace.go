package sim

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// trace is a hash of all that happened. It needs to tell runs apart and no more,
// and to be quick, as every byte goes through it: eight at a time.
type trace uint64

func newTrace() trace { return 0xcbf29ce484222325 }

func (t *trace) add(n uint64) {
	const odd = 0x9e3779b97f4a7c15
	*t = trace(bits.RotateLeft64((uint64(*t)^n)*odd, 29))
}

func addText[T string | []byte](t *trace, p T) {
	t.add(uint64(len(p)))
	var word [8]byte
	for len(p) > 0 {
		n := copy(word[:], p)
		clear(word[n:])
		t.add(binary.LittleEndian.Uint64(word[:]))
		p = p[n:]
	}
}

// mix adds a call or an action to the trace.
func (w *world) mix(kind string, numbers ...int) {
	addText(&w.trace, kind)
	for _, n := range numbers {
		w.trace.add(uint64(n))
	}
	if w.story != nil {
		w.story(fmt.Sprintf("%12d %s %v", w.now-startTime, kind, numbers))
	}
}

// mixText adds the bytes that went with it.
func (w *world) mixText(p []byte) {
	addText(&w.trace, p)
	if w.story != nil {
		w.story(fmt.Sprintf("%q", p))
	}
}
