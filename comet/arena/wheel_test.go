package arena

import (
	"math/rand/v2"
	"testing"
	"unsafe"
)

// timed is a record whose Link does not come first.
type timed struct {
	_    uint32
	link Link
}

// newWheel is a wheel over n records that begins at the given tick.
func newWheel(t testing.TB, n int, tick uint32) (*Wheel, *Pool[timed]) {
	t.Helper()
	p, err := NewPool[timed](n)
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		p.Alloc()
	}
	w := new(Wheel)
	w.Init(unsafe.Pointer(&p.At(1).link), p.Stride(), tick)
	return w, p
}

// TestWheelAgainstModel proves that every record expires at the first Pop at
// or after its tick, never before, whatever is armed and cancelled between;
// that Next is never later than the first expiry; and that a small budget
// changes nothing but the number of calls.
func TestWheelAgainstModel(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		const n = 200
		start := uint32(1 + rnd.IntN(1<<20))
		w, _ := newWheel(t, n, start)
		model := map[Handle]uint32{}
		now := start
		for range 2000 {
			switch rnd.IntN(4) {
			case 0, 1:
				h := Handle(1 + rnd.IntN(n))
				if _, ok := model[h]; ok {
					w.Cancel(h)
					delete(model, h)
					break
				}
				at := now + uint32(rnd.Int64N(1<<rnd.IntN(22)))
				w.Arm(h, at)
				model[h] = at
			case 2:
				w.Cancel(Handle(1 + rnd.IntN(n))) // most are not armed
				for h := range model {
					if !w.link(h).Armed() {
						delete(model, h)
					}
				}
			case 3:
				first := uint32(NeverTick)
				for _, at := range model {
					first = min(first, at)
				}
				if next := w.Next(); next > first {
					t.Fatalf("seed %d: Next is %d at %d, wheel at %d, but a record expires at %d", seed, next, now, w.tick, first)
				}
				now += uint32(rnd.Int64N(1 << rnd.IntN(18)))
				for {
					budget := 1 + rnd.IntN(5)
					h := w.Pop(now, &budget)
					if h == 0 && budget > 0 {
						break
					}
					if h == 0 {
						continue
					}
					if at, ok := model[h]; !ok || at > now {
						t.Fatalf("seed %d: record %d popped at %d, armed %v for %d", seed, h, now, ok, at)
					}
					delete(model, h)
				}
				for h, at := range model {
					if at <= now {
						t.Fatalf("seed %d: record %d of tick %d not popped at %d", seed, h, at, now)
					}
				}
			}
			if w.Armed() != len(model) {
				t.Fatalf("seed %d: %d armed, model has %d", seed, w.Armed(), len(model))
			}
		}
	}
}

// TestWheelSpansHours proves that a far timer costs few looks on the way.
func TestWheelSpansHours(t *testing.T) {
	w, _ := newWheel(t, 1, 1)
	const at = 1_000_003 // 18 hours of 67 ms
	w.Arm(1, at)
	looks := 0
	for {
		looks++
		budget := 100
		next := w.Next()
		if h := w.Pop(next, &budget); h != 0 {
			if next != at {
				t.Fatalf("popped at %d, not %d", next, at)
			}
			break
		}
	}
	if looks > levels {
		t.Errorf("%d looks on the way, more than the wheel's levels", looks)
	}
}

// BenchmarkWheelRearm is a poll's share of the timers at its dearest: moved
// twice.
func BenchmarkWheelRearm(b *testing.B) {
	const n = 1 << 16
	w, _ := newWheel(b, n, 1)
	for h := Handle(1); h <= n; h++ {
		w.Arm(h, 1000+h%64)
	}
	b.ReportAllocs()
	for i := range b.N {
		h := Handle(i%n + 1)
		w.Cancel(h)
		w.Arm(h, 2000+uint32(i%977))
	}
}
