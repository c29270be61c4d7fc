package access

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"c1000k/comet"
)

// list makes a list of three texts.
func list(t testing.TB, allow, deny, trusted string) *List {
	t.Helper()
	var prefixes [3][]netip.Prefix
	for i, text := range []string{allow, deny, trusted} {
		var err error
		if prefixes[i], err = ParsePrefixes(text); err != nil {
			t.Fatal(err)
		}
	}
	l, err := New(prefixes[0], prefixes[1], prefixes[2])
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestAllows proves that the longest prefix decides in whichever list it stands,
// what the answer is where none does, and that IPv4 is the same in both forms.
func TestAllows(t *testing.T) {
	for _, c := range []struct{ allow, deny, yes, no string }{
		{"", "", "127.0.0.1,::1,2001:db8::7", ""},
		{"10.0.0.0/8", "", "10.0.0.1,10.255.255.255,::ffff:10.1.2.3", "11.0.0.1,::1,127.0.0.1"},
		{"", "10.0.0.0/8", "11.0.0.1,::1", "10.0.0.1,::ffff:10.0.0.1"},
		{"10.0.0.0/8,10.1.2.3", "10.1.0.0/16", "10.9.9.9,10.1.2.3", "10.1.2.4,10.1.9.9,192.0.2.1"},
		{"10.1.2.3,10.0.0.0/8", "10.1.0.0/16", "10.9.9.9,10.1.2.3", "10.1.2.4"},
		{"0.0.0.0/0", "127.0.0.0/8", "192.0.2.1", "127.0.0.1,::1,2001:db8::1"},
		{"::/0", "", "::1,2001:db8::1", "127.0.0.1,::ffff:127.0.0.1"},
		{"2001:db8::/32", "2001:db8:1::/48", "2001:db8:2::1", "2001:db8:1::1,2001:db9::1"},
		{"::ffff:10.0.0.0/104", "", "10.1.2.3,::ffff:10.1.2.3", "11.0.0.1"},
		{"fe80::/10", "", "fe80::1%eth0,fe80::1", "fec0::1"},
	} {
		l := list(t, c.allow, c.deny, "")
		for want, addrs := range map[bool]string{true: c.yes, false: c.no} {
			for text := range strings.SplitSeq(addrs, ",") {
				if text == "" {
					continue
				}
				if got := l.Allows(netip.MustParseAddr(text)); got != want {
					t.Errorf("allow %q deny %q: %s %v, want %v", c.allow, c.deny, text, got, want)
				}
			}
		}
	}
}

// TestAdmits proves that a connection's address is read as the core gives it.
func TestAdmits(t *testing.T) {
	l := list(t, "10.0.0.0/8,::1", "", "127.0.0.3")
	for _, c := range []struct {
		addr             string
		publishes, proxy bool
	}{
		{"10.1.2.3", true, false}, {"127.0.0.3", false, true}, {"::1", true, false}, {"::2", false, false},
	} {
		publishes, proxy := l.Admits(comet.Peer(netip.MustParseAddr(c.addr).As16()))
		if publishes != c.publishes || proxy != c.proxy {
			t.Errorf("%s: %v %v, want %v %v", c.addr, publishes, proxy, c.publishes, c.proxy)
		}
	}
}

// TestForwarded proves whose address counts in what a proxy says: the last that
// is no trusted proxy's, never one that a client can put before it.
func TestForwarded(t *testing.T) {
	l := list(t, "10.0.0.0/8,2001:db8::/32", "", "127.0.0.0/8,192.0.2.1")
	for text, want := range map[string]bool{
		"10.1.2.3":                       true,
		"10.1.2.3:4711":                  true,
		"2001:db8::1":                    true,
		"[2001:db8::1]:4711":             true,
		"::ffff:10.1.2.3":                true,
		"11.1.2.3":                       false,
		"10.1.2.3, 11.1.2.3":             false, // 11.1.2.3 claims to speak for 10.1.2.3
		"11.1.2.3, 10.1.2.3":             true,
		"10.1.2.3,127.0.0.1":             true,
		"10.1.2.3, 192.0.2.1 ,127.0.0.9": true,
		"11.1.2.3, 192.0.2.1":            false,
		"127.0.0.1":                      false,
		"":                               false,
		"unknown":                        false,
		"10.1.2.3,":                      false,
		"10.1.2.3, unknown":              false,
		"unknown, 10.1.2.3":              true,
		"10.1.2.3" + strings.Repeat(",127.0.0.1", maxHops): false,
	} {
		if got := l.Forwarded([]byte(text)); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

// TestNewRefuses proves that a network cannot be allowed and denied, however it is written.
func TestNewRefuses(t *testing.T) {
	allow := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, deny := range []string{"10.0.0.0/8", "::ffff:10.0.0.0/104"} {
		if _, err := New(allow, []netip.Prefix{netip.MustParsePrefix(deny)}, nil); err == nil || !strings.Contains(err.Error(), deny) {
			t.Errorf("%s: %v", deny, err)
		}
	}
}

// TestParsePrefixes proves what is read and that what is wrong is quoted.
func TestParsePrefixes(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "[]",
		" 10.0.0.0/8 , 192.0.2.7 ":           "[10.0.0.0/8 192.0.2.7/32]",
		"2001:db8::/32,::1":                  "[2001:db8::/32 ::1/128]",
		"10.0.0.0/8,,::1":                    `error "" is neither`,
		"localhost":                          `error "localhost" is neither`,
		"10.0.0.0/33":                        `error "10.0.0.0/33" is no network`,
		"10.1.2.3/8":                         "error write 10.0.0.0/8, or 10.1.2.3",
		"fe80::1%eth0":                       `error "fe80::1%eth0"`,
		"010.0.0.1":                          `error "010.0.0.1"`,
		strings.Repeat("::1,", 1024) + "::1": "error more than 1024",
	} {
		got, err := ParsePrefixes(text)
		if part, refused := strings.CutPrefix(want, "error "); refused {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%.40q: %v, want an error with %q", text, err, part)
			}
		} else if err != nil || fmt.Sprint(got) != want {
			t.Errorf("%q: %v, %v, want %s", text, got, err, want)
		}
	}
}

// slowAllows decides without an order: of all rules that hold addr the longest.
func slowAllows(allow, deny []netip.Prefix, addr netip.Addr) bool {
	best, answer := -1, len(allow) == 0
	for _, p := range slices.Concat(allow, deny) {
		if p.Contains(addr) && p.Bits() > best {
			best, answer = p.Bits(), slices.Contains(allow, p)
		}
	}
	return answer
}

// FuzzList proves that any text gives an error or a list that agrees with a
// search of all rules, and that any word of a proxy is judged without a panic.
func FuzzList(f *testing.F) {
	f.Add("10.0.0.0/8,10.1.2.3", "10.1.0.0/16", "10.1.2.3", "10.1.2.3, 127.0.0.1")
	f.Add("::/0", "2001:db8::/32", "2001:db8::1", "[2001:db8::1]:80")
	f.Add("0.0.0.0/0", "0.0.0.0/1", "::ffff:1.2.3.4", "unknown,,")
	f.Fuzz(func(t *testing.T, allowText, denyText, addrText, forwarded string) {
		allow, err1 := ParsePrefixes(allowText)
		deny, err2 := ParsePrefixes(denyText)
		addr, err3 := netip.ParseAddr(addrText)
		if err1 != nil || err2 != nil || err3 != nil {
			return
		}
		l, err := New(allow, deny, deny)
		if err != nil {
			return
		}
		for i := range allow {
			allow[i] = plain(allow[i])
		}
		for i := range deny {
			deny[i] = plain(deny[i])
		}
		if got, want := l.Allows(addr), slowAllows(allow, deny, addr.Unmap().WithZone("")); got != want {
			t.Errorf("allow %q deny %q: %s %v, want %v", allowText, denyText, addr, got, want)
		}
		if l.Forwarded([]byte(forwarded)) && forwarded == "" {
			t.Error("nobody was admitted")
		}
	})
}
