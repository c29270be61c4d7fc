package enginetest

import "testing"

// TestEveryRecordingHasACase proves that no recorded reply is forgotten: each
// is repeated by a case of a table or a test, or says what it waits for, and
// no case claims a recording that there is not.
func TestEveryRecordingHasACase(t *testing.T) {
	cases := map[string]int{}
	for title := range elsewhere {
		cases[title]++
	}
	for _, table := range allExchanges() {
		names := map[string]bool{}
		for _, x := range table {
			if names[x.name] {
				t.Errorf("two cases of one table are named %q", x.name)
			}
			names[x.name] = true
			if (x.want == "") == (x.status == "") {
				t.Errorf("case %q must say either a whole reply or a status", x.name)
			}
			if x.row != "" {
				cases[x.row]++
			}
		}
	}
	const recorded = 66
	if len(recordings) != recorded {
		t.Errorf("%d recordings listed, want %d", len(recordings), recorded)
	}
	for _, r := range recordings {
		if (cases[r.title] > 0) == (r.later != "") {
			t.Errorf("recording %q: %d cases, waits for %q", r.title, cases[r.title], r.later)
		}
		delete(cases, r.title)
	}
	for title := range cases {
		t.Errorf("no recording is called %q", title)
	}
}

// TestMask proves that a mask hides only what is right: a date in another form
// or of another day, and a server of another version, stay and so differ.
func TestMask(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n", "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n"},
		{"Date: now\r\n\r\n", "Date: now\r\n\r\n"},
		{"Server: comet " + testVersion + "\r\n\r\n", "Server: <server>\r\n\r\n"},
		{"Server: comet 0.0\r\n\r\n", "Server: comet 0.0\r\n\r\n"},
		{"A: b\r\n\r\nServer: comet " + testVersion + "\r\n", "A: b\r\n\r\nServer: comet " + testVersion + "\r\n"},
	} {
		if got := mask(c.in); got != c.want {
			t.Errorf("mask(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}
