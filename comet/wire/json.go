package wire

import "unicode/utf8"

const hexDigits = "0123456789abcdef"

// AppendEscaped appends s as the inside of a JSON string: quote, backslash and
// control characters escaped, each byte that is not UTF-8 as \ufffd, all else
// as it is. The result is at most [EscapedMax] times as long as s.
func AppendEscaped(dst, s []byte) []byte {
	start := 0 // of what has been seen and needs no escape
	for i := 0; i < len(s); {
		c := s[i]
		if charClass[c]&classLiteral != 0 {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			if r, size := utf8.DecodeRune(s[i:]); r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
		}
		dst = append(dst, s[start:i]...)
		dst = appendEscape(dst, c)
		i++
		start = i
	}
	return append(dst, s[start:]...)
}

// EscapedMax is how many bytes AppendEscaped may need for one.
const EscapedMax = 6

// appendEscape appends the escape of a byte that may not stand for itself.
func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	}
	if c >= utf8.RuneSelf {
		return append(dst, `\ufffd`...)
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

// ValidEscaped reports whether s already is the inside of a JSON string, in
// UTF-8. What it accepts goes into an object as it is.
func ValidEscaped(s []byte) bool {
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case charClass[c]&classLiteral != 0:
			i++
		case c == '\\':
			n := escapeLen(s[i:])
			if n == 0 {
				return false
			}
			i += n
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRune(s[i:])
			if r == utf8.RuneError && size == 1 {
				return false
			}
			i += size
		default: // a quote or a control character
			return false
		}
	}
	return true
}

// escapeLen is the length of the JSON escape that s, which begins with a
// backslash, starts with; 0 if it is none.
func escapeLen(s []byte) int {
	if len(s) < 2 {
		return 0
	}
	switch s[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(s) >= 6 && all(s[2:6], classHex) {
			return 6
		}
	}
	return 0
}
