package wire

import (
	"fmt"
	"slices"
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

// FuzzChannels proves that the channels of a subscription are those that a plain
// reader finds, k-th to k-th, however often which parameter comes; that one channel
// is what ParseParams takes; and that no more scratch is needed than promised.
func FuzzChannels(f *testing.F) {
	f.Add([]byte("cname=a&seq=1&CNAME=b%20c&x&cname&seq=2"), uint8(4))
	f.Add([]byte("seq=3&seq=x&token=t&epoch=e&cname=&cname=b&cname=&token=u&seq=9&cname=c"), uint8(16))
	f.Add([]byte("cname=a&cname=b&cname=a&cname=c&cname=d"), uint8(2))
	f.Fuzz(func(t *testing.T, query []byte, limit uint8) {
		most := max(int(limit), 1)
		values := map[string][]string{}
		for pair := range strings.SplitSeq(string(query), "&") {
			if name, value, ok := strings.Cut(pair, "="); ok && name != "" {
				values[asciiLower(name)] = append(values[asciiLower(name)], string(AppendDecoded(nil, []byte(value))))
			}
		}
		kth := func(name string, k int) string {
			if k < len(values[name]) {
				return values[name][k]
			}
			return ""
		}
		var want []string
		seen := map[string]bool{}
		for k, name := range values["cname"] {
			if !seen[name] && len(want) <= most {
				seen[name] = true
				want = append(want, fmt.Sprintf("%q %d %q %q", name, parseInt([]byte(kth("seq", k))), kth("token", k), kth("epoch", k)))
			}
		}
		buffer := make([]byte, 0, len(query)+1)
		channels, scratch := ParseChannels(nil, buffer, query, most)
		var got []string
		for _, c := range channels {
			got = append(got, fmt.Sprintf("%q %d %q %q", c.Cname, c.Seq, c.Token, c.Epoch))
		}
		if !slices.Equal(got, want) || len(scratch) > len(query) {
			t.Fatalf("at most %d: %v with %d bytes of scratch, want %v", most, got, len(scratch), want)
		}
		var p Params
		ParseParams(&p, nil, query, nil)
		if p.Several != (len(values["cname"]) > 1) || len(channels) > 0 && (string(p.Cname) != string(channels[0].Cname) || p.Seq != channels[0].Seq) {
			t.Errorf("several %v, and %q from %d, want %v", p.Several, p.Cname, p.Seq, values["cname"])
		}
	})
}

// FuzzEventID proves that an id of several channels is read as it was composed,
// and that any other is taken whole or not at all.
func FuzzEventID(f *testing.F) {
	f.Add([]byte("1,2,3"), uint8(3))
	f.Add([]byte(",,"), uint8(3))
	f.Add([]byte("12,x"), uint8(2))
	f.Add([]byte("1,1234567890123456789"), uint8(2))
	f.Fuzz(func(t *testing.T, id []byte, n uint8) {
		const asked = -7
		channels := make([]Channel, max(int(n), 2))
		for i := range channels {
			channels[i].Seq = asked
		}
		parts := strings.Split(string(id), ",")
		good := len(parts) == len(channels)
		for _, part := range parts {
			_, err := strconv.ParseUint(part, 10, 62)
			good = good && (part == "" || err == nil && len(part) <= 18)
		}
		if ok := Resume(channels, id); ok != good {
			t.Fatalf("%q of %d channels is taken: %v", id, len(channels), ok)
		}
		var again []byte
		for i := range channels {
			had := channels[i].Seq - 1
			switch {
			case !good && channels[i].Seq != asked:
				t.Fatalf("%q is refused, and channel %d goes on from %d", id, i, had+1)
			case !good:
				continue
			case parts[i] == "" && channels[i].Seq != asked, parts[i] != "" && had != parseInt([]byte(parts[i])):
				t.Fatalf("%q: channel %d goes on from %d", id, i, had+1)
			case parts[i] == "":
				had = NoID
			}
			again = AppendEventID(again, i == 0, had)
		}
		var once []byte // as it is composed: without zeros before a number
		for i, part := range parts {
			if part != "" {
				part = strconv.FormatInt(parseInt([]byte(part)), 10)
			}
			if i > 0 {
				once = append(once, ',')
			}
			once = append(once, part...)
		}
		if good && string(again) != string(once) {
			t.Errorf("%q is composed as %q, want %q", id, again, once)
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
