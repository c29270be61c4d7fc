package wire

import (
	"encoding/json"
	"testing"
	"unicode/utf8"
)

// TestAppendEscaped proves each kind of escape, and that nothing else is
// touched: what icomet sends as it is, we do too.
func TestAppendEscaped(t *testing.T) {
	for s, want := range map[string]string{
		"":                    "",
		"hello":               "hello",
		`"\`:                  `\"\\`,
		"\n\r\t\b\f":          `\n\r\t\b\f`,
		"\x00\x01\x1f":        `\u0000\u0001\u001f`,
		"</script>'&\x7f":     "</script>'&\x7f",
		"é€😀\u2028":           "é€😀\u2028",
		"a\xffb\xc3":          `a\ufffdb\ufffd`,
		"\xed\xa0\x80":        `\ufffd\ufffd\ufffd`, // a surrogate
		"\xc0\x80":            `\ufffd\ufffd`,       // an overlong zero
		"\xf0\x9f\x98":        `\ufffd\ufffd\ufffd`, // cut short
		"\ufffd":              "\ufffd",             // a real one stays
		"\xf4\x90\x80\x80":    `\ufffd\ufffd\ufffd\ufffd`,
		"x\"y\\z\n\xffé\x02!": `x\"y\\z\n\ufffdé\u0002!`,
	} {
		if got := string(AppendEscaped([]byte("<"), []byte(s))); got != "<"+want {
			t.Errorf("%q: %s, want %s", s, got, want)
		}
	}
}

// TestEscapedBytes proves for every pair of bytes that the escaped form is
// what encoding/json reads back, and that ValidEscaped agrees with it.
func TestEscapedBytes(t *testing.T) {
	for i := range 256 * 256 {
		checkEscaped(t, []byte{byte(i >> 8), byte(i)})
	}
	for i := range 256 {
		checkEscaped(t, []byte{'\\', 'u', '0', '0', '4', byte(i)})
	}
}

// checkEscaped compares both functions with encoding/json.
func checkEscaped(t *testing.T, s []byte) {
	t.Helper()
	esc := AppendEscaped(nil, s)
	if !ValidEscaped(esc) {
		t.Errorf("%q escaped to %q, which is not valid", s, esc)
	}
	if len(esc) > EscapedMax*len(s) {
		t.Errorf("%q grew from %d to %d bytes", s, len(s), len(esc))
	}
	var back string
	if err := json.Unmarshal([]byte(`"`+string(esc)+`"`), &back); err != nil {
		t.Errorf("%q escaped to %q: %v", s, esc, err)
	}
	if want := string([]rune(string(s))); back != want {
		t.Errorf("%q escaped to %q, which reads %q", s, esc, back)
	}
	if got, want := ValidEscaped(s), utf8.Valid(s) && json.Valid([]byte(`"`+string(s)+`"`)); got != want {
		t.Errorf("ValidEscaped(%q) = %v, want %v", s, got, want)
	}
}

// TestValidEscaped proves that content cannot end its string or carry a broken
// escape.
func TestValidEscaped(t *testing.T) {
	for s, want := range map[string]bool{
		"": true, "plain": true, `\"\\\/\b\f\n\r\t\u00e9\uD83d\uDE00`: true, `\ud800`: true, "é": true,
		`"`: false, `\`: false, `a\`: false, `\x`: false, `\u12`: false, `\u12g4`: false, "\n": false, "\xff": false, `\\"`: false, `"}`: false,
	} {
		if got := ValidEscaped([]byte(s)); got != want {
			t.Errorf("%q: %v, want %v", s, got, want)
		}
	}
}

// TestAppendObject proves the form of each kind, that the pieces make the
// whole, and that its size is bounded as promised.
func TestAppendObject(t *testing.T) {
	types := []string{"data", "broadcast", "next_seq", "noop", "close", "401", "429", "gap"}
	if len(types) != len(kindHead) {
		t.Fatalf("%d kinds, %d tried", len(kindHead), len(types))
	}
	name, content := []byte(`a\"b`), []byte(`c\n`)
	for k, typ := range types {
		for seq, digits := range map[int64]string{0: "0", 7: "7", -1 << 63: "-9223372036854775808", 1<<63 - 1: "9223372036854775807"} {
			want := `{"type":"` + typ + `","cname":"a\"b","seq":` + digits + `,"content":"c\n"}`
			got := AppendObject(nil, Kind(k), name, seq, content)
			if string(got) != want || !json.Valid(got) {
				t.Errorf("%s, want %s", got, want)
			}
			pieces := string(AppendObjectHead(nil, Kind(k), name, seq)) + string(content) + ObjectTail
			if pieces != want {
				t.Errorf("in pieces %s, want %s", pieces, want)
			}
			if bound := ObjectSize(len(name), len(content)); len(got) > bound {
				t.Errorf("%d bytes, bound %d", len(got), bound)
			}
		}
	}
	if got, bound := len(AppendObject(nil, KindBroadcast, name, -1<<63, content)), ObjectSize(len(name), len(content)); got != bound {
		t.Errorf("the bound is %d, the longest object %d", bound, got)
	}
}
