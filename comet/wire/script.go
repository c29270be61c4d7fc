package wire

import "bytes"

// An object inside a page: what could end the script element, or a line of it,
// is written as an escape, which is the same to whoever reads the JSON.

// less is how '<' is written: "</script>" in a name or a content must not end
// the element.
const less = `\u003c`

// The separators of lines and paragraphs, which end a line of a script in older
// browsers, and how they are written.
var (
	lineSeparator      = []byte("\u2028")
	paragraphSeparator = []byte("\u2029")
)

const (
	escapedLine      = `\u2028`
	escapedParagraph = `\u2029`
)

// scriptLen is the length that appendScript gives an object.
func scriptLen(object []byte) int {
	return len(object) + (len(less)-1)*bytes.Count(object, []byte{'<'}) +
		(len(escapedLine)-len(lineSeparator))*(bytes.Count(object, lineSeparator)+bytes.Count(object, paragraphSeparator))
}

// appendScript appends an object as it may stand in a script element.
func appendScript(dst, object []byte) []byte {
	for len(object) > 0 {
		i := bytes.IndexAny(object, "<\u2028\u2029")
		if i < 0 {
			return append(dst, object...)
		}
		dst = append(dst, object[:i]...)
		object = object[i:]
		switch {
		case object[0] == '<':
			dst = append(dst, less...)
			object = object[1:]
		case bytes.HasPrefix(object, lineSeparator):
			dst = append(dst, escapedLine...)
			object = object[len(lineSeparator):]
		case bytes.HasPrefix(object, paragraphSeparator):
			dst = append(dst, escapedParagraph...)
			object = object[len(paragraphSeparator):]
		default: // a byte of what is no UTF-8
			dst = append(dst, object[0])
			object = object[1:]
		}
	}
	return dst
}

// AppendEscapedHTML is AppendEscaped for what browsers take for a page.
func AppendEscapedHTML(dst, s []byte) []byte {
	mark := len(dst)
	dst = AppendEscaped(dst, s)
	if bytes.IndexByte(dst[mark:], '<') < 0 {
		return dst
	}
	return append(dst[:mark], bytes.ReplaceAll(dst[mark:], []byte{'<'}, []byte(less))...)
}
