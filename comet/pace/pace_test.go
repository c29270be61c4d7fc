package pace

import "testing"

// TestPace proves what makes a loop loaded: many events, more than one a wait, in a
// window that is not long ago, of which few are requests answered at once. One that
// serves requests one by one is not, however many they are, and one that was idle
// starts anew; and that so it is whatever an event is counted by.
func TestPace(t *testing.T) {
	for _, test := range []struct {
		name          string
		waits, events int // in the window
		answered      uint64
		age           int64 // of the window, nanoseconds
		loaded        bool
	}{
		{"a batch each wait", 3, 60, 0, WindowNS, true},
		{"a push to three", 3, 60, 60 / EventsAnswered, WindowNS, true},
		{"a push to one", 3, 60, 30, WindowNS, false},
		{"publishers alone", 3, 60, 60, WindowNS, false},
		{"one by one", 60, 60, 0, WindowNS, false},
		{"few", 1, LeastEvents - 1, 0, WindowNS, false},
		{"others had the processor", 1, 60, 0, 5 * WindowNS, true},
		{"not over yet", 3, 60, 0, WindowNS - 1, false},
		{"long ago", 1, 60, 0, MemoryNS, false},
	} {
		for _, each := range []int{1, 3} {
			p := New(each)
			p.since, p.was = 1e9, 1e6
			for range test.waits {
				p.Wait()
			}
			for range test.events {
				p.Took(each)
			}
			p.Judge(1e9+test.age, 1e6+test.answered)
			if p.Loaded != test.loaded {
				t.Errorf("%s, %d for an event: loaded is %v", test.name, each, p.Loaded)
			}
			// Nothing more came in the window after that.
			p.Judge(2e9, 1e6+test.answered)
			p.Judge(2e9+WindowNS, 1e6+test.answered)
			if p.Loaded {
				t.Errorf("%s, %d for an event: loaded after a window without events", test.name, each)
			}
		}
	}
}
