package epoll

import "testing"

// TestPace proves what makes a loop rest: many events, more than one a wait, in a
// window that is not long ago. One that answers requests one by one does not rest,
// however many they are, and one that was idle starts anew.
func TestPace(t *testing.T) {
	for _, test := range []struct {
		name          string
		waits, events int   // in the window
		age           int64 // of the window, nanoseconds
		loaded        bool
	}{
		{"a batch each wait", 3, 60, paceWindowNs, true},
		{"one by one", 60, 60, paceWindowNs, false},
		{"few", 1, loadedEvents - 1, paceWindowNs, false},
		{"others had the processor", 1, 60, 5 * paceWindowNs, true},
		{"not over yet", 3, 60, paceWindowNs - 1, false},
		{"long ago", 1, 60, paceMemoryNs, false},
	} {
		p := pace{since: 1e9}
		for i := range test.waits {
			p.took(test.events/test.waits + (test.events%test.waits+test.waits-1-i)/test.waits)
		}
		p.judge(1e9 + test.age)
		if p.loaded != test.loaded {
			t.Errorf("%s: loaded is %v", test.name, p.loaded)
		}
		// Nothing more came in the window after that.
		p.judge(2e9)
		p.judge(2e9 + paceWindowNs)
		if p.loaded {
			t.Errorf("%s: loaded after a window without events", test.name)
		}
	}
}
