package wire

import "bytes"

// An argument of a callback is a script, not JSON: there older browsers end a
// line at the separators of lines and paragraphs, also inside a string, and the
// call is no call. They are written as escapes in a call, and as they are
// everywhere else.

// separatorBytes is the length of either of the two.
const separatorBytes = len("\u2028")

// separator is where the first separator of s stands, and how it is written; i is
// -1 if there is none.
func separator(s []byte) (i int, escaped string) {
	for {
		j := bytes.IndexByte(s[i:], lineSeparator[0])
		if j < 0 {
			return -1, ""
		}
		i += j
		switch {
		case bytes.HasPrefix(s[i:], lineSeparator):
			return i, escapedLine
		case bytes.HasPrefix(s[i:], paragraphSeparator):
			return i, escapedParagraph
		}
		i++
	}
}

// HasSeparator reports whether [AppendCallable] changes body.
func HasSeparator(body []byte) bool {
	i, _ := separator(body)
	return i >= 0
}

// callableLen is the length that AppendCallable gives body.
func callableLen(body []byte) int {
	separators := bytes.Count(body, lineSeparator) + bytes.Count(body, paragraphSeparator)
	return len(body) + separators*(len(escapedLine)-separatorBytes)
}

// AppendCallable appends JSON as it may stand in a call of a callback.
func AppendCallable(dst, body []byte) []byte {
	for {
		i, escaped := separator(body)
		if i < 0 {
			return append(dst, body...)
		}
		dst = append(dst, body[:i]...)
		dst = append(dst, escaped...)
		body = body[i+separatorBytes:]
	}
}

// appendArgument appends JSON that stands in a call where there is a callback.
func appendArgument(dst, cb, body []byte) []byte {
	if len(cb) == 0 {
		return append(dst, body...)
	}
	return AppendCallable(dst, body)
}
