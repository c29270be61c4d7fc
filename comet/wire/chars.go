package wire

// A class is a set of byte classes; charClass maps each byte to its set, so
// that a validation is one load and one test a byte.
type class uint8

const (
	classToken   class = 1 << iota // a method or a header name
	classTarget                    // a request target: visible, not '#'; bytes above 0x7f pass, as clients send raw UTF-8
	classValue                     // a header value
	classHost                      // a Host value: name, address, port
	classHex                       // a hexadecimal digit
	classIdent                     // a script identifier, first character excepted
	classLiteral                   // stands for itself inside a JSON string, one byte long
)

var charClass = makeCharClass()

func makeCharClass() (t [256]class) {
	for i := range t {
		c := byte(i)
		if c > ' ' && c != 0x7f && c != '#' {
			t[i] |= classTarget
		}
		if c >= ' ' && c != 0x7f || c == '\t' {
			t[i] |= classValue
		}
		if c >= ' ' && c < 0x80 && c != '"' && c != '\\' {
			t[i] |= classLiteral
		}
		if c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' {
			t[i] |= classHex
		}
		if c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' {
			t[i] |= classToken | classHost | classIdent
		}
	}
	addClass(&t, classToken, "!#$%&'*+-.^_`|~")
	addClass(&t, classHost, "-._~%!$&'()*+,;=:[]")
	addClass(&t, classIdent, "_$")
	return t
}

func addClass(t *[256]class, k class, chars string) {
	for i := range len(chars) {
		t[chars[i]] |= k
	}
}

// all reports whether every byte of s is of class k.
func all(s []byte, k class) bool {
	for _, c := range s {
		if charClass[c]&k == 0 {
			return false
		}
	}
	return true
}

// equalFold compares s with lower, which is in lower case, ignoring the case
// of ASCII letters.
func equalFold(s []byte, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i, c := range s {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// trim removes spaces and tabs from both ends.
func trim(s []byte) []byte {
	for len(s) > 0 && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for len(s) > 0 && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// unhex is the value of a hexadecimal digit.
func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
