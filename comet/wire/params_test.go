package wire

import (
	"bytes"
	"math"
	"regexp"
	"strings"
	"testing"
)

// TestParseParams proves names, defaults, precedence and decoding.
func TestParseParams(t *testing.T) {
	for _, c := range []struct {
		query, form string
		check       func(p *Params) bool
	}{
		{"", "", func(p *Params) bool {
			return p.Cname == nil && p.Seq == 0 && p.Noop == 0 && p.Expires == -1 && !p.HasCname && !p.HasSeq && !p.HasContent && !p.HasExpires
		}},
		{"cname=", "", func(p *Params) bool { return p.HasCname && len(p.Cname) == 0 }},
		{"cname=a&cname=b&seq=1&seq=2", "", func(p *Params) bool { return string(p.Cname) == "a" && p.Seq == 1 }},
		{"x&cname=r&seq=3", "", func(p *Params) bool { return string(p.Cname) == "r" && p.Seq == 3 }},
		{"&&=v&cname&cname=r=s&", "", func(p *Params) bool { return string(p.Cname) == "r=s" }},
		{"CNAME=r&SeQ=3&Noop=4&Cb=f&TOKEN=t&cOntent=c&Expires=60", "", func(p *Params) bool {
			return string(p.Cname) == "r" && p.Seq == 3 && p.Noop == 4 && string(p.Cb) == "f" && string(p.Token) == "t" &&
				string(p.Content) == "c" && p.Expires == 60 && p.HasExpires
		}},
		{"cname=zz&seq=5", "cname=form&content=y1", func(p *Params) bool {
			return string(p.Cname) == "form" && p.Seq == 5 && string(p.Content) == "y1" && p.HasContent
		}},
		{"seq=5", "seq=", func(p *Params) bool { return p.Seq == 0 && p.HasSeq }},
		{"content=a+b%20c%2Bd%", "", func(p *Params) bool { return string(p.Content) == "a b c+d%" }},
		{"content=%zz%4%41%4g%%41%C3%a9%00", "", func(p *Params) bool { return string(p.Content) == "%zz%4A%4g%A\u00e9\x00" }},
		{"c%6eame=a", "", func(p *Params) bool { return !p.HasCname }},
		{"cname=a;seq=3", "", func(p *Params) bool { return string(p.Cname) == "a;seq=3" && !p.HasSeq }},
		{"gap=1&ack=0&snapshot=true", "", func(p *Params) bool { return p.Gap && !p.Ack && !p.Snapshot }},
		{"gap=0&gap=1&ack=-1&snapshot=2", "ack=0", func(p *Params) bool { return !p.Gap && !p.Ack && p.Snapshot }},
		{"after=0a&LIMIT=7x&prefix=a%20b", "limit=&prefix=", func(p *Params) bool {
			return string(p.After) == "0a" && p.Limit == 0 && p.HasLimit && p.HasPrefix && len(p.Prefix) == 0
		}},
		{"limit=12&Prefix=n+", "", func(p *Params) bool { return p.Limit == 12 && string(p.Prefix) == "n " && !p.HasAfter }},
		{"seq=%33%20", "", func(p *Params) bool { return p.Seq == 3 }},
		{"cnamex=a&seq1=2&_=1234&cbb=f&nope=1", "", func(p *Params) bool { return !p.HasCname && !p.HasSeq && !p.HasCb && !p.HasNoop }},
	} {
		var p Params
		p.Seq, p.HasToken = 99, true // what a former request left
		scratch := ParseParams(&p, []byte("kept"), []byte(c.query), []byte(c.form))
		if !c.check(&p) {
			t.Errorf("query %q, form %q: %+v", c.query, c.form, p)
		}
		if !bytes.HasPrefix(scratch, []byte("kept")) {
			t.Errorf("query %q: the scratch was %q before", c.query, scratch)
		}
	}
}

// TestParseParamsScratch proves that values lie in the given scratch, that it
// needs no more room than promised, and that a value cannot grow over the next.
func TestParseParamsScratch(t *testing.T) {
	query, form := []byte("cname=%41bc&seq=12&cb=f"), []byte("content=x+y&token=1")
	buffer := make([]byte, 0, len(query)+len(form))
	var p Params
	scratch := ParseParams(&p, buffer, query, form)
	if &scratch[0] != &buffer[:1][0] {
		t.Error("the scratch moved although it had room")
	}
	_ = append(p.Content, "zzz"...)
	if string(p.Token) != "1" || string(p.Cname) != "Abc" || string(p.Cb) != "f" {
		t.Errorf("one value grew over others: %+v", p)
	}
	for i := range query {
		query[i] = 'z'
	}
	if string(p.Cname) != "Abc" {
		t.Error("a value lies in the query")
	}
}

// TestNextParam proves that a repeated name is seen each time it comes.
func TestNextParam(t *testing.T) {
	var got []string
	for s := []byte("cname=a&x&&cname=b&=c&y="); ; {
		name, value, rest, ok := NextParam(s)
		if !ok {
			break
		}
		got = append(got, string(name)+"="+string(value))
		s = rest
	}
	if want := "cname=a cname=b y="; strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestParseInt proves how far numbers are read, and where they stop growing.
func TestParseInt(t *testing.T) {
	for s, want := range map[string]int64{
		"": 0, "zz": 0, "3x": 3, "-5": -5, "+5": 5, " \t\r\n\v\f7": 7, "--5": 0, "+-5": 0, "- 5": 0, "007": 7, "1.9": 1, "0x10": 0, "-0": 0,
		"9223372036854775806":   math.MaxInt64 - 1,
		"9223372036854775807":   math.MaxInt64,
		"9223372036854775808":   math.MaxInt64,
		"99999999999999999999x": math.MaxInt64,
		"-9223372036854775807":  math.MinInt64 + 1,
		"-9223372036854775808":  math.MinInt64,
		"-9223372036854775809":  math.MinInt64,
		"-99999999999999999999": math.MinInt64,
		"92233720368547758070":  math.MaxInt64,
	} {
		if got := parseInt([]byte(s)); got != want {
			t.Errorf("%q: %d, want %d", s, got, want)
		}
	}
}

// TestValidCallback proves, over all short strings of five letters that stand
// for the classes, that exactly dotted identifiers are callbacks.
func TestValidCallback(t *testing.T) {
	form := regexp.MustCompile(`^[A-Za-z_$][A-Za-z0-9_$]*(\.[A-Za-z_$][A-Za-z0-9_$]*)*$`)
	var try func(s string)
	try = func(s string) {
		if got, want := ValidCallback([]byte(s)), form.MatchString(s); got != want {
			t.Errorf("%q: %v, want %v", s, got, want)
		}
		if len(s) < 6 {
			for _, c := range "a7.$(" {
				try(s + string(c))
			}
		}
	}
	try("")
	for _, s := range []string{"alert(1)", "a;b", "a\n", "a b", "a[0]", "é", "a-b", "jQuery1_2", "_", "Z.z", "a\x00"} {
		if got, want := ValidCallback([]byte(s)), form.MatchString(s); got != want {
			t.Errorf("%q: %v, want %v", s, got, want)
		}
	}
}
