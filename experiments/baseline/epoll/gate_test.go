package epoll

import (
	"math/rand/v2"
	"testing"
)

// gateModel plays the loops of a gate on one thread: each answers what it is
// asked, accepts what it may and closes at random.
type gateModel struct {
	t         *testing.T
	g         *gate
	listening []bool
	leaving   []bool // the listeners are out, the gate does not know yet
}

func newGateModel(t *testing.T, width int, limits ...int32) *gateModel {
	m := &gateModel{t: t, listening: make([]bool, len(limits)), leaving: make([]bool, len(limits))}
	m.g = newGate(limits, width, func(int) {})
	for i := range limits {
		m.listening[i] = m.g.enter(i)
	}
	return m
}

// accept lets loop i accept one connection, if it listens; it says whether it did.
func (m *gateModel) accept(i int) bool {
	accepted := m.acceptSlowly(i)
	m.finish(i)
	return accepted
}

// acceptSlowly is accept, but for the last step of a loop that stops to listen.
func (m *gateModel) acceptSlowly(i int) bool {
	if !m.listening[i] {
		return false
	}
	m.g.seats[i].charged.Add(1)
	m.g.caughtUp()
	if m.g.room(i) <= 0 {
		m.listening[i], m.leaving[i] = false, true
	}
	return true
}

// finish lets loop i tell the gate that it has stopped to listen, if it has.
func (m *gateModel) finish(i int) {
	if m.leaving[i] {
		m.leaving[i] = false
		m.g.leave(i, false)
	}
}

// close lets loop i lose one connection, if it has any.
func (m *gateModel) close(i int) {
	if m.g.seats[i].charged.Load() == 0 {
		return
	}
	m.g.seats[i].charged.Add(-1)
	if !m.listening[i] && !m.leaving[i] {
		m.listening[i] = m.g.enter(i)
	}
}

// answer lets every loop do what it was asked.
func (m *gateModel) answer() {
	for i := range m.g.seats {
		asked := m.g.seats[i].asked.Swap(0)
		if asked&askResume != 0 && !m.listening[i] && !m.leaving[i] {
			m.listening[i] = m.g.enter(i)
		}
	}
}

// check holds what must be true once all requests are answered.
func (m *gateModel) check() {
	m.t.Helper()
	free, listening := false, 0
	for i := range m.g.seats {
		s := &m.g.seats[i]
		if s.charged.Load() > s.limit {
			m.t.Fatalf("loop %d holds %d, more than its limit of %d", i, s.charged.Load(), s.limit)
		}
		if m.listening[i] != s.accepting {
			m.t.Fatalf("loop %d listens: %v, the gate thinks %v", i, m.listening[i], s.accepting)
		}
		free = free || !s.full()
		if m.listening[i] {
			listening++
		}
	}
	if free && listening == 0 {
		m.t.Fatalf("nobody listens though there is room: %v", m.charged())
	}
	if listening > m.g.width {
		m.t.Fatalf("%d loops listen, at most %d may", listening, m.g.width)
	}
}

func (m *gateModel) charged() []int32 {
	var all []int32
	for i := range m.g.seats {
		all = append(all, m.g.seats[i].charged.Load())
	}
	return all
}

// With any mix of accepts and closes, and however long a loop takes to stop and
// to answer, no loop goes over its limit, at most width listen, and as long as
// anybody has room somebody listens.
func TestGateNeverOverfillsNorStalls(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 1))
		limits := make([]int32, 1+rng.IntN(6))
		for i := range limits {
			limits[i] = 1 + rng.Int32N(60)
		}
		m := newGateModel(t, 1+rng.IntN(len(limits)), limits...)
		// Bursts of arrivals and of leavings, so that all are full and all are
		// empty at times.
		arriving := 50
		for step := range 5000 {
			if step%500 == 0 {
				arriving = rng.IntN(101)
			}
			i := rng.IntN(len(limits))
			if rng.IntN(100) < arriving {
				m.acceptSlowly(i)
			} else {
				m.close(i)
			}
			if rng.IntN(4) == 0 {
				m.finish(rng.IntN(len(limits)))
			}
			if rng.IntN(4) == 0 {
				m.answer()
			}
			if rng.IntN(8) == 0 {
				for i := range limits {
					m.finish(i)
				}
				m.answer()
				m.check()
			}
		}
	}
}

// Though one loop is always the first to be woken, the loops stay level.
func TestGateKeepsLoopsLevel(t *testing.T) {
	m := newGateModel(t, 4, 10_000, 10_000, 10_000, 10_000)
	for range 8000 {
		for i := range 4 {
			if m.accept(i) {
				break
			}
		}
		m.answer()
		m.check()
	}
	for i, n := range m.charged() {
		if n < 1700 || n > 2300 {
			t.Errorf("loop %d holds %d of 8000 connections over 4 loops: %v", i, n, m.charged())
		}
	}
}

// Two of five loops accept at a time; as one fills the next takes over, both
// members go on accepting side by side, and in the end all are full to the last
// slot.
func TestGateMovesOnAsLoopsFill(t *testing.T) {
	m := newGateModel(t, 2, 100, 100, 100, 100, 100)
	total := 0
	for range 1000 {
		for i := range 5 {
			if m.accept(i) {
				total++
			}
		}
		m.answer()
		m.check()
		if c := m.charged(); total < 200 && c[2] > 0 && c[0] < 90 && c[1] < 90 {
			t.Fatalf("a third loop accepts before the first two are full: %v", c)
		}
	}
	if total != 500 {
		t.Errorf("%d connections in five loops of 100: %v", total, m.charged())
	}
	m.close(3)
	m.answer()
	if !m.accept(3) || m.accept(3) {
		t.Error("a full loop that lost one connection does not take exactly one")
	}
}

// A loop that stops listening passes on what it may have been woken for: one
// that listens is asked to look at every listener.
func TestGatePassesTheSweepOn(t *testing.T) {
	m := newGateModel(t, 2, 5, 500)
	for m.listening[0] {
		m.accept(0)
	}
	if m.g.seats[1].asked.Load()&askSweep == 0 {
		t.Error("the loop that still listens was not asked to sweep")
	}
}

// A loop without free descriptors does not listen again until it says so itself.
func TestGateStarved(t *testing.T) {
	m := newGateModel(t, 2, 100, 100)
	m.listening[0] = false
	m.g.leave(0, true)
	for range 30 {
		m.accept(1)
		m.answer()
	}
	if m.listening[0] {
		t.Fatal("a starved loop was let in by the other")
	}
	if !m.g.enter(0) {
		t.Error("the loop may not listen though it says that there are descriptors again")
	}
}
