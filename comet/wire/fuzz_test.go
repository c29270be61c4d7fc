package wire

import (
	"strconv"
	"strings"
	"testing"
)

// FuzzNames proves that the names of a request, one by one, are those that a
// plain reader finds, and that the first is the one that ParseParams takes.
func FuzzNames(f *testing.F) {
	f.Add([]byte("cname=a&seq=1&CNAME=b%20c&x&cname"), []byte(""))
	f.Add([]byte("cname=q"), []byte("content=x&cname=f&Cname=g+h"))
	f.Fuzz(func(t *testing.T, query, form []byte) {
		var want []string
		for _, source := range [][]byte{form, query} {
			for pair := range strings.SplitSeq(string(source), "&") {
				if name, value, ok := strings.Cut(pair, "="); ok && asciiLower(name) == "cname" {
					want = append(want, string(AppendDecoded(nil, []byte(value))))
				}
			}
			if len(want) > 0 {
				break // those of the form alone
			}
		}
		names := Names{Form: form, Query: query}
		if n := names.Count(); n != len(want) {
			t.Fatalf("%d names, want %d", n, len(want))
		}
		for i := 0; ; i++ {
			name, ok := names.Next(nil)
			if !ok {
				break
			}
			if string(name) != want[i] {
				t.Errorf("name %d is %q, want %q", i, name, want[i])
			}
		}
		var p Params
		ParseParams(&p, nil, query, form)
		if p.HasCname != (len(want) > 0) || len(want) > 0 && string(p.Cname) != want[0] {
			t.Errorf("the parameters have %q, the first name is of %q", p.Cname, want)
		}
	})
}

// FuzzEscaped proves AppendEscaped and ValidEscaped against encoding/json.
func FuzzEscaped(f *testing.F) {
	for _, s := range []string{"", "hello", "\"\\\n\t<\x01", "é\u2028\xff\xed\xa0\x80", `\u00e9\ud800`, `\u12`, `\`, `a"b`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, s []byte) { checkEscaped(t, s) })
}

// FuzzParams proves ParseParams against a plain one made of package strings,
// and that it never needs more scratch than promised.
func FuzzParams(f *testing.F) {
	f.Add([]byte("cname=a&seq=3x&noop=7&cb=f"), []byte(""))
	f.Add([]byte("x&cname=%41+%zz&CNAME=b&seq=-5"), []byte("cname=form&content=y1%"))
	f.Add([]byte("after=%30a&limit=-7&prefix=n%20"), []byte("LIMIT=&limit=5"))
	f.Add([]byte("expires=99999999999999999999&gap=1&ack=0&snapshot=&token=%00"), []byte("&&=&="))
	f.Fuzz(func(t *testing.T, query, form []byte) {
		var p Params
		buffer := make([]byte, 0, len(query)+len(form)+1)
		scratch := ParseParams(&p, buffer, query, form)
		if len(scratch) > len(query)+len(form) {
			t.Errorf("%d bytes of scratch for %d", len(scratch), len(query)+len(form))
		}
		want := plainParams(string(form), plainParams(string(query), nil))
		for name, got := range map[string][]byte{"cname": p.Cname, "cb": p.Cb, "token": p.Token, "content": p.Content, "epoch": p.Epoch,
			"after": p.After, "prefix": p.Prefix} {
			value, ok := want[name]
			if ok != (got != nil) || value != string(got) {
				t.Errorf("%s: %q, want %q, %v", name, got, value, ok)
			}
		}
		for name, got := range map[string]int64{"seq": p.Seq, "noop": p.Noop, "limit": p.Limit} {
			if value := parseInt([]byte(want[name])); got != value {
				t.Errorf("%s: %d, want %d", name, got, value)
			}
		}
		for name, got := range map[string]bool{"gap": p.Gap, "ack": p.Ack, "snapshot": p.Snapshot} {
			if value := parseInt([]byte(want[name])) != 0; got != value {
				t.Errorf("%s: %v, want %v", name, got, value)
			}
		}
		if _, ok := want["expires"]; ok != p.HasExpires || !ok && p.Expires != -1 {
			t.Errorf("expires %d, %v, want %v", p.Expires, p.HasExpires, ok)
		}
		ValidCallback(query)
	})
}

// plainParams parses s over the values in base: it is slow and simple.
func plainParams(s string, base map[string]string) map[string]string {
	values := map[string]string{}
	for name, value := range base {
		values[name] = value
	}
	seen := map[string]bool{}
	for pair := range strings.SplitSeq(s, "&") {
		name, value, ok := strings.Cut(pair, "=")
		name = asciiLower(name)
		if !ok || seen[name] {
			continue
		}
		seen[name] = true
		var decoded []byte
		for i := 0; i < len(value); i++ {
			c := value[i]
			if c == '%' && i+2 < len(value) {
				if n, err := strconv.ParseUint(value[i+1:i+3], 16, 8); err == nil {
					c = byte(n)
					i += 2
				}
			} else if c == '+' {
				c = ' '
			}
			decoded = append(decoded, c)
		}
		values[name] = string(decoded)
	}
	return values
}

func asciiLower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}
